"""The losses of Equations 3 to 6, followed by those of the other objectives.

Every loss is a plain function of tensors and returns one value per example; the trainer averages.
Nothing here knows about networks, replicas or flags. Pixels are RGB in [0, 1].
"""

import tensorflow as tf

# The axes of clips [N, T, H, W, C] over which one RMS change is taken.
REDUCTION_AXES = {"clip": (1, 2, 3, 4), "frame": (2, 3, 4), "batch": (0, 1, 2, 3, 4)}

# The square root has no finite gradient at 0, and Eq. 5 starts f_A close to the identity.
MIN_SQUARE = 1e-12


def anonymizer_loss(
    L_T: tf.Tensor,
    L_B: tf.Tensor,
    L_P: tf.Tensor,
    penalty_weight: float,
    utility_weight: float = 1.0,
    budget_weight: float = 1.0,
) -> tf.Tensor:
    """Loss of the anonymizer, Eq. 3: L_A = L_T - L_B + lambda L_P.

    Args:
        L_T: Loss of the action network on anonymized clips.
        L_B: Loss of the privacy network on anonymized images, same shape.
        L_P: Utility penalty of Eq. 4, same shape.
        penalty_weight: lambda, the only weight in the paper.
        utility_weight: Weight of L_T; 1 in the paper.
        budget_weight: Weight of L_B; 1 in the paper.

    Returns:
        L_A, in the shape of the three terms.
    """
    return utility_weight * L_T - budget_weight * L_B + penalty_weight * L_P


def rms_change(x: tf.Tensor, x_anon: tf.Tensor, reduction: str = "clip") -> tf.Tensor:
    """RMS change ||x - f_A(x)||_RMS of Eq. 4.

    Args:
        x: Clips ``[N, T, H, W, C]`` in [0, 1].
        x_anon: Anonymized clips, same shape and range.
        reduction: What one RMS is taken over, a key of ``REDUCTION_AXES``.

    Returns:
        RMS change in pixel values: ``[N]`` for "clip", ``[N, T]`` for "frame", ``[]`` for "batch".
    """
    mean_square = tf.reduce_mean(tf.square(x - x_anon), axis=REDUCTION_AXES[reduction])
    return tf.sqrt(tf.maximum(mean_square, MIN_SQUARE))


def penalty(x: tf.Tensor, x_anon: tf.Tensor, bound: float, reduction: str = "clip") -> tf.Tensor:
    """Utility penalty L_P of Eq. 4, per clip: max(0, ||x - f_A(x)||_RMS - B).

    Section 3.2 prints f_T(f_A(x)) inside the norm. Its shape differs from that of x, so Eq. 4 is
    followed.

    Args:
        x: Clips ``[N, T, H, W, C]`` in [0, 1].
        x_anon: Anonymized clips, same shape and range.
        bound: B, the RMS change that is free of charge, in pixel values.
        reduction: What the bound applies to: every "clip", every "frame", or the whole "batch" as
            in the released code, where other clips can make up for one that changed a lot.

    Returns:
        Penalty per clip, ``[N]``.
    """
    excess = tf.maximum(0.0, rms_change(x, x_anon, reduction) - bound)
    if reduction == "frame":
        return tf.reduce_mean(excess, axis=1)
    # The one RMS of a batch counts for each of its clips.
    return tf.broadcast_to(excess, tf.shape(x)[:1])


def reconstruction(x: tf.Tensor, x_hat: tf.Tensor) -> tf.Tensor:
    """Reconstruction loss of Eq. 5, per example: mean of |x - f_A(x)|.

    The paper prints a sum, but its learning rate of 1e-3 fits a mean.

    Args:
        x: Images or clips ``[N, ...]`` in [0, 1].
        x_hat: Reconstruction, same shape and range.

    Returns:
        Mean absolute difference per example, ``[N]``.
    """
    all_but_first = tuple(range(1, len(x.shape)))
    return tf.reduce_mean(tf.abs(x - x_hat), axis=all_but_first)


def nt_xent(z: tf.Tensor, z_prime: tf.Tensor, temperature: float = 0.1) -> tf.Tensor:
    """Contrastive loss L_B of Eq. 6 (NT-Xent), averaged over both directions.

    h(u, v) = exp(cos(u, v) / temperature). The negatives of a view are the 2N - 2 views of the
    other images; with N = 1 there are none and the loss is 0. The "margin 1" that the paper
    mentions belongs to another loss of its code.

    Args:
        z: Embeddings of the first view of each image, ``[N, D]``.
        z_prime: Embeddings of the second view of the same images, ``[N, D]``.
        temperature: Temperature of the softmax, above 0.

    Returns:
        Loss per image, ``[N]``.
    """
    n = tf.shape(z)[0]
    u = tf.math.l2_normalize(tf.concat([z, z_prime], axis=0), axis=1)
    similarity = tf.matmul(u, u, transpose_b=True) / temperature
    # Half of the largest number excludes each view from its own negatives without an overflow.
    self_mask = tf.eye(2 * n, dtype=similarity.dtype) * similarity.dtype.max / 2
    # Rows i and i + N are the two views of one image.
    positive = tf.reduce_sum(u * tf.roll(u, n, axis=0), axis=1) / temperature
    loss_per_view = tf.reduce_logsumexp(similarity - self_mask, axis=1) - positive
    return (loss_per_view[:n] + loss_per_view[n:]) / 2


def action_cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Action loss L_T, per clip: cross-entropy over K actions.

    Args:
        labels: Actions ``[N]`` as integers in 0..K-1.
        logits: Logits of the action network, ``[N, K]``.

    Returns:
        Cross-entropy per clip in nats, ``[N]``.
    """
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)


def attribute_cross_entropy(truth: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Loss L_B' of a retrained attacker: binary cross-entropy averaged over P attributes.

    Line 27 of Algorithm 1 prints L_T, where only this loss fits f_B'.

    Args:
        truth: Private attributes ``[..., P]``, 0 or 1.
        logits: Logits of the privacy network, same shape.

    Returns:
        Mean cross-entropy in nats, ``[...]``.
    """
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(truth, logits), axis=-1)


def all_ones_cross_entropy(logits: tf.Tensor) -> tf.Tensor:
    """Anonymizer loss in VITA's code: -ln p averaged over attributes, p = sigmoid(logits).

    It is smallest where f_B predicts that every attribute is present, for any person.
    Source: Wu et al., arXiv 1906.05675.

    Args:
        logits: Logits of the privacy network, ``[..., P]``.

    Returns:
        Mean cross-entropy to a target of all ones in nats, ``[...]``.
    """
    return tf.reduce_mean(tf.nn.softplus(-logits), axis=-1)


def negative_entropy(logits: tf.Tensor) -> tf.Tensor:
    """VITA's older anonymizer loss: p ln p + (1 - p) ln(1 - p) averaged over attributes.

    It is -ln 2 where f_B is undecided and 0 where it is certain. Source: Wu et al., ECCV 2018.

    Args:
        logits: Logits of the privacy network, ``[..., P]``; p = sigmoid(logits).

    Returns:
        Mean negative entropy in nats, ``[...]``.
    """
    # p ln p + (1 - p) ln(1 - p) = p z - softplus(z), which stays finite where p rounds to 0 or 1.
    return tf.reduce_mean(tf.sigmoid(logits) * logits - tf.nn.softplus(logits), axis=-1)


def triplet_loss(
    anchor: tf.Tensor, positive: tf.Tensor, negative: tf.Tensor, margin: float = 1.0
) -> tf.Tensor:
    """Triplet loss L_D of TeD-SPAD, per clip: max(0, ||a - p|| - ||a - n|| + margin).

    It makes f_T's features differ between two moments of one video.
    Source: Fioresi et al., ICCV 2023.

    Args:
        anchor: Features of a clip, ``[N, D]``.
        positive: Features of the same frames, augmented differently, ``[N, D]``.
        negative: Features of another moment of the same video, ``[N, D]``.
        margin: How much farther than the positive the negative must be, at least.

    Returns:
        Loss per clip, ``[N]``.
    """
    positive_distance = _euclidean_distance(anchor, positive)
    negative_distance = _euclidean_distance(anchor, negative)
    return tf.maximum(0.0, positive_distance - negative_distance + margin)


def _euclidean_distance(u: tf.Tensor, v: tf.Tensor) -> tf.Tensor:
    """Distance between rows of ``[N, D]``, with a finite gradient where they are equal."""
    return tf.sqrt(tf.maximum(tf.reduce_sum(tf.square(u - v), axis=1), MIN_SQUARE))
