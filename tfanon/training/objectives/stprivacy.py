"""STPrivacy's objective, supervised and adversarial: L_A = L_T - L_B, for tubelet_vit.

Source: Li et al., ICCV 2023, as far as it is known. Its losses and its training were not released
and its paper was not available. Its released core shows that it needs action and privacy labels
and trains against recognition networks of both; that f_A simply maximizes f_B's cross-entropy is
our own choice. Its benchmarks label clips, so --private_labels=clips is closest to it.
"""

from collections.abc import Sequence

import tensorflow as tf

from tfanon.core.config import Config
from tfanon.training import losses
from tfanon.training.objectives import _supervised


def build(config: Config, attribute_names: Sequence[str] = ()) -> "STPrivacyObjective":
    """Build the objective.

    Args:
        config: Configuration of the run.
        attribute_names: Names of the private labels in the data.

    Returns:
        The objective.

    Raises:
        ValueError: There are no private labels.
    """
    return STPrivacyObjective(config, attribute_names)


class STPrivacyObjective(_supervised.SupervisedObjective):
    """L_adv = -L_B of the best f_B."""

    def adversarial_loss(self, truth: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Negative cross-entropy of the f_B for which it is smallest.

        Args:
            truth: Private attributes, 0 or 1, ``[n, M, P]``.
            logits: Logits of M privacy networks, ``[n, M, P]``.

        Returns:
            Loss per example, ``[n]``.
        """
        return -tf.reduce_min(losses.attribute_cross_entropy(truth, logits), axis=1)
