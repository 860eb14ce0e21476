"""I3D on Inception-v1 (Carreira and Zisserman, Quo Vadis, Action Recognition?, arXiv 1705.07750).

12,697,264 parameters with 400 classes; 27.8 GMAC for a clip of 16 x 224 x 224. As in the published
code, padding is TensorFlow's "same", which depends on the input's size, and batch normalization
has epsilon 1e-3 and momentum .99.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfanon.models import layers, layers_3d

# Channels of the four branches: 1x1x1 | 1x1x1, 3x3x3 | 1x1x1, 3x3x3 | pool, 1x1x1.
InceptionChannels = tuple[int, tuple[int, int], tuple[int, int], int]
INCEPTION_CHANNELS: dict[str, InceptionChannels] = {
    "Mixed_3b": (64, (96, 128), (16, 32), 32),
    "Mixed_3c": (128, (128, 192), (32, 96), 64),
    "Mixed_4b": (192, (96, 208), (16, 48), 64),
    "Mixed_4c": (160, (112, 224), (24, 64), 64),
    "Mixed_4d": (128, (128, 256), (24, 64), 64),
    "Mixed_4e": (112, (144, 288), (32, 64), 64),
    "Mixed_4f": (256, (160, 320), (32, 128), 128),
    "Mixed_5b": (256, (160, 320), (32, 128), 128),
    "Mixed_5c": (384, (192, 384), (48, 128), 128),
}
POOLS_BEFORE = {"Mixed_4b": (3, 3, 3), "Mixed_5b": (2, 2, 2)}  # module: pooling window before it


def build(classes: int) -> keras.Model:
    """Build I3D; inside the network, pixels are in [-1, 1].

    Args:
        classes: Number of actions, K.

    Returns:
        Network of clips ``[N, T, H, W, 3]`` in [0, 1], of any T, H and W, to logits ``[N, K]``,
        float32.
    """
    clips = keras.Input((None, None, None, 3))
    x = layers.make_normalization((0.5,) * 3, (0.5,) * 3)(clips)
    x = _conv_unit(x, 64, (7, 7, 7), (2, 2, 2), name="Conv3d_1a_7x7")
    x = _max_pool_same(x, (1, 3, 3), (1, 2, 2))
    x = _conv_unit(x, 64, name="Conv3d_2b_1x1")
    x = _conv_unit(x, 192, (3, 3, 3), name="Conv3d_2c_3x3")
    x = _max_pool_same(x, (1, 3, 3), (1, 2, 2))
    for name, channels in INCEPTION_CHANNELS.items():
        if name in POOLS_BEFORE:
            x = _max_pool_same(x, POOLS_BEFORE[name], (2, 2, 2))
        x = _inception_module(x, channels, name)
    x = keras.layers.GlobalAveragePooling3D(dtype="float32")(x)
    x = keras.layers.Dropout(0.5)(x)
    logits = keras.layers.Dense(classes, dtype="float32", name="logits")(x)
    return keras.Model(clips, logits, name="i3d", dtype="float32")


def _inception_module(
    x: keras.KerasTensor, channels: InceptionChannels, name: str
) -> keras.KerasTensor:
    """The four branches of an Inception module, concatenated."""
    channels_0, channels_1, channels_2, channels_3 = channels
    branch_0 = _conv_unit(x, channels_0, name=f"{name}_b0")
    branch_1 = _conv_unit(x, channels_1[0], name=f"{name}_b1a")
    branch_1 = _conv_unit(branch_1, channels_1[1], (3, 3, 3), name=f"{name}_b1b")
    branch_2 = _conv_unit(x, channels_2[0], name=f"{name}_b2a")
    branch_2 = _conv_unit(branch_2, channels_2[1], (3, 3, 3), name=f"{name}_b2b")
    branch_3 = _max_pool_same(x, (3, 3, 3), (1, 1, 1))
    branch_3 = _conv_unit(branch_3, channels_3, name=f"{name}_b3b")
    return keras.layers.Concatenate(name=name)([branch_0, branch_1, branch_2, branch_3])


def _conv_unit(
    x: keras.KerasTensor,
    channels: int,
    kernel: layers_3d.Size3D = (1, 1, 1),
    strides: layers_3d.Size3D = (1, 1, 1),
    name: str | None = None,
) -> keras.KerasTensor:
    """Convolution without bias, batch normalization, ReLU."""
    padding = "same"  # at stride 1, kernel // 2 on both sides is TensorFlow's "same"
    if max(strides) > 1:
        x = PadAsTensorFlow(kernel, strides)(x)
        padding = "valid"
    x = layers_3d.Conv3D(
        channels,
        kernel,
        strides,
        padding=padding,
        use_bias=False,
        kernel_initializer=layers.kaiming_normal(),
        name=name,
    )(x)
    return keras.layers.ReLU()(layers.batch_norm(f"{name}_bn", epsilon=1e-3, momentum=0.99)(x))


def _max_pool_same(
    x: keras.KerasTensor, window: layers_3d.Size3D, strides: layers_3d.Size3D
) -> keras.KerasTensor:
    return keras.layers.MaxPooling3D(window, strides, padding="same")(x)


@keras.saving.register_keras_serializable("tfanon")
class PadAsTensorFlow(keras.layers.Layer):
    """Pad clips so that a "valid" convolution of the result is TensorFlow's "same" convolution.

    Where the number of zeros along an axis is odd, the extra one is at the end.

    Args:
        kernel: Kernel size of the convolution over (T, H, W).
        strides: Its strides over (T, H, W).
        **kwargs: Arguments of keras.layers.Layer.
    """

    def __init__(self, kernel: Sequence[int], strides: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kernel, self.strides = tuple(kernel), tuple(strides)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Pad features ``[N, T, H, W, C]`` with zeros."""
        sizes = tf.unstack(tf.shape(x))[1:4]
        paddings: list[list[Any]] = [[0, 0]]
        for axis, size in enumerate(sizes):
            total = self._padded_size(size, axis, tf.maximum) - size
            paddings.append([total // 2, total - total // 2])
        paddings.append([0, 0])
        return layers.set_static_shape(tf.pad(x, paddings), self.compute_output_shape(x.shape))

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """Return the padded shape, None where a size is unknown."""
        padded = []
        for axis, size in enumerate(input_shape[1:4]):
            padded.append(self._padded_size(size, axis, max) if size else size)
        return (input_shape[0], *padded, input_shape[-1])

    def _padded_size(self, size: Any, axis: int, maximum: Callable[[Any, Any], Any]) -> Any:
        """The end of the last of ceil(size / stride) windows, at least `size`."""
        kernel, stride = self.kernel[axis], self.strides[axis]
        return maximum((size - 1) // stride * stride + kernel, size)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the layer."""
        return {**super().get_config(), "kernel": self.kernel, "strides": self.strides}
