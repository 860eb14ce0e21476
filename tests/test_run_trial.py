"""Several commands in one process: in their order, each with its own flags, until one fails."""

import pytest
from absl import app

from tfanon import evaluate, run_trial, train
from tfanon.core import config


@pytest.fixture
def calls(monkeypatch):
    """What the commands were called with; an evaluation fails if its protocol is "strict"."""
    calls = []

    def record_training(options):
        calls.append(options)
        return 0

    def record_evaluation(options, words):
        calls.append((options.protocol, words))
        return 3 if options.protocol == "strict" else 0

    monkeypatch.setattr(train, "train_and_report", record_training)
    monkeypatch.setattr(evaluate, "evaluate_and_print", record_evaluation)
    return calls


def test_commands_run_in_order(calls):
    quick = ["--run_dir=RUN", "--protocol=quick"]
    known = ["--run_dir=RUN", "--protocol=known"]
    words = [
        "tfanon.train",
        "--workdir=RUN",
        "--seed=2",
        "--",
        "tfanon.evaluate",
        *quick,
        "--",
        "tfanon.evaluate",
        *known,
    ]
    assert run_trial.main(words) == 0
    assert calls == [config.Config(workdir="RUN", seed=2), ("quick", quick), ("known", known)]


def test_first_failing_command_is_the_last(calls):
    assert run_trial.main(["tfanon.evaluate", "--protocol=strict", "--", "tfanon.evaluate"]) == 3
    assert len(calls) == 1


@pytest.mark.parametrize(
    "words, message",
    [
        (
            ["tfanon.train", "--", "tfanon.export"],
            "no command 'tfanon.export'; choose from: tfanon.train, tfanon.evaluate",
        ),
        ([], "no command ''"),
        (["tfanon.train", "--sead=2"], "tfanon.train: Unknown command line flag 'sead'"),
    ],
)
def test_wrong_command_or_flag_is_named(calls, words, message):
    with pytest.raises(app.UsageError, match=message):
        run_trial.main(words)
    assert calls == []
