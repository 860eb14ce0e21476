"""C3D, eight 3x3x3 convolutions and three dense layers: VITA's f_T, and that of Table 5.

Tran et al., Learning Spatiotemporal Features with 3D Convolutional Networks, arXiv 1412.0767.
78,409,573 parameters with 101 classes, 79,991,015 with the 487 of Sports-1M; 38.5 GMAC for a clip
of 16 x 112 x 112.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfanon.models import layers, layers_3d

CONVOLUTIONS = (  # name, channels, pooling window after it over (T, H, W)
    ("1", 64, (1, 2, 2)),
    ("2", 128, (2, 2, 2)),
    ("3a", 256, None),
    ("3b", 256, (2, 2, 2)),
    ("4a", 512, None),
    ("4b", 512, (2, 2, 2)),
    ("5a", 512, None),
    ("5b", 512, None),
)
GRID_SIDE = 4  # height and width of the dense layers' input, as in clips of 112 x 112
SPORTS_1M_MEAN = (104 / 255, 117 / 255, 128 / 255)  # of mmaction2's C3D


def build(classes: int) -> keras.Model:
    """Build C3D.

    For clips of 16 x 112 x 112 this is the paper's network. For other sizes the last features are
    averaged over the grid that its dense layers were made for. Weights from Sports-1M expect 255 x
    minus the mean of each color, which the network subtracts itself.

    Args:
        classes: Number of actions, K.

    Returns:
        Network of clips ``[N, T, H, W, 3]`` in [0, 1], T at least 8, H and W at least 16, to logits
        ``[N, K]``, float32.
    """
    clips = keras.Input((None, None, None, 3))
    x = layers.make_normalization(SPORTS_1M_MEAN, (1 / 255,) * 3)(clips)
    for name, channels, pool in CONVOLUTIONS:
        x = layers_3d.Conv3D(
            channels,
            3,
            padding="same",
            activation="relu",
            kernel_initializer=layers.kaiming_normal(),
            name=f"conv{name}",
        )(x)
        if pool:
            x = keras.layers.MaxPooling3D(pool)(x)
    # Features are at least 0 after a ReLU, so padding with 0 equals padding with -inf.
    x = keras.layers.ZeroPadding3D((0, 1, 1))(x)
    x = keras.layers.MaxPooling3D((1, 2, 2))(x)
    # One frame is left of 16, and of 8.
    x = keras.layers.MaxPooling3D((2, 1, 1), padding="same")(x)
    x = keras.layers.Flatten()(ToGrid(GRID_SIDE)(x))
    for name in ("fc6", "fc7"):
        dense = keras.layers.Dense(
            4096, "relu", kernel_initializer=layers.kaiming_normal(), name=name
        )
        x = dense(x)
        x = keras.layers.Dropout(0.5)(x)
    logits = keras.layers.Dense(classes, dtype="float32", name="logits")(x)
    return keras.Model(clips, logits, name="c3d", dtype="float32")


@keras.saving.register_keras_serializable("tfanon")
class ToGrid(keras.layers.Layer):
    """Average clips over time and over `side` x `side` equal parts of the frame.

    Args:
        side: Height and width of the result ``[N, side, side, C]``.
        **kwargs: Arguments of keras.layers.Layer.
    """

    def __init__(self, side: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.side = side

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Average features ``[N, T, H, W, C]``."""
        x = tf.reduce_mean(x, 1)
        size = tf.shape(x)
        x = tf.einsum("gh,nhwc->ngwc", _overlap_weights(self.side, size[1], x.dtype), x)
        x = tf.einsum("gw,nhwc->nhgc", _overlap_weights(self.side, size[2], x.dtype), x)
        return layers.set_static_shape(x, self.compute_output_shape(x.shape))

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """Return ``[N, side, side, C]``."""
        return (input_shape[0], self.side, self.side, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the layer."""
        return {**super().get_config(), "side": self.side}


def _overlap_weights(parts: int, length: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Weights ``[parts, length]`` of pixels in each of `parts` equal parts; rows sum to 1."""
    width = tf.cast(length, tf.float32) / parts
    low = tf.range(parts, dtype=tf.float32)[:, None] * width
    pixel = tf.cast(tf.range(length), tf.float32)[None]
    overlap = tf.minimum(low + width, pixel + 1) - tf.maximum(low, pixel)
    return tf.cast(tf.maximum(overlap, 0) / width, dtype)
