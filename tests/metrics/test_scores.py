"""Each metric against scikit-learn and against numbers worked out by hand."""

import dataclasses

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from tfanon.metrics import scores


def make_random_case(
    seed: int, n: int = 60, attributes: int = 5, levels: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Scores that correlate with the truth; a number of levels makes ties."""
    rng = np.random.default_rng(seed)
    truth = (rng.random((n, attributes)) < rng.uniform(0.1, 0.9, attributes)).astype(np.float32)
    truth[0], truth[1] = 0, 1  # both kinds in every attribute
    predicted = np.clip(0.3 * truth + rng.uniform(0, 0.7, truth.shape), 0, 1)
    if levels:
        predicted = np.round(predicted * levels) / levels
    return predicted, truth


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("levels", [None, 10, 2])
def test_cmap_and_average_precision_match_sklearn(seed, levels):
    predicted, truth = make_random_case(seed, levels=levels)
    expected = sklearn_metrics.average_precision_score(truth, predicted, average=None)
    np.testing.assert_allclose(
        scores.average_precisions(predicted, truth), expected, rtol=0, atol=1e-12
    )
    assert scores.cmap_score(predicted, truth) == pytest.approx(
        sklearn_metrics.average_precision_score(truth, predicted, average="macro"), abs=1e-12
    )


@pytest.mark.parametrize("threshold", [0.5, scores.LOGIT_HALF_THRESHOLD])
def test_f1_matches_sklearn(threshold):
    predicted, truth = make_random_case(7, levels=20)
    expected = sklearn_metrics.f1_score(truth, predicted > threshold, average=None, zero_division=0)
    np.testing.assert_allclose(
        scores.f1_per_attribute(predicted, truth, threshold), expected, rtol=0, atol=1e-12
    )
    assert scores.macro_f1_score(predicted, truth, threshold) == pytest.approx(
        expected.mean(), abs=1e-12
    )


def test_top1_matches_sklearn():
    rng = np.random.default_rng(0)
    probabilities, labels = rng.dirichlet(np.ones(6), 200), rng.integers(6, size=200)
    expected = sklearn_metrics.accuracy_score(labels, probabilities.argmax(axis=1))
    assert scores.top1_accuracy(probabilities, labels) == pytest.approx(expected, abs=1e-12)


def make_column(*values: float) -> np.ndarray:
    return np.array(values)[:, None]


def test_average_precision_by_hand():
    # Falling: + - + -. The first hit has precision 1/1, the second 2/3; each is half of the recall:
    # (1 + 2/3) / 2.
    assert scores.average_precisions(
        make_column(0.9, 0.8, 0.7, 0.6), make_column(1, 0, 1, 0)
    ) == pytest.approx(5 / 6)
    # The middle two tie, so both are called at once: (1/1 + 2/3) / 2 again, in either order.
    for truth in (make_column(1, 1, 0, 0), make_column(1, 0, 1, 0)):
        assert scores.average_precisions(make_column(0.9, 0.7, 0.7, 0.6), truth) == pytest.approx(
            5 / 6
        )
    assert scores.average_precisions(make_column(0.3, 0.2), make_column(1, 1)) == 1.0


@pytest.mark.parametrize(
    "predicted", [[0.5] * 6, [0, 0, 0, 1, 1, 1], [0.1, 0.9, 0.3, 0.2, 0.8, 0.4]]
)
def test_single_class_matches_sklearn(predicted):
    predicted, ones, labels = np.array(predicted)[:, None], np.ones((6, 1)), np.zeros(6, int)
    assert (
        scores.cmap_score(predicted, ones)
        == sklearn_metrics.average_precision_score(ones, predicted)
        == 1.0
    )
    assert scores.macro_f1_score(predicted, ones, 0.45) == pytest.approx(
        sklearn_metrics.f1_score(ones, predicted > 0.45), abs=1e-12
    )
    both = np.hstack([predicted, 1 - predicted])
    assert scores.top1_accuracy(both, labels) == pytest.approx(
        sklearn_metrics.accuracy_score(labels, both.argmax(axis=1))
    )


def test_chance_levels_are_scores_of_constant_predictions():
    _, truth = make_random_case(3)
    assert scores.cmap_score(np.full(truth.shape, 0.4), truth) == pytest.approx(
        scores.cmap_chance(truth), abs=1e-12
    )
    assert scores.macro_f1_score(np.ones(truth.shape), truth) == pytest.approx(
        scores.macro_f1_chance(truth), abs=1e-12
    )
    # Prevalences 1/4 and 1/2: cMAP (1/4 + 1/2) / 2; F1 2 p / (1 + p) is 2/5 and 2/3.
    truth = np.array([[1, 1], [0, 1], [0, 0], [0, 0]])
    assert scores.cmap_chance(truth) == pytest.approx(3 / 8)
    assert scores.macro_f1_chance(truth) == pytest.approx((2 / 5 + 2 / 3) / 2)
    assert scores.top1_chance([0, 0, 2, 1]) == 0.5
    assert scores.leakage_above_chance(0.7, 0.5) == pytest.approx(0.2)


def test_attribute_without_a_positive_is_left_out_of_score_and_chance():
    predicted, truth = make_random_case(4, attributes=3)
    truth[:, 1] = 0
    kept = [0, 2]
    assert np.isnan(scores.average_precisions(predicted, truth)).tolist() == [False, True, False]
    assert np.isnan(scores.f1_per_attribute(predicted, truth)).tolist() == [False, True, False]
    for value in (scores.cmap_score, scores.macro_f1_score):
        assert value(predicted, truth) == pytest.approx(value(predicted[:, kept], truth[:, kept]))
    for floor in (scores.cmap_chance, scores.macro_f1_chance):
        assert floor(truth) == pytest.approx(floor(truth[:, kept]))


@pytest.mark.filterwarnings("error")
def test_no_positive_at_all_gives_nan_without_a_warning():
    predicted, truth = np.full((3, 2), 0.5), np.zeros((3, 2))
    values = [
        scores.cmap_score(predicted, truth),
        scores.macro_f1_score(predicted, truth),
        scores.cmap_chance(truth),
        *scores.cmap_interval(predicted, truth, draws=5),
    ]
    assert np.isnan(values).all()
    assert scores.tune_f1_thresholds(predicted, truth).tolist() == [0.5, 0.5]


def test_tuned_thresholds_reach_the_best_f1():
    predicted, truth = make_random_case(5, levels=15)
    reached = scores.f1_per_attribute(predicted, truth, scores.tune_f1_thresholds(predicted, truth))
    every = [
        scores.f1_per_attribute(predicted, truth, threshold)
        for threshold in np.linspace(-0.01, 1, 500)
    ]
    np.testing.assert_allclose(reached, np.max(every, axis=0), rtol=0, atol=1e-12)


def test_tuned_thresholds_by_hand():
    # Calling the first two present gives F1 = 1; half-way between .8 and .3 is .55. In the second
    # column all are positive.
    predicted, truth = (
        np.array([[0.9, 0.9], [0.8, 0.5], [0.3, 0.2]]),
        np.array([[1, 1], [1, 1], [0, 1]]),
    )
    np.testing.assert_allclose(
        scores.tune_f1_thresholds(predicted, truth), [0.55, scores.ALWAYS_PRESENT_THRESHOLD]
    )
    # Neighbouring floats: their middle must not be rounded to the upper one.
    close, truth = np.array([[np.nextafter(0.5, 1)], [0.5]]), [[1], [0]]
    thresholds = scores.tune_f1_thresholds(close, truth)
    assert scores.macro_f1_score(close, truth, thresholds) == 1.0


def test_average_per_example_is_the_mean_of_each_video():
    # Video 4 has the clips (1, 0) and (0, 1); video 2 has one clip; the last row is padding.
    examples, means = scores.average_per_example(
        [[1, 0], [0.2, 0.8], [0, 1], [9, 9]], [4, 2, 4, -1]
    )
    assert examples.tolist() == [2, 4]
    np.testing.assert_allclose(means, [[0.2, 0.8], [0.5, 0.5]])
    _, means = scores.average_per_example([1.0, 3.0], [0, 0])
    assert means.tolist() == [2.0]


def make_answers(hits: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """(probabilities, labels) of n examples, of which so many are correct."""
    return np.eye(2)[[0] * hits + [1] * (n - hits)], np.zeros(n, int)


def test_interval_of_top1_is_that_of_wilson():
    # 60 of 100: z = 1.96, z^2 = 3.8415; middle (.6 + .019207) / 1.038415 = .59630,
    # half 1.96 / 1.038415 * sqrt(.24 / 100 + 3.8415 / 40000) = .09430.
    assert scores.top1_interval(*make_answers(60, 100)) == pytest.approx(
        (0.50200, 0.69060), abs=1e-4
    )
    # All of n: low is 1 / (1 + z^2 / n), so 120 right answers of 120 do not prove a share of 1.
    assert scores.top1_interval(*make_answers(120, 120)) == pytest.approx(
        (1 / (1 + 3.8415 / 120), 1.0), abs=1e-5
    )


@pytest.mark.parametrize("share, n", [(0.5, 40), (0.9, 60), (0.98, 120)])
def test_coverage_of_the_interval_of_top1(share, n):
    rng = np.random.default_rng(0)
    intervals = [
        scores.top1_interval(*make_answers(hits, n)) for hits in rng.binomial(n, share, size=1000)
    ]
    assert np.mean([low <= share <= high for low, high in intervals]) == pytest.approx(
        0.95, abs=0.025
    )


def test_interval_of_top1_over_people_by_hand():
    probabilities, labels = make_answers(60, 100)
    # Ten people with ten clips each, all right or all wrong: Kish's effect is 100 / 10, and
    # (10 - 1) / 10 of the 10 are left.
    alike = np.repeat(np.arange(10), 10)
    assert scores.top1_interval(probabilities, labels, groups=alike) == pytest.approx(
        compute_wilson_interval(0.6, 9), abs=1e-7
    )
    # Six of each person's ten are right: people do not differ, and there are at most 100 answers.
    spread = np.concatenate([np.arange(60) % 10, np.arange(40) % 10])
    assert scores.top1_interval(probabilities, labels, groups=spread) == scores.top1_interval(
        probabilities, labels
    )


def compute_wilson_interval(share: float, n: int, z: float = 1.959964) -> list[float]:
    half = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    middle = share + z * z / (2 * n)
    return [(middle + sign * half) / (1 + z * z / n) for sign in (-1, 1)]


@pytest.mark.parametrize("share", [0.6, 0.97])
def test_coverage_of_the_interval_of_top1_over_people(share):
    """Fifteen people with eight clips each, some easier to recognise than others.

    Without groups the interval contains the accuracy in 73 to 88 of 100 cases.
    """
    rng, groups = np.random.default_rng(0), np.repeat(np.arange(15), 8)
    inside = {True: [], False: []}
    for _ in range(500):
        people = rng.beta(share * (1 / 0.3 - 1), (1 - share) * (1 / 0.3 - 1), 15)
        hits = rng.random(120) < people[groups]
        for has_groups in inside:
            low, high = scores.top1_interval(
                np.eye(2)[1 - hits], np.zeros(120, int), groups=groups if has_groups else ()
            )
            inside[has_groups].append(low <= share <= high)
    assert np.mean(inside[True]) > 0.92 and np.mean(inside[False]) < 0.9


def test_coverage_of_the_interval_of_cmap():
    # Scores are normal, one unit higher for a positive. AP at prevalences .3 and .5 is .668 on
    # average, here that of 200,000 examples.
    rng, prevalence = np.random.default_rng(0), np.array([0.3, 0.5])

    def draw(n: int) -> tuple[np.ndarray, np.ndarray]:
        truth = (rng.random((n, 2)) < prevalence).astype(float)
        return rng.normal(size=truth.shape) + truth, truth

    true = scores.cmap_score(*draw(200_000))
    assert true == pytest.approx(0.668, abs=0.004)
    intervals = [scores.cmap_interval(*draw(200), draws=300, seed=trial) for trial in range(400)]
    assert np.mean([low <= true <= high for low, high in intervals]) == pytest.approx(
        0.95, abs=0.025
    )


def test_coverage_of_intervals_over_people_and_over_pictures():
    # 60 people with 8 pictures each. Attributes and scores belong to the person, with noise per
    # picture.
    rng, inside = np.random.default_rng(0), {"cmap": [], "f1": [], "pictures": []}

    def draw(people: int, pictures: int = 8) -> tuple[np.ndarray, np.ndarray]:
        truth = np.repeat(rng.random((people, 2)) < (0.3, 0.5), pictures, axis=0).astype(float)
        predicted = np.repeat(rng.normal(size=(people, 2)), pictures, axis=0) + truth - 0.5
        return 1 / (1 + np.exp(-predicted - 0.1 * rng.normal(size=predicted.shape))), truth

    many = draw(100_000)
    cmap, f1 = scores.cmap_score(*many), scores.macro_f1_score(*many)
    people = np.repeat(np.arange(60), 8)
    for trial in range(200):
        case = draw(60)
        for name, true, interval in (
            ("cmap", cmap, scores.cmap_interval(*case, draws=200, seed=trial, groups=people)),
            ("f1", f1, scores.macro_f1_interval(*case, draws=200, seed=trial, groups=people)),
            ("pictures", f1, scores.macro_f1_interval(*case, draws=200, seed=trial)),
        ):
            inside[name].append(interval[0] <= true <= interval[1])
    # Lower than the level, since there are few people: see cmap_interval.
    assert np.mean(inside["cmap"]) > 0.85 and np.mean(inside["f1"]) > 0.9
    assert np.mean(inside["pictures"]) < 0.6


def test_groups_need_no_order():
    """Such as the files of a TensorFlow Datasets build, which cannot be compared."""

    @dataclasses.dataclass(frozen=True)
    class File:
        name: str

    rng = np.random.default_rng(0)
    predicted, truth = rng.random((40, 2)), (rng.random((40, 2)) < 0.5).astype(float)
    names = [f"{number // 4}" for number in range(40)]
    for interval in (scores.cmap_interval, scores.macro_f1_interval):
        assert interval(predicted, truth, groups=[File(name) for name in names]) == interval(
            predicted, truth, groups=names
        )


def test_interval_of_f1_matches_resampled_examples():
    predicted, truth = make_random_case(6, n=80, levels=30)
    interval = scores.macro_f1_interval(predicted, truth, draws=300)
    rng = np.random.default_rng(1)
    picks = [rng.integers(80, size=80) for _ in range(300)]
    resampled = [
        sklearn_metrics.f1_score(
            truth[pick], predicted[pick] > 0.5, average="macro", zero_division=0
        )
        for pick in picks
    ]
    assert interval == pytest.approx(np.percentile(resampled, [2.5, 97.5]), abs=0.025)
    assert interval[0] < scores.macro_f1_score(predicted, truth) < interval[1]


def test_interval_of_cmap_matches_resampled_examples(monkeypatch):
    predicted, truth = make_random_case(6, n=80, levels=30)
    interval = scores.cmap_interval(predicted, truth, draws=300)
    rng = np.random.default_rng(1)
    picks = [rng.integers(80, size=80) for _ in range(300)]
    resampled = [
        sklearn_metrics.average_precision_score(truth[pick], predicted[pick]) for pick in picks
    ]
    assert interval == pytest.approx(np.percentile(resampled, [2.5, 97.5]), abs=0.025)
    assert interval[0] < scores.cmap_score(predicted, truth) < interval[1]
    monkeypatch.setattr(
        scores, "_MAX_BOOTSTRAP_CELLS", 1
    )  # draw by draw, the same numbers: memory is no part of the result
    assert scores.cmap_interval(predicted, truth, draws=300) == pytest.approx(interval, abs=1e-12)


def test_weight_two_equals_listing_an_example_twice():
    predicted, truth = make_random_case(8, n=12, attributes=2, levels=5)
    weights = np.arange(12) % 3
    value = scores._weighted_precisions(
        *scores._rank_examples(predicted, truth.astype(float)), weights[None].astype(float)
    )
    listed = np.repeat(np.arange(12), weights)
    np.testing.assert_allclose(
        value[0], scores.average_precisions(predicted[listed], truth[listed]), atol=1e-12
    )


def test_numbers_are_python_floats():
    predicted, truth = make_random_case(0)
    values = [
        scores.cmap_score(predicted, truth),
        scores.macro_f1_score(predicted, truth),
        scores.top1_accuracy(predicted, np.zeros(60, int)),
        scores.cmap_chance(truth),
        scores.macro_f1_chance(truth),
        scores.top1_chance([0, 1]),
        scores.LOGIT_HALF_THRESHOLD,
        *scores.cmap_interval(predicted, truth, draws=3),
        *scores.macro_f1_interval(predicted, truth, draws=3),
        *scores.top1_interval(predicted, np.zeros(60, int)),
    ]
    assert {type(value) for value in values} == {float}


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda: scores.cmap_score([[0.1], [np.nan]], [[0], [1]]),
            "1 of 2 scores are NaN or infinite, the first in row 1",
        ),
        (lambda: scores.top1_accuracy([[np.nan, 1.0]], [0]), "NaN"),
        (lambda: scores.top1_accuracy([[0.5, 0.5]], [2]), "but 2 classes are scored"),
        (lambda: scores.top1_accuracy([[0.5, 0.5]], [0, 1]), r"\[N, K\]"),
        (
            lambda: scores.macro_f1_score([[-3.0], [2.0]], [[0], [1]]),
            "from -3 to 2; give probabilities",
        ),
        (lambda: scores.cmap_score([[0.5]], [[2]]), "only 0 and 1"),
        (lambda: scores.cmap_score([[0.5, 0.5]], [[1]]), "both must be"),
        (lambda: scores.average_per_example([[1.0], [2.0]], [0]), "one per row"),
    ],
)
def test_invalid_scores_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_chance_interval_of_cmap_is_reached_by_independent_scores():
    # One positive of four: dealt at random, its rank is 1 to 4 with equal probability. So AP is 1,
    # 1/2, 1/3 or 1/4, and the first and last are the limits.
    low, high = scores.cmap_chance_interval(np.arange(4.0)[:, None], np.eye(4)[:, :1])
    assert (low, high) == (0.25, 1.0)
    # The same attribute four times is no more certain than once, but four independent ones are.
    # Scores that are independent of the truth lie inside at least 98 times of 100; fewer than 34 of
    # 40 is very unlikely.
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, (40, 1)).repeat(4, 1)
    inside = 0
    for _ in range(40):
        predicted = rng.random((40, 1)).repeat(4, 1)
        low, high = scores.cmap_chance_interval(predicted, truth, draws=100)
        inside += low <= scores.cmap_score(predicted, truth) <= high
    assert inside >= 34
    alone = scores.cmap_chance_interval(rng.random((40, 4)), truth, draws=100)
    assert high - low > 1.3 * (alone[1] - alone[0])
