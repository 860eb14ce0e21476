"""STPrivacy (Li et al., ICCV 2023): supervised and adversarial, L_A = L_T - L_B, for --anonymizer=tubelet_vit.

**As far as known**: its losses and its training were not released, and its paper was not at hand. That action and
privacy labels are both needed, and that recognisers of both stand against the anonymizer, is known from its core; that
f_A simply climbs f_B's cross-entropy is ours, as is what tubelet_vit.py says of itself. Its benchmarks label clips, so
--private_labels=clips is nearest to it.
"""

import tensorflow as tf

from tfanon.training import losses
from tfanon.training.objectives import _supervised


def build(config, attribute_names=()):
    """The objective of a Config.  Raises ValueError where there are no private labels."""
    return STPrivacyObjective(config, attribute_names)


class STPrivacyObjective(_supervised.SupervisedObjective):
    """Away from the truth, as the best f_B tells it."""

    def adversary(self, truth, logits):
        return -tf.reduce_min(losses.attribute_cross_entropy(truth, logits), axis=1)
