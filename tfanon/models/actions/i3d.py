"""I3D on Inception-v1 (Carreira and Zisserman, Quo Vadis, Action Recognition?, arXiv 1705.07750).

12,697,264 parameters with 400 classes; 27.8 GMAC for a clip of 16 x 224 x 224. Padding is TensorFlow's "same", which
depends on the size of what is padded; batch normalisation has epsilon 1e-3 and momentum .99, as in the published code.
"""

import keras
import tensorflow as tf

from tfanon.models import layers, layers_3d

# name: channels of the four branches: 1x1x1 | 1x1x1, 3x3x3 | 1x1x1, 3x3x3 | pool, 1x1x1; or the window of a pool
MODULES = {
    "Mixed_3b": (64, (96, 128), (16, 32), 32),
    "Mixed_3c": (128, (128, 192), (32, 96), 64),
    "MaxPool3d_4a_3x3": ((3, 3, 3), (2, 2, 2)),
    "Mixed_4b": (192, (96, 208), (16, 48), 64),
    "Mixed_4c": (160, (112, 224), (24, 64), 64),
    "Mixed_4d": (128, (128, 256), (24, 64), 64),
    "Mixed_4e": (112, (144, 288), (32, 64), 64),
    "Mixed_4f": (256, (160, 320), (32, 128), 128),
    "MaxPool3d_5a_2x2": ((2, 2, 2), (2, 2, 2)),
    "Mixed_5b": (256, (160, 320), (32, 128), 128),
    "Mixed_5c": (384, (192, 384), (48, 128), 128),
}


def build(classes):
    """Clips [N, T, H, W, 3] in [0, 1], any T, H and W -> logits [N, classes] float32; inside, pixels are in [-1, 1]."""
    clips = keras.Input((None, None, None, 3))
    x = layers.make_normalization((0.5,) * 3, (0.5,) * 3)(clips)
    x = _conv_unit(x, 64, (7, 7, 7), (2, 2, 2), name="Conv3d_1a_7x7")
    x = _max_pool_same(x, (1, 3, 3), (1, 2, 2))
    x = _conv_unit(x, 64, name="Conv3d_2b_1x1")
    x = _conv_unit(x, 192, (3, 3, 3), name="Conv3d_2c_3x3")
    x = _max_pool_same(x, (1, 3, 3), (1, 2, 2))
    for name, module in MODULES.items():
        x = (
            _inception_module(x, *module, name)
            if name.startswith("Mixed")
            else _max_pool_same(x, *module)
        )
    x = keras.layers.GlobalAveragePooling3D(dtype="float32")(x)
    x = keras.layers.Dropout(0.5)(x)
    logits = keras.layers.Dense(classes, dtype="float32", name="logits")(x)
    return keras.Model(clips, logits, name="i3d", dtype="float32")


def _inception_module(x, one, three, small, pooled, name):
    """The four branches of an Inception module, side by side."""
    branches = [
        _conv_unit(x, one, name=f"{name}_b0"),
        _conv_unit(
            _conv_unit(x, three[0], name=f"{name}_b1a"), three[1], (3, 3, 3), name=f"{name}_b1b"
        ),
        _conv_unit(
            _conv_unit(x, small[0], name=f"{name}_b2a"), small[1], (3, 3, 3), name=f"{name}_b2b"
        ),
        _conv_unit(_max_pool_same(x, (3, 3, 3), (1, 1, 1)), pooled, name=f"{name}_b3b"),
    ]
    return keras.layers.Concatenate(name=name)(branches)


def _conv_unit(x, channels, kernel=(1, 1, 1), strides=(1, 1, 1), name=None):
    """Convolution without bias, batch normalisation, ReLU."""
    padding = "same"  # at stride 1 kernel // 2 on both sides is TensorFlow's "same"
    if max(strides) > 1:
        x, padding = PadAsTensorFlow(kernel, strides)(x), "valid"
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


def _max_pool_same(x, window, strides):
    return keras.layers.MaxPooling3D(window, strides, padding="same")(x)


@keras.saving.register_keras_serializable("tfanon")
class PadAsTensorFlow(keras.layers.Layer):
    """Zeros around [N, T, H, W, C] so that a "valid" convolution is TensorFlow's "same": the odd one at the end."""

    def __init__(self, kernel, strides, **kwargs):
        super().__init__(**kwargs)
        self.kernel, self.strides = tuple(kernel), tuple(strides)

    def call(self, x):
        sizes = tf.unstack(tf.shape(x))[1:4]
        totals = [
            self._padded_size(size, axis, tf.maximum) - size for axis, size in enumerate(sizes)
        ]
        around = [[0, 0], *([total // 2, total - total // 2] for total in totals), [0, 0]]
        return layers.set_static_shape(tf.pad(x, around), self.compute_output_shape(x.shape))

    def compute_output_shape(self, input_shape):
        padded = [
            size and self._padded_size(size, axis, max)
            for axis, size in enumerate(input_shape[1:4])
        ]
        return (input_shape[0], *padded, input_shape[-1])

    def _padded_size(self, size, axis, maximum):
        """What the last of ceil(size / stride) windows reaches to, at least `size`."""
        kernel, stride = self.kernel[axis], self.strides[axis]
        return maximum((size - 1) // stride * stride + kernel, size)

    def get_config(self):
        return {**super().get_config(), "kernel": self.kernel, "strides": self.strides}
