import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import make_pixels

from tfanon.core import component_spec
from tfanon.models.anonymizers import blacken, downsample, pixelate, raw

FIXED = [
    "raw",
    "downsample",
    "downsample:factor=2",
    "downsample:size=16x12",
    "blur",
    "weak_blur",
    "pixelate",
    "superpixels",
]


@pytest.mark.parametrize("name", [*FIXED, "blacken", "noise"])
def test_fixed_anonymizer_has_no_trainable_variables(name):
    assert component_spec.build_component("anonymizers", name).trainable_variables == []


@pytest.mark.parametrize("name", FIXED)
def test_constant_frame_is_unchanged(name):
    grey = np.full((1, 48, 64, 3), 0.3, "float32")
    np.testing.assert_allclose(
        component_spec.build_component("anonymizers", name)(grey), grey, atol=1e-6
    )


@pytest.mark.parametrize("name", FIXED)
def test_sizes_may_be_unknown_in_the_graph(name):
    f_A = component_spec.build_component("anonymizers", name)
    x = make_pixels(2, 30, 44, 3)
    call = tf.function(f_A, input_signature=[tf.TensorSpec([None, None, None, 3])])
    np.testing.assert_allclose(call(x), f_A(x), atol=1e-6)


def test_raw_is_exact_under_a_mixed_policy():
    keras.config.set_dtype_policy("mixed_bfloat16")
    f_A = raw.build()
    x = make_pixels(2, 3, 8, 8, 3)
    np.testing.assert_array_equal(f_A(x), x)


@pytest.mark.parametrize(
    "name, height, width, kernel",
    [
        ("blur", 224, 240, 21),
        ("blur", 112, 112, 11),
        ("blur", 64, 64, 7),
        ("blur", 32, 48, 3),
        ("weak_blur", 224, 240, 13),
        ("weak_blur", 64, 64, 3),
        ("blur:kernel=13", 224, 224, 13),
    ],
)
def test_blur_equals_its_definition(name, height, width, kernel):
    # 21 pixels at 224 are 10.5 at 112, 6 at 64 and 3 at 32; the nearest odd size is used.
    x = make_pixels(1, height, width, 3)
    sigma = 10 * min(height, width) / 224
    offset = np.arange(kernel) - kernel // 2
    taps = np.exp(-(offset**2) / (2 * sigma**2))
    taps /= taps.sum()
    padded = np.pad(x, [(0, 0), (kernel // 2,) * 2, (kernel // 2,) * 2, (0, 0)], mode="reflect")
    rows = sum(tap * padded[:, i : i + height] for i, tap in enumerate(taps))
    expected = sum(tap * rows[:, :, i : i + width] for i, tap in enumerate(taps))
    np.testing.assert_allclose(
        component_spec.build_component("anonymizers", name)(x), expected, atol=1e-5
    )


def test_downsample_removes_detail_finer_than_four_pixels():
    # Stripes of one pixel average to grey; a step of half the frame survives away from its edge.
    stripes = np.tile(np.arange(32) % 2, (32, 1)).astype("float32")
    step = np.repeat([0.0, 1.0], 16).astype("float32") * np.ones((32, 1), "float32")
    out = downsample.build()(np.stack([stripes, step])[..., None] * np.ones(3, "float32"))
    np.testing.assert_allclose(out[0, :, 8:-8], 0.5, atol=0.05)
    np.testing.assert_allclose(out[1, :, :8], 0.0, atol=0.05)
    np.testing.assert_allclose(out[1, :, -8:], 1.0, atol=0.05)


def test_downsample_to_a_size_equals_two_resizes():
    # Down to 16 x 12 and back up.
    x = make_pixels(1, 64, 48, 3)
    small = tf.image.resize(x, (16, 12), antialias=True)
    np.testing.assert_allclose(
        component_spec.build_component("anonymizers", "downsample:size=16x12")(x),
        tf.image.resize(small, (64, 48)),
        atol=1e-6,
    )
    tiny = make_pixels(1, 8, 8, 3)  # smaller than the size, so unchanged
    np.testing.assert_allclose(
        component_spec.build_component("anonymizers", "downsample:size=16x12")(tiny),
        tiny,
        atol=1e-6,
    )


@pytest.mark.parametrize(
    "spec, message",
    [
        ("downsample:factor=0", "factor must be in 1..1024, not 0"),
        ("downsample:size=16", "such as 16x12, not '16'"),
        ("blur:kernel=1", "kernel must be in 3..224, not 1"),
        ("blur:sigma=nan", "sigma must be in"),
        ("pixelate:block=1000", "block must be in 2..224"),
        ("superpixels:count=0", "count must be in 1..512"),
        ("noise:seed=-1", "seed must be in 0..2147483647, not -1"),
    ],
)
def test_option_out_of_range_raises_an_error(spec, message):
    with pytest.raises(ValueError, match=message):
        component_spec.build_component("anonymizers", spec)


def test_superpixels_follow_an_edge():
    # Two colors meet at column 13 of 32, inside a column of the 4 x 4 pieces of 8 pixels. Each
    # piece has one color, so the frame is unchanged; pixelation with the same blocks mixes them.
    # At most 16 colors of noise remain.
    x = np.zeros((1, 32, 32, 3), np.float32)
    x[:, :, 13:] = (1, 0.5, 0)
    np.testing.assert_allclose(
        component_spec.build_component("anonymizers", "superpixels:count=4")(x), x, atol=1e-5
    )
    pixelated = component_spec.build_component("anonymizers", "pixelate:block=56")(x)
    assert np.abs(pixelated - x).max() > 0.3
    noise = make_pixels(2, 32, 32, 3)
    filled = component_spec.build_component("anonymizers", "superpixels:count=4")(noise).numpy()
    for frame in filled:
        assert 1 < len(np.unique(frame.reshape(-1, 3), axis=0)) <= 16


def test_superpixels_equal_slic_with_loops():
    # The same k-means with loops: a pixel considers the nine centers around its first piece.
    x, m = make_pixels(1, 12, 16, 3), 0.3
    side, rows, columns = 4, 3, 4
    points = np.array(
        [[*x[0, i, j], m * i / side, m * j / side] for i in range(12) for j in range(16)]
    )
    home = [(i // side, j // side) for i in range(12) for j in range(16)]
    owner = np.array([r * columns + c for r, c in home])
    centers = np.array([points[owner == k].mean(0) for k in range(rows * columns)])
    for _ in range(3):
        for n, (r, c) in enumerate(home):
            distances = {}
            for a in range(max(0, r - 1), min(rows, r + 2)):
                for b in range(max(0, c - 1), min(columns, c + 2)):
                    k = a * columns + b
                    distances[k] = np.sum((points[n] - centers[k]) ** 2)
            owner[n] = min(distances, key=distances.get)
        for k in set(owner):
            centers[k] = points[owner == k].mean(0)
    expected = centers[owner, :3].reshape(1, 12, 16, 3)
    actual = component_spec.build_component(
        "anonymizers", "superpixels:count=3;compactness=0.3;steps=3"
    )(x)
    np.testing.assert_allclose(actual, expected, atol=1e-5)


def test_noise_is_independent_of_the_frame_and_reproducible():
    # Uniform in [0, 1] has mean 1/2 and variance 1/12; with 18,432 numbers the standard error is
    # .002.
    f_A, x = component_spec.build_component("anonymizers", "noise"), make_pixels(2, 3, 32, 32, 3)
    noise = f_A(x).numpy()
    np.testing.assert_array_equal(f_A(x), noise)
    assert noise.mean() == pytest.approx(1 / 2, abs=0.01)
    assert noise.var() == pytest.approx(1 / 12, abs=0.005)
    assert abs(np.corrcoef(x.ravel(), noise.ravel())[0, 1]) < 4 / 18432**0.5
    assert len({frame.tobytes() for clip in noise for frame in clip}) == 6
    assert not np.array_equal(f_A(x[:, ::-1] * 0.9), noise)
    other_seed = component_spec.build_component("anonymizers", "noise:seed=1")
    assert not np.array_equal(other_seed(x), noise)


def test_pixelate_averages_each_block():
    # 16 pixels at 224 are 3 at 48: 16 x 17 blocks on 48 x 50, the last column 2 pixels wide.
    x = make_pixels(1, 48, 50, 3)
    out = pixelate.build()(x).numpy()
    np.testing.assert_allclose(
        out[0, 3:6, 6:9], np.broadcast_to(x[0, 3:6, 6:9].mean((0, 1)), (3, 3, 3)), atol=1e-6
    )
    np.testing.assert_allclose(
        out[0, 45:, 48:], np.broadcast_to(x[0, 45:, 48:].mean((0, 1)), (3, 2, 3)), atol=1e-6
    )


def test_blacken_returns_zeros():
    x = make_pixels(2, 3, 8, 8, 3)
    np.testing.assert_array_equal(blacken.build()(x), np.zeros_like(x))
