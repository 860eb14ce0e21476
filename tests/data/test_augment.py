"""Each step on numbers worked out by hand, eagerly and inside `map`."""

import numpy as np
import pytest
import tensorflow as tf

from tfanon.data import augment

# Random numbers for which no step is applied.
UNCHANGED = np.full(augment.CLIP_DRAWS, 0.999, np.float32)


def make_draws(values: dict[int, float]) -> tf.Tensor:
    """Return numbers that apply only the steps whose numbers are given by position."""
    u = UNCHANGED.copy()
    for position, value in values.items():
        u[position] = value
    return tf.constant(u)


def make_noise(*shape: int) -> tf.Tensor:
    return tf.constant(np.random.default_rng(0).random(shape, np.float32))


def test_large_numbers_change_nothing():
    frames = make_noise(2, 12, 12, 3)
    assert np.array_equal(augment.augment_clip(frames, tf.constant(UNCHANGED)), frames)
    image_draws = tf.constant(UNCHANGED[: augment.IMAGE_DRAWS])
    assert np.array_equal(augment.augment_image(frames, image_draws), frames)


def test_colour_by_hand():
    pixel = tf.constant([0.5, 0.25, 0.0], shape=(1, 1, 1, 3))
    grey = 0.5 * 0.299 + 0.25 * 0.587  # 0.29625

    def jitter(values: dict[int, float]) -> tf.Tensor:
        return augment.jitter_colour(pixel, make_draws(values))[0, 0, 0]

    # u = 0 draws the lower end of a range, 0.9: 0.9 x + 0.1 times the other.
    for switch, amount, other in ((0, 1, grey), (4, 5, grey), (6, 7, 0.0)):
        expected = 0.9 * np.array([0.5, 0.25, 0.0]) + 0.1 * other
        np.testing.assert_allclose(jitter({switch: 0.0, amount: 0.0}), expected, atol=1e-6)
    np.testing.assert_allclose(jitter({8: 0.0}), grey, atol=1e-6)
    np.testing.assert_allclose(jitter({8: 0.0, 9: 0.0, 10: 0.0}), grey**0.85, atol=1e-6)
    # The hue is .08333 - .05 = .0333: green = 6 * .0333 * .5.
    np.testing.assert_allclose(jitter({2: 0.0, 3: 0.0}), [0.5, 0.1, 0.0], atol=1e-3)


def test_gamma_is_applied_only_after_greyscale():
    frames = make_noise(1, 4, 4, 3)
    draws = make_draws({9: 0.0, 10: 0.0})
    assert np.array_equal(augment.jitter_colour(frames, draws), frames)


def test_flip_mirrors_left_and_right():
    frames = make_noise(2, 4, 6, 3)
    assert np.array_equal(augment.flip_horizontally(frames, 0.4), frames[:, :, ::-1])
    assert np.array_equal(augment.flip_horizontally(frames, 0.6), frames)


def test_erase_cuts_the_drawn_box():
    # Sides 2..4: u = 0 gives 2, u = 0.9 gives 4; top in 0..10 with u = 0.5 is 5, left in 0..8 with
    # u = 0.999 is 8.
    draws = tf.constant([0.0, 0.0, 0.9, 0.5, 0.999])
    erased = augment.erase_box(tf.ones((2, 12, 12, 3)), draws, 0.4, (2, 4), (2, 4))
    expected = np.ones((12, 12))
    expected[5:7, 8:12] = 0
    assert np.array_equal(erased[0, :, :, 0], expected)
    assert np.array_equal(erased[0], erased[1])


def test_all_frames_of_a_clip_are_augmented_alike():
    frame = make_noise(1, 24, 24, 3)
    for seed in range(20):
        u = tf.random.stateless_uniform([augment.CLIP_DRAWS], (seed, 0))
        clip = augment.augment_clip(tf.repeat(frame, 3, axis=0), u).numpy()
        assert np.array_equal(clip[0], clip[1]) and np.array_equal(clip[0], clip[2])
        assert clip.min() >= 0 and clip.max() <= 1


def test_map_and_eager_calls_agree():
    frames = make_noise(2, 24, 24, 3)
    draws = tf.random.stateless_uniform([16, augment.CLIP_DRAWS], (1, 2))
    dataset = tf.data.Dataset.from_tensor_slices(draws)
    mapped = dataset.map(lambda u: augment.augment_clip(frames, u))
    for u, inside in zip(draws, mapped, strict=True):
        np.testing.assert_allclose(inside, augment.augment_clip(frames, u), atol=1e-6)


@pytest.mark.parametrize(
    "switch, probability", [(0, 0.125), (2, 0.15), (4, 0.15), (6, 0.15), (8, 0.1)]
)
def test_probabilities(switch, probability):
    frames = make_noise(1, 2, 2, 3)
    for u, changes in ((probability - 0.001, True), (probability + 0.001, False)):
        changed = augment.jitter_colour(frames, make_draws({switch: u, switch + 1: 0.1}))
        assert changes != np.array_equal(changed, frames)


def test_windows_stay_in_their_range():
    windows = augment.scale_window(tf.constant([[0.0, 0.2, 0.3], [0.5, 0.9, 0.0]]), 0.6)
    np.testing.assert_allclose(windows, [[0.6, 0.2, 0.3], [0.8, 0.9, 0.0]])
