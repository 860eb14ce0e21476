"""Identification and verification of people: who is it, and are these two the same person?"""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfanon.metrics import criteria, scores

FALSE_ACCEPT_RATES = (0.01, 0.1)


def score_identification(
    model: Any, embed: Callable[[tf.Tensor], tf.Tensor], dataset: tf.data.Dataset
) -> dict[str, Any]:
    """Score closed-set identification, and verification of all pairs of test examples.

    Args:
        model: A `trainer.SupervisedModel` or `criteria.LogitFunction` with one logit per person.
        embed: Inputs to embeddings ``[N, F]``, compared by cosine similarity.
        dataset: An evaluation dataset whose truth is one-hot ``[N, I]``.

    Returns:
        Top-1 accuracy with its interval and chance level, and the true accept rate at each of
        FALSE_ACCEPT_RATES.
    """
    logits, truth, index = criteria.collect_outputs(model, dataset)
    probabilities, one_hot, _ = criteria.average_outputs_per_example(
        logits, truth, index, activation=criteria.softmax_probabilities
    )
    labels = np.argmax(one_hot, axis=1)
    embeddings, _, _ = criteria.collect_outputs(criteria.LogitFunction(embed), dataset)
    _, example_embeddings = scores.average_per_example(embeddings, index)
    similarity, is_same = compare_pairs(example_embeddings, labels)
    accept_rates = {}
    for far in FALSE_ACCEPT_RATES:
        accept_rates[f"{far:g}"] = compute_tar_at_far(similarity, is_same, far)
    return {
        "identity_top1": scores.top1_accuracy(probabilities, labels),
        "identity_interval": scores.top1_interval(probabilities, labels),
        "identity_chance": scores.top1_chance(labels),
        "tar_at_far": accept_rates,
    }


def compute_identity_top1(model: Any, dataset: tf.data.Dataset) -> float:
    """Compute the top-1 accuracy of closed-set identification alone, to select an epoch.

    Args:
        model: As in `score_identification`.
        dataset: As in `score_identification`.

    Returns:
        Accuracy in [0, 1].
    """
    logits, truth, index = criteria.collect_outputs(model, dataset)
    probabilities, one_hot, _ = criteria.average_outputs_per_example(
        logits, truth, index, activation=criteria.softmax_probabilities
    )
    return scores.top1_accuracy(probabilities, np.argmax(one_hot, axis=1))


def compare_pairs(embeddings: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compare every pair of examples.

    Args:
        embeddings: ``[n, F]``.
        labels: Person of each example, int ``[n]``.

    Returns:
        Cosine similarity and whether both show the same person, of the m = n (n - 1) / 2 pairs:
        float64 ``[m]`` and bool ``[m]``.
    """
    unit = embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)
    left, right = np.triu_indices(len(labels), k=1)
    return (unit @ unit.T)[left, right], labels[left] == labels[right]


def compute_tar_at_far(similarity: np.ndarray, is_same: np.ndarray, far: float) -> float | None:
    """Compute the true accept rate at a false accept rate.

    One threshold is used for all pairs: the lowest that accepts at most the fraction `far` of the
    pairs of different people.

    Args:
        similarity: Of each pair, ``[m]``; larger is more similar.
        is_same: Whether both are the same person, bool ``[m]``.
        far: False accept rate in [0, 1].

    Returns:
        Accepted fraction of the pairs of the same person; None without pairs of both kinds.
    """
    genuine = similarity[is_same]
    impostors = np.sort(similarity[~is_same])[::-1]
    if not len(genuine) or not len(impostors):
        return None
    # Rounding must not lose an impostor: .1 x 30 is 3.0000000000000004, but .29 x 100 is 28.999...
    accepted = int(far * len(impostors) + 1e-9)
    if accepted >= len(impostors):
        return 1.0
    # The most similar impostor that is not accepted stays below the threshold.
    return float(np.mean(genuine > impostors[accepted]))
