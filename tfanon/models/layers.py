"""What the networks of frames share: convolution, batch normalisation and pooling with PyTorch's meaning.

Weights published for these networks come from PyTorch, so padding, epsilon and momentum are PyTorch's.
"""

import functools
import pathlib

import keras
import tensorflow as tf


def set_static_shape(x, shape):
    """x, its static shape known; tf.ensure_shape would leave an operation behind that TFLite has not built in."""
    x.set_shape(shape)
    return x


def scale_channels(channels, width):
    """Channels of a layer in a network of relative `width`: a multiple of 4, at least 4."""
    return max(4, 4 * int(channels * width / 4 + 0.5))


def make_normalization(mean, stddev):
    """(x - mean) / deviation per channel, x in [0, 1]; float32, since bfloat16 would lose grey levels first."""
    scale = [1.0 / d for d in stddev]
    offset = [-m / d for m, d in zip(mean, stddev)]
    return keras.layers.Rescaling(scale, offset, dtype="float32", name="normalize")


def make_imagenet_normalization():
    """The normalisation under which torchvision's ImageNet weights were trained."""
    return make_normalization((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def kaiming_normal():
    """He et al.'s initialiser over the fan out, as in torchvision's residual networks."""
    return keras.initializers.VarianceScaling(
        2.0, mode="fan_out", distribution="untruncated_normal"
    )


def conv2d(x, channels, kernel=3, stride=1, use_bias=False, initializer=None, name=None):
    """Convolve [N, H, W, C] as PyTorch's Conv2d(padding=kernel // 2)."""
    return Conv2D(
        channels,
        kernel,
        stride,
        padding="same",
        use_bias=use_bias,
        kernel_initializer=initializer or kaiming_normal(),
        name=name,
    )(x)


def pytorch_uniform():
    """What PyTorch's Linear and Conv layers start from: uniform within 1 / sqrt(fan in)."""
    return keras.initializers.VarianceScaling(1 / 3, mode="fan_in", distribution="uniform")


def batch_norm(name=None, epsilon=1e-5, momentum=0.9):
    """Batch normalisation with PyTorch's constants; over all replicas where the strategy has several."""
    several = tf.distribute.get_strategy().num_replicas_in_sync > 1
    return BatchNorm(epsilon=epsilon, momentum=momentum, synchronized=several, name=name)


def conv2d_bn(
    x, channels, kernel=3, stride=1, initializer=None, relu=True, use_bias=False, name=None
):
    """Convolution, batch normalisation, and ReLU where asked for."""
    x = conv2d(x, channels, kernel, stride, use_bias, initializer, name=name)
    x = batch_norm(name and f"{name}_bn")(x)
    return keras.layers.ReLU()(x) if relu else x


def max_pool2d(x):
    """PyTorch's MaxPool2d(3, 2, 1) of [N, H, W, C] >= 0: after a ReLU, padding with 0 is padding with -inf."""
    return keras.layers.MaxPooling2D(3, 2)(keras.layers.ZeroPadding2D(1)(x))


@keras.saving.register_keras_serializable("tfanon")
class Conv2D(keras.layers.Conv2D):
    """keras.layers.Conv2D whose padding="same" is kernel // 2 on every side, at stride 2 too."""

    def convolution_op(self, inputs, kernel):
        return convolve(inputs, kernel, self.strides, self.padding)


def convolve(x, kernel, strides, padding="same"):
    """[N, H, W, C] * [h, w, C, D] -> [N, ceil(H / stride), ceil(W / stride), D], h // 2 and w // 2 zeros around x.

    With padding="valid" there are no zeros around x.
    """
    dtype = x.dtype
    if dtype.size < 4 and not has_16_bit_convolutions():
        x, kernel = tf.cast(x, tf.float32), tf.cast(kernel, tf.float32)
    if (
        max(kernel.shape[:2]) == 1
    ):  # oneDNN's own stride writes past its buffer (uxlfoundation/oneDNN issue 6035)
        x, strides = x[:, :: strides[0], :: strides[1]], (1, 1)
    if max(strides) == 1 or padding == "valid":
        y = tf.nn.conv2d(x, kernel, strides, padding.upper())
    else:  # "SAME" would pad below and to the right only
        height, width = kernel.shape[0] // 2, kernel.shape[1] // 2
        x = tf.pad(x, [[0, 0], [height, height], [width, width], [0, 0]])
        y = tf.nn.conv2d(x, kernel, strides, "VALID")
    return tf.cast(y, dtype)


@functools.cache
def has_16_bit_convolutions():
    """Whether this machine has a GPU or a processor with bfloat16 instructions.

    On others TensorFlow's convolutions run backwards at a tenth of float32's speed, so float32 is used between
    rounded tensors; the sums are in float32 either way.
    """
    processor = pathlib.Path("/proc/cpuinfo")
    return (
        bool(tf.config.list_logical_devices("GPU"))
        or processor.exists()
        and "bf16" in processor.read_text()
    )


@keras.saving.register_keras_serializable("tfanon")
class BatchNorm(keras.layers.BatchNormalization):
    """keras.layers.BatchNormalization of [N, H, W, C] or [N, T, H, W, C] with TensorFlow's fused operation.

    Keras 3 composes it of small ones: forwards and backwards together take 2 to 3 times as long, and as much memory, and
    in inference TensorFlow cannot make one operation of a convolution and what follows it. Trained on several replicas,
    and in float16, Keras' own code runs. As in PyTorch the moving average is of the unbiased variance, where Keras has
    the biased one; what normalises the batch is the biased one in both.
    """

    def call(self, inputs, training=None, mask=None):
        training = bool(training and self.trainable)
        if inputs.dtype == "float16" or training and self.synchronized:
            return self._call_keras(inputs, training, mask)
        if inputs.shape.rank == 4:
            return self._call_fused(inputs, training)
        size = tf.shape(inputs)
        frames = tf.reshape(inputs, [-1, size[-3], size[-2], inputs.shape[-1]])  # of clips
        return set_static_shape(tf.reshape(self._call_fused(frames, training), size), inputs.shape)

    def _call_keras(self, inputs, training, mask):
        kept = self.moving_variance * self.momentum
        y = super().call(inputs, training=training, mask=mask)
        if training:
            self.moving_variance.assign(
                kept + (self.moving_variance - kept) * self._bessel_correction(tf.shape(inputs))
            )
        return y

    def _call_fused(self, frames, training):
        moving = (self.moving_mean, self.moving_variance)
        y, *found = tf.compat.v1.nn.fused_batch_norm(
            frames,
            self.gamma,
            self.beta,
            *(() if training else moving),
            epsilon=self.epsilon,
            is_training=training,
        )
        if training:
            for average, batch in zip(moving, found):  # of the unbiased variance
                average.assign(average * self.momentum + batch * (1 - self.momentum))
        return y

    def _bessel_correction(self, size):
        """n / (n - 1) for the n numbers behind one variance; 1 where there is one."""
        replicas = tf.distribute.get_strategy().num_replicas_in_sync if self.synchronized else 1
        count = tf.cast(replicas * tf.reduce_prod(size[:-1]), tf.float32)
        return count / tf.maximum(count - 1, 1)
