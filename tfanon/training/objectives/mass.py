"""Objective in the manner of MaSS: suppress some private attributes and keep the others.

L_A = L_T + L_keep - L_suppress. f_A moves f_B's predictions of the --suppressed attributes away
from the truth and holds those of the other attributes at it, weighted by --kept_weight.

Source: Chen et al., arXiv 2210.09904, from memory of its abstract and without its code. Two things
are our own: f_B learns both groups of attributes during adversarial training, where MaSS has
pretrained, frozen networks for the attributes it keeps; and L_T replaces its contrastive loss for
information without labels.
"""

from collections.abc import Sequence

import tensorflow as tf

from tfanon.core.config import Config
from tfanon.training import losses
from tfanon.training.objectives import _supervised


def build(config: Config, attribute_names: Sequence[str] = ()) -> "MassObjective":
    """Build the objective.

    Args:
        config: Configuration of the run.
        attribute_names: Names of the private labels in the data.

    Returns:
        The objective.

    Raises:
        ValueError: There are no private labels, or --suppressed names one that does not exist.
    """
    return MassObjective(config, attribute_names)


class MassObjective(_supervised.SupervisedObjective):
    """L_adv = L_keep - L_suppress over two groups of attributes.

    Args:
        config: Configuration of the run. Without --suppressed all attributes are suppressed.
        attribute_names: Names of the private labels in the data.

    Raises:
        ValueError: There are no private labels, or --suppressed names one that does not exist.
    """

    def __init__(self, config: Config, attribute_names: Sequence[str]) -> None:
        super().__init__(config, attribute_names)
        unknown = [name for name in config.suppressed if name not in attribute_names]
        if unknown:
            raise ValueError(
                f"--suppressed={','.join(unknown)} is not among the private attributes: "
                f"{', '.join(attribute_names)}."
            )
        suppressed = config.suppressed or attribute_names
        self.suppressed_columns: list[int] = []
        self.kept_columns: list[int] = []
        for index, name in enumerate(attribute_names):
            columns = self.suppressed_columns if name in suppressed else self.kept_columns
            columns.append(index)

    def adversarial_loss(self, truth: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """L_keep - L_suppress, the latter of the best f_B.

        Args:
            truth: Private attributes, 0 or 1, ``[n, M, P]``.
            logits: Logits of M privacy networks, ``[n, M, P]``.

        Returns:
            Loss per example, ``[n]``.
        """
        suppressed_loss = self._column_loss(self.suppressed_columns, truth, logits)
        L_suppress = tf.reduce_min(suppressed_loss, axis=1)
        if not self.kept_columns:
            return -L_suppress
        L_keep = tf.reduce_mean(self._column_loss(self.kept_columns, truth, logits), axis=1)
        return self.config.kept_weight * L_keep - L_suppress

    def _column_loss(self, columns: list[int], truth: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Cross-entropy ``[n, M]`` over some of the attributes."""
        return losses.attribute_cross_entropy(
            tf.gather(truth, columns, axis=2), tf.gather(logits, columns, axis=2)
        )
