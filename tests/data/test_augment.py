"""Each step on numbers worked out by hand, eagerly and inside `map`."""

import numpy as np
import pytest
import tensorflow as tf

from tfanon.data import augment

NO = np.full(augment.CLIP_DRAWS, 0.999, np.float32)  # a draw that says no to everything


def draw(**at):
    u = NO.copy()
    for name, value in at.items():
        u[int(name[1:])] = value
    return tf.constant(u)


def noise(*shape):
    return tf.constant(np.random.default_rng(0).random(shape, np.float32))


def test_a_draw_of_no_changes_nothing():
    frames = noise(2, 12, 12, 3)
    assert np.array_equal(augment.augment_clip(frames, tf.constant(NO)), frames)
    assert np.array_equal(
        augment.augment_image(frames, tf.constant(NO[: augment.IMAGE_DRAWS])), frames
    )


def test_colour_by_hand():
    pixel = tf.constant([0.5, 0.25, 0.0], shape=(1, 1, 1, 3))
    grey = 0.5 * 0.299 + 0.25 * 0.587  # 0.29625
    # u = 0 draws the lower end of a range, 0.9: 0.9 x + 0.1 times the other.
    for switch, amount, other in ((0, 1, grey), (4, 5, grey), (6, 7, 0.0)):
        u = draw(**{f"u{switch}": 0.0, f"u{amount}": 0.0})
        expected = 0.9 * np.array([0.5, 0.25, 0.0]) + 0.1 * other
        np.testing.assert_allclose(augment.jitter_colour(pixel, u)[0, 0, 0], expected, atol=1e-6)
    np.testing.assert_allclose(augment.jitter_colour(pixel, draw(u8=0.0))[0, 0, 0], grey, atol=1e-6)
    gamma = augment.jitter_colour(pixel, draw(u8=0.0, u9=0.0, u10=0.0))[0, 0, 0]
    np.testing.assert_allclose(gamma, grey**0.85, atol=1e-6)
    hue = augment.jitter_colour(pixel, draw(u2=0.0, u3=0.0))[
        0, 0, 0
    ]  # hue .08333 - .05 = 0.0333: green = 6 * .0333 * .5
    np.testing.assert_allclose(hue, [0.5, 0.1, 0.0], atol=1e-3)


def test_gamma_comes_only_with_grey():
    frames = noise(1, 4, 4, 3)
    assert np.array_equal(augment.jitter_colour(frames, draw(u9=0.0, u10=0.0)), frames)


def test_flip_mirrors_left_and_right():
    frames = noise(2, 4, 6, 3)
    assert np.array_equal(augment.flip_horizontally(frames, 0.4), frames[:, :, ::-1])
    assert np.array_equal(augment.flip_horizontally(frames, 0.6), frames)


def test_erase_cuts_the_box_that_was_drawn():
    # Sides 2..4: u = 0 gives 2, u = 0.9 gives 4; top in 0..10 with u = 0.5 is 5, left in 0..8 with u = 0.999 is 8.
    box = augment.erase_box(
        tf.ones((2, 12, 12, 3)), tf.constant([0.0, 0.0, 0.9, 0.5, 0.999]), 0.4, (2, 4), (2, 4)
    )
    expected = np.ones((12, 12))
    expected[5:7, 8:12] = 0
    assert np.array_equal(box[0, :, :, 0], expected) and np.array_equal(box[0], box[1])


def test_a_clip_has_one_draw_for_all_frames():
    frame = noise(1, 24, 24, 3)
    for seed in range(20):
        u = tf.random.stateless_uniform([augment.CLIP_DRAWS], (seed, 0))
        clip = augment.augment_clip(tf.repeat(frame, 3, axis=0), u).numpy()
        assert np.array_equal(clip[0], clip[1]) and np.array_equal(clip[0], clip[2])
        assert clip.min() >= 0 and clip.max() <= 1


def test_in_map_as_eagerly():
    frames = noise(2, 24, 24, 3)
    draws = tf.random.stateless_uniform([16, augment.CLIP_DRAWS], (1, 2))
    mapped = tf.data.Dataset.from_tensor_slices(draws).map(
        lambda u: augment.augment_clip(frames, u)
    )
    for u, inside in zip(draws, mapped):
        np.testing.assert_allclose(inside, augment.augment_clip(frames, u), atol=1e-6)


@pytest.mark.parametrize(
    "switch, probability", [(0, 0.125), (2, 0.15), (4, 0.15), (6, 0.15), (8, 0.1)]
)
def test_probabilities(switch, probability):
    frames = noise(1, 2, 2, 3)
    for u, changes in ((probability - 0.001, True), (probability + 0.001, False)):
        changed = augment.jitter_colour(frames, draw(**{f"u{switch}": u, f"u{switch + 1}": 0.1}))
        assert changes != np.array_equal(changed, frames)


def test_windows_keep_to_their_range():
    windows = augment.scale_window(tf.constant([[0.0, 0.2, 0.3], [0.5, 0.9, 0.0]]), 0.6)
    np.testing.assert_allclose(windows, [[0.6, 0.2, 0.3], [0.8, 0.9, 0.0]])
