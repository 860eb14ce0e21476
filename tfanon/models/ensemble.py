"""Several privacy networks with the same input as one network."""

from collections.abc import Iterable

import keras
import tensorflow as tf


class Ensemble(keras.Model):
    """M networks that predict side by side.

    Args:
        members: Networks of x to logits ``[N, P]`` each, all of them built.
    """

    def __init__(self, members: Iterable[keras.Model]) -> None:
        super().__init__(name="ensemble", dtype="float32")
        self.members = list(members)
        self.takes_clips = all(getattr(member, "takes_clips", False) for member in self.members)
        self.built = True

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return the logits of all members, ``[N, M, P]``."""
        return tf.stack([member(x, training=training) for member in self.members], axis=1)
