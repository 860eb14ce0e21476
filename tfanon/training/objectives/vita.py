"""VITA (Wu et al., ECCV 2018 and arXiv 1906.05675): supervised, against the worst of M privacy judges.

f_A descends L_T + gamma L_adv, gamma being --budget_weight (.5 in its code). L_adv is, by --vita_variant,
    all_ones           the cross-entropy to "every attribute is there", of the f_B for which it is largest
    negative_entropy   the negative entropy of what f_B says, of the f_B that is surest
    k_beam             minus the cross-entropy to the truth, of the f_B for which that is smallest: of K beams the best
M is one more than the names in --ensemble; --restart_every starts the f_B's afresh. Its code steps f_T only while it is
weak and f_B five times; here each steps once, so that every objective has one budget. Its f_A is `stylenet`.
"""

import tensorflow as tf

from tfanon.training import losses
from tfanon.training.objectives import _supervised


def build(config, attribute_names=()):
    """The objective of a Config.  Raises ValueError where there are no private labels."""
    return VitaObjective(config, attribute_names)


class VitaObjective(_supervised.SupervisedObjective):
    """Supervised.adversary in three variants, over M f_B's."""

    def adversary(self, truth, logits):
        if self.config.vita_variant == "k_beam":
            return -tf.reduce_min(losses.attribute_cross_entropy(truth, logits), axis=1)
        loss = {
            "all_ones": losses.all_ones_cross_entropy,
            "negative_entropy": losses.negative_entropy,
        }[self.config.vita_variant]
        return tf.reduce_max(loss(logits), axis=1)
