import helpers
import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import (
    are_equal,
    fit_minimax,
    make_adversary,
    make_batch,
    make_full_batch,
    make_minimax,
    read_values,
)

from tfanon.training import losses, trainer
from tfanon.training.objectives import penalty


class Constant(keras.Model):
    """An adversary with the same output for every input."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.bias = self.add_weight(name="bias", shape=(outputs,), initializer="ones")
        self.built = True

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        return tf.ones((tf.shape(x)[0], 1)) * self.bias


def make_ones_batch() -> dict[str, np.ndarray]:
    return {
        "clips": np.ones((2, 2, 4, 4, 3), np.float32),
        "labels": np.zeros(2, np.int32),
        "pairs": np.ones((2, 2, 4, 4, 3), np.float32),
    }


def test_anonymizer_step_equals_a_hand_calculation():
    # f_A(x) = a x with a = 0 and x = 1: RMS = 1, L_P = 1 - B = 0.7, dL_P/da = -1.
    # L_T and L_B constant, lambda = 1, alpha_A = 0.1:  a <- 0 - 0.1 * (-1) = 0.1.
    model = make_minimax(
        helpers.Scale(0.0), Constant(5), Constant(6), penalty_bound=0.3, penalty_weight=1.0
    )
    logs = model.train_step((make_ones_batch(), make_ones_batch()))
    assert model.f_A.a.numpy() == pytest.approx(0.1)
    assert float(logs["L_P"]) == pytest.approx(0.7)
    assert float(logs["rms"]) == pytest.approx(1.0)
    assert float(logs["active"]) == 1.0


def test_penalty_has_no_effect_inside_the_bound():
    # a = 0.8: RMS = 0.2 < 0.3.
    model = make_minimax(helpers.Scale(0.8), Constant(5), Constant(6), penalty_bound=0.3)
    logs = model.train_step((make_ones_batch(), make_ones_batch()))
    assert model.f_A.a.numpy() == pytest.approx(0.8)
    assert float(logs["active"]) == 0.0


@pytest.mark.parametrize(
    "reduction, largest", [("clip", 0.5), ("frame", 0.5**0.5), ("batch", 0.125**0.5)]
)
def test_largest_change_of_the_training_is_kept(reduction, largest):
    # f_A(x) = 0. One clip is 1 in half of its first frame, a quarter of all; the other is black.
    model = make_minimax(
        helpers.Scale(0.0),
        Constant(5),
        Constant(6),
        penalty_reduction=reduction,
        penalty_weight=0.0,
    )
    clips = np.zeros((2, 2, 4, 4, 3), np.float32)
    clips[0, 0, :2] = 1
    for brightness, expected in ((0.5, largest / 2), (1.0, largest), (0.5, largest)):
        model._step_1_anonymizer({**make_ones_batch(), "clips": clips * brightness})
        model.reset_metrics()  # as after every log
        assert float(model.largest_change) == pytest.approx(expected)


@pytest.mark.parametrize("batch_norm", ["inference", "batch"])
def test_step_1_updates_only_f_A(batch_norm):
    model = make_minimax(budget_batch_norm=batch_norm, f_T=make_adversary(3, 5, dropout=0.5))
    before = {name: read_values(getattr(model, name)) for name in ("f_A", "f_T", "f_B")}
    model._step_1_anonymizer(make_batch(0))
    assert are_equal(before["f_T"], read_values(model.f_T)) and are_equal(
        before["f_B"], read_values(model.f_B)
    )
    assert not any(
        np.array_equal(a, b) for a, b in zip(before["f_A"], read_values(model.f_A)) if a.size > 4
    )


def test_step_2_updates_only_the_adversaries():
    model = make_minimax()
    before = {name: read_values(getattr(model, name)) for name in ("f_A", "f_T", "f_B")}
    model._step_2_adversaries(make_batch(0))
    assert are_equal(before["f_A"], read_values(model.f_A))
    assert not are_equal(before["f_T"], read_values(model.f_T)) and not are_equal(
        before["f_B"], read_values(model.f_B)
    )


def test_step_1_follows_the_gradient_of_equation_3():
    # The change of one weight of f_A equals the difference quotient of Eq. 3.
    settings = dict(
        penalty_bound=0.05,
        penalty_weight=3.0,
        utility_weight=0.7,
        budget_weight=0.3,
        temperature=0.5,
    )
    model, data = (
        make_minimax(**settings, optimizer=lambda: keras.optimizers.SGD(1.0)),
        make_batch(3),
    )

    def compute_L_A() -> float:
        anon = model.anonymize_batch(data, training=True)
        L_T = tf.reduce_mean(
            losses.action_cross_entropy(data["labels"], model.f_T(anon["clips"], training=False))
        )
        L_B = model.objective.contrastive_loss(
            model.f_B(penalty.flatten_views(anon["pairs"]), training=False)
        )
        L_P = tf.reduce_mean(losses.penalty(data["clips"], anon["clips"], 0.05))
        return float(0.7 * L_T - 0.3 * L_B + 3.0 * L_P)

    bias = model.f_A.trainable_variables[-1]
    start, nudge = bias.numpy(), np.float32([1e-2, 0, 0])
    bias.assign(start + nudge)
    above = compute_L_A()
    bias.assign(start - nudge)
    below = compute_L_A()
    bias.assign(start)
    model._step_1_anonymizer(data)
    assert start[0] - bias.numpy()[0] == pytest.approx((above - below) / 2e-2, rel=2e-2)


def test_each_step_uses_its_own_batch():
    # Step 1 reads the first batch only, step 2 the second only.
    outcomes = []
    for first, second in ((0, 1), (0, 2), (2, 1)):
        model = make_minimax()
        model.train_step((make_batch(first), make_batch(second)))
        outcomes.append([read_values(net) for net in (model.f_A, model.f_T)])
    assert are_equal(outcomes[0][0], outcomes[1][0]) and not are_equal(
        outcomes[0][1], outcomes[1][1]
    )
    assert not are_equal(outcomes[0][0], outcomes[2][0])


def test_f_A_is_applied_to_each_frame_of_a_clip():
    model, data = make_minimax(), make_batch(0)
    anon = model.anonymize_batch(data, training=False)
    for t in range(2):
        np.testing.assert_allclose(anon["clips"][:, t], model.f_A(data["clips"][:, t]), rtol=1e-5)
        np.testing.assert_allclose(anon["pairs"][:, t], model.f_A(data["pairs"][:, t]), rtol=1e-5)


class ShapeRecorder(keras.Model):
    """An f_A that records the shapes of its inputs."""

    def __init__(self, takes_clips: bool) -> None:
        super().__init__()
        self.takes_clips, self.shapes = takes_clips, []
        self.a = self.add_weight(name="a", initializer="ones")
        self.built = True

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        self.shapes.append(tuple(x.shape))
        return self.a * x


@pytest.mark.parametrize(
    "takes_clips, shapes",
    [
        (False, [(4 * 2 + 4 * 2 * 2 + 4 * 2, 8, 8, 3)]),
        (True, [(4 + 4 * 2, 2, 8, 8, 3), (4 * 2, 8, 8, 3)]),
    ],
)
def test_clip_network_gets_whole_clips(takes_clips, shapes):
    # Four clips of two frames, two others of each, four pairs: 32 frames in one pass, or 12 clips
    # and then 8 images.
    model, data = make_minimax(f_A=ShapeRecorder(takes_clips)), make_full_batch(0)
    anon = model.anonymize_batch(data, training=True)
    assert model.f_A.shapes == shapes
    for name in ("clips", "others", "pairs"):
        np.testing.assert_array_equal(anon[name], data[name])


def test_f_B_and_its_optimizer_restart():
    model = make_minimax(restart_every=2, optimizer=lambda: keras.optimizers.Adam(1e-2))
    start = read_values(model.f_B)
    for step, restarted in ((0, True), (1, False), (2, True), (3, False), (4, True)):
        model.restart_privacy_network_when_due(step)
        assert are_equal(start, read_values(model.f_B)) is restarted
        assert int(model.optimizer_B.iterations) == (0 if restarted else 1)  # its momentum too
        model._step_2_adversaries(make_batch(step))


def test_f_B_restarts_on_every_replica(two_replicas):
    with two_replicas.scope():
        model = make_minimax(restart_every=2)
    start = read_values(model.f_B)
    for variable in model.f_B.weights:
        variable.assign(variable + 1)
    model.restart_privacy_network_when_due(4)
    for before, variable in zip(start, model.f_B.variables):
        assert all(
            np.array_equal(before, value)
            for value in two_replicas.experimental_local_results(variable.value)
        )


def test_batch_norm_of_the_frozen_f_B_follows_the_configuration():
    # With "batch" L_B is that of f_B's training mode, with "inference" that of its moving averages.
    model, data = make_minimax(), make_batch(0)
    in_batch = model.objective.frozen_privacy_loss(model.f_B, data, data, "batch")
    inference = model.objective.frozen_privacy_loss(model.f_B, data, data, "inference")
    # This comes last because it updates the moving averages.
    z = model.f_B(penalty.flatten_views(data["pairs"]), training=True)
    assert float(in_batch) == pytest.approx(float(model.objective.contrastive_loss(z)), rel=1e-5)
    assert float(in_batch) != pytest.approx(float(inference), rel=1e-2)


@pytest.mark.parametrize(
    "batch_norm", [pytest.param("inference", marks=pytest.mark.large), "batch"]
)
def test_one_and_two_replicas_take_the_same_steps(two_replicas, batch_norm):
    on_one, logs = fit_minimax(budget_batch_norm=batch_norm, penalty_bound=0.1)
    with two_replicas.scope():
        on_two, logs_on_two = fit_minimax(budget_batch_norm=batch_norm, penalty_bound=0.1)
    assert logs_on_two == pytest.approx(logs, rel=1e-4)
    assert on_two.largest_change.numpy() == pytest.approx(on_one.largest_change.numpy(), rel=1e-4)
    for a, b in zip(read_values(on_one), read_values(on_two), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    "precision, jit_compile",
    [
        pytest.param("float32", False, id="float32-graph"),
        pytest.param("float32", True, id="float32-xla", marks=pytest.mark.large),
        pytest.param("mixed_bfloat16", False, id="mixed_bfloat16-graph"),
        pytest.param("mixed_bfloat16", True, id="mixed_bfloat16-xla"),
        pytest.param("mixed_float16", False, id="mixed_float16-graph"),
        pytest.param("mixed_float16", True, id="mixed_float16-xla", marks=pytest.mark.large),
    ],
)
def test_training_works_in_every_precision(precision, jit_compile):
    keras.config.set_dtype_policy(precision)

    def make_optimizer() -> keras.optimizers.Optimizer:
        adam = keras.optimizers.Adam(1e-2)
        if precision != "mixed_float16":
            return adam
        return keras.optimizers.LossScaleOptimizer(adam, initial_scale=2**6)

    before = read_values(make_minimax(optimizer=make_optimizer).f_A)
    model, logs = fit_minimax(optimizer=make_optimizer, jit_compile=jit_compile)
    assert np.isfinite(list(logs.values())).all()
    assert not are_equal(before, read_values(model.f_A))
    # All precisions start with the same clips and weights: L_T of two steps differs by rounding.
    assert logs["L_T"] == pytest.approx(1.65, abs=0.25)


def test_supervised_step_updates_only_its_network():
    f_A, network = helpers.make_frame_network(), make_adversary(2, 5)
    supervised = trainer.SupervisedModel(network, losses.action_cross_entropy, f_A)
    supervised.compile(keras.optimizers.SGD(0.1))
    before, data = (read_values(f_A), read_values(network)), make_batch(0)
    supervised.train_step((data["pairs"][:, 0], data["labels"]))
    assert are_equal(before[0], read_values(f_A)) and not are_equal(before[1], read_values(network))


def test_supervised_step_minimizes_equation_5():
    # f_A(x) = a x, x = 1, a = 0: L = |1 - 0| = 1, dL/da = -1, a <- 0.1.
    supervised = trainer.SupervisedModel(helpers.Scale(0.0), losses.reconstruction)
    supervised.compile(keras.optimizers.SGD(0.1))
    x = np.ones((2, 4, 4, 3), np.float32)
    assert float(supervised.train_step((x, x))["loss"]) == pytest.approx(1.0)
    assert supervised.network.a.numpy() == pytest.approx(0.1)
