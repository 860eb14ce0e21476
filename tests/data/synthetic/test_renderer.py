"""The drawing shows what it says: attributes where they belong, limbs that move, the rest still."""

import dataclasses

import numpy as np
import pytest

from tfanon.data.synthetic import poses, renderer


def person(**has):
    drawn = renderer.draw_person(np.random.default_rng(3))
    return dataclasses.replace(drawn, has={**dict.fromkeys(renderer.ATTRIBUTE_NAMES, False), **has})


def picture(**has):
    return renderer.draw_frames(person(**has), np.zeros((1, 2)), 96)[0].astype(int)


def test_frames_are_a_function_of_the_person_and_the_pose():
    phases = poses.draw_phases("ArmsFastLegSlow", 5, np.random.default_rng(0))
    clip = renderer.draw_frames(person(), phases, 96)
    assert clip.shape == (5, 96, 96, 3) and clip.dtype == np.uint8
    np.testing.assert_array_equal(renderer.draw_frames(person(), phases[2:3], 96)[0], clip[2])


@pytest.mark.parametrize(
    "name", sorted(set(renderer.ATTRIBUTE_NAMES) - {"dark_skin", "dark_trousers"})
)  # those are colours
def test_an_attribute_changes_pixels_of_its_own(name):
    changed = np.abs(picture(**{name: True}) - picture()).max(-1) > 40
    rows = np.flatnonzero(changed.any(1))
    assert changed.sum() > 20  # glasses, the finest, still cover eight pixels of a picture of 64
    if name in ("glasses", "hat"):
        assert rows.max() < 40  # on the head
    if name == "tree":
        assert (
            np.flatnonzero(changed.any(0)).max() < 40 or np.flatnonzero(changed.any(0)).min() > 56
        )  # at one side


def test_attributes_are_drawn_at_their_prevalence_and_independently():
    rng = np.random.default_rng(0)
    drawn = np.array([list(renderer.draw_person(rng).has.values()) for _ in range(1500)], float)
    np.testing.assert_allclose(
        drawn.mean(0), list(renderer.PREVALENCE.values()), atol=4 * 0.5 / np.sqrt(1500)
    )
    correlation = np.corrcoef(drawn.T) - np.eye(len(renderer.ATTRIBUTE_NAMES))
    assert np.abs(correlation).max() < 4 / np.sqrt(1500)


def test_only_limbs_move():
    still = np.array([[0.0, 0.0]])
    for phases, rows in (
        (still + [[0.25, 0]], slice(15, 68)),
        (still + [[0, 0.25]], slice(54, 96)),
    ):  # arms, leg
        pair = renderer.draw_frames(person(), np.concatenate([still, phases]), 96).astype(int)
        moved = np.abs(pair[1] - pair[0]).max(-1) > 0
        assert moved.sum() > 200 and moved.sum() == moved[rows].sum()
