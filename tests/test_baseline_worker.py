"""Errors of the process that evaluates baselines; its work is tested in test_resuming.py."""

import pytest

from tfanon import baseline_worker
from tfanon.core import processes


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "tfanon.baseline_worker: expected one argument, the folder of a run; got 0."),
        (
            ["nowhere"],
            "tfanon.baseline_worker: There is no run in nowhere: nowhere/run.flags is missing.",
        ),
    ],
)
def test_wrong_argument_gets_one_clear_line(monkeypatch, capsys, arguments, message):
    monkeypatch.setattr(processes, "exit_with_parent", lambda: None)
    assert baseline_worker.main(["baseline_worker", *arguments]) == 1
    errors = capsys.readouterr().err
    assert errors.startswith(message) and len(errors.splitlines()) == 1
