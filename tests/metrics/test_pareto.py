"""The Pareto front and both of its areas, worked out by hand."""

import numpy as np
import pytest

from tfanon.metrics import pareto

# Raw video leaks .4 above chance at top-1 .9; the chance level of top-1 is .1:
# privacy = 1 - leakage / .4, utility = (top-1 - .1) / .8.
BOX = pareto.ReferenceBox(raw_leakage=0.4, raw_top1=0.9, chance_top1=0.1)


def test_points_are_normalized_to_the_box():
    # .1 of .4 is left: privacy .75; .7 is .6 of the .8: utility .75. What is beyond raw video or
    # below chance is clipped.
    privacy, utility = BOX.normalize([0.1, 0.5, -0.05, 0.4], [0.7, 0.95, 0.05, 0.9])
    np.testing.assert_allclose(privacy, [0.75, 0, 1, 0])
    np.testing.assert_allclose(utility, [0.75, 1, 0, 1])


def test_dominated_points_are_not_on_the_front():
    # (.1, .5) dominates (.2, .5), and (.3, .8) dominates (.3, .6); of two equal points both stay.
    leakages, top1s = [0.3, 0.2, 0.1, 0.3, 0.1], [0.8, 0.5, 0.5, 0.6, 0.5]
    assert pareto.find_pareto_front(leakages, top1s) == [2, 4, 0]
    assert pareto.find_pareto_front([], []) == []


@pytest.mark.parametrize("seed", range(3))
def test_hypervolume_matches_a_fine_grid(seed):
    rng = np.random.default_rng(seed)
    leakages, top1s = rng.uniform(-0.1, 0.5, 6), rng.uniform(0.05, 1, 6)
    privacy, utility = BOX.normalize(leakages, top1s)
    middle = (np.arange(500) + 0.5) / 500
    is_more_private = privacy[:, None, None] >= middle[:, None]
    is_more_useful = utility[:, None, None] >= middle
    dominated = np.any(is_more_private & is_more_useful, axis=0)
    assert pareto.hypervolume(leakages, top1s, BOX) == pytest.approx(dominated.mean(), abs=0.005)


def test_hypervolume_by_hand():
    # (.75, .75) covers .5625; (.5, 1) adds .5 * .25 = .125; raw video and dominated points add 0.
    assert pareto.hypervolume([0.1], [0.7], BOX) == pytest.approx(0.5625)
    volume = pareto.hypervolume([0.1, 0.2, 0.4, 0.3], [0.7, 0.9, 0.9, 0.5], BOX)
    assert volume == pytest.approx(0.6875)
    assert pareto.hypervolume([0.4, 0.0], [0.9, 0.1], BOX) == 0.0
    assert pareto.hypervolume([0.0], [0.9], BOX) == 1.0
    assert pareto.hypervolume([], [], BOX) == 0.0


def test_area_by_hand():
    # Raw video and chance alone: the diagonal, 1/2.
    # With (.75, .75): .75 * (1 + .75) / 2 + .25 * .75 / 2 = .75.
    assert pareto.area_under_front([], [], BOX) == pytest.approx(0.5)
    assert pareto.area_under_front([0.1], [0.7], BOX) == pytest.approx(0.75)
    # (.5, .5) is dominated and changes nothing.
    # With (.5, .9375), top-1 .85: .5 * 1.9375 / 2 + .25 * 1.6875 / 2 + .25 * .75 / 2.
    assert pareto.area_under_front([0.1, 0.2], [0.7, 0.5], BOX) == pytest.approx(0.75)
    area = pareto.area_under_front([0.1, 0.2], [0.7, 0.85], BOX)
    assert area == pytest.approx(0.484375 + 0.2109375 + 0.09375)
    assert pareto.area_under_front([0.0], [0.9], BOX) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: pareto.hypervolume([np.nan], [0.5], BOX), "1 of 1 leakages are NaN"),
        (lambda: pareto.area_under_front([0.1], [np.inf], BOX), "1 of 1 top-1 are NaN"),
        (lambda: pareto.find_pareto_front([0.1, np.nan], [0.5, 0.5]), "1 of 2 leakages are NaN"),
        (lambda: pareto.ReferenceBox(0.4, np.nan, 0.1), "reference points are NaN"),
        (lambda: pareto.ReferenceBox(0.0, 0.9, 0.1), "recognise nothing in raw video"),
        (
            lambda: pareto.area_under_front([0.1], [0.5, 0.6], BOX),
            "one of each per operating point",
        ),
    ],
)
def test_invalid_points_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
