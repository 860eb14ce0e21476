"""TeD-SPAD (Fioresi et al., ICCV 2023): SPAct's loss, and features of f_T that tell the moments of a video apart.

In both steps L_T is the cross-entropy plus --temporal_weight times a triplet loss on a projection of f_T's features:
anchor a clip, positive the same frames augmented otherwise, negative another moment of the same video. There is no
penalty. TeD-SPAD weighs L_T with .7 (--utility_weight). Its frames were scrambled on the way to f_A; here they are not.
"""

import dataclasses

import keras
import tensorflow as tf

from tfanon.training import losses
from tfanon.training.objectives import penalty


def build(config, attribute_names=()):
    """The objective of a Config, whose penalty weighs nothing.  attribute_names: not looked at."""
    return TedSpadObjective(dataclasses.replace(config, penalty_weight=0.0))


class TedSpadObjective(penalty.PenaltyObjective):
    """Penalty without penalty; L_T holds the triplet loss, and f_T a projection for it."""

    extras = ("others",)

    def action_network(self, f_T):
        """f_T with a second output, unit vectors [N, 128]: the released projector on what its last layer is given."""
        features = _skip_dropout(f_T.layers[-1].input)
        x = keras.layers.ReLU()(_dense_bn(features, 512, "projector_0"))
        z = keras.layers.UnitNormalization(dtype="float32", name="projection")(
            _dense_bn(x, 128, "projector_1")
        )
        return keras.Model(f_T.inputs[0], [f_T.outputs[0], z], name=f_T.name, dtype="float32")

    def action(self, f_T, batch, anon, training):
        clips = tf.concat([anon["clips"][:, None], anon["others"]], axis=1)  # [N, 3, T, H, W, 3]
        logits, z = f_T(
            tf.reshape(clips, tf.concat([[-1], tf.shape(clips)[2:]], 0)), training=training
        )
        logits = tf.reshape(logits, [-1, 3, logits.shape[-1]])[:, 0]
        anchor, positive, negative = tf.unstack(tf.reshape(z, [-1, 3, z.shape[-1]]), axis=1)
        L_D = losses.triplet_loss(anchor, positive, negative, self.config.triplet_margin)
        return tf.reduce_mean(
            losses.action_cross_entropy(batch["labels"], logits) + self.config.temporal_weight * L_D
        ), logits


def _skip_dropout(x):
    """What a dropout layer was given: the same clip twice must be nothing apart."""
    layer = x._keras_history.operation
    return layer.input if isinstance(layer, keras.layers.Dropout) else x


def _dense_bn(x, units, name):
    several = tf.distribute.get_strategy().num_replicas_in_sync > 1
    x = keras.layers.Dense(units, use_bias=False, name=name)(x)
    return keras.layers.BatchNormalization(
        epsilon=1e-5, momentum=0.9, synchronized=several, name=f"{name}_bn"
    )(x)
