"""Nothing but noise: an attacker who finds more than chance behind it is measured wrongly.

The noise is uniform in [0, 1] and a function of `seed` and of a frame's place in its batch alone, never of a pixel. So
it repeats from batch to batch, which tells nothing either, and a run that was stopped goes on bit for bit.
"""

import keras
import tensorflow as tf

from tfanon.models import layers
from tfanon.models.anonymizers import _fixed


@keras.saving.register_keras_serializable("tfanon")
class Noise(keras.layers.Layer):
    """[N, H, W, 3] -> noise of the same shape."""

    def __init__(self, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.seed = seed

    def call(self, x):
        return layers.shaped(tf.random.stateless_uniform(tf.shape(x), [self.seed, 0], alg="philox"), x.shape)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}


def build(seed=0, **_):
    """Noise in the place of frames and clips; settings of other anonymizers are ignored.

    Raises ValueError for a seed that is no int32 of 0 or more.
    """
    _fixed.check("noise", "seed", seed, 0, 2**31 - 1)
    return _fixed.fixed("noise", Noise(seed, dtype="float32"))
