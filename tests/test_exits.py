"""One line and an exit status for whatever ends a command early."""

import subprocess
import sys

from absl import app
import pytest

from tfanon import exits


@pytest.mark.parametrize("problem, status, said", [
    (ValueError("no such thing"), 1, "tfanon.x: no such thing"), (OSError(28, "full"), 1, "tfanon.x: [Errno 28] full"),
    (ModuleNotFoundError("No module named 'y'"), 1, "tfanon.x: No module named 'y'"),
    (KeyboardInterrupt(), 130, "tfanon.x: stopped; the same command goes on from here.")])
def test_a_line_and_a_status(problem, status, said, capsys):
    def work():
        raise problem

    assert exits.status("tfanon.x", work) == status
    assert capsys.readouterr().err == said + "\n"


def test_words_are_no_flags():
    exits.refuse_words([])
    with pytest.raises(app.UsageError, match="^'seed=2' is no flag: settings are given as --name=value.$"):
        exits.refuse_words(["seed=2", "more"])


def test_sigterm_unwinds():
    code = ("import os, signal, sys\nfrom tfanon import exits\nexits.unwind_on_sigterm()\n"
            "try: os.kill(os.getpid(), signal.SIGTERM)\nfinally: print('removed')")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (143, "removed\n")
