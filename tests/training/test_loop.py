import dataclasses
import os
import signal

import helpers
import keras
import numpy as np
import pytest
import tensorflow as tf

from tfanon.training import callbacks, loop, losses, trainer
from tfanon.training.phase_plan import PhasePlan


def make_model(learning_rate=0.1):
    """f(x) = a x with a = 0, trained towards x = 1: SGD moves a by the learning rate per step."""
    keras.utils.set_random_seed(0)
    model = trainer.SupervisedModel(helpers.Scale(0.0), losses.reconstruction)
    model.compile(keras.optimizers.SGD(learning_rate))
    return model


def make_dataset(first, last):
    x = tf.ones((2, 4, 4, 3))
    return tf.data.Dataset.range(first, last).map(lambda step: (x, x))


def make_plan(folder, epochs=3):
    return PhasePlan(
        "test",
        folder / "phase",
        folder / "logs",
        steps_per_epoch=2,
        epochs=epochs,
        checkpoint_every=3,
        log_every=2,
    )


def make_scorer(*scores):
    """A function that returns one score after the other."""
    return iter(scores).__next__


def test_every_step_is_taken_once(tmp_path):
    # a moves by 0.1 a step; 2 steps, resumed, then 4 more: 0.6.
    loop.fit(make_model(), make_dataset, make_plan(tmp_path, epochs=1))
    model = make_model()
    selected = loop.fit(model, make_dataset, make_plan(tmp_path))
    assert selected == {"epoch": 3, "score": None}
    assert model.network.a.numpy() == pytest.approx(0.6)


def test_every_step_is_announced(tmp_path):
    loop.fit(make_model(), make_dataset, make_plan(tmp_path, epochs=1))
    announced = []
    loop.fit(make_model(), make_dataset, make_plan(tmp_path), before_step=announced.append)
    assert announced == [2, 3, 4, 5]  # of six, two are done


def test_best_epoch_on_held_out_split_is_selected(tmp_path):
    # Scores .2, .9, .5 after epochs 1, 2, 3: epoch 2, where a = 0.4.
    model = make_model()
    score_epoch = make_scorer(0.2, 0.9, 0.5)
    selected = loop.fit(model, make_dataset, make_plan(tmp_path), score_epoch=score_epoch)
    assert selected == {"epoch": 2, "score": 0.9}
    assert model.network.a.numpy() == pytest.approx(0.4)


def test_curve_of_resumed_run_has_every_epoch(tmp_path):
    curve = []
    score_epoch = make_scorer(0.2, 0.9, 0.5)
    short = make_plan(tmp_path, epochs=2)
    loop.fit(make_model(), make_dataset, short, score_epoch=score_epoch, curve=curve)
    assert curve == [[2, 0.2], [4, 0.9]]
    whole = make_plan(tmp_path)
    loop.fit(make_model(), make_dataset, whole, score_epoch=score_epoch, curve=curve)
    assert curve == [[2, 0.2], [4, 0.9], [6, 0.5]]


def test_no_epoch_follows_a_perfect_one(tmp_path, capsys):
    # Perfect after epoch 2, where a = 0.4; all six steps would select the same epoch. Starting
    # again trains nothing.
    score_epoch = make_scorer(0.2, 1.0)
    for _ in range(2):
        model = make_model()
        selected = loop.fit(
            model, make_dataset, make_plan(tmp_path), score_epoch=score_epoch, perfect_score=1.0
        )
        assert selected == {"epoch": 2, "score": 1.0}
        assert model.network.a.numpy() == pytest.approx(0.4)
    assert (
        "test: ended early at step 4 of 6; the score on the held-out split is 1, the highest "
        "possible." in capsys.readouterr().err
    )


def test_nan_score_selects_nothing(tmp_path):
    # cMAP is NaN if no held-out example has an attribute.
    model = make_model()
    score_epoch = make_scorer(np.nan, np.nan, np.nan)
    selected = loop.fit(model, make_dataset, make_plan(tmp_path), score_epoch=score_epoch)
    assert selected["epoch"] == 3
    assert model.network.a.numpy() == pytest.approx(0.6)
    model = make_model()
    score_epoch = make_scorer(np.nan, 0.3, np.nan)
    plan = make_plan(tmp_path / "other")
    selected = loop.fit(model, make_dataset, plan, score_epoch=score_epoch)
    assert selected == {"epoch": 2, "score": 0.3}
    assert model.network.a.numpy() == pytest.approx(0.4)


def test_last_epoch_is_used_if_scores_must_not_select(tmp_path):
    # Perfect after epoch 1 already; all three are trained, and a = 0.6 stays.
    model = make_model()
    curve = []
    selected = loop.fit(
        model,
        make_dataset,
        make_plan(tmp_path),
        score_epoch=make_scorer(1.0, 0.9, 0.5),
        curve=curve,
        perfect_score=1.0,
        select_epoch=False,
    )
    assert selected == {"epoch": 3, "score": 0.5} and curve == [[2, 1.0], [4, 0.9], [6, 0.5]]
    assert model.network.a.numpy() == pytest.approx(0.6)
    again = make_model()
    assert loop.fit(again, make_dataset, make_plan(tmp_path), select_epoch=False) == selected
    assert again.network.a.numpy() == pytest.approx(0.6)


def test_epochs_are_scored_rarely_if_only_for_the_curve(tmp_path):
    # 50 epochs of 2 steps, MAX_SCORES = 20: every second epoch, counted from the last.
    curve = []
    calls = []

    def score_epoch():
        calls.append(0)
        return 0.5

    loop.fit(
        make_model(),
        make_dataset,
        dataclasses.replace(make_plan(tmp_path), epochs=50),
        score_epoch=score_epoch,
        curve=curve,
        select_epoch=False,
    )
    assert [step for step, _ in curve] == list(range(4, 101, 4)) and len(calls) == 25


def test_nan_loss_stops_and_is_located(tmp_path):
    def make_broken_dataset(first, last):
        return make_dataset(first, last).map(lambda x, y: (x * np.nan, y))

    with pytest.raises(FloatingPointError, match="loss became nan between steps 0 and 2 of test"):
        loop.fit(make_model(), make_broken_dataset, make_plan(tmp_path))
    assert not list((tmp_path / "phase").glob("step-*"))


def test_signal_saves_and_stops(tmp_path):
    def make_interrupted_dataset(first, last):
        def send_signal(step):
            if step == 2:
                os.kill(os.getpid(), signal.SIGTERM)
            return np.int64(step)

        def make_example(step):
            read = tf.ensure_shape(tf.numpy_function(send_signal, [step], tf.int64), [])
            x = tf.ones((2, 4, 4, 3))
            return x, x + 0 * tf.cast(read, tf.float32)

        return tf.data.Dataset.range(first, last).map(make_example)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(callbacks.TrainingInterruptedError, match="SIGTERM at step . of 6 of test"):
        loop.fit(make_model(), make_interrupted_dataset, make_plan(tmp_path))
    assert signal.getsignal(signal.SIGTERM) == before
    model = make_model()
    loop.fit(model, make_dataset, make_plan(tmp_path))
    assert model.network.a.numpy() == pytest.approx(0.6)


@pytest.mark.parametrize("during, stopped", [(1, 2), (6, 6)], ids=["some step", "the last step"])
def test_signal_during_logging_loses_no_step(tmp_path, during, stopped):
    def send_signal(step):
        if step == during:
            os.kill(os.getpid(), signal.SIGTERM)

    plan = dataclasses.replace(
        make_plan(tmp_path, epochs=1), steps_per_epoch=6, checkpoint_every=100, log_every=1
    )
    with pytest.raises(
        callbacks.TrainingInterruptedError, match=f"SIGTERM at step {stopped} of 6 of test"
    ):
        loop.fit(make_model(), make_dataset, plan, log_callbacks=[send_signal])

    def make_rest(first, last):
        assert first == stopped
        return make_dataset(first, last)

    model = make_model()
    loop.fit(model, make_rest, plan)
    assert model.network.a.numpy() == pytest.approx(0.6)
