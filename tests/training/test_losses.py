from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from tfanon.training import losses

XLA = pytest.mark.parametrize("jit_compile", [False, True], ids=["graph", "xla"])


def compute_value_and_gradient(
    function: Callable[[tf.Tensor], tf.Tensor], x: np.ndarray, jit_compile: bool
) -> list[np.ndarray]:
    @tf.function(jit_compile=jit_compile)
    def step(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = function(x)
        return value, tape.gradient(value, x)

    return [t.numpy() for t in step(tf.constant(x))]


def make_clips(value: float, n: int = 1) -> np.ndarray:
    return np.full((n, 2, 4, 4, 3), value, np.float32)


@XLA
def test_penalty_beyond_the_bound(jit_compile):
    # x = 1, x_anon = 0.5: RMS = 0.5, penalty = 0.5 - 0.3 = 0.2.
    # d RMS / d x_anon = (x_anon - x) / (n RMS) = -0.5 / (96 * 0.5) = -1 / 96, with the norm
    # 1 / sqrt(96).
    value, gradient = compute_value_and_gradient(
        lambda y: losses.penalty(make_clips(1.0), y, 0.3), make_clips(0.5), jit_compile
    )
    np.testing.assert_allclose(value, [0.2], atol=1e-6)
    np.testing.assert_allclose(gradient, make_clips(-1 / 96), rtol=1e-5)
    assert np.linalg.norm(gradient) == pytest.approx(1 / np.sqrt(96), rel=1e-5)


@XLA
def test_penalty_and_its_gradient_are_zero_inside_the_bound(jit_compile):
    value, gradient = compute_value_and_gradient(
        lambda y: losses.penalty(make_clips(0.5), y, 0.3), make_clips(0.7), jit_compile
    )
    assert value == 0 and not gradient.any()


@XLA
@pytest.mark.parametrize("bound", [0.0, 0.3])
@pytest.mark.parametrize("reduction", sorted(losses.REDUCTION_AXES))
def test_penalty_gradient_is_finite_without_a_change(jit_compile, bound, reduction):
    value, gradient = compute_value_and_gradient(
        lambda y: losses.penalty(make_clips(0.5), y, bound, reduction), make_clips(0.5), jit_compile
    )
    assert value == pytest.approx(0, abs=1e-5) and np.isfinite(gradient).all()


def test_penalty_at_the_bound():
    # 0.5 and 0.25 are exact in binary: RMS = B = 0.25.
    assert losses.penalty(make_clips(0.5), make_clips(0.75), 0.25).numpy() == 0


def test_penalty_of_each_reduction():
    # Two clips of two frames, changed by (0.8, 0) and (0, 0), B = 0.3:
    # frame: (0.5 + 0) / 2 = 0.25 and 0; make_clips: sqrt(0.64 / 2) - 0.3 = 0.265685 and 0;
    # batch: sqrt(0.64 / 4) - 0.3 = 0.1 for both.
    x = make_clips(0.0, n=2)
    y = x.copy()
    y[0, 0] = 0.8
    np.testing.assert_allclose(losses.penalty(x, y, 0.3, "frame"), [0.25, 0], atol=1e-6)
    np.testing.assert_allclose(losses.penalty(x, y, 0.3, "clip"), [0.2656854, 0], atol=1e-6)
    np.testing.assert_allclose(losses.penalty(x, y, 0.3, "batch"), [0.1, 0.1], atol=1e-6)


def make_orthogonal_vectors(n: int, d: int = 32) -> np.ndarray:
    return np.eye(n, d, dtype=np.float32)


@XLA
@pytest.mark.parametrize(
    "case, expected",
    [
        # N = 8, temperature 0.1, so exp(10) for equal vectors, 14 negatives.
        ("equal_views_orthogonal_images", np.log(1 + 14 * np.exp(-10.0))),  # 6.354e-4
        ("all_equal", np.log(15)),
        ("all_orthogonal", np.log(15)),
        ("opposite_positives", np.log(np.exp(-10.0) + 14) + 10),  # 12.639061
        ("views_opposite", np.log(7 * np.exp(10.0) + 8 * np.exp(-10.0)) + 10),  # 21.945910
    ],
)
def test_nt_xent_of_known_vectors(case, expected, jit_compile):
    ones = np.ones((8, 32), np.float32)
    z, z_prime = {
        "equal_views_orthogonal_images": (make_orthogonal_vectors(8), make_orthogonal_vectors(8)),
        "all_equal": (ones, ones),
        "all_orthogonal": (make_orthogonal_vectors(16)[:8], make_orthogonal_vectors(16)[8:]),
        "opposite_positives": (make_orthogonal_vectors(8), -make_orthogonal_vectors(8)),
        "views_opposite": (ones, -ones),
    }[case]
    value = tf.function(losses.nt_xent, jit_compile=jit_compile)(z, z_prime, 0.1)
    assert value.shape == (8,)
    np.testing.assert_allclose(value, np.full(8, expected), rtol=1e-5, atol=1e-6)


def test_nt_xent_equals_equation_6_in_both_directions():
    # Eq. 6 literally, with loops: positive over the sum of all 2N - 1 others.
    rng = np.random.default_rng(0)
    z, z_prime = rng.normal(size=(2, 5, 7)).astype(np.float32)
    u = np.concatenate([z, z_prime])
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    h = np.exp(u @ u.T / 0.5)
    loss_per_view = [
        -np.log(h[i, (i + 5) % 10] / sum(h[i, k] for k in range(10) if k != i)) for i in range(10)
    ]
    expected = (np.array(loss_per_view[:5]) + loss_per_view[5:]) / 2
    np.testing.assert_allclose(losses.nt_xent(z, z_prime, 0.5), expected, rtol=1e-5)


@XLA
def test_nt_xent_gradient_equals_the_difference_quotient(jit_compile):
    rng = np.random.default_rng(1)
    z, z_prime, direction = rng.normal(size=(3, 4, 6)).astype(np.float32)

    def total(z: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(losses.nt_xent(z, z_prime, 0.5))

    _, gradient = compute_value_and_gradient(total, z, jit_compile)
    quotient = (total(z + 1e-2 * direction) - total(z - 1e-2 * direction)) / 2e-2
    assert np.sum(gradient * direction) == pytest.approx(float(quotient), rel=1e-2)


def test_nt_xent_of_one_image_is_zero():
    assert losses.nt_xent(
        make_orthogonal_vectors(1), -make_orthogonal_vectors(1), 0.1
    ).numpy() == pytest.approx(0, abs=1e-5)


def test_reconstruction_equals_a_hand_calculation():
    # Frame 1 differs by 0.25 everywhere, frame 2 by 1 in one of its 12 values.
    x = np.zeros((2, 2, 2, 3), np.float32)
    y = x.copy()
    y[0] = 0.25
    y[1, 0, 0, 0] = 1
    np.testing.assert_allclose(losses.reconstruction(x, y), [0.25, 1 / 12], rtol=1e-6)


def test_anonymizer_loss_equals_a_hand_calculation():
    # 0.5 * 2 - 0.25 * 3 + 4 * 0.1 = 0.65
    assert losses.anonymizer_loss(2.0, 3.0, 0.1, 4.0, 0.5, 0.25) == pytest.approx(0.65)


@XLA
def test_all_ones_cross_entropy_equals_a_hand_calculation(jit_compile):
    # p = 1/2 and 3/4: (ln 2 - ln 3/4) / 2.  d/dz of softplus(-z) is p - 1, halved by the mean.
    logits = np.array([[0, np.log(3)]], np.float32)
    value, gradient = compute_value_and_gradient(losses.all_ones_cross_entropy, logits, jit_compile)
    np.testing.assert_allclose(value, [(np.log(2) - np.log(0.75)) / 2], rtol=1e-6)
    np.testing.assert_allclose(gradient, [[-0.25, -0.125]], rtol=1e-6)


@XLA
def test_negative_entropy_equals_a_hand_calculation(jit_compile):
    # p = 1/2: -ln 2.  p = 3/4: 3/4 ln 3/4 + 1/4 ln 1/4 = 3/4 ln 3 - ln 4.
    # d/dz is p (1 - p) z: 0 and 3/16 ln 3, halved by the mean.
    # For extreme logits both value and gradient are 0, not NaN.
    logits = np.array([[0, np.log(3)], [200, -200]], np.float32)
    value, gradient = compute_value_and_gradient(losses.negative_entropy, logits, jit_compile)
    np.testing.assert_allclose(
        value, [(0.75 * np.log(3) - np.log(4) - np.log(2)) / 2, 0], rtol=1e-6
    )
    np.testing.assert_allclose(gradient, [[0, 3 / 32 * np.log(3)], [0, 0]], rtol=1e-5, atol=1e-7)


@XLA
def test_triplet_loss_equals_a_hand_calculation(jit_compile):
    # |a - p| = 5, |a - n| = 1 and 7: 5 - 1 + 1 = 5; 5 - 7 + 1 < 0, so 0.
    # d/da is (a - p) / 5 - (a - n) / 1.
    anchor, positive = np.zeros((2, 2), np.float32), np.array([[3, 4], [3, 4]], np.float32)
    negative = np.array([[0, 1], [7, 0]], np.float32)
    value, gradient = compute_value_and_gradient(
        lambda a: losses.triplet_loss(a, positive, negative), anchor, jit_compile
    )
    np.testing.assert_allclose(value, [5, 0], rtol=1e-6)
    np.testing.assert_allclose(gradient, [[-0.6, -0.8 + 1], [0, 0]], atol=1e-6)
    value, gradient = compute_value_and_gradient(
        lambda a: losses.triplet_loss(a, anchor, anchor), anchor, jit_compile
    )
    # For equal vectors the loss is the margin, and the gradient is not NaN.
    np.testing.assert_allclose(value, [1, 1])
    assert np.isfinite(gradient).all()


def test_attribute_cross_entropy_of_an_ensemble_equals_that_of_its_members():
    # [N, M, P]: the same as each member's alone.
    rng = np.random.default_rng(0)
    truth, logits = (
        rng.integers(0, 2, (3, 2, 4)).astype(np.float32),
        rng.normal(size=(3, 2, 4)).astype(np.float32),
    )
    value = losses.attribute_cross_entropy(truth, logits)
    for member in range(2):
        np.testing.assert_allclose(
            value[:, member],
            losses.attribute_cross_entropy(truth[:, member], logits[:, member]),
            rtol=1e-6,
        )


def test_cross_entropies_equal_a_hand_calculation():
    # softmax(0, ln 3) = (1/4, 3/4); sigmoid(0) = 1/2, sigmoid(ln 3) = 3/4.
    logits = np.array([[0, np.log(3)]], np.float32)
    np.testing.assert_allclose(losses.action_cross_entropy([1], logits), [-np.log(0.75)], rtol=1e-6)
    np.testing.assert_allclose(
        losses.attribute_cross_entropy(np.float32([[1, 0]]), logits),
        [(np.log(2) - np.log(0.25)) / 2],
        rtol=1e-6,
    )
