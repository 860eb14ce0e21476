"""What the supervised objectives share: an f_B, or several, that reads private attributes and is told the truth.

They ask more of the data than ours does: each image, or each clip, must carry its private labels in training.
"""

import tensorflow as tf

from tfanon.models import per_frame
from tfanon.training import losses
from tfanon.training.objectives import penalty

LABEL_KEYS = {"images": "attributes", "clips": "clip_attributes"}  # of a batch


class SupervisedObjective(penalty.PenaltyObjective):
    """L_A = L_T + L_adv, where L_adv is what `adversary` makes of f_B's answers; there is no penalty.

    attribute_names: of the private labels of --private_labels.  M f_B's answer logits [n, M, P], one answers [n, P].
    Raises ValueError where there are no labels.
    """

    terms, several = ("L_adv",), True

    def __init__(self, config, attribute_names):
        super().__init__(config)
        self.attribute_names, self.extras = (
            tuple(attribute_names),
            (LABEL_KEYS[config.private_labels],),
        )
        if not attribute_names:
            of, source = (
                config.private_labels,
                {"images": config.image_source, "clips": config.clip_source},
            )
            raise ValueError(
                f"--objective={config.objective} learns from private labels, and the {of} of {source[of]} "
                "have none: name their columns (--private_columns, --clip_private_columns), take another "
                "data set or --private_labels, or --objective=penalty, which needs none."
            )

    def head(self):
        return {"attributes": len(self.attribute_names)}

    def adversary(self, truth, logits):
        """What f_A descends beside L_T, per example.  truth, logits: [n, M, P].  Returns [n]."""
        raise NotImplementedError

    def anonymizer(self, f_T, f_B, batch, anon):
        L_T, _ = self.action(f_T, batch, anon, training=False)
        truth, logits = self._labels_and_logits(
            f_B, batch, anon, lambda x: penalty.call_frozen(f_B, x, self.config.budget_batch_norm)
        )
        L_adv = tf.reduce_mean(self.adversary(truth, logits))
        L_A = self.config.utility_weight * L_T + self.config.budget_weight * L_adv
        L_B = tf.reduce_mean(losses.attribute_cross_entropy(truth, logits))
        L_P = tf.reduce_mean(
            losses.penalty(batch["clips"], anon["clips"], self.config.penalty_bound)
        )
        return L_A, {
            "L_T": L_T,
            "L_B": L_B,
            "L_P": L_P,
            "L_adv": L_adv,
        }  # L_B and L_P are only looked at

    def budget(self, f_B, batch, anon, batch_norm):
        return self._attribute_loss(
            f_B, batch, anon, lambda x: penalty.call_frozen(f_B, x, batch_norm)
        )

    def privacy(self, f_B, batch, anon):
        return self._attribute_loss(f_B, batch, anon, lambda x: f_B(x, training=True))

    def _attribute_loss(self, f_B, batch, anon, answer):
        """The mean over members too; each learns from its own part alone, since they share no weights."""
        return tf.reduce_mean(
            losses.attribute_cross_entropy(*self._labels_and_logits(f_B, batch, anon, answer))
        )

    def _labels_and_logits(self, f_B, batch, anon, answer):
        """(truth, logits), [n, M, P] each, of the views of the images or of the clips."""
        if self.config.private_labels == "clips":
            truth, logits = (
                batch["clip_attributes"],
                predict_clip_logits(f_B, anon["clips"], answer),
            )
        else:
            truth, logits = (
                tf.repeat(batch["attributes"], 2, axis=0),
                answer(penalty.flatten_views(anon["pairs"])),
            )
        logits = logits if len(logits.shape) == 3 else logits[:, None]
        return tf.broadcast_to(truth[:, None], tf.shape(logits)), logits


def predict_clip_logits(f_B, clips, answer):
    """f_B's logits of clips [N, T, H, W, 3]: the mean over the frames, as VITA's; a video network's own."""
    if getattr(f_B, "video", False):
        return answer(clips)
    return tf.reduce_mean(per_frame.split_time(answer(per_frame.merge_time(clips)), clips), axis=1)
