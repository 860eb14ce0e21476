"""Ours: Eq. 3, L_A = L_T - L_B + lambda L_P, against an f_B that learns by NT-Xent and asks for no private label.

With lambda = 0 it is SPAct's (Dave et al., CVPR 2022), which is why that one has a .flags file and no file here.
"""

import tensorflow as tf

from tfanon.training import distribution, losses


def build(config, attribute_names=()):
    """The objective of a Config.  attribute_names: of the private labels, which are not looked at.

    Raises ValueError for an ensemble of f_B's.
    """
    return PenaltyObjective(config)


class PenaltyObjective:
    """What f_A descends in step 1 of Algorithm 1, and what f_T and f_B descend in step 2.

    Another objective is a class with the same methods; it may inherit those that it leaves as they are. A batch is a
    dict as in data.batch, `anon` the same dict with what f_A makes of its pixels. Losses are means over a replica's
    examples, [].
    """

    extras = ()  # what a batch holds beside clips, labels and pairs
    extra_terms = ()  # what is logged of step 1 beside L_T, L_B and L_P
    supports_ensemble = False  # whether --ensemble may add f_B's

    def __init__(self, config):
        self.config = config
        if config.ensemble and not self.supports_ensemble:
            raise ValueError(
                "--ensemble is for objectives whose f_B's read attributes (vita, stprivacy, mass), not "
                f"for --objective={config.objective}."
            )

    def head(self):
        """What f_B ends in: arguments of its build()."""
        return {"embedding": 128}

    def action_network(self, f_T):
        """f_T with what the objective adds to it."""
        return f_T

    def anonymizer(self, f_T, f_B, batch, anon):
        """(L_A, {term: value}) of step 1, f_T and f_B standing still."""
        L_T, _ = self.action(f_T, batch, anon, training=False)
        L_B = self.budget(f_B, batch, anon, self.config.budget_batch_norm)
        L_P = tf.reduce_mean(
            losses.penalty(
                batch["clips"],
                anon["clips"],
                self.config.penalty_bound,
                self.config.penalty_reduction,
            )
        )
        L_A = losses.anonymizer_loss(
            L_T,
            L_B,
            L_P,
            self.config.penalty_weight,
            self.config.utility_weight,
            self.config.budget_weight,
        )
        return L_A, {"L_T": L_T, "L_B": L_B, "L_P": L_P}

    def action(self, f_T, batch, anon, training):
        """(L_T, logits [N, K])."""
        logits = f_T(anon["clips"], training=training)
        return tf.reduce_mean(losses.action_cross_entropy(batch["labels"], logits)), logits

    def budget(self, f_B, batch, anon, batch_norm):
        """L_B with f_B held still.  batch_norm: as in `still`."""
        return self.contrastive_loss(call_frozen(f_B, flatten_views(anon["pairs"]), batch_norm))

    def privacy(self, f_B, batch, anon):
        """L_B that f_B descends in step 2."""
        return self.contrastive_loss(f_B(flatten_views(anon["pairs"]), training=True))

    def contrastive_loss(self, z):
        """Eq. 6 of the views of M images, z: [2 M, D], with the negatives of all replicas."""
        z, z_prime = tf.unstack(tf.reshape(z, [-1, 2, z.shape[-1]]), axis=1)
        return tf.reduce_mean(
            losses.nt_xent(
                distribution.gather_from_replicas(z),
                distribution.gather_from_replicas(z_prime),
                self.config.temperature,
            )
        )


def call_frozen(network, x, batch_norm):
    """Outputs of a network that is held still.

    batch_norm "batch": with this batch's statistics, the moving averages untouched. With "inference" f_A can raise L_B
    by leaving f_B's moving averages instead of hiding anything.
    """
    if batch_norm == "inference":
        return network(x, training=False)
    y, _ = network.stateless_call(
        network.trainable_variables, network.non_trainable_variables, x, training=True
    )
    return y


def flatten_views(pairs):
    """[M, 2, H, W, C] -> [2 M, H, W, C], the two views of an image side by side."""
    return tf.reshape(pairs, tf.concat([[-1], tf.shape(pairs)[2:]], axis=0))
