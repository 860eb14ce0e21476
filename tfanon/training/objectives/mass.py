"""MaSS (Chen et al., arXiv 2210.09904), in its manner: suppress chosen attributes, keep the others.

L_A = L_T + L_keep - L_suppress: what f_B reads of --suppressed is driven away from the truth, what it reads of the
other attributes is held at it, weighed by --kept_weight. Known from memory of its abstract, not from its code. **Ours**:
f_B learns both kinds beside f_A (there the judges of what is kept were trained before and stand still), and L_T takes the
place of its contrastive loss on what nobody labelled.
"""

import tensorflow as tf

from tfanon.training import losses
from tfanon.training.objectives import _supervised


def build(config, attribute_names=()):
    """The objective of a Config.  Raises ValueError where there are no private labels, and as Mass does."""
    return MassObjective(config, attribute_names)


class MassObjective(_supervised.SupervisedObjective):
    """Two groups of attributes.  Raises ValueError where --suppressed names one that the data does not have."""

    def __init__(self, config, attribute_names):
        super().__init__(config, attribute_names)
        unknown = [name for name in config.suppressed if name not in attribute_names]
        if unknown:
            there = ", ".join(attribute_names)
            raise ValueError(
                f"--suppressed={','.join(unknown)}: the private attributes are {there}."
            )
        chosen = config.suppressed or attribute_names
        self.suppressed = [index for index, name in enumerate(attribute_names) if name in chosen]
        self.kept = [index for index, name in enumerate(attribute_names) if name not in chosen]

    def adversary(self, truth, logits):
        def loss(columns):  # [n, M]
            return losses.attribute_cross_entropy(
                tf.gather(truth, columns, axis=2), tf.gather(logits, columns, axis=2)
            )

        L_suppress = tf.reduce_min(loss(self.suppressed), axis=1)
        if not self.kept:
            return -L_suppress
        return self.config.kept_weight * tf.reduce_mean(loss(self.kept), axis=1) - L_suppress
