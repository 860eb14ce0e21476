import dataclasses
import os
import signal

import helpers
import keras
import numpy as np
import pytest
import tensorflow as tf

from tfanon.training import loop, losses, trainer


def learner(rate=0.1):
    keras.utils.set_random_seed(0)
    model = trainer.SupervisedModel(helpers.Scale(0.0), losses.reconstruction)
    model.compile(keras.optimizers.SGD(rate))
    return model


def dataset(first, last):
    x = tf.ones((2, 4, 4, 3))
    return tf.data.Dataset.range(first, last).map(lambda step: (x, x))


def plan(folder, epochs=3):
    return loop.PhasePlan(
        "test",
        folder / "phase",
        folder / "logs",
        steps_per_epoch=2,
        epochs=epochs,
        checkpoint_every=3,
        log_every=2,
    )


def test_every_step_is_taken_once(tmp_path):
    # a moves by 0.1 a step; 2 steps, resumed, then 4 more: 0.6.
    loop.fit(learner(), dataset, plan(tmp_path, epochs=1))
    model = learner()
    assert loop.fit(model, dataset, plan(tmp_path)) == {"epoch": 3, "score": None}
    assert model.network.a.numpy() == pytest.approx(0.6)


def test_every_step_is_announced(tmp_path):
    loop.fit(learner(), dataset, plan(tmp_path, epochs=1))
    seen = []
    loop.fit(learner(), dataset, plan(tmp_path), before_step=seen.append)
    assert seen == [2, 3, 4, 5]  # of six, two are done


def test_the_best_epoch_of_the_held_out_slice_wins(tmp_path):
    # Scores .2, .9, .5 after epochs 1, 2, 3: epoch 2, where a = 0.4.
    model, scores = learner(), iter([0.2, 0.9, 0.5])
    assert loop.fit(model, dataset, plan(tmp_path), score_epoch=lambda: next(scores)) == {
        "epoch": 2,
        "score": 0.9,
    }
    assert model.network.a.numpy() == pytest.approx(0.4)


def test_the_curve_has_every_epoch_also_after_a_stop(tmp_path):
    curve, scores = [], iter([0.2, 0.9, 0.5])
    loop.fit(
        learner(), dataset, plan(tmp_path, epochs=2), score_epoch=lambda: next(scores), curve=curve
    )
    assert curve == [[2, 0.2], [4, 0.9]]
    loop.fit(learner(), dataset, plan(tmp_path), score_epoch=lambda: next(scores), curve=curve)
    assert curve == [[2, 0.2], [4, 0.9], [6, 0.5]]


def test_no_epoch_follows_a_perfect_one(tmp_path, capsys):
    # Perfect after epoch 2, where a = 0.4; a run of all six steps selects the same. Another start has nothing to do.
    model, scores = learner(), iter([0.2, 1.0])
    for _ in range(2):
        found = loop.fit(
            model, dataset, plan(tmp_path), score_epoch=lambda: next(scores), perfect_score=1.0
        )
        assert found == {"epoch": 2, "score": 1.0} and model.network.a.numpy() == pytest.approx(0.4)
        model = learner()
    assert (
        "test: nothing beats 1 on the held-out slice, reached at step 4 of 6."
        in capsys.readouterr().err
    )


def test_a_score_that_is_none_selects_nothing(tmp_path):
    # cMAP is not a number where nobody held out has an attribute.
    model, scores = learner(), iter([np.nan, np.nan, np.nan])
    assert loop.fit(model, dataset, plan(tmp_path), score_epoch=lambda: next(scores))["epoch"] == 3
    assert model.network.a.numpy() == pytest.approx(0.6)
    model, scores = learner(), iter([np.nan, 0.3, np.nan])
    assert loop.fit(model, dataset, plan(tmp_path / "other"), score_epoch=lambda: next(scores)) == {
        "epoch": 2,
        "score": 0.3,
    }
    assert model.network.a.numpy() == pytest.approx(0.4)


def test_scores_that_are_too_few_to_choose_by_are_noted_and_the_last_epoch_stands(tmp_path):
    # Perfect after epoch 1 already; all three are trained, and a = 0.6 stays.
    model, curve, scores = learner(), [], iter([1.0, 0.9, 0.5])
    found = loop.fit(
        model,
        dataset,
        plan(tmp_path),
        score_epoch=lambda: next(scores),
        curve=curve,
        perfect_score=1.0,
        select_epoch=False,
    )
    assert found == {"epoch": 3, "score": 0.5} and curve == [[2, 1.0], [4, 0.9], [6, 0.5]]
    assert model.network.a.numpy() == pytest.approx(0.6)
    again = learner()
    assert loop.fit(again, dataset, plan(tmp_path), select_epoch=False) == found
    assert again.network.a.numpy() == pytest.approx(0.6)


def test_what_selects_no_epoch_is_scored_no_more_often_than_a_curve_needs(tmp_path):
    # 50 epochs of 2 steps, LOOKS = 20: every second epoch, counted from the last.
    asked, curve, long = [], [], dataclasses.replace(plan(tmp_path), epochs=50)
    loop.fit(
        learner(),
        dataset,
        long,
        score_epoch=lambda: asked.append(0) or 0.5,
        curve=curve,
        select_epoch=False,
    )
    assert [step for step, _ in curve] == list(range(4, 101, 4)) and len(asked) == 25


def test_nan_stops_and_says_what_and_when(tmp_path):
    def broken(first, last):
        return dataset(first, last).map(lambda x, y: (x * np.nan, y))

    with pytest.raises(FloatingPointError, match="loss became nan between steps 0 and 2 of test"):
        loop.fit(learner(), broken, plan(tmp_path))
    assert not list((tmp_path / "phase").glob("step-*"))


def test_a_signal_saves_and_stops(tmp_path):
    def interrupted(first, last):
        def note(step):
            if step == 2:
                os.kill(os.getpid(), signal.SIGTERM)
            return np.int64(step)

        return tf.data.Dataset.range(first, last).map(
            lambda step: (
                tf.ones((2, 4, 4, 3)),
                tf.ones((2, 4, 4, 3))
                + 0
                * tf.cast(
                    tf.ensure_shape(tf.numpy_function(note, [step], tf.int64), []), tf.float32
                ),
            )
        )

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(loop.TrainingInterruptedError, match="SIGTERM at step . of 6 of test"):
        loop.fit(learner(), interrupted, plan(tmp_path))
    assert signal.getsignal(signal.SIGTERM) == before
    model = learner()
    loop.fit(model, dataset, plan(tmp_path))
    assert model.network.a.numpy() == pytest.approx(0.6)


@pytest.mark.parametrize("during, stopped", [(1, 2), (6, 6)], ids=["some step", "the last step"])
def test_a_signal_while_a_step_is_logged_loses_nothing(tmp_path, during, stopped):
    def watch(step):
        if step == during:
            os.kill(os.getpid(), signal.SIGTERM)

    rare = dataclasses.replace(
        plan(tmp_path, epochs=1), steps_per_epoch=6, checkpoint_every=100, log_every=1
    )
    with pytest.raises(
        loop.TrainingInterruptedError, match=f"SIGTERM at step {stopped} of 6 of test"
    ):
        loop.fit(learner(), dataset, rare, log_callbacks=[watch])
    model = learner()
    loop.fit(model, lambda first, last: dataset(first, last) if first == stopped else None, rare)
    assert model.network.a.numpy() == pytest.approx(0.6)
