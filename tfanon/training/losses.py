"""Equations 3 to 6 in reading order of use, then what other objectives minimise: plain functions of tensors.

Each returns one value per example. The trainer averages; nothing here knows networks, replicas or flags. Pixels are RGB
in [0, 1].
"""

import tensorflow as tf

REDUCTION_AXES = {"clip": (1, 2, 3, 4), "frame": (2, 3, 4), "batch": (0, 1, 2, 3, 4)}


def anonymizer_loss(L_T, L_B, L_P, penalty_weight, utility_weight=1.0, budget_weight=1.0):
    """Eq. 3: L_A = L_T - L_B + lambda L_P, which f_A descends.

    The paper weighs only the penalty; utility_weight and budget_weight are 1 there.
    """
    return utility_weight * L_T - budget_weight * L_B + penalty_weight * L_P


def rms_change(x, x_anon, reduction="clip"):
    """||x - f_A(x)||_RMS of Eq. 4.

    x, x_anon: [N, T, H, W, C] in [0, 1].  reduction: what one RMS is taken over.
    Returns [N] for "clip", [N, T] for "frame", [] for "batch", in the unit of a pixel.
    """
    mean_square = tf.reduce_mean(tf.square(x - x_anon), axis=REDUCTION_AXES[reduction])
    return tf.sqrt(
        tf.maximum(mean_square, 1e-12)
    )  # sqrt has no finite gradient at 0, and Eq. 5 starts f_A near there


def penalty(x, x_anon, bound, reduction="clip"):
    """Eq. 4: max(0, ||x - f_A(x)||_RMS - B).

    x, x_anon: [N, T, H, W, C] in [0, 1].  bound: B, in the same unit.  Returns [N].
    "clip" gives every clip its own allowance, "frame" every frame; "batch" is what the released code takes, where one
    much changed clip hides behind others. Section 3.2 prints f_T(f_A(x)) inside the norm; its shape differs from x,
    so Eq. 4 is followed.
    """
    excess = tf.maximum(0.0, rms_change(x, x_anon, reduction) - bound)
    if reduction == "frame":
        return tf.reduce_mean(excess, axis=1)
    return tf.broadcast_to(excess, tf.shape(x)[:1])


def reconstruction(x, x_hat):
    """Eq. 5: |x - f_A(x)| averaged over all but the first axis; the paper prints a sum, its rate of 1e-3 fits a mean.

    x, x_hat: [N, ...] in [0, 1].  Returns [N].
    """
    return tf.reduce_mean(tf.abs(x - x_hat), axis=tuple(range(1, len(x.shape))))


def nt_xent(z, z_prime, temperature=0.1):
    """Eq. 6, NT-Xent, with h(u, v) = exp(cos(u, v) / temperature), averaged over both directions.

    z, z_prime: [N, D], the two views of each image; negatives are the other 2N - 2.  Returns [N].
    The paper's "margin 1" belongs to another loss of its code and has no place here. With N = 1 there is no negative
    and the loss is 0.
    """
    n = tf.shape(z)[0]
    u = tf.math.l2_normalize(tf.concat([z, z_prime], axis=0), axis=1)
    similarity = tf.matmul(u, u, transpose_b=True) / temperature
    itself = tf.eye(2 * n, dtype=similarity.dtype) * similarity.dtype.max / 2
    positive = tf.reduce_sum(u * tf.roll(u, n, axis=0), axis=1) / temperature
    both_directions = tf.reduce_logsumexp(similarity - itself, axis=1) - positive
    return (both_directions[:n] + both_directions[n:]) / 2


def action_cross_entropy(labels, logits):
    """L_T: cross-entropy of the action.  labels: [N] in 0..K-1, logits: [N, K].  Returns [N]."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)


def attribute_cross_entropy(truth, logits):
    """L_B': binary cross-entropy averaged over attributes.  truth: [.., P] of 0 and 1, logits: [.., P].  Returns [..].

    Algorithm 1 prints L_T in line 27, where only this loss fits f_B'.
    """
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(truth, logits), axis=-1)


def all_ones_cross_entropy(logits):
    """VITA (Wu et al., arXiv 1906.05675), the variant of its code: -ln p averaged over attributes, p = sigmoid(logits).

    It is smallest where f_B calls every attribute present, whoever is shown.  logits: [.., P].  Returns [..].
    """
    return tf.reduce_mean(tf.nn.softplus(-logits), axis=-1)


def negative_entropy(logits):
    """VITA, its older variant: p ln p + (1 - p) ln(1 - p) averaged over attributes, p = sigmoid(logits).

    -ln 2 where f_B is undecided, 0 where it is sure.  logits: [.., P].  Returns [..], in nats.
    """
    return tf.reduce_mean(tf.sigmoid(logits) * logits - tf.nn.softplus(logits), axis=-1)


def triplet_loss(anchor, positive, negative, margin=1.0):
    """TeD-SPAD (Fioresi et al., ICCV 2023): max(0, ||a - p|| - ||a - n|| + margin).

    It asks f_T's features to tell two moments of one video apart.  anchor, positive, negative: [N, D].  Returns [N].
    """
    return tf.maximum(
        0.0, _euclidean_distance(anchor, positive) - _euclidean_distance(anchor, negative) + margin
    )


def _euclidean_distance(u, v):
    return tf.sqrt(
        tf.maximum(tf.reduce_sum(tf.square(u - v), axis=1), 1e-12)
    )  # as in root_mean_square
