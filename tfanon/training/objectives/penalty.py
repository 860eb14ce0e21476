"""The paper's objective, Eq. 3: L_A = L_T - L_B + lambda L_P, against a contrastive f_B.

f_B learns by NT-Xent (Eq. 6), so no private labels are needed. With lambda = 0 this is SPAct's
objective (Dave et al., CVPR 2022), which therefore has a .flags file and no file here.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfanon.core.config import Config
from tfanon.training import distribution, losses

Batch = dict[str, tf.Tensor]

EMBEDDING_SIZE = 128  # D of the paper


def build(config: Config, attribute_names: Sequence[str] = ()) -> "PenaltyObjective":
    """Build the paper's objective.

    Args:
        config: Configuration of the run.
        attribute_names: Names of the private labels; not used.

    Returns:
        The objective.

    Raises:
        ValueError: `config.ensemble` asks for several privacy networks.
    """
    return PenaltyObjective(config)


class PenaltyObjective:
    """What f_A minimizes in step 1 of Algorithm 1, and what f_T and f_B minimize in step 2.

    Other objectives inherit from this class and override the methods in which they differ. A batch
    is a dict as described in `data.batch`; `anon` is the same dict after f_A. Every loss is a
    scalar: the mean over the examples of one replica.

    Args:
        config: Configuration of the run.

    Raises:
        ValueError: `config.ensemble` asks for several privacy networks, which only objectives with
            private labels support.
    """

    # Keys that a batch needs besides clips, labels and pairs.
    extra_batch_keys: tuple[str, ...] = ()
    # Terms of step 1 that are logged besides L_T, L_B and L_P.
    extra_terms: tuple[str, ...] = ()
    # Whether --ensemble may add privacy networks.
    supports_ensemble: bool = False

    def __init__(self, config: Config) -> None:
        self.config = config
        if config.ensemble and not self.supports_ensemble:
            raise ValueError(
                "--ensemble needs an objective with private labels (vita, stprivacy, mass), "
                f"not --objective={config.objective}."
            )

    def privacy_head_arguments(self) -> dict[str, int]:
        """Return the arguments of a privacy network's build() that choose its head."""
        return {"embedding": EMBEDDING_SIZE}

    def extend_action_network(self, f_T: keras.Model) -> keras.Model:
        """Return f_T with the outputs that the objective needs besides the logits.

        Args:
            f_T: Action network: clips to logits ``[N, K]``.
        """
        return f_T

    def anonymizer_loss(
        self, f_T: keras.Model, f_B: keras.Model, batch: Batch, anon: Batch
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Loss L_A of step 1 (Eq. 3), with f_T and f_B frozen.

        Args:
            f_T: Action network.
            f_B: Privacy network.
            batch: The batch.
            anon: The batch after f_A.

        Returns:
            (L_A, terms): the loss and the terms to log by name.
        """
        L_T, _ = self.action_loss(f_T, batch, anon, training=False)
        L_B = self.frozen_privacy_loss(f_B, batch, anon, self.config.budget_batch_norm)
        penalties = losses.penalty(
            batch["clips"],
            anon["clips"],
            self.config.penalty_bound,
            self.config.penalty_reduction,
        )
        L_P = tf.reduce_mean(penalties)
        L_A = losses.anonymizer_loss(
            L_T,
            L_B,
            L_P,
            self.config.penalty_weight,
            self.config.utility_weight,
            self.config.budget_weight,
        )
        return L_A, {"L_T": L_T, "L_B": L_B, "L_P": L_P}

    def action_loss(
        self, f_T: keras.Model, batch: Batch, anon: Batch, training: bool
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Loss L_T of the action network on anonymized clips.

        Args:
            f_T: Action network.
            batch: The batch, whose "labels" are the actions.
            anon: The batch after f_A.
            training: True in step 2, where f_T learns; False in step 1, where it is frozen.

        Returns:
            (L_T, logits ``[N, K]``).
        """
        logits = f_T(anon["clips"], training=training)
        return tf.reduce_mean(losses.action_cross_entropy(batch["labels"], logits)), logits

    def frozen_privacy_loss(
        self, f_B: keras.Model, batch: Batch, anon: Batch, batch_norm: str
    ) -> tf.Tensor:
        """Loss L_B of step 1, with f_B frozen.

        Args:
            f_B: Privacy network.
            batch: The batch.
            anon: The batch after f_A.
            batch_norm: "inference" or "batch", see `call_frozen`.

        Returns:
            L_B.
        """
        return self.contrastive_loss(call_frozen(f_B, flatten_views(anon["pairs"]), batch_norm))

    def privacy_loss(self, f_B: keras.Model, batch: Batch, anon: Batch) -> tf.Tensor:
        """Loss L_B of step 2, which f_B minimizes.

        Args:
            f_B: Privacy network.
            batch: The batch.
            anon: The batch after f_A.

        Returns:
            L_B.
        """
        return self.contrastive_loss(f_B(flatten_views(anon["pairs"]), training=True))

    def contrastive_loss(self, z: tf.Tensor) -> tf.Tensor:
        """Eq. 6 for the two views of M images, with the negatives of all replicas.

        Args:
            z: Embeddings ``[2 M, D]`` in the order of `flatten_views`.

        Returns:
            Mean loss.
        """
        z, z_prime = tf.unstack(tf.reshape(z, [-1, 2, z.shape[-1]]), axis=1)
        loss = losses.nt_xent(
            distribution.gather_from_replicas(z),
            distribution.gather_from_replicas(z_prime),
            self.config.temperature,
        )
        return tf.reduce_mean(loss)


def call_frozen(network: keras.Model, x: tf.Tensor, batch_norm: str) -> Any:
    """Call a network without changing any of its variables.

    With "inference", f_A can raise L_B by leaving the range of f_B's moving averages instead of
    hiding anything; "batch" prevents that.

    Args:
        network: The network.
        x: Its input.
        batch_norm: "inference" normalizes with the moving averages, "batch" with the statistics of
            this batch, leaving the moving averages untouched.

    Returns:
        The network's output.
    """
    if batch_norm == "inference":
        return network(x, training=False)
    # It returns the updated moving averages instead of assigning them; they are dropped.
    y, _ = network.stateless_call(
        network.trainable_variables, network.non_trainable_variables, x, training=True
    )
    return y


def flatten_views(pairs: tf.Tensor) -> tf.Tensor:
    """Reshape pairs of views ``[M, 2, H, W, C]`` to ``[2 M, H, W, C]``, pairs staying adjacent."""
    return tf.reshape(pairs, tf.concat([[-1], tf.shape(pairs)[2:]], axis=0))
