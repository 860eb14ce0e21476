"""Several commands in one process: in their order, each with its own words, until one fails."""

import pytest
from absl import app

from tfanon import evaluate, run_trial, train
from tfanon.core import config


@pytest.fixture
def ran(monkeypatch):
    """What the commands were given; an evaluation fails where its protocol is "strict"."""
    calls = []
    monkeypatch.setattr(train, "train_and_report", lambda settings: calls.append(settings) or 0)
    monkeypatch.setattr(
        evaluate,
        "evaluate_and_print",
        lambda settings, words: (
            calls.append((settings.protocol, words)) or (3 if settings.protocol == "strict" else 0)
        ),
    )
    return calls


def test_commands_run_in_their_order(ran):
    quick, known = (["--run_dir=RUN", f"--protocol={protocol}"] for protocol in ("quick", "known"))
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
    assert ran == [config.Config(workdir="RUN", seed=2), ("quick", quick), ("known", known)]


def test_the_first_that_fails_ends_them(ran):
    assert run_trial.main(["tfanon.evaluate", "--protocol=strict", "--", "tfanon.evaluate"]) == 3
    assert len(ran) == 1


@pytest.mark.parametrize(
    "words, message",
    [
        (
            ["tfanon.train", "--", "tfanon.export"],
            "'tfanon.export' is no command; there are: tfanon.train, tfanon.evaluate",
        ),
        ([], "'' is no command"),
        (["tfanon.train", "--sead=2"], "tfanon.train: Unknown command line flag 'sead'"),
    ],
)
def test_what_is_wrong_is_said(ran, words, message):
    with pytest.raises(app.UsageError, match=message):
        run_trial.main(words)
    assert ran == []
