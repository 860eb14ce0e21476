import keras
import numpy as np
import pytest
import tensorflow as tf

from tfanon import registry
from tfanon.models.anonymizers import blacken, blur, downsample, pixelate, raw

FIXED = ["raw", "downsample", "blur", "pixelate"]


def frames(*shape):
    return np.random.default_rng(0).random(shape, "float32")


@pytest.mark.parametrize("name", FIXED)
def test_nothing_to_train(name):
    assert registry.find("anonymizers", name).build().trainable_variables == []


@pytest.mark.parametrize("name", FIXED)
def test_a_constant_frame_stays(name):
    grey = np.full((1, 48, 64, 3), 0.3, "float32")
    np.testing.assert_allclose(registry.find("anonymizers", name).build()(grey), grey, atol=1e-6)


@pytest.mark.parametrize("name", FIXED)
def test_sizes_may_be_unknown_until_the_call(name):
    f_A = registry.find("anonymizers", name).build()
    x = frames(2, 30, 44, 3)
    call = tf.function(f_A, input_signature=[tf.TensorSpec([None, None, None, 3])])
    np.testing.assert_allclose(call(x), f_A(x), atol=1e-6)


def test_raw_is_exact_under_a_mixed_policy():
    keras.config.set_dtype_policy("mixed_bfloat16")
    f_A = raw.build()
    x = frames(2, 3, 8, 8, 3)
    np.testing.assert_array_equal(f_A(x), x)


@pytest.mark.parametrize("height, width, kernel", [(224, 240, 21), (112, 112, 11), (64, 64, 7), (32, 48, 3)])
def test_blur_equals_the_definition(height, width, kernel):
    # 21 pixels at 224 are 10.5 at 112, 6 at 64 and 3 at 32: the nearest odd sizes, of two the larger.
    x = frames(1, height, width, 3)
    sigma = 10 * min(height, width) / 224
    offset = np.arange(kernel) - kernel // 2
    taps = np.exp(-(offset**2) / (2 * sigma**2))
    taps /= taps.sum()
    padded = np.pad(x, [(0, 0), (kernel // 2,) * 2, (kernel // 2,) * 2, (0, 0)], mode="reflect")
    rows = sum(tap * padded[:, i:i + height] for i, tap in enumerate(taps))
    expected = sum(tap * rows[:, :, i:i + width] for i, tap in enumerate(taps))
    np.testing.assert_allclose(blur.build()(x), expected, atol=1e-5)


def test_downsample_removes_what_is_finer_than_four_pixels():
    # Stripes of one pixel average to grey; a step of half the frame survives away from its edge.
    stripes = np.tile(np.arange(32) % 2, (32, 1)).astype("float32")
    step = np.repeat([0.0, 1.0], 16).astype("float32") * np.ones((32, 1), "float32")
    out = downsample.build()(np.stack([stripes, step])[..., None] * np.ones(3, "float32"))
    np.testing.assert_allclose(out[0, :, 8:-8], 0.5, atol=0.05)
    np.testing.assert_allclose(out[1, :, :8], 0.0, atol=0.05)
    np.testing.assert_allclose(out[1, :, -8:], 1.0, atol=0.05)


def test_pixelate_is_the_mean_of_each_block():
    # 16 pixels at 224 are 3 at 48: 16 x 17 blocks on 48 x 50, the last column 2 pixels wide.
    x = frames(1, 48, 50, 3)
    out = pixelate.build()(x).numpy()
    np.testing.assert_allclose(out[0, 3:6, 6:9], np.broadcast_to(x[0, 3:6, 6:9].mean((0, 1)), (3, 3, 3)), atol=1e-6)
    np.testing.assert_allclose(out[0, 45:, 48:], np.broadcast_to(x[0, 45:, 48:].mean((0, 1)), (3, 2, 3)), atol=1e-6)


def test_blacken_leaves_nothing():
    x = frames(2, 3, 8, 8, 3)
    np.testing.assert_array_equal(blacken.build()(x), np.zeros_like(x))


def test_noise_shows_nothing_of_the_frame_and_comes_again():
    # 12,288 uniform numbers: their mean is within four standard errors, 4 * .289 / 111 = .01, of .5.
    f_A, x = registry.find("anonymizers", "noise").build(), frames(1, 64, 64, 3)
    y = f_A(x).numpy()
    np.testing.assert_array_equal(f_A(x), y)
    assert not np.array_equal(f_A(x[:, ::-1] * 0.9), y) and y.shape == x.shape
    assert 0 <= y.min() and y.max() < 1 and y.mean() == pytest.approx(0.5, abs=0.01)
    assert abs(np.corrcoef(x.ravel(), y.ravel())[0, 1]) < 4 / 111
    clip = f_A(np.zeros((1, 2, 8, 8, 3), "float32")).numpy()
    assert not np.array_equal(clip[:, 0], clip[:, 1])
