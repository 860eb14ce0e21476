"""Layers for clips [N, T, H, W, C], with the padding of PyTorch's Conv3d(padding=kernel // 2)."""

import keras
import tensorflow as tf

from tfanon.models import layers, per_frame


def conv3d_bn(x, channels, kernel, strides=(1, 1, 1), relu=True, name=None, time_dilation=1):
    """Convolution of clips without bias, batch normalisation, and ReLU where asked for.

    kernel, strides: over (T, H, W).  time_dilation: frames from one tap of the kernel to the next.
    """
    x = Conv3D(
        channels,
        kernel,
        strides,
        padding="same",
        time_dilation=time_dilation,
        use_bias=False,
        kernel_initializer=layers.kaiming_normal(),
        name=name,
    )(x)
    x = layers.batch_norm(f"{name}_bn")(x)
    return keras.layers.ReLU()(x) if relu else x


def conv2plus1d_bn(x, channels, kernel, strides, middle=None, relu=True, name=None):
    """R(2+1)D's convolution: 1 x kernel x kernel to `middle` channels, then 3 x 1 x 1; each with batch normalisation."""
    x = conv3d_bn(
        x, middle or channels, (1, kernel, kernel), (1, *strides[1:]), name=f"{name}_space"
    )
    return conv3d_bn(x, channels, (3, 1, 1), (strides[0], 1, 1), relu, name=f"{name}_time")


@keras.saving.register_keras_serializable("tfanon")
class Conv3D(keras.layers.Conv3D):
    """keras.layers.Conv3D whose padding="same" is kernel // 2 on every side; weights [t, h, w, C, channels].

    time_dilation: frames from one tap of the kernel to the next; Keras allows none beside strides.
    Computed by two-dimensional convolutions: TensorFlow's own takes up to twice as long on a CPU, backwards above all.
    """

    def __init__(self, *arguments, time_dilation=1, **kwargs):
        super().__init__(*arguments, **kwargs)
        self.time_dilation = time_dilation

    def get_config(self):
        return {**super().get_config(), "time_dilation": self.time_dilation}

    def convolution_op(self, inputs, kernel):
        if self.kernel_size[0] == self.strides[0] == 1:
            return self._convolve_space(inputs, kernel)
        if self.kernel_size[1:] == self.strides[1:] == (1, 1) and self.time_dilation == 1:
            return self._convolve_time(inputs, kernel)
        return self._convolve_space_and_time(inputs, kernel)

    def _convolve_space(self, x, kernel):
        """Every frame by itself."""
        kernel = tf.reshape(kernel, kernel.shape[1:])  # costs nothing, where a slice copies
        return per_frame.split_time(
            layers.convolve(per_frame.merge_time(x), kernel, self.strides[1:], self.padding), x
        )

    def _convolve_time(self, x, kernel):
        """Every pixel by itself: the clip as an image [N, T, H * W, C], under a kernel [t, 1]."""
        size = tf.shape(x)
        image = tf.reshape(x, [size[0], size[1], size[2] * size[3], x.shape[-1]])
        kernel = tf.reshape(kernel, [kernel.shape[0], 1, *kernel.shape[-2:]])
        y = layers.convolve(image, kernel, (self.strides[0], 1), self.padding)
        y = tf.reshape(y, [size[0], -1, size[2], size[3], self.filters])
        return layers.set_static_shape(y, self.compute_output_shape(x.shape))

    def _convolve_space_and_time(self, x, kernel):
        """The t frames that a frame of the result depends on, side by side as channels."""
        taps, reach = self.kernel_size[0], self.time_dilation * (self.kernel_size[0] - 1)
        length = self.compute_output_shape(x.shape)[1]
        if self.padding == "same":
            x = tf.pad(x, [[0, 0], [reach // 2, reach // 2], [0, 0], [0, 0], [0, 0]])
        starts = [tap * self.time_dilation for tap in range(taps)]
        ends = [tf.shape(x)[1] - reach + start for start in starts]
        stacked = tf.concat(
            [x[:, start : end : self.strides[0]] for start, end in zip(starts, ends)], axis=-1
        )
        stacked = layers.set_static_shape(
            stacked, [x.shape[0], length, *x.shape[2:4], taps * x.shape[-1]]
        )
        kernel = tf.concat([kernel[tap] for tap in range(taps)], axis=-2)
        y = layers.convolve(per_frame.merge_time(stacked), kernel, self.strides[1:], self.padding)
        return per_frame.split_time(y, stacked)
