"""Scores of action and privacy networks: top-1, cMAP and F1, their chance levels and intervals.

NumPy arrays in, Python floats out, all scores in [0, 1]. In shapes, N is examples, K actions and P
attributes. Average precision (AP) is that of scikit-learn: a sum over steps without interpolation,
equal scores taken together; the tests compare the two. An attribute without a positive example has
neither AP nor F1. It is NaN in arrays per attribute, and left out of means and of their chance
levels.
"""

import statistics
from collections.abc import Hashable, Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike

# Published code calls an attribute present at a logit above .5, which is this probability.
LOGIT_HALF_THRESHOLD = float(1.0 / (1.0 + np.exp(-0.5)))
ALWAYS_PRESENT_THRESHOLD = -1.0  # below every probability
_MAX_BOOTSTRAP_CELLS = 2_000_000  # numbers per array of the bootstrap: 16 MB each

Interval = tuple[float, float]
RankedExamples = tuple[np.ndarray, np.ndarray, list[np.ndarray]]


def average_per_example(values: ArrayLike, index: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Average the rows of each example, for instance the clips of each video.

    Args:
        values: ``[M, ...]``.
        index: int ``[M]``, the example of each row, in any order; rows below 0 are padding.

    Returns:
        The examples, int ``[N]`` ascending, and their means, float64 ``[N, ...]``. The examples
        pick the labels that belong to the means.

    Raises:
        ValueError: There are not as many indices as rows.
    """
    values, index = np.asarray(values, np.float64), np.asarray(index)
    if index.shape != values.shape[:1]:
        raise ValueError(
            f"Cannot average {values.shape[:1]} rows with {index.shape} indices; give one per row."
        )

    is_example = index >= 0
    values, index = values[is_example], index[is_example]
    examples, position, counts = np.unique(index, return_inverse=True, return_counts=True)
    sums = np.zeros((len(examples), *values.shape[1:]))
    # Not sums[position] += values, which adds only once to an example of several rows.
    np.add.at(sums, position, values)
    return examples, sums / counts.reshape(-1, *[1] * (values.ndim - 1))


def top1_accuracy(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Compute the fraction of examples whose largest probability is that of the label.

    Args:
        probabilities: ``[N, K]``, or another score of the same order; of equal ones the first
            counts.
        labels: int ``[N]`` in [0, K).

    Raises:
        ValueError: Shapes or labels do not fit, or a probability is not finite.
    """
    return float(np.mean(_mark_correct_answers(probabilities, labels)))


def top1_chance(labels: ArrayLike) -> float:
    """Compute the top-1 accuracy of always answering with the most frequent class.

    Args:
        labels: int ``[N]``.
    """
    labels = np.asarray(labels)
    return float(np.bincount(labels).max() / len(labels))


def top1_interval(
    probabilities: ArrayLike,
    labels: ArrayLike,
    level: float = 0.95,
    groups: Sequence[Hashable] = (),
) -> Interval:
    """Compute the confidence interval of top1_accuracy by Wilson's formula.

    Resampling would do for most accuracies; at 1 it gives an interval without width.

    Args:
        probabilities: ``[N, K]``.
        labels: int ``[N]``.
        level: Confidence level.
        groups: N names of groups, as in cmap_interval. The formula then counts as many examples as
            give an accuracy that is as certain as that of the groups.

    Returns:
        (low, high).
    """
    correct = _mark_correct_answers(probabilities, labels)
    accuracy, z = np.mean(correct), statistics.NormalDist().inv_cdf((1.0 + level) / 2.0)
    n = _count_independent_answers(correct, groups)
    # Wilson's score interval; unlike the normal approximation it keeps its width at 0 and 1.
    middle = (accuracy + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(accuracy * (1 - accuracy) / n + z * z / (4 * n * n))
    return float(max(0.0, middle - half)), float(min(1.0, middle + half))


def _count_independent_answers(correct: np.ndarray, groups: Sequence[Hashable]) -> float:
    """Return how many independent answers would have a mean as certain as these.

    That is N over Kish's design effect, at most N.
    """
    n, accuracy = len(correct), np.mean(correct)
    if not len(groups):
        return n
    _, group_of_answer = np.unique(np.asarray(groups), return_inverse=True)
    # Variance of the mean from the sums of each group, with G / (G - 1) for few groups.
    deviations = np.bincount(group_of_answer, correct - accuracy)
    variance = len(deviations) / max(1, len(deviations) - 1) * np.sum(deviations**2) / n**2
    # No differences between groups: every answer counts as one.
    if not variance:
        return n
    # The variance of independent answers is accuracy (1 - accuracy) / n: solve for n.
    return min(n, accuracy * (1 - accuracy) / variance)


def average_precisions(scores: ArrayLike, truth: ArrayLike) -> np.ndarray:
    """Compute AP of each attribute: the sum over falling thresholds of (R_k - R_k-1) P_k.

    Args:
        scores: ``[N, P]`` in any unit; higher means present.
        truth: 0 or 1, ``[N, P]``.

    Returns:
        float64 ``[P]``; NaN for an attribute without a positive.
    """
    scores, truth = _check_scores_and_truth(scores, truth)
    # Each example counts once: the same formula serves the bootstrap.
    once = np.ones((1, len(scores)))
    return _weighted_precisions(*_rank_examples(scores, truth), once)[0]


def cmap_score(scores: ArrayLike, truth: ArrayLike) -> float:
    """Compute class-wise mean average precision: the mean of AP over attributes with a positive.

    Args:
        scores: ``[N, P]`` of all test examples at once, since ranks do not add up over batches.
        truth: 0 or 1, ``[N, P]``.
    """
    return _scalar_mean_without_nan(average_precisions(scores, truth))


def cmap_chance(truth: ArrayLike) -> float:
    """Compute cMAP of a constant score: the mean prevalence of the attributes.

    Args:
        truth: 0 or 1, ``[N, P]``.
    """
    return _scalar_mean_without_nan(_compute_prevalence(truth))


def cmap_interval(
    scores: ArrayLike,
    truth: ArrayLike,
    draws: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    groups: Sequence[Hashable] = (),
) -> Interval:
    """Compute the confidence interval of cmap_score by bootstrap.

    It contains the true value in 94 of 100 cases at 200 examples and in 91 at 60: positives that
    were never drawn are unknown to it. A draw without positives of an attribute leaves it out.

    Args:
        scores: ``[N, P]``.
        truth: 0 or 1, ``[N, P]``.
        draws: Number of bootstrap samples.
        seed: Seed of the draws.
        level: Confidence level.
        groups: N names of groups, such as the person in each clip. Whole groups are drawn, since an
            answer that is correct for one picture of a person probably is for the next. Empty:
            single examples are drawn.

    Returns:
        (low, high).
    """
    scores, truth = _check_scores_and_truth(scores, truth)
    # Sorted once: a draw changes how often an example counts, not its rank.
    ranked = _rank_examples(scores, truth)
    means = []
    for weights in _draw_bootstrap_weights(len(scores), groups, draws, seed):
        means.append(_mean_without_nan(_weighted_precisions(*ranked, weights)))
    return _percentile_interval(np.concatenate(means), level)


def cmap_chance_interval(
    scores: ArrayLike, truth: ArrayLike, draws: int = 1000, seed: int = 0, level: float = 0.998
) -> Interval:
    """Compute the interval of cMAP when rows of scores are dealt out to examples at random.

    It is exact for scores that are independent of the truth, whatever the distribution of either:
    few examples lift cMAP above its chance level, and correlated attributes widen the interval.

    Args:
        scores: ``[N, P]``.
        truth: 0 or 1, ``[N, P]``.
        draws: Number of permutations.
        seed: Seed of the permutations.
        level: Fraction of the permutations inside the interval.

    Returns:
        (low, high).
    """
    scores, truth = _check_scores_and_truth(scores, truth)
    rng = np.random.default_rng(seed)
    # Whole rows are dealt out, which keeps the correlation of the attributes.
    values = [cmap_score(scores, truth[rng.permutation(len(truth))]) for _ in range(draws)]
    return _percentile_interval(np.array(values), level)


def f1_per_attribute(
    probabilities: ArrayLike, truth: ArrayLike, threshold: ArrayLike = 0.5
) -> np.ndarray:
    """Compute F1 of each attribute, which is called present above a threshold.

    Args:
        probabilities: ``[N, P]`` in [0, 1].
        truth: 0 or 1, ``[N, P]``.
        threshold: One number or ``[P]``. ``LOGIT_HALF_THRESHOLD`` compares with published tables
            whose code thresholds logits at .5.

    Returns:
        float64 ``[P]``; NaN for an attribute without a positive.
    """
    probabilities, truth = _check_scores_and_truth(probabilities, truth, low=0.0, high=1.0)
    # Strictly above, as in the published code that is compared with.
    called = probabilities > np.asarray(threshold, np.float64)
    return _weighted_f1(called, truth, np.ones((1, len(truth))))[0]


def macro_f1_score(probabilities: ArrayLike, truth: ArrayLike, threshold: ArrayLike = 0.5) -> float:
    """Compute macro F1: the mean of f1_per_attribute over attributes with a positive."""
    return _scalar_mean_without_nan(f1_per_attribute(probabilities, truth, threshold))


def macro_f1_interval(
    probabilities: ArrayLike,
    truth: ArrayLike,
    draws: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    groups: Sequence[Hashable] = (),
) -> Interval:
    """Compute the interval of macro_f1_score at a threshold of .5, as cmap_interval does."""
    probabilities, truth = _check_scores_and_truth(probabilities, truth, low=0.0, high=1.0)
    called = probabilities > 0.5
    means = []
    for weights in _draw_bootstrap_weights(len(truth), groups, draws, seed):
        means.append(_mean_without_nan(_weighted_f1(called, truth, weights)))
    return _percentile_interval(np.concatenate(means), level)


def macro_f1_chance(truth: ArrayLike) -> float:
    """Compute macro F1 of calling every attribute present: the mean of 2 p / (1 + p).

    Args:
        truth: 0 or 1, ``[N, P]``; p is the prevalence of an attribute.
    """
    prevalence = _compute_prevalence(truth)
    return _scalar_mean_without_nan(2.0 * prevalence / (1.0 + prevalence))


def tune_f1_thresholds(probabilities: ArrayLike, truth: ArrayLike) -> np.ndarray:
    """Find the threshold of each attribute with the highest F1.

    Choose it on held-out examples, never on the test set.

    Args:
        probabilities: ``[N, P]`` in [0, 1].
        truth: 0 or 1, ``[N, P]``.

    Returns:
        float64 ``[P]``. Each threshold lies half-way between two of the probabilities, or is
        ``ALWAYS_PRESENT_THRESHOLD``; for an attribute without a positive it is 0.5.
    """
    probabilities, truth = _check_scores_and_truth(probabilities, truth, low=0.0, high=1.0)
    columns = zip(probabilities.T, truth.T, strict=True)
    return np.array([_tune_f1_threshold(column, labels) for column, labels in columns])


def leakage_above_chance(value: float, chance: float) -> float:
    """Compute leakage that chance does not explain.

    Args:
        value: Score of a privacy network.
        chance: Chance level of the score.

    Returns:
        The difference; negative for a network that does worse than chance.
    """
    return float(value - chance)


def _tune_f1_threshold(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Return the threshold of one attribute, both ``[N]``."""
    if not truth.any():
        return 0.5
    # The F1 of all thresholds in one pass: calling the k examples of highest probability present.
    order = np.argsort(-probabilities, kind="stable")
    p, hits = probabilities[order], np.cumsum(truth[order])
    f1 = 2.0 * hits / (np.arange(1, len(p) + 1) + hits[-1])  # if the first k are called present
    # The next probability below each; the last has none, so any smaller number will do.
    below = np.append(p[1:], p[-1] - 1.0)
    f1[p == below] = -1.0  # no threshold separates equal probabilities
    best = int(np.argmax(f1))
    if best == len(p) - 1:
        return ALWAYS_PRESENT_THRESHOLD
    middle = (p[best] + below[best]) / 2.0
    return middle if middle < p[best] else below[best]  # neighbouring floats have no middle


def _draw_bootstrap_weights(
    n: int, groups: Sequence[Hashable], draws: int, seed: int
) -> Iterator[np.ndarray]:
    """Yield how often each draw contains each example.

    Yields:
        float64 ``[some draws, N]`` of at most ``_MAX_BOOTSTRAP_CELLS`` numbers.
    """
    group_of_example = np.arange(n)
    if len(groups):
        # Numbered by first occurrence: names of groups need not have an order.
        numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
        group_of_example = np.array([numbers[group] for group in groups])
    rng, size = np.random.default_rng(seed), group_of_example.max() + 1
    max_rows = max(1, _MAX_BOOTSTRAP_CELLS // n)
    for first in range(0, draws, max_rows):
        rows = min(max_rows, draws - first)
        # Every draw gets a range of numbers of its own, so that one bincount counts all of them.
        picks = rng.integers(size, size=(rows, size)) + size * np.arange(rows)[:, None]
        counts = np.bincount(picks.ravel(), minlength=rows * size).reshape(rows, size)
        yield counts[:, group_of_example].astype(np.float64)


def _rank_examples(scores: np.ndarray, truth: np.ndarray) -> RankedExamples:
    """Sort the examples of each attribute by falling score.

    Returns:
        (order ``[N, P]``, truth in that order ``[N, P]``, per attribute the last place of each run
        of equal scores).
    """
    # Stable, so that results do not depend on NumPy's choice of algorithm.
    order = np.argsort(-scores, axis=0, kind="stable")
    ranked = np.take_along_axis(scores, order, axis=0)
    ends = [np.append(np.flatnonzero(np.diff(column)), len(column) - 1) for column in ranked.T]
    return order, np.take_along_axis(truth, order, axis=0), ends


def _weighted_precisions(
    order: np.ndarray, truth: np.ndarray, ends: list[np.ndarray], weights: np.ndarray
) -> np.ndarray:
    """Compute AP with each example counted ``weights`` times: ``[draws, N]`` to ``[draws, P]``."""
    values = np.empty((len(weights), len(ends)))
    for attribute, end in enumerate(ends):
        ranked = weights[:, order[:, attribute]]
        calls = np.cumsum(ranked, axis=1)[:, end]
        hits = np.cumsum(ranked * truth[:, attribute], axis=1)[:, end]
        steps = np.diff(hits, axis=1, prepend=0.0)
        positives = hits[:, -1]
        # A draw may lack all examples of the first ranks: 0 / 1 there instead of 0 / 0.
        area = np.sum(steps * hits / np.maximum(calls, 1.0), axis=1)
        values[:, attribute] = np.where(positives > 0, area / np.maximum(positives, 1.0), np.nan)
    return values


def _weighted_f1(called: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Compute F1 with each example counted ``weights`` times.

    Args:
        called: bool ``[N, P]``, which attributes are called present.
        truth: 0 or 1, ``[N, P]``.
        weights: ``[draws, N]``.

    Returns:
        ``[draws, P]``.
    """
    hits, positives = weights @ (called * truth), weights @ truth
    # 2 TP / (called + positive); at least 1 below, for a draw without either.
    f1 = 2.0 * hits / np.maximum(weights @ called + positives, 1.0)
    return np.where(positives > 0, f1, np.nan)


def _mark_correct_answers(probabilities: ArrayLike, labels: ArrayLike) -> np.ndarray:
    """Check probabilities and labels; return which examples are correct, bool ``[N]``."""
    probabilities, labels = _check_finite(probabilities), np.asarray(labels)
    fits = probabilities.ndim == 2 and labels.shape == probabilities.shape[:1]
    if not fits or not len(labels):
        raise ValueError(
            f"Probabilities are {probabilities.shape} and labels {labels.shape}; "
            "give [N, K] and [N]."
        )
    classes = probabilities.shape[1]
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f"Labels go from {labels.min()} to {labels.max()}, but {classes} classes are scored: "
            f"give labels from 0 to {classes - 1}."
        )
    return np.argmax(probabilities, axis=1) == labels


def _check_scores_and_truth(
    scores: ArrayLike, truth: ArrayLike, low: float = -np.inf, high: float = np.inf
) -> tuple[np.ndarray, np.ndarray]:
    """Check shapes and ranges; return both as float64 ``[N, P]``."""
    scores, truth = _check_finite(scores), _check_truth(truth)
    if scores.shape != truth.shape:
        raise ValueError(f"Scores are {scores.shape} and truth {truth.shape}; both must be [N, P].")
    if scores.min() < low or scores.max() > high:
        raise ValueError(
            f"Scores go from {scores.min():.4g} to {scores.max():.4g}; give probabilities in "
            "[0, 1], which are the sigmoid of logits."
        )
    return scores, truth


def _check_finite(scores: ArrayLike) -> np.ndarray:
    """Check that no score is NaN or infinite; return them as float64."""
    scores = np.asarray(scores, np.float64)
    is_bad = ~np.isfinite(scores)
    if is_bad.any():
        first_row = int(np.argwhere(is_bad)[0][0])
        raise ValueError(
            f"{int(is_bad.sum())} of {scores.size} scores are NaN or infinite, the first in row "
            f"{first_row}, and cannot be ranked. Look for the step at which the network diverged."
        )
    return scores


def _check_truth(truth: ArrayLike) -> np.ndarray:
    """Check that labels are 0 or 1, ``[N, P]``; return them as float64."""
    truth = np.asarray(truth, np.float64)
    if truth.ndim != 2 or not truth.size or not np.isin(truth, (0.0, 1.0)).all():
        raise ValueError(
            f"Truth of shape {truth.shape} must be [N, P], not empty, and contain only 0 and 1."
        )
    return truth


def _compute_prevalence(truth: ArrayLike) -> np.ndarray:
    """Return the fraction of positives of each attribute, ``[P]``; NaN without a positive."""
    prevalence = np.mean(_check_truth(truth), axis=0)
    return np.where(prevalence > 0, prevalence, np.nan)


def _mean_without_nan(values: np.ndarray) -> np.ndarray:
    """Average the last axis without its NaN; NaN, and no warning, if nothing is left."""
    is_valid = ~np.isnan(values)
    counts = is_valid.sum(axis=-1)
    sums = np.where(is_valid, values, 0.0).sum(axis=-1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _scalar_mean_without_nan(values: np.ndarray) -> float:
    return float(_mean_without_nan(values))


def _percentile_interval(values: np.ndarray, level: float) -> Interval:
    """Return the central interval that contains ``level`` of the values without NaN."""
    values = values[~np.isnan(values)]
    if not len(values):
        return float("nan"), float("nan")
    # The two tails have the same probability.
    low, high = np.percentile(values, [50.0 * (1.0 - level), 50.0 * (1.0 + level)])
    return float(low), float(high)
