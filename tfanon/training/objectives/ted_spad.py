"""TeD-SPAD's objective: SPAct's, with features of f_T that differ between moments of a video.

Source: Fioresi et al., ICCV 2023. In both steps L_T is the cross-entropy plus --temporal_weight
times a triplet loss on a projection of f_T's features. The anchor is a clip, the positive the same
frames augmented differently, the negative another moment of the same video. There is no penalty.
TeD-SPAD weights L_T with .7 (--utility_weight). Its code shuffled the frames on the way to f_A;
here they stay in order.
"""

import dataclasses
from collections.abc import Sequence

import keras
import tensorflow as tf

from tfanon.core.config import Config
from tfanon.training import distribution, losses
from tfanon.training.objectives import penalty

# Sizes of the released projector.
HIDDEN_SIZE, PROJECTION_SIZE = 512, 128


def build(config: Config, attribute_names: Sequence[str] = ()) -> "TedSpadObjective":
    """Build the objective, with a penalty weight of 0 regardless of the configuration.

    Args:
        config: Configuration of the run.
        attribute_names: Names of the private labels; not used.

    Returns:
        The objective.

    Raises:
        ValueError: `config.ensemble` asks for several privacy networks.
    """
    return TedSpadObjective(dataclasses.replace(config, penalty_weight=0.0))


class TedSpadObjective(penalty.PenaltyObjective):
    """L_A = L_T - L_B, where L_T includes the triplet loss L_D and f_T has a projection for it."""

    extra_batch_keys = ("others",)

    def extend_action_network(self, f_T: keras.Model) -> keras.Model:
        """Add the released projector to f_T.

        Args:
            f_T: Action network: clips to logits ``[N, K]``.

        Returns:
            The network with a second output, unit vectors ``[N, 128]``, computed from the input of
            f_T's last layer.
        """
        features = _skip_dropout(f_T.layers[-1].input)
        x = keras.layers.ReLU()(_dense_bn(features, HIDDEN_SIZE, "projector_0"))
        x = _dense_bn(x, PROJECTION_SIZE, "projector_1")
        z = keras.layers.UnitNormalization(dtype="float32", name="projection")(x)
        return keras.Model(f_T.inputs[0], [f_T.outputs[0], z], name=f_T.name, dtype="float32")

    def action_loss(
        self, f_T: keras.Model, batch: penalty.Batch, anon: penalty.Batch, training: bool
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Cross-entropy plus the weighted triplet loss.

        Args:
            f_T: Action network with a projection.
            batch: The batch, whose "labels" are the actions.
            anon: The batch after f_A; "others" ``[N, 2, T, H, W, 3]`` are positive and negative.
            training: True in step 2, where f_T learns; False in step 1, where it is frozen.

        Returns:
            (L_T, logits ``[N, K]``).
        """
        # One pass over [N, 3, T, H, W, 3], so that all three share their batch statistics.
        clips = tf.concat([anon["clips"][:, None], anon["others"]], axis=1)
        flat_clips = tf.reshape(clips, tf.concat([[-1], tf.shape(clips)[2:]], 0))
        logits, z = f_T(flat_clips, training=training)
        # Cross-entropy of the anchors alone, of which the batch has one per label.
        logits = tf.reshape(logits, [-1, 3, logits.shape[-1]])[:, 0]
        anchor, positive, negative = tf.unstack(tf.reshape(z, [-1, 3, z.shape[-1]]), axis=1)
        L_D = losses.triplet_loss(anchor, positive, negative, self.config.triplet_margin)
        cross_entropy = losses.action_cross_entropy(batch["labels"], logits)
        return tf.reduce_mean(cross_entropy + self.config.temporal_weight * L_D), logits


def _skip_dropout(x: keras.KerasTensor) -> keras.KerasTensor:
    """Return the input of the dropout layer that made `x`; `x` itself if another layer did.

    Dropout would separate the projections of one and the same clip.
    """
    layer = x._keras_history.operation
    if isinstance(layer, keras.layers.Dropout):
        return layer.input
    return x


def _dense_bn(x: keras.KerasTensor, units: int, name: str) -> keras.KerasTensor:
    """Dense layer without bias, then batch normalization with PyTorch's constants."""
    # Statistics of the global batch, so that replicas train like one device.
    synchronized = distribution.count_replicas() > 1
    x = keras.layers.Dense(units, use_bias=False, name=name)(x)
    return keras.layers.BatchNormalization(
        epsilon=1e-5, momentum=0.9, synchronized=synchronized, name=f"{name}_bn"
    )(x)
