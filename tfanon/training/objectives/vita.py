"""VITA's objective: supervised, against the worst case of M privacy networks.

Source: Wu et al., ECCV 2018 and arXiv 1906.05675. f_A minimizes L_T + gamma L_adv, where gamma is
--budget_weight (.5 in its code) and --vita_variant chooses L_adv:

    all_ones           cross-entropy to "every attribute is present", of the f_B where it is largest
    negative_entropy   negative entropy of the prediction, of the f_B that is most certain
    k_beam             negative cross-entropy to the truth, of the most accurate of K networks

M is one more than the number of networks in --ensemble; --restart_every resets them. VITA's code
updates f_T only while its accuracy is low, and f_B five times per step. Here each is updated once
per step, so that all objectives have the same budget. VITA's f_A is `stylenet`.
"""

from collections.abc import Sequence

import tensorflow as tf

from tfanon.core.config import Config
from tfanon.training import losses
from tfanon.training.objectives import _supervised


def build(config: Config, attribute_names: Sequence[str] = ()) -> "VitaObjective":
    """Build the objective.

    Args:
        config: Configuration of the run.
        attribute_names: Names of the private labels in the data.

    Returns:
        The objective.

    Raises:
        ValueError: There are no private labels.
    """
    return VitaObjective(config, attribute_names)


class VitaObjective(_supervised.SupervisedObjective):
    """L_adv of the worst of M privacy networks, in three variants."""

    def adversarial_loss(self, truth: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Loss of the variant that --vita_variant chooses.

        Args:
            truth: Private attributes, 0 or 1, ``[n, M, P]``.
            logits: Logits of M privacy networks, ``[n, M, P]``.

        Returns:
            Loss per example, ``[n]``.
        """
        if self.config.vita_variant == "k_beam":
            return -tf.reduce_min(losses.attribute_cross_entropy(truth, logits), axis=1)
        if self.config.vita_variant == "all_ones":
            return tf.reduce_max(losses.all_ones_cross_entropy(logits), axis=1)
        return tf.reduce_max(losses.negative_entropy(logits), axis=1)
