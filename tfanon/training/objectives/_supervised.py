"""Base of the supervised objectives: one or more f_B that predict private attributes from labels.

Unlike the paper's objective they need labelled data: every image, or every clip, must have its
private labels in training.
"""

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from tfanon.core.config import Config
from tfanon.models import per_frame
from tfanon.training import losses
from tfanon.training.objectives import penalty

LABEL_KEYS = {"images": "attributes", "clips": "clip_attributes"}  # of a batch

Predict = Callable[[tf.Tensor], tf.Tensor]


class SupervisedObjective(penalty.PenaltyObjective):
    """L_A = L_T + L_adv without a penalty; L_adv is the subclass's `adversarial_loss`.

    An ensemble of M privacy networks gives logits ``[n, M, P]``, a single one ``[n, P]``.

    Args:
        config: Configuration of the run.
        attribute_names: Names of the private labels that --private_labels chooses.

    Raises:
        ValueError: The data has no private labels.
    """

    extra_terms = ("L_adv",)
    supports_ensemble = True

    def __init__(self, config: Config, attribute_names: Sequence[str]) -> None:
        super().__init__(config)
        self.attribute_names = tuple(attribute_names)
        self.extra_batch_keys = (LABEL_KEYS[config.private_labels],)
        if not attribute_names:
            sources = {"images": config.image_source, "clips": config.clip_source}
            raise ValueError(
                f"--objective={config.objective} needs private labels in training, and the "
                f"{config.private_labels} of {sources[config.private_labels]} have none. Name "
                "their columns (--private_columns, --clip_private_columns), choose another data "
                "set or --private_labels, or use --objective=penalty, which needs no labels."
            )

    def privacy_head_arguments(self) -> dict[str, int]:
        """Return the head of a privacy network: one logit per attribute."""
        return {"attributes": len(self.attribute_names)}

    def adversarial_loss(self, truth: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Loss L_adv that f_A minimizes besides L_T, per example.

        Args:
            truth: Private attributes, 0 or 1, ``[n, M, P]``.
            logits: Logits of M privacy networks, ``[n, M, P]``.

        Returns:
            Loss per example, ``[n]``.
        """
        raise NotImplementedError

    def anonymizer_loss(
        self, f_T: keras.Model, f_B: keras.Model, batch: penalty.Batch, anon: penalty.Batch
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Loss L_A = L_T + L_adv of step 1; L_B and L_P are logged and not part of it.

        Args:
            f_T: Action network, frozen.
            f_B: Privacy network or ensemble, frozen.
            batch: The batch.
            anon: The batch after f_A.

        Returns:
            (L_A, terms): the loss and the terms to log by name.
        """
        L_T, _ = self.action_loss(f_T, batch, anon, training=False)
        truth, logits = self._labels_and_logits(
            f_B, batch, anon, lambda x: penalty.call_frozen(f_B, x, self.config.budget_batch_norm)
        )
        L_adv = tf.reduce_mean(self.adversarial_loss(truth, logits))
        L_A = self.config.utility_weight * L_T + self.config.budget_weight * L_adv
        L_B = tf.reduce_mean(losses.attribute_cross_entropy(truth, logits))
        L_P = tf.reduce_mean(
            losses.penalty(batch["clips"], anon["clips"], self.config.penalty_bound)
        )
        return L_A, {"L_T": L_T, "L_B": L_B, "L_P": L_P, "L_adv": L_adv}

    def frozen_privacy_loss(
        self, f_B: keras.Model, batch: penalty.Batch, anon: penalty.Batch, batch_norm: str
    ) -> tf.Tensor:
        """Cross-entropy of the attributes, with f_B frozen.

        Args:
            f_B: Privacy network or ensemble.
            batch: The batch.
            anon: The batch after f_A.
            batch_norm: "inference" or "batch", see `penalty.call_frozen`.

        Returns:
            L_B.
        """
        return self._attribute_loss(
            f_B, batch, anon, lambda x: penalty.call_frozen(f_B, x, batch_norm)
        )

    def privacy_loss(
        self, f_B: keras.Model, batch: penalty.Batch, anon: penalty.Batch
    ) -> tf.Tensor:
        """Cross-entropy of the attributes, which f_B minimizes in step 2.

        Args:
            f_B: Privacy network or ensemble.
            batch: The batch.
            anon: The batch after f_A.

        Returns:
            L_B.
        """
        return self._attribute_loss(f_B, batch, anon, lambda x: f_B(x, training=True))

    def _attribute_loss(
        self, f_B: keras.Model, batch: penalty.Batch, anon: penalty.Batch, predict: Predict
    ) -> tf.Tensor:
        """Mean cross-entropy over examples, members and attributes.

        The members share no weights, so each learns from its own part of the mean alone.
        """
        truth, logits = self._labels_and_logits(f_B, batch, anon, predict)
        return tf.reduce_mean(losses.attribute_cross_entropy(truth, logits))

    def _labels_and_logits(
        self, f_B: keras.Model, batch: penalty.Batch, anon: penalty.Batch, predict: Predict
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Labels and logits, ``[n, M, P]`` each, of the clips or of both views of the images."""
        if self.config.private_labels == "clips":
            truth = batch["clip_attributes"]
            logits = predict_clip_logits(f_B, anon["clips"], predict)
        else:
            # flatten_views keeps the two views of an image adjacent.
            truth = tf.repeat(batch["attributes"], 2, axis=0)
            logits = predict(penalty.flatten_views(anon["pairs"]))
        # A single network is an ensemble of one: M = 1.
        if len(logits.shape) == 2:
            logits = logits[:, None]
        return tf.broadcast_to(truth[:, None], tf.shape(logits)), logits


def predict_clip_logits(f_B: keras.Model, clips: tf.Tensor, predict: Predict) -> tf.Tensor:
    """Predict the private attributes of clips.

    Args:
        f_B: Privacy network of images or of clips.
        clips: Clips ``[N, T, H, W, 3]``.
        predict: Calls f_B on its input, frozen or in training.

    Returns:
        Logits ``[N, ...]``: the mean over the frames, as in VITA, or a clip network's own.
    """
    if getattr(f_B, "takes_clips", False):
        return predict(clips)
    logits_of_frames = predict(per_frame.merge_time(clips))
    return tf.reduce_mean(per_frame.split_time(logits_of_frames, clips), axis=1)
