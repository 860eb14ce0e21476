import helpers
import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import batch, fit, full_batch, judge, minimax, same, values

from tfanon.training import losses, trainer
from tfanon.training.objectives import penalty


class Constant(keras.Model):
    """A judge that answers the same to everything."""

    def __init__(self, outputs):
        super().__init__()
        self.bias = self.add_weight(name="bias", shape=(outputs,), initializer="ones")
        self.built = True

    def call(self, x, training=False):
        return tf.ones((tf.shape(x)[0], 1)) * self.bias


def ones_batch():
    return {
        "clips": np.ones((2, 2, 4, 4, 3), np.float32),
        "labels": np.zeros(2, np.int32),
        "pairs": np.ones((2, 2, 4, 4, 3), np.float32),
    }


def test_one_step_of_the_anonymizer():
    # f_A(x) = a x with a = 0 and x = 1: RMS = 1, L_P = 1 - B = 0.7, dL_P/da = -1.
    # L_T and L_B constant, lambda = 1, alpha_A = 0.1:  a <- 0 - 0.1 * (-1) = 0.1.
    model = minimax(
        helpers.Scale(0.0), Constant(5), Constant(6), penalty_bound=0.3, penalty_weight=1.0
    )
    logs = model.train_step((ones_batch(), ones_batch()))
    assert model.f_A.a.numpy() == pytest.approx(0.1)
    assert float(logs["L_P"]) == pytest.approx(0.7)
    assert float(logs["rms"]) == pytest.approx(1.0)
    assert float(logs["active"]) == 1.0


def test_the_penalty_does_nothing_inside_the_bound():
    # a = 0.8: RMS = 0.2 < 0.3.
    model = minimax(helpers.Scale(0.8), Constant(5), Constant(6), penalty_bound=0.3)
    logs = model.train_step((ones_batch(), ones_batch()))
    assert model.f_A.a.numpy() == pytest.approx(0.8)
    assert float(logs["active"]) == 0.0


@pytest.mark.parametrize(
    "reduction, largest", [("clip", 0.5), ("frame", 0.5**0.5), ("batch", 0.125**0.5)]
)
def test_the_largest_change_of_the_game_is_kept(reduction, largest):
    # f_A(x) = 0. One clip is 1 in half of its first frame, a quarter of all; the other is black.
    model = minimax(
        helpers.Scale(0.0),
        Constant(5),
        Constant(6),
        penalty_reduction=reduction,
        penalty_weight=0.0,
    )
    clips = np.zeros((2, 2, 4, 4, 3), np.float32)
    clips[0, 0, :2] = 1
    for brightness, known in ((0.5, largest / 2), (1.0, largest), (0.5, largest)):
        model._step_1_anonymizer({**ones_batch(), "clips": clips * brightness})
        model.reset_metrics()  # as after every log
        assert float(model.largest_change) == pytest.approx(known)


@pytest.mark.parametrize("batch_norm", ["inference", "batch"])
def test_step_1_moves_f_A_alone(batch_norm):
    model = minimax(budget_batch_norm=batch_norm, f_T=judge(3, 5, dropout=0.5))
    before = {name: values(getattr(model, name)) for name in ("f_A", "f_T", "f_B")}
    model._step_1_anonymizer(batch(0))
    assert same(before["f_T"], values(model.f_T)) and same(before["f_B"], values(model.f_B))
    assert not any(
        np.array_equal(a, b) for a, b in zip(before["f_A"], values(model.f_A)) if a.size > 4
    )


def test_step_2_moves_the_judges_alone():
    model = minimax()
    before = {name: values(getattr(model, name)) for name in ("f_A", "f_T", "f_B")}
    model._step_2_adversaries(batch(0))
    assert same(before["f_A"], values(model.f_A))
    assert not same(before["f_T"], values(model.f_T)) and not same(before["f_B"], values(model.f_B))


def test_step_1_descends_equation_3():
    # The step of f_A is the gradient of Eq. 3 taken by difference quotient, at a weight of f_A.
    settings = dict(
        penalty_bound=0.05,
        penalty_weight=3.0,
        utility_weight=0.7,
        budget_weight=0.3,
        temperature=0.5,
    )
    model, data = minimax(**settings, optimizer=lambda: keras.optimizers.SGD(1.0)), batch(3)

    def L_A():
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
    above = L_A()
    bias.assign(start - nudge)
    below = L_A()
    bias.assign(start)
    model._step_1_anonymizer(data)
    assert start[0] - bias.numpy()[0] == pytest.approx((above - below) / 2e-2, rel=2e-2)


def test_each_batch_feeds_its_own_step():
    # Step 1 reads the first batch only, step 2 the second only.
    outcomes = []
    for first, second in ((0, 1), (0, 2), (2, 1)):
        model = minimax()
        model.train_step((batch(first), batch(second)))
        outcomes.append([values(net) for net in (model.f_A, model.f_T)])
    assert same(outcomes[0][0], outcomes[1][0]) and not same(outcomes[0][1], outcomes[1][1])
    assert not same(outcomes[0][0], outcomes[2][0])


def test_f_A_sees_a_clip_frame_by_frame():
    model, data = minimax(), batch(0)
    anon = model.anonymize_batch(data, training=False)
    for t in range(2):
        np.testing.assert_allclose(anon["clips"][:, t], model.f_A(data["clips"][:, t]), rtol=1e-5)
        np.testing.assert_allclose(anon["pairs"][:, t], model.f_A(data["pairs"][:, t]), rtol=1e-5)


class Watching(keras.Model):
    """An f_A that notes the shapes it is given."""

    def __init__(self, video):
        super().__init__()
        self.takes_clips, self.shapes = video, []
        self.a = self.add_weight(name="a", initializer="ones")
        self.built = True

    def call(self, x, training=False):
        self.shapes.append(tuple(x.shape))
        return self.a * x


@pytest.mark.parametrize(
    "video, shapes",
    [
        (False, [(4 * 2 + 4 * 2 * 2 + 4 * 2, 8, 8, 3)]),
        (True, [(4 + 4 * 2, 2, 8, 8, 3), (4 * 2, 8, 8, 3)]),
    ],
)
def test_a_video_network_gets_whole_clips(video, shapes):
    # Four clips of two frames, two others of each, four pairs: 32 frames in one pass, or 12 clips and then 8 images.
    model, data = minimax(f_A=Watching(video)), full_batch(0)
    anon = model.anonymize_batch(data, training=True)
    assert model.f_A.shapes == shapes
    for name in ("clips", "others", "pairs"):
        np.testing.assert_array_equal(anon[name], data[name])


def test_f_B_starts_afresh():
    model = minimax(restart_every=2, optimizer=lambda: keras.optimizers.Adam(1e-2))
    start = values(model.f_B)
    for step, afresh in ((0, True), (1, False), (2, True), (3, False), (4, True)):
        model.restart_privacy_network_when_due(step)
        assert same(start, values(model.f_B)) is afresh
        assert int(model.optimizer_B.iterations) == (0 if afresh else 1)  # its momentum too
        model._step_2_adversaries(batch(step))


def test_f_B_starts_afresh_on_every_replica(two_replicas):
    with two_replicas.scope():
        model = minimax(restart_every=2)
    start = values(model.f_B)
    for variable in model.f_B.weights:
        variable.assign(variable + 1)
    model.restart_privacy_network_when_due(4)
    for before, variable in zip(start, model.f_B.variables):
        assert all(
            np.array_equal(before, value)
            for value in two_replicas.experimental_local_results(variable.value)
        )


def test_batch_statistics_are_of_this_batch():
    # With "batch" L_B is what f_B's training mode gives; with "inference" what its moving averages give.
    model, data = minimax(), batch(0)
    in_batch = model.objective.frozen_privacy_loss(model.f_B, data, data, "batch")
    inference = model.objective.frozen_privacy_loss(model.f_B, data, data, "inference")
    z = model.f_B(
        penalty.flatten_views(data["pairs"]), training=True
    )  # moves the averages, so it comes last
    assert float(in_batch) == pytest.approx(float(model.objective.contrastive_loss(z)), rel=1e-5)
    assert float(in_batch) != pytest.approx(float(inference), rel=1e-2)


@pytest.mark.parametrize(
    "batch_norm", [pytest.param("inference", marks=pytest.mark.large), "batch"]
)
def test_one_replica_and_two_take_the_same_steps(two_replicas, batch_norm):
    alone, logs = fit(budget_batch_norm=batch_norm, penalty_bound=0.1)
    with two_replicas.scope():
        together, logs_together = fit(budget_batch_norm=batch_norm, penalty_bound=0.1)
    assert logs_together == pytest.approx(logs, rel=1e-4)
    assert together.largest_change.numpy() == pytest.approx(alone.largest_change.numpy(), rel=1e-4)
    for a, b in zip(values(alone), values(together), strict=True):
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
def test_every_precision_trains(precision, jit_compile):
    keras.config.set_dtype_policy(precision)

    def optimizer():
        adam = keras.optimizers.Adam(1e-2)
        return (
            keras.optimizers.LossScaleOptimizer(adam, initial_scale=2**6)
            if precision == "mixed_float16"
            else adam
        )

    before = values(minimax(optimizer=optimizer).f_A)
    model, logs = fit(optimizer=optimizer, jit_compile=jit_compile)
    assert np.isfinite(list(logs.values())).all()
    assert not same(before, values(model.f_A))
    # All three precisions see the same clips with the same weights: L_T of two steps differs by rounding only.
    assert logs["L_T"] == pytest.approx(1.65, abs=0.25)


def test_learner_moves_its_network_alone():
    f_A, network = helpers.frame_network(), judge(2, 5)
    learner = trainer.SupervisedModel(network, losses.action_cross_entropy, f_A)
    learner.compile(keras.optimizers.SGD(0.1))
    before, data = (values(f_A), values(network)), batch(0)
    learner.train_step((data["pairs"][:, 0], data["labels"]))
    assert same(before[0], values(f_A)) and not same(before[1], values(network))


def test_learner_descends_equation_5():
    # f_A(x) = a x, x = 1, a = 0: L = |1 - 0| = 1, dL/da = -1, a <- 0.1.
    learner = trainer.SupervisedModel(helpers.Scale(0.0), losses.reconstruction)
    learner.compile(keras.optimizers.SGD(0.1))
    x = np.ones((2, 4, 4, 3), np.float32)
    assert float(learner.train_step((x, x))["loss"]) == pytest.approx(1.0)
    assert learner.network.a.numpy() == pytest.approx(0.1)
