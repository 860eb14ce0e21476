"""Several judges of the same images as one network."""

import keras
import tensorflow as tf


class Ensemble(keras.Model):
    """M networks that answer side by side.  members: keras.Models, x -> logits [N, P] each."""

    def __init__(self, members):
        super().__init__(name="ensemble", dtype="float32")
        self.members = list(members)
        self.video = all(
            getattr(member, "video", False) for member in members
        )  # it takes whole clips
        self.built = True  # as its members are

    def call(self, x, training=False):
        """Returns logits [N, M, P]."""
        return tf.stack([member(x, training=training) for member in self.members], axis=1)
