"""Noise only, a negative control: an attack that beats chance on it measures something wrong.

The noise is uniform in [0, 1], a function of `seed` and of the sum over the whole batch. So an
evaluation gives the same numbers twice, and a resumed run continues bit for bit. If it depended on
a frame's position in the batch alone, it would reveal the order of the examples.
"""

from typing import Any

import keras
import tensorflow as tf

from tfanon.models import layers
from tfanon.models.anonymizers import _fixed


@keras.saving.register_keras_serializable("tfanon")
class Noise(keras.layers.Layer):
    """Replace frames by noise.

    Args:
        seed: Seed of the noise.
        **kwargs: Arguments of keras.layers.Layer.
    """

    def __init__(self, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed = seed

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Return noise in the shape of the frames ``[N, H, W, 3]``."""
        total = tf.bitcast(tf.reduce_sum(tf.cast(x, tf.float32)), tf.int32)
        seeds = tf.stack([self.seed, total])
        noise = tf.random.stateless_uniform(tf.shape(x), seeds, alg="philox")
        return layers.set_static_shape(noise, x.shape)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the layer."""
        return {**super().get_config(), "seed": self.seed}


def build(seed: int = 0, **_: Any) -> keras.Model:
    """Build an anonymizer that replaces frames and clips by noise.

    Args:
        seed: Seed of the noise, 0 to 2^31 - 1.
        **_: Options of other anonymizers, ignored.

    Returns:
        The anonymizer.

    Raises:
        ValueError: `seed` is out of range.
    """
    _fixed.check_range("noise", "seed", seed, 0, 2**31 - 1)
    return _fixed.build_fixed("noise", Noise(seed, dtype="float32"))
