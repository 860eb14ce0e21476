"""One line and an exit status for a command that ends early; output that never fails."""

import io
import os
import subprocess
import sys

import pytest
from absl import app

from tfanon.core import exit_status


@pytest.mark.parametrize(
    "error, status, message",
    [
        (ValueError("no such thing"), 1, "tfanon.x: no such thing"),
        (OSError(28, "full"), 1, "tfanon.x: [Errno 28] full"),
        (ModuleNotFoundError("No module named 'y'"), 1, "tfanon.x: No module named 'y'"),
        (KeyboardInterrupt(), 130, "tfanon.x: interrupted. Run the same command again to resume."),
    ],
)
def test_errors_become_a_line_and_an_exit_status(error, status, message, capsys):
    def work():
        raise error

    assert exit_status.run_with_exit_status("tfanon.x", work) == status
    assert capsys.readouterr().err == message + "\n"


def test_positional_arguments_are_refused():
    exit_status.reject_positional_arguments([])
    with pytest.raises(
        app.UsageError, match="^'seed=2' is not a flag. Write flags as --name=value.$"
    ):
        exit_status.reject_positional_arguments(["seed=2", "more"])


def test_sigterm_runs_cleanup():
    code = (
        "import os, signal, sys\nfrom tfanon.core import exit_status\n"
        "exit_status.exit_on_sigterm()\n"
        "try: os.kill(os.getpid(), signal.SIGTERM)\nfinally: print('removed')"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (143, "removed\n")


@pytest.mark.parametrize(
    "name, shown",
    [
        ("a b'\"$%s.mp4", "a b'\"$%s.mp4"),
        ("na\u00efve \U0001f600\u202f.mp4", "na\u00efve \U0001f600\u202f.mp4"),
        (os.fsdecode(b"a\xff\xfe.mp4"), r"a\xff\xfe.mp4"),
        ("a\nb\r\t.mp4", r"a\nb\r\t.mp4"),
        ("\x1b[2J\x9b\x7f", r"\x1b[2J\x9b\x7f"),
        ("\ud800.mp4", r"\ud800.mp4"),
        ("\u202egpj.exe\u2028", r"\u202egpj.exe\u2028"),
    ],
)
def test_every_name_is_escaped_to_one_line(name, shown):
    assert exit_status.escape_name(name) == shown
    assert len(shown.splitlines()) == 1 and shown.encode()


def test_characters_outside_the_encoding_are_escaped():
    written = io.BytesIO()
    stream = exit_status.TolerantStream(io.TextIOWrapper(written, encoding="ascii"))
    print("na\u00efve \udcff", file=stream)
    assert written.getvalue() == b"na\\xefve \\udcff\n"


class FailingStream(io.StringIO):
    """A stream without a file number on which everything fails."""

    def write(self, text: str = "") -> int:
        raise OSError(5, "Input/output error")

    flush = write


@pytest.mark.parametrize("stream", [FailingStream(), None])
def test_failing_output_does_not_stop_the_command(stream, monkeypatch):
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", stream)

    def work():
        print("a line")
        print("part", end="", file=sys.stderr, flush=True)
        assert not sys.stdout.isatty()
        return 3

    assert exit_status.run_with_exit_status("tfanon.x", work) == 3 and sys.stdout is stream


def test_closed_stream_raises_no_error():
    stream = io.StringIO()
    stream.close()
    print("a line", file=exit_status.TolerantStream(stream), flush=True)


def test_nested_blocks_wrap_a_stream_once():
    before, inner = sys.stdout, []
    with exit_status.tolerate_output_errors():
        outer = sys.stdout
        exit_status.run_with_exit_status("tfanon.x", lambda: inner.append(sys.stdout))
        assert inner == [outer] and outer.stream is before
    assert sys.stdout is before


def test_suppress_errors_lets_interrupts_through():
    exit_status.suppress_errors(lambda value: 1 // value)(0)
    with pytest.raises(KeyboardInterrupt):
        exit_status.suppress_errors(lambda value: exec("raise KeyboardInterrupt"))(0)


PRINTING_CODE = (
    "import sys\nfrom tfanon.core import exit_status\n"
    "def work():\n  for number in range(9): print('line', number)\n"
    "  print('rest', end='')\n  return 3\n"
    "sys.exit(exit_status.run_with_exit_status('x', work))"
)


def test_closed_pipe_does_not_change_the_exit_status():
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-c", PRINTING_CODE], check=False, stdout=writing, stderr=subprocess.PIPE
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (3, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has /dev/full")
def test_full_disk_is_reported_and_does_not_change_the_exit_status():
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", PRINTING_CODE], check=False, stdout=full, stderr=subprocess.PIPE
        )
    assert done.returncode == 3
    assert done.stderr == (
        b"Standard output: No space left on device. Further output is lost; "
        b"the command continues.\n"
    )
