"""Pictures show their attributes in the right places; limbs move, everything else is still."""

import dataclasses

import numpy as np
import pytest

from tfanon.data.synthetic import poses, renderer

STILL = np.zeros((1, 2))  # phases of arms and leg
# Those change the colour of other parts.
COLOUR_ATTRIBUTES = {"dark_skin", "dark_trousers"}


def make_person(**has: bool) -> renderer.Person:
    person = renderer.draw_person(np.random.default_rng(3))
    nothing = dict.fromkeys(renderer.ATTRIBUTE_NAMES, False)
    return dataclasses.replace(person, has={**nothing, **has})


def draw_picture(**has: bool) -> np.ndarray:
    return renderer.draw_frames(make_person(**has), STILL, 96)[0].astype(int)


def test_frames_depend_only_on_the_person_and_the_pose():
    phases = poses.draw_phases("ArmsFastLegSlow", 5, np.random.default_rng(0))
    clip = renderer.draw_frames(make_person(), phases, 96)
    assert clip.shape == (5, 96, 96, 3) and clip.dtype == np.uint8
    alone = renderer.draw_frames(make_person(), phases[2:3], 96)[0]
    np.testing.assert_array_equal(alone, clip[2])


@pytest.mark.parametrize("name", sorted(set(renderer.ATTRIBUTE_NAMES) - COLOUR_ATTRIBUTES))
def test_attribute_changes_its_own_pixels(name):
    changed = np.abs(draw_picture(**{name: True}) - draw_picture()).max(-1) > 40
    rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
    assert changed.sum() > 20  # glasses, the finest, still cover eight pixels of a picture of 64
    if name in ("glasses", "hat"):
        assert rows.max() < 40  # on the head
    if name == "tree":
        assert columns.max() < 40 or columns.min() > 56  # on one side


def test_attributes_are_independent_and_have_their_prevalence():
    rng = np.random.default_rng(0)
    people = [renderer.draw_person(rng) for _ in range(1500)]
    has = np.array([list(person.has.values()) for person in people], float)
    prevalence = list(renderer.PREVALENCE.values())
    np.testing.assert_allclose(has.mean(0), prevalence, atol=4 * 0.5 / np.sqrt(1500))
    correlation = np.corrcoef(has.T) - np.eye(len(prevalence))
    assert np.abs(correlation).max() < 4 / np.sqrt(1500)


@pytest.mark.parametrize(
    "phases, rows",
    [
        pytest.param([[0.25, 0]], slice(15, 68), id="arms"),
        pytest.param([[0, 0.25]], slice(54, 96), id="leg"),
    ],
)
def test_only_limbs_move(phases, rows):
    frames = renderer.draw_frames(make_person(), np.concatenate([STILL, phases]), 96).astype(int)
    moved = np.abs(frames[1] - frames[0]).max(-1) > 0
    assert moved.sum() > 200 and moved.sum() == moved[rows].sum()
