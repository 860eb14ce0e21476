"""What the two judges score: action top-1, cMAP and F1, what chance alone would score, and how sure each number is.

NumPy arrays in, Python floats out, shares in [0, 1]. Alphabet: n examples, K actions, P attributes. AP is that of
scikit-learn (a sum over steps, without interpolation, equal scores taken together); the tests compare the two. An
attribute without a positive example has neither AP nor F1: it is NaN in the arrays per attribute and left out of the
means and of their chance floors alike.
"""

import statistics

import numpy as np

# Code released with the literature calls an attribute present at logit > .5, which is this probability.
LOGIT_HALF_THRESHOLD = float(1.0 / (1.0 + np.exp(-0.5)))
ALWAYS_PRESENT_THRESHOLD = -1.0  # the threshold below every probability
_MAX_BOOTSTRAP_CELLS = 2_000_000  # numbers per array of the bootstrap: 16 MB each


def average_per_example(values, index):
    """Mean over the rows of each example, for instance over the clips of each video.

    values: [m, ...].  index: int [m], the example of each row, in any order; rows below 0 are padding and ignored.
    Returns (examples int [n] rising, means float64 [n, ...]); examples picks the labels that belong to the means.
    """
    values, index = np.asarray(values, np.float64), np.asarray(index)
    if index.shape != values.shape[:1]:
        raise ValueError(
            f"by_example was given {values.shape[:1]} rows and {index.shape} indices; give one per row."
        )
    values, index = values[index >= 0], index[index >= 0]
    examples, position, counts = np.unique(index, return_inverse=True, return_counts=True)
    sums = np.zeros((len(examples), *values.shape[1:]))
    np.add.at(sums, position, values)
    return examples, sums / counts.reshape(-1, *[1] * (values.ndim - 1))


def top1_accuracy(probabilities, labels):
    """Share of examples whose largest probability is the label's; the first of equal ones counts.

    probabilities: [n, K], or any score that ranks the same.  labels: int [n] in [0, K).
    """
    return float(np.mean(_mark_correct_answers(probabilities, labels)))


def top1_chance(labels):
    """What top1 gives to whoever always answers with the commonest class of these labels, int [n]."""
    labels = np.asarray(labels)
    return float(np.bincount(labels).max() / len(labels))


def top1_interval(probabilities, labels, level=0.95, groups=()):
    """(low, high) of top1 by Wilson's formula, over as many examples as those of the groups are worth.

    groups: n names, as in cmap_interval.
    Resampling would do for most shares; where every answer is right it gives an interval without width.
    """
    hits = _mark_correct_answers(probabilities, labels)
    share, z = np.mean(hits), statistics.NormalDist().inv_cdf((1.0 + level) / 2.0)
    n = _count_independent_answers(hits, groups)
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return float(max(0.0, middle - half)), float(min(1.0, middle + half))


def _count_independent_answers(hits, groups):
    """How many independent answers have a mean as certain as that of these: n over Kish's design effect, at most n."""
    n, share = len(hits), np.mean(hits)
    if not len(groups):
        return n
    deviations = np.bincount(np.unique(groups, return_inverse=True)[1], hits - share)
    variance = len(deviations) / max(1, len(deviations) - 1) * np.sum(deviations**2) / n**2
    return min(n, share * (1 - share) / variance) if variance else n


def average_precisions(scores, truth):
    """AP of each attribute, float64 [P]: the sum over the falling thresholds of (R_k - R_k-1) P_k.

    scores: [n, P], any unit, higher means present.  truth: 0/1 [n, P].  NaN where nothing is positive.
    """
    scores, truth = _check_scores_and_truth(scores, truth)
    return _weighted_precisions(*_rank_examples(scores, truth), np.ones((1, len(scores))))[0]


def cmap_score(scores, truth):
    """Class-wise mean average precision: the plain mean of AP over the attributes that have a positive.

    scores: [n, P], every test example's at once, since ranks do not add up over batches.  truth: 0/1 [n, P].
    """
    return _scalar_mean_without_nan(average_precisions(scores, truth))


def cmap_chance(truth):
    """What cmap gives to a constant score: the mean prevalence of the attributes.  truth: 0/1 [n, P]."""
    return _scalar_mean_without_nan(_compute_prevalence(truth))


def cmap_interval(scores, truth, draws=1000, seed=0, level=0.95, groups=()):
    """(low, high) of cmap by bootstrap; a draw that lost an attribute's positives does without it.

    groups: n names, such as who is in each clip: whole groups are drawn, since what is right of one picture of a
    person is likely right of the next; empty: examples are.  The interval holds the true value in 94 of 100 cases at
    200 examples and in 91 at 60: it knows nothing of positives that were never drawn.
    """
    scores, truth = _check_scores_and_truth(scores, truth)
    ranked = _rank_examples(scores, truth)
    draws = _draw_bootstrap_weights(len(scores), groups, draws, seed)
    return _percentile_interval(
        np.concatenate(
            [_mean_without_nan(_weighted_precisions(*ranked, weights)) for weights in draws]
        ),
        level,
    )


def cmap_chance_interval(scores, truth, draws=1000, seed=0, level=0.998):
    """(low, high) of cmap where the same rows of scores are dealt out to the examples at random.

    Exact for scores that know nothing of the truth, whatever either looks like: few examples lift cmap above its floor,
    and attributes that go together make it wide.
    """
    scores, truth = _check_scores_and_truth(scores, truth)
    rng = np.random.default_rng(seed)
    return _percentile_interval(
        np.array([cmap_score(scores, truth[rng.permutation(len(truth))]) for _ in range(draws)]),
        level,
    )


def f1_per_attribute(probabilities, truth, threshold=0.5):
    """F1 of each attribute, float64 [P], an attribute being called present above its threshold.

    probabilities: [n, P] in [0, 1].  truth: 0/1 [n, P].  threshold: one number or [P]; LOGIT_HALF compares with tables
    whose code thresholds logits at .5.
    """
    probabilities, truth = _check_scores_and_truth(probabilities, truth, low=0.0, high=1.0)
    return _weighted_f1(
        probabilities > np.asarray(threshold, np.float64), truth, np.ones((1, len(truth)))
    )[0]


def macro_f1_score(probabilities, truth, threshold=0.5):
    """Macro F1: the plain mean of f1_scores over the attributes that have a positive."""
    return _scalar_mean_without_nan(f1_per_attribute(probabilities, truth, threshold))


def macro_f1_interval(probabilities, truth, draws=1000, seed=0, level=0.95, groups=()):
    """(low, high) of f1 at .5 by bootstrap, as cmap_interval."""
    probabilities, truth = _check_scores_and_truth(probabilities, truth, low=0.0, high=1.0)
    called, draws = probabilities > 0.5, _draw_bootstrap_weights(len(truth), groups, draws, seed)
    return _percentile_interval(
        np.concatenate(
            [_mean_without_nan(_weighted_f1(called, truth, weights)) for weights in draws]
        ),
        level,
    )


def macro_f1_chance(truth):
    """What f1 gives to whoever calls every attribute present: the mean of 2 p / (1 + p), p the prevalence."""
    prevalence = _compute_prevalence(truth)
    return _scalar_mean_without_nan(2.0 * prevalence / (1.0 + prevalence))


def tune_f1_thresholds(probabilities, truth):
    """The threshold of each attribute with the highest F1, float64 [P], chosen on held-out examples, never on test.

    Each lies half-way between two probabilities that occur, or is ALWAYS; without any positive it stays 0.5.
    """
    probabilities, truth = _check_scores_and_truth(probabilities, truth, low=0.0, high=1.0)
    return np.array([_tune_f1_threshold(p, t) for p, t in zip(probabilities.T, truth.T)])


def leakage_above_chance(value, chance):
    """Leakage that chance does not explain; below zero for a judge that does worse than its floor."""
    return float(value - chance)


def _tune_f1_threshold(probabilities, truth):
    if not truth.any():
        return 0.5
    order = np.argsort(-probabilities, kind="stable")
    p, hits = probabilities[order], np.cumsum(truth[order])
    scores = (
        2.0 * hits / (np.arange(1, len(p) + 1) + hits[-1])
    )  # F1 if the first k are called present
    below = np.append(p[1:], p[-1] - 1.0)
    scores[p == below] = -1.0  # equal probabilities cannot be told apart
    best = int(np.argmax(scores))
    if best == len(p) - 1:
        return ALWAYS_PRESENT_THRESHOLD
    middle = (p[best] + below[best]) / 2.0
    return (
        middle if middle < p[best] else below[best]
    )  # neighbouring floats have nothing between them


def _draw_bootstrap_weights(n, groups, draws, seed):
    """How often each draw of the bootstrap holds each example: arrays [some draws, n] of at most _CELLS numbers."""
    numbers = {
        group: number for number, group in enumerate(dict.fromkeys(groups))
    }  # they need not have an order
    of = np.array([numbers[group] for group in groups]) if len(groups) else np.arange(n)
    rng, size, most = np.random.default_rng(seed), of.max() + 1, max(1, _MAX_BOOTSTRAP_CELLS // n)
    for first in range(0, draws, most):
        rows = min(most, draws - first)
        picks = rng.integers(size, size=(rows, size)) + size * np.arange(rows)[:, None]
        yield (
            np.bincount(picks.ravel(), minlength=rows * size)
            .reshape(rows, size)[:, of]
            .astype(np.float64)
        )


def _rank_examples(scores, truth):
    """Each attribute's examples by falling score: (order, truth in that order, where a run of equal scores ends)."""
    order = np.argsort(-scores, axis=0, kind="stable")
    ranked = np.take_along_axis(scores, order, axis=0)
    ends = [np.append(np.flatnonzero(np.diff(column)), len(column) - 1) for column in ranked.T]
    return order, np.take_along_axis(truth, order, axis=0), ends


def _weighted_precisions(order, truth, ends, weights):
    """AP with each example counted weights times.  weights: [draws, n].  Returns [draws, P]."""
    values = np.empty((len(weights), len(ends)))
    for attribute, end in enumerate(ends):
        ranked = weights[:, order[:, attribute]]
        calls = np.cumsum(ranked, axis=1)[:, end]
        hits = np.cumsum(ranked * truth[:, attribute], axis=1)[:, end]
        steps = np.diff(hits, axis=1, prepend=0.0)
        positives = hits[:, -1]
        area = np.sum(steps * hits / np.maximum(calls, 1.0), axis=1)
        values[:, attribute] = np.where(positives > 0, area / np.maximum(positives, 1.0), np.nan)
    return values


def _weighted_f1(called, truth, weights):
    """F1 with each example counted weights times.  called: bool [n, P].  weights: [draws, n].  Returns [draws, P]."""
    hits, positives = weights @ (called * truth), weights @ truth
    return np.where(
        positives > 0, 2.0 * hits / np.maximum(weights @ called + positives, 1.0), np.nan
    )


def _mark_correct_answers(probabilities, labels):
    probabilities, labels = _check_finite(probabilities), np.asarray(labels)
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1] or not len(labels):
        raise ValueError(
            f"Probabilities are {probabilities.shape} and labels {labels.shape}; give [n, K] and [n]."
        )
    if labels.min() < 0 or labels.max() >= probabilities.shape[1]:
        raise ValueError(
            f"Labels go from {labels.min()} to {labels.max()}, but {probabilities.shape[1]} classes are "
            f"scored: give labels from 0 to {probabilities.shape[1] - 1}."
        )
    return np.argmax(probabilities, axis=1) == labels


def _check_scores_and_truth(scores, truth, low=-np.inf, high=np.inf):
    scores, truth = _check_finite(scores), _check_truth(truth)
    if scores.shape != truth.shape:
        raise ValueError(f"Scores are {scores.shape} and truth {truth.shape}; both must be [n, P].")
    if scores.min() < low or scores.max() > high:
        raise ValueError(
            f"Scores go from {scores.min():.4g} to {scores.max():.4g}; give probabilities in [0, 1], "
            "that is the sigmoid of the logits."
        )
    return scores, truth


def _check_finite(scores):
    scores = np.asarray(scores, np.float64)
    bad = ~np.isfinite(scores)
    if bad.any():
        raise ValueError(
            f"{int(bad.sum())} of {scores.size} scores are NaN or infinite, the first in row "
            f"{int(np.argwhere(bad)[0][0])}: no ranking holds them. Look for the step at which the judge "
            "diverged."
        )
    return scores


def _check_truth(truth):
    truth = np.asarray(truth, np.float64)
    if truth.ndim != 2 or not truth.size or not np.isin(truth, (0.0, 1.0)).all():
        raise ValueError(
            f"Truth of shape {truth.shape} must be [n, P], not empty, and hold only 0 and 1."
        )
    return truth


def _compute_prevalence(truth):
    share = np.mean(_check_truth(truth), axis=0)
    return np.where(share > 0, share, np.nan)


def _mean_without_nan(values):
    """Mean over the last axis without its NaN; NaN, and no warning, where nothing is left."""
    held = ~np.isnan(values)
    counts = held.sum(axis=-1)
    return np.where(
        counts > 0, np.where(held, values, 0.0).sum(axis=-1) / np.maximum(counts, 1), np.nan
    )


def _scalar_mean_without_nan(values):
    return float(_mean_without_nan(values))


def _percentile_interval(values, level):
    values = values[~np.isnan(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.percentile(values, [50.0 * (1.0 - level), 50.0 * (1.0 + level)])
    return float(low), float(high)
