"""Each metric against scikit-learn and against numbers worked out by hand."""

import dataclasses

import numpy as np
import pytest
from sklearn import metrics as oracle

from tfanon.metrics import scores as metrics


def random_case(seed, n=60, attributes=5, levels=None):
    """Scores that know something of the truth; levels makes ties."""
    rng = np.random.default_rng(seed)
    truth = (rng.random((n, attributes)) < rng.uniform(0.1, 0.9, attributes)).astype(np.float32)
    truth[0], truth[1] = 0, 1  # both kinds in every attribute
    scores = np.clip(0.3 * truth + rng.uniform(0, 0.7, truth.shape), 0, 1)
    return (np.round(scores * levels) / levels if levels else scores), truth


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("levels", [None, 10, 2])
def test_cmap_and_average_precision_are_sklearns(seed, levels):
    scores, truth = random_case(seed, levels=levels)
    expected = oracle.average_precision_score(truth, scores, average=None)
    np.testing.assert_allclose(
        metrics.average_precisions(scores, truth), expected, rtol=0, atol=1e-12
    )
    assert metrics.cmap_score(scores, truth) == pytest.approx(
        oracle.average_precision_score(truth, scores, average="macro"), abs=1e-12
    )


@pytest.mark.parametrize("threshold", [0.5, metrics.LOGIT_HALF_THRESHOLD])
def test_f1_is_sklearns(threshold):
    scores, truth = random_case(7, levels=20)
    expected = oracle.f1_score(truth, scores > threshold, average=None, zero_division=0)
    np.testing.assert_allclose(
        metrics.f1_per_attribute(scores, truth, threshold), expected, rtol=0, atol=1e-12
    )
    assert metrics.macro_f1_score(scores, truth, threshold) == pytest.approx(
        expected.mean(), abs=1e-12
    )


def test_top1_is_sklearns():
    rng = np.random.default_rng(0)
    probabilities, labels = rng.dirichlet(np.ones(6), 200), rng.integers(6, size=200)
    expected = oracle.accuracy_score(labels, probabilities.argmax(axis=1))
    assert metrics.top1_accuracy(probabilities, labels) == pytest.approx(expected, abs=1e-12)


def column(*values):
    return np.array(values)[:, None]


def test_average_precision_by_hand():
    # Falling: + - + -.  The first hit has precision 1/1, the second 2/3; each is half of the recall: (1 + 2/3) / 2.
    assert metrics.average_precisions(
        column(0.9, 0.8, 0.7, 0.6), column(1, 0, 1, 0)
    ) == pytest.approx(5 / 6)
    # The middle two tie, so both are called at once: (1/1 + 2/3) / 2 again, in either order of the two.
    for truth in (column(1, 1, 0, 0), column(1, 0, 1, 0)):
        assert metrics.average_precisions(column(0.9, 0.7, 0.7, 0.6), truth) == pytest.approx(5 / 6)
    assert metrics.average_precisions(column(0.3, 0.2), column(1, 1)) == 1.0


@pytest.mark.parametrize("scores", [[0.5] * 6, [0, 0, 0, 1, 1, 1], [0.1, 0.9, 0.3, 0.2, 0.8, 0.4]])
def test_one_class_only_is_sklearns(scores):
    scores, ones, labels = np.array(scores)[:, None], np.ones((6, 1)), np.zeros(6, int)
    assert metrics.cmap_score(scores, ones) == oracle.average_precision_score(ones, scores) == 1.0
    assert metrics.macro_f1_score(scores, ones, 0.45) == pytest.approx(
        oracle.f1_score(ones, scores > 0.45), abs=1e-12
    )
    both = np.hstack([scores, 1 - scores])
    assert metrics.top1_accuracy(both, labels) == pytest.approx(
        oracle.accuracy_score(labels, both.argmax(axis=1))
    )


def test_floors_are_what_the_constant_predictors_score():
    _, truth = random_case(3)
    assert metrics.cmap_score(np.full(truth.shape, 0.4), truth) == pytest.approx(
        metrics.cmap_chance(truth), abs=1e-12
    )
    assert metrics.macro_f1_score(np.ones(truth.shape), truth) == pytest.approx(
        metrics.macro_f1_chance(truth), abs=1e-12
    )
    # Prevalences 1/4 and 1/2: cMAP (1/4 + 1/2) / 2; F1 2 p / (1 + p) is 2/5 and 2/3.
    truth = np.array([[1, 1], [0, 1], [0, 0], [0, 0]])
    assert metrics.cmap_chance(truth) == pytest.approx(3 / 8)
    assert metrics.macro_f1_chance(truth) == pytest.approx((2 / 5 + 2 / 3) / 2)
    assert metrics.top1_chance([0, 0, 2, 1]) == 0.5
    assert metrics.leakage_above_chance(0.7, 0.5) == pytest.approx(0.2)


def test_an_attribute_without_a_positive_is_left_out_of_value_and_floor():
    scores, truth = random_case(4, attributes=3)
    truth[:, 1] = 0
    kept = [0, 2]
    assert np.isnan(metrics.average_precisions(scores, truth)).tolist() == [False, True, False]
    assert np.isnan(metrics.f1_per_attribute(scores, truth)).tolist() == [False, True, False]
    for value in (metrics.cmap_score, metrics.macro_f1_score):
        assert value(scores, truth) == pytest.approx(value(scores[:, kept], truth[:, kept]))
    for floor in (metrics.cmap_chance, metrics.macro_f1_chance):
        assert floor(truth) == pytest.approx(floor(truth[:, kept]))


@pytest.mark.filterwarnings("error")
def test_nothing_positive_at_all_is_nan_without_a_warning():
    scores, truth = np.full((3, 2), 0.5), np.zeros((3, 2))
    values = [
        metrics.cmap_score(scores, truth),
        metrics.macro_f1_score(scores, truth),
        metrics.cmap_chance(truth),
        *metrics.cmap_interval(scores, truth, draws=5),
    ]
    assert np.isnan(values).all()
    assert metrics.tune_f1_thresholds(scores, truth).tolist() == [0.5, 0.5]


def test_best_thresholds_reach_the_best_f1_of_all():
    scores, truth = random_case(5, levels=15)
    reached = metrics.f1_per_attribute(scores, truth, metrics.tune_f1_thresholds(scores, truth))
    every = [
        metrics.f1_per_attribute(scores, truth, threshold)
        for threshold in np.linspace(-0.01, 1, 500)
    ]
    np.testing.assert_allclose(reached, np.max(every, axis=0), rtol=0, atol=1e-12)


def test_best_thresholds_by_hand():
    # Calling the first two present gives F1 = 1; half-way between .8 and .3 is .55. Second column: all are positive.
    scores, truth = (
        np.array([[0.9, 0.9], [0.8, 0.5], [0.3, 0.2]]),
        np.array([[1, 1], [1, 1], [0, 1]]),
    )
    np.testing.assert_allclose(
        metrics.tune_f1_thresholds(scores, truth), [0.55, metrics.ALWAYS_PRESENT_THRESHOLD]
    )
    close = np.array(
        [[np.nextafter(0.5, 1)], [0.5]]
    )  # neighbours: the middle must not swallow the upper one
    assert (
        metrics.macro_f1_score(close, [[1], [0]], metrics.tune_f1_thresholds(close, [[1], [0]]))
        == 1.0
    )


def test_by_example_gives_the_mean_of_each_video():
    # Video 4 has the clips (1, 0) and (0, 1); video 2 has one clip; the last row is padding.
    examples, means = metrics.average_per_example(
        [[1, 0], [0.2, 0.8], [0, 1], [9, 9]], [4, 2, 4, -1]
    )
    assert examples.tolist() == [2, 4]
    np.testing.assert_allclose(means, [[0.2, 0.8], [0.5, 0.5]])
    _, means = metrics.average_per_example([1.0, 3.0], [0, 0])
    assert means.tolist() == [2.0]


def right(hits, n):
    """(probabilities, labels) of which so many are right."""
    return np.eye(2)[[0] * hits + [1] * (n - hits)], np.zeros(n, int)


def test_interval_of_top1_is_wilsons():
    # 60 of 100: z = 1.96, z^2 = 3.8415; middle (.6 + .019207) / 1.038415 = .59630,
    # half 1.96 / 1.038415 * sqrt(.24 / 100 + 3.8415 / 40000) = .09430.
    assert metrics.top1_interval(*right(60, 100)) == pytest.approx((0.50200, 0.69060), abs=1e-4)
    # All of n: low is 1 / (1 + z^2 / n), so 120 right answers of 120 do not prove a share of 1.
    assert metrics.top1_interval(*right(120, 120)) == pytest.approx(
        (1 / (1 + 3.8415 / 120), 1.0), abs=1e-5
    )


@pytest.mark.parametrize("share, n", [(0.5, 40), (0.9, 60), (0.98, 120)])
def test_interval_of_top1_holds_the_truth_as_often_as_it_says(share, n):
    rng = np.random.default_rng(0)
    intervals = [
        metrics.top1_interval(*right(hits, n)) for hits in rng.binomial(n, share, size=1000)
    ]
    assert np.mean([low <= share <= high for low, high in intervals]) == pytest.approx(
        0.95, abs=0.025
    )


def test_interval_of_top1_is_that_of_as_many_clips_as_those_of_the_people_are_worth():
    probabilities, labels = right(60, 100)
    # Ten people with ten clips each, all right or all wrong: Kish's effect is 100 / 10, and (10 - 1) / 10 of that are left.
    alike = np.repeat(np.arange(10), 10)
    assert metrics.top1_interval(probabilities, labels, groups=alike) == pytest.approx(
        wilson(0.6, 9), abs=1e-7
    )
    # Six of each person's ten: nobody differs from anybody, and there is no more than 100 clips.
    spread = np.concatenate([np.arange(60) % 10, np.arange(40) % 10])
    assert metrics.top1_interval(probabilities, labels, groups=spread) == metrics.top1_interval(
        probabilities, labels
    )


def wilson(share, n, z=1.959964):
    half = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return [(share + z * z / (2 * n) + sign * half) / (1 + z * z / n) for sign in (-1, 1)]


@pytest.mark.parametrize("share", [0.6, 0.97])
def test_interval_of_top1_over_people_holds_the_truth_nearly_as_often_as_it_says(share):
    """Fifteen people with eight clips each, some easier to read than others; without groups it holds in 73 to 88 of 100."""
    rng, groups = np.random.default_rng(0), np.repeat(np.arange(15), 8)
    inside = {True: [], False: []}
    for _ in range(500):
        people = rng.beta(share * (1 / 0.3 - 1), (1 - share) * (1 / 0.3 - 1), 15)
        hits = rng.random(120) < people[groups]
        for known in inside:
            low, high = metrics.top1_interval(
                np.eye(2)[1 - hits], np.zeros(120, int), groups=groups if known else ()
            )
            inside[known].append(low <= share <= high)
    assert np.mean(inside[True]) > 0.92 and np.mean(inside[False]) < 0.9


def test_interval_of_cmap_holds_the_truth_as_often_as_it_says():
    # AP of a score that is normal, one unit higher where the attribute is: .668 on average at .3 and .5 positives,
    # here that of 200,000 examples.
    rng, prevalence = np.random.default_rng(0), np.array([0.3, 0.5])

    def drawn(n):
        truth = (rng.random((n, 2)) < prevalence).astype(float)
        return rng.normal(size=truth.shape) + truth, truth

    true = metrics.cmap_score(*drawn(200_000))
    assert true == pytest.approx(0.668, abs=0.004)
    intervals = [metrics.cmap_interval(*drawn(200), draws=300, seed=trial) for trial in range(400)]
    assert np.mean([low <= true <= high for low, high in intervals]) == pytest.approx(
        0.95, abs=0.025
    )


def test_intervals_of_people_hold_the_truth_where_those_of_pictures_do_not():
    # 60 people of 8 pictures each: attributes and scores are the person's, with a little noise per picture.
    rng, held = np.random.default_rng(0), {"cmap": [], "f1": [], "pictures": []}

    def drawn(people, pictures=8):
        truth = np.repeat(rng.random((people, 2)) < (0.3, 0.5), pictures, axis=0).astype(float)
        scores = np.repeat(rng.normal(size=(people, 2)), pictures, axis=0) + truth - 0.5
        return 1 / (1 + np.exp(-scores - 0.1 * rng.normal(size=scores.shape))), truth

    many = drawn(100_000)
    cmap, f1, people = (
        metrics.cmap_score(*many),
        metrics.macro_f1_score(*many),
        np.repeat(np.arange(60), 8),
    )
    for trial in range(200):
        case = drawn(60)
        for name, true, interval in (
            ("cmap", cmap, metrics.cmap_interval(*case, draws=200, seed=trial, groups=people)),
            ("f1", f1, metrics.macro_f1_interval(*case, draws=200, seed=trial, groups=people)),
            ("pictures", f1, metrics.macro_f1_interval(*case, draws=200, seed=trial)),
        ):
            held[name].append(interval[0] <= true <= interval[1])
    assert (
        np.mean(held["cmap"]) > 0.85 and np.mean(held["f1"]) > 0.9
    )  # few people: see cmap_interval
    assert np.mean(held["pictures"]) < 0.6


def test_groups_are_told_apart_by_equality_alone():
    """As files of a TensorFlow Datasets build are, which have no order."""

    @dataclasses.dataclass(frozen=True)
    class File:
        name: str

    rng = np.random.default_rng(0)
    scores, truth = rng.random((40, 2)), (rng.random((40, 2)) < 0.5).astype(float)
    names = [f"{number // 4}" for number in range(40)]
    for interval in (metrics.cmap_interval, metrics.macro_f1_interval):
        assert interval(scores, truth, groups=[File(name) for name in names]) == interval(
            scores, truth, groups=names
        )


def test_interval_of_f1_is_that_of_resampled_examples():
    scores, truth = random_case(6, n=80, levels=30)
    interval = metrics.macro_f1_interval(scores, truth, draws=300)
    rng = np.random.default_rng(1)
    picks = [rng.integers(80, size=80) for _ in range(300)]
    resampled = [
        oracle.f1_score(truth[pick], scores[pick] > 0.5, average="macro", zero_division=0)
        for pick in picks
    ]
    assert interval == pytest.approx(np.percentile(resampled, [2.5, 97.5]), abs=0.025)
    assert interval[0] < metrics.macro_f1_score(scores, truth) < interval[1]


def test_interval_of_cmap_is_that_of_resampled_examples(monkeypatch):
    scores, truth = random_case(6, n=80, levels=30)
    interval = metrics.cmap_interval(scores, truth, draws=300)
    rng = np.random.default_rng(1)
    picks = [rng.integers(80, size=80) for _ in range(300)]
    resampled = [oracle.average_precision_score(truth[pick], scores[pick]) for pick in picks]
    assert interval == pytest.approx(np.percentile(resampled, [2.5, 97.5]), abs=0.025)
    assert interval[0] < metrics.cmap_score(scores, truth) < interval[1]
    monkeypatch.setattr(
        metrics, "_MAX_BOOTSTRAP_CELLS", 1
    )  # draw by draw, the same numbers: memory is no part of the result
    assert metrics.cmap_interval(scores, truth, draws=300) == pytest.approx(interval, abs=1e-12)


def test_weighting_an_example_twice_is_listing_it_twice():
    scores, truth = random_case(8, n=12, attributes=2, levels=5)
    weights = np.arange(12) % 3
    value = metrics._weighted_precisions(
        *metrics._rank_examples(scores, truth.astype(float)), weights[None].astype(float)
    )
    listed = np.repeat(np.arange(12), weights)
    np.testing.assert_allclose(
        value[0], metrics.average_precisions(scores[listed], truth[listed]), atol=1e-12
    )


def test_numbers_are_python_floats():
    scores, truth = random_case(0)
    values = [
        metrics.cmap_score(scores, truth),
        metrics.macro_f1_score(scores, truth),
        metrics.top1_accuracy(scores, np.zeros(60, int)),
        metrics.cmap_chance(truth),
        metrics.macro_f1_chance(truth),
        metrics.top1_chance([0, 1]),
        metrics.LOGIT_HALF_THRESHOLD,
        *metrics.cmap_interval(scores, truth, draws=3),
        *metrics.macro_f1_interval(scores, truth, draws=3),
        *metrics.top1_interval(scores, np.zeros(60, int)),
    ]
    assert {type(value) for value in values} == {float}


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda: metrics.cmap_score([[0.1], [np.nan]], [[0], [1]]),
            "1 of 2 scores are NaN or infinite, the first in row 1",
        ),
        (lambda: metrics.top1_accuracy([[np.nan, 1.0]], [0]), "NaN"),
        (lambda: metrics.top1_accuracy([[0.5, 0.5]], [2]), "but 2 classes are scored"),
        (lambda: metrics.top1_accuracy([[0.5, 0.5]], [0, 1]), r"\[n, K\]"),
        (
            lambda: metrics.macro_f1_score([[-3.0], [2.0]], [[0], [1]]),
            "from -3 to 2; give probabilities",
        ),
        (lambda: metrics.cmap_score([[0.5]], [[2]]), "only 0 and 1"),
        (lambda: metrics.cmap_score([[0.5, 0.5]], [[1]]), "both must be"),
        (lambda: metrics.average_per_example([[1.0], [2.0]], [0]), "one per row"),
    ],
)
def test_what_cannot_be_scored_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_cmap_by_chance_is_what_independent_scores_reach():
    # One positive of four: dealt at random its rank is 1 to 4 alike, so AP is 1, 1/2, 1/3 or 1/4: those are the limits.
    low, high = metrics.cmap_chance_interval(np.arange(4.0)[:, None], np.eye(4)[:, :1])
    assert (low, high) == (0.25, 1.0)
    # The same attribute four times is no surer than once, where four independent ones are. Scores that know nothing of
    # the truth lie inside 98 times of 100 or more; of 40, fewer than 34 hardly ever do.
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, (40, 1)).repeat(4, 1)
    inside = 0
    for _ in range(40):
        scores = rng.random((40, 1)).repeat(4, 1)
        low, high = metrics.cmap_chance_interval(scores, truth, draws=100)
        inside += low <= metrics.cmap_score(scores, truth) <= high
    assert inside >= 34
    alone = metrics.cmap_chance_interval(rng.random((40, 4)), truth, draws=100)
    assert high - low > 1.3 * (alone[1] - alone[0])
