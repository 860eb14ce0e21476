"""Layers for clips [N, T, H, W, C], padded like PyTorch's Conv3d(padding=kernel // 2)."""

from typing import Any

import keras
import tensorflow as tf

from tfanon.models import layers, per_frame

Size3D = tuple[int, int, int]  # over (T, H, W)


def conv3d_bn(
    x: keras.KerasTensor,
    channels: int,
    kernel: Size3D,
    strides: Size3D = (1, 1, 1),
    relu: bool = True,
    name: str | None = None,
    time_dilation: int = 1,
) -> keras.KerasTensor:
    """Apply a convolution without bias, batch normalization and, with `relu`, a ReLU.

    Args:
        x: Features ``[N, T, H, W, C]``.
        channels: Channels of the result.
        kernel: Kernel size over (T, H, W).
        strides: Strides over (T, H, W).
        relu: Whether a ReLU follows.
        name: Name of the convolution; "_bn" is appended for the normalization.
        time_dilation: Frames from one tap of the kernel to the next.

    Returns:
        Features ``[N, T', H', W', channels]``.
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


def conv2plus1d_bn(
    x: keras.KerasTensor,
    channels: int,
    kernel: int,
    strides: Size3D,
    middle: int | None = None,
    relu: bool = True,
    name: str | None = None,
) -> keras.KerasTensor:
    """Apply R(2+1)D's convolution over space and then over time, each with batch normalization.

    Args:
        x: Features ``[N, T, H, W, C]``.
        channels: Channels of the result.
        kernel: Height and width of the first kernel, 1 x kernel x kernel; the second is 3 x 1 x 1.
        strides: Strides over (T, H, W).
        middle: Channels between the two; None for `channels`.
        relu: Whether a ReLU follows the second.
        name: Prefix of the layers' names.

    Returns:
        Features ``[N, T', H', W', channels]``.
    """
    x = conv3d_bn(
        x,
        middle or channels,
        (1, kernel, kernel),
        (1, strides[1], strides[2]),
        name=f"{name}_space",
    )
    return conv3d_bn(x, channels, (3, 1, 1), (strides[0], 1, 1), relu, name=f"{name}_time")


@keras.saving.register_keras_serializable("tfanon")
class Conv3D(keras.layers.Conv3D):
    """keras.layers.Conv3D whose padding="same" adds kernel // 2 zeros on every side.

    It computes with two-dimensional convolutions: TensorFlow's three-dimensional ones take up to
    twice the time on a CPU, above all backwards. The weights are ``[t, h, w, C, channels]``.

    Args:
        *arguments: Arguments of keras.layers.Conv3D.
        time_dilation: Frames from one tap of the kernel to the next. Keras allows no dilation
            together with strides.
        **kwargs: Arguments of keras.layers.Conv3D.
    """

    def __init__(self, *arguments: Any, time_dilation: int = 1, **kwargs: Any) -> None:
        super().__init__(*arguments, **kwargs)
        self.time_dilation = time_dilation

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the layer."""
        return {**super().get_config(), "time_dilation": self.time_dilation}

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Convolve clips with the fewest operations that the kernel's shape allows.

        Args:
            inputs: Features ``[N, T, H, W, C]``.
            kernel: Weights ``[t, h, w, C, D]``.

        Returns:
            Features ``[N, T', H', W', D]``.
        """
        if self.kernel_size[0] == self.strides[0] == 1:
            return self._convolve_space(inputs, kernel)
        flat_in_space = self.kernel_size[1:] == self.strides[1:] == (1, 1)
        if flat_in_space and self.time_dilation == 1:
            return self._convolve_time(inputs, kernel)
        return self._convolve_space_and_time(inputs, kernel)

    def _convolve_space(self, x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Convolve every frame separately."""
        kernel = tf.reshape(kernel, kernel.shape[1:])  # costs nothing, where a slice copies
        y = layers.convolve(per_frame.merge_time(x), kernel, self.strides[1:], self.padding)
        return per_frame.split_time(y, x)

    def _convolve_time(self, x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Convolve every pixel separately: images ``[N, T, H * W, C]``, kernel ``[t, 1]``."""
        size = tf.shape(x)
        image = tf.reshape(x, [size[0], size[1], size[2] * size[3], x.shape[-1]])
        kernel = tf.reshape(kernel, [kernel.shape[0], 1, *kernel.shape[-2:]])
        y = layers.convolve(image, kernel, (self.strides[0], 1), self.padding)
        y = tf.reshape(y, [size[0], -1, size[2], size[3], self.filters])
        return layers.set_static_shape(y, self.compute_output_shape(x.shape))

    def _convolve_space_and_time(self, x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Convolve frames whose channels are those of the t frames that a result depends on."""
        taps = self.kernel_size[0]
        reach = self.time_dilation * (taps - 1)
        length = self.compute_output_shape(x.shape)[1]
        if self.padding == "same":
            x = tf.pad(x, [[0, 0], [reach // 2, reach // 2], [0, 0], [0, 0], [0, 0]])
        frames_of_taps = []
        for tap in range(taps):
            start = tap * self.time_dilation
            end = tf.shape(x)[1] - reach + start
            frames_of_taps.append(x[:, start : end : self.strides[0]])
        stacked = tf.concat(frames_of_taps, axis=-1)
        stacked = layers.set_static_shape(
            stacked, [x.shape[0], length, *x.shape[2:4], taps * x.shape[-1]]
        )
        kernel = tf.concat([kernel[tap] for tap in range(taps)], axis=-2)
        y = layers.convolve(per_frame.merge_time(stacked), kernel, self.strides[1:], self.padding)
        return per_frame.split_time(y, stacked)
