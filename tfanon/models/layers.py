"""Layers for frames: convolution, batch normalization and pooling with PyTorch's semantics.

The published weights of these networks come from PyTorch, so padding, epsilon and momentum are
PyTorch's.
"""

import functools
import pathlib
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STDDEV = (0.229, 0.224, 0.225)


def set_static_shape(x: tf.Tensor, shape: Sequence[int | None]) -> tf.Tensor:
    """Set the static shape of `x` and return it.

    tf.ensure_shape would leave an operation in the graph that TFLite does not support.

    Args:
        x: A tensor.
        shape: Its shape, None for unknown sizes.
    """
    x.set_shape(shape)
    return x


def scale_channels(channels: int, width: float) -> int:
    """Scale the channels of a layer by `width`, rounded to a multiple of 4 that is at least 4."""
    return max(4, 4 * int(channels * width / 4 + 0.5))


def make_normalization(mean: Sequence[float], stddev: Sequence[float]) -> keras.layers.Layer:
    """Make a layer that computes (x - mean) / stddev per channel.

    It computes in float32 under any dtype policy: bfloat16 has fewer grey levels than 8 bits.

    Args:
        mean: Mean of each channel, for pixels in [0, 1].
        stddev: Standard deviation of each channel.
    """
    scale = [1.0 / s for s in stddev]
    offset = [-m / s for m, s in zip(mean, stddev, strict=True)]
    return keras.layers.Rescaling(scale, offset, dtype="float32", name="normalize")


def make_imagenet_normalization() -> keras.layers.Layer:
    """Make the normalization with which torchvision's ImageNet weights were trained."""
    return make_normalization(IMAGENET_MEAN, IMAGENET_STDDEV)


def kaiming_normal() -> keras.initializers.Initializer:
    """He et al.'s initializer over the fan out, as in torchvision's residual networks."""
    return keras.initializers.VarianceScaling(
        2.0, mode="fan_out", distribution="untruncated_normal"
    )


def pytorch_uniform() -> keras.initializers.Initializer:
    """PyTorch's initializer of Linear and Conv layers: uniform within 1 / sqrt(fan in)."""
    return keras.initializers.VarianceScaling(1 / 3, mode="fan_in", distribution="uniform")


def conv2d(
    x: keras.KerasTensor,
    channels: int,
    kernel: int = 3,
    stride: int = 1,
    use_bias: bool = False,
    initializer: Any = None,
    name: str | None = None,
) -> keras.KerasTensor:
    """Apply a convolution like PyTorch's Conv2d(padding=kernel // 2).

    Args:
        x: Features ``[N, H, W, C]``.
        channels: Channels of the result.
        kernel: Height and width of the kernel.
        stride: Stride along both axes.
        use_bias: Whether to add a bias.
        initializer: Initializer of the kernel; None for `kaiming_normal`.
        name: Name of the layer.

    Returns:
        Features ``[N, ceil(H / stride), ceil(W / stride), channels]``.
    """
    return Conv2D(
        channels,
        kernel,
        stride,
        padding="same",
        use_bias=use_bias,
        kernel_initializer=initializer or kaiming_normal(),
        name=name,
    )(x)


def batch_norm(
    name: str | None = None, epsilon: float = 1e-5, momentum: float = 0.9
) -> "BatchNorm":
    """Make a batch normalization with PyTorch's constants, synchronized over several replicas."""
    synchronized = tf.distribute.get_strategy().num_replicas_in_sync > 1
    return BatchNorm(epsilon=epsilon, momentum=momentum, synchronized=synchronized, name=name)


def conv2d_bn(
    x: keras.KerasTensor,
    channels: int,
    kernel: int = 3,
    stride: int = 1,
    initializer: Any = None,
    relu: bool = True,
    use_bias: bool = False,
    name: str | None = None,
) -> keras.KerasTensor:
    """Apply convolution, batch normalization and, with `relu`, a ReLU; arguments as in `conv2d`."""
    x = conv2d(x, channels, kernel, stride, use_bias, initializer, name=name)
    norm_name = f"{name}_bn" if name else None
    x = batch_norm(norm_name)(x)
    return keras.layers.ReLU()(x) if relu else x


def max_pool2d(x: keras.KerasTensor) -> keras.KerasTensor:
    """Apply PyTorch's MaxPool2d(3, 2, 1) to features ``[N, H, W, C]`` that are at least 0.

    After a ReLU, padding with 0 equals PyTorch's padding with -inf.
    """
    return keras.layers.MaxPooling2D(3, 2)(keras.layers.ZeroPadding2D(1)(x))


@keras.saving.register_keras_serializable("tfanon")
class Conv2D(keras.layers.Conv2D):
    """keras.layers.Conv2D whose padding="same" adds kernel // 2 zeros on every side.

    Keras' own pads only below and to the right at stride 2.
    """

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Convolve the inputs; see `convolve`."""
        return convolve(inputs, kernel, self.strides, self.padding)


def convolve(
    x: tf.Tensor, kernel: tf.Tensor, strides: tuple[int, int], padding: str = "same"
) -> tf.Tensor:
    """Convolve frames with kernel // 2 zeros around them.

    Args:
        x: Features ``[N, H, W, C]``.
        kernel: Weights ``[h, w, C, D]``.
        strides: Strides along H and W.
        padding: "same" for h // 2 and w // 2 zeros on every side, "valid" for none.

    Returns:
        Features ``[N, ceil(H / stride), ceil(W / stride), D]``, in the dtype of `x`.
    """
    dtype = x.dtype
    if dtype.size < 4 and not has_16_bit_convolutions():
        x, kernel = tf.cast(x, tf.float32), tf.cast(kernel, tf.float32)
    if max(kernel.shape[:2]) == 1:
        # oneDNN's own stride writes past its buffer (uxlfoundation/oneDNN issue 6035).
        x, strides = x[:, :: strides[0], :: strides[1]], (1, 1)
    if max(strides) == 1 or padding == "valid":
        y = tf.nn.conv2d(x, kernel, strides, padding.upper())
    else:
        # TensorFlow's "SAME" would pad below and to the right only.
        height, width = kernel.shape[0] // 2, kernel.shape[1] // 2
        x = tf.pad(x, [[0, 0], [height, height], [width, width], [0, 0]])
        y = tf.nn.conv2d(x, kernel, strides, "VALID")
    return tf.cast(y, dtype)


@functools.cache
def has_16_bit_convolutions() -> bool:
    """Return whether this machine has a GPU, or a processor with bfloat16 instructions.

    On other machines, TensorFlow's 16-bit convolutions run backwards at a tenth of float32's
    speed, so convolutions compute in float32 between 16-bit tensors there. Sums are in float32 in
    either case.
    """
    if tf.config.list_logical_devices("GPU"):
        return True
    processor = pathlib.Path("/proc/cpuinfo")
    return processor.exists() and "bf16" in processor.read_text()


@keras.saving.register_keras_serializable("tfanon")
class BatchNorm(keras.layers.BatchNormalization):
    """keras.layers.BatchNormalization of frames or clips with TensorFlow's fused operation.

    Keras 3 composes batch normalization of small operations. Forwards and backwards together they
    take two to three times the time and memory, and at inference TensorFlow cannot fuse them with
    the convolution before. Keras' own code still runs in float16 and in training on several
    replicas.

    As in PyTorch, the moving average is of the unbiased variance, where Keras has the biased one;
    both normalize a batch with the biased one.
    """

    def call(self, inputs: tf.Tensor, training: bool | None = None, mask: Any = None) -> tf.Tensor:
        """Normalize features.

        Args:
            inputs: Features ``[N, H, W, C]`` or ``[N, T, H, W, C]``.
            training: Whether to normalize with the statistics of the batch and to update the
                moving averages.
            mask: Passed on to Keras' own code.

        Returns:
            Normalized features, same shape and dtype.
        """
        training = bool(training and self.trainable)
        if inputs.dtype == "float16" or (training and self.synchronized):
            return self._call_keras(inputs, training, mask)
        if inputs.shape.rank == 4:
            return self._call_fused(inputs, training)
        size = tf.shape(inputs)
        frames = tf.reshape(inputs, [-1, size[-3], size[-2], inputs.shape[-1]])
        return set_static_shape(tf.reshape(self._call_fused(frames, training), size), inputs.shape)

    def _call_keras(self, inputs: tf.Tensor, training: bool, mask: Any) -> tf.Tensor:
        """Normalize with Keras' own code and correct the moving variance after it."""
        kept = self.moving_variance * self.momentum
        y = super().call(inputs, training=training, mask=mask)
        if training:
            correction = self._bessel_correction(tf.shape(inputs))
            self.moving_variance.assign(kept + (self.moving_variance - kept) * correction)
        return y

    def _call_fused(self, frames: tf.Tensor, training: bool) -> tf.Tensor:
        """Normalize ``[N, H, W, C]`` with the fused operation."""
        moving_averages = (self.moving_mean, self.moving_variance)
        statistics = () if training else moving_averages
        # In training, the variance that the operation returns is the unbiased one.
        y, *batch_statistics = tf.compat.v1.nn.fused_batch_norm(
            frames,
            self.gamma,
            self.beta,
            *statistics,
            epsilon=self.epsilon,
            is_training=training,
        )
        if training:
            for average, value in zip(moving_averages, batch_statistics, strict=True):
                average.assign(average * self.momentum + value * (1 - self.momentum))
        return y

    def _bessel_correction(self, size: tf.Tensor) -> tf.Tensor:
        """Return n / (n - 1) for a variance of n numbers; 1 where n is 1."""
        replicas = tf.distribute.get_strategy().num_replicas_in_sync if self.synchronized else 1
        count = tf.cast(replicas * tf.reduce_prod(size[:-1]), tf.float32)
        return count / tf.maximum(count - 1, 1)
