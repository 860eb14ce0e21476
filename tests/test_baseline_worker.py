"""The process that judges beside another: what it says where it cannot. What it does, test_resuming.py shows."""

import pytest

from tfanon import baseline_worker
from tfanon.core import processes


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "tfanon.baseline_worker: give the folder of one run, not []."),
        (
            ["nowhere"],
            "tfanon.baseline_worker: There is no run in nowhere: nowhere/run.flags is missing.",
        ),
    ],
)
def test_one_clear_line(monkeypatch, capsys, arguments, message):
    monkeypatch.setattr(processes, "exit_with_parent", lambda: None)
    assert baseline_worker.main(["judge", *arguments]) == 1
    said = capsys.readouterr().err
    assert said.startswith(message) and len(said.splitlines()) == 1
