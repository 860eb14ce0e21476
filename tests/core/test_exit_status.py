"""One line and an exit status for whatever ends a command early."""

import io
import os
import subprocess
import sys

import pytest
from absl import app

from tfanon.core import exit_status


@pytest.mark.parametrize(
    "problem, status, said",
    [
        (ValueError("no such thing"), 1, "tfanon.x: no such thing"),
        (OSError(28, "full"), 1, "tfanon.x: [Errno 28] full"),
        (ModuleNotFoundError("No module named 'y'"), 1, "tfanon.x: No module named 'y'"),
        (KeyboardInterrupt(), 130, "tfanon.x: stopped; the same command goes on from here."),
    ],
)
def test_a_line_and_a_status(problem, status, said, capsys):
    def work():
        raise problem

    assert exit_status.run_with_exit_status("tfanon.x", work) == status
    assert capsys.readouterr().err == said + "\n"


def test_words_are_no_flags():
    exit_status.reject_positional_arguments([])
    with pytest.raises(
        app.UsageError, match="^'seed=2' is no flag: settings are given as --name=value.$"
    ):
        exit_status.reject_positional_arguments(["seed=2", "more"])


def test_sigterm_unwinds():
    code = (
        "import os, signal, sys\nfrom tfanon import exits\nexits.unwind_on_sigterm()\n"
        "try: os.kill(os.getpid(), signal.SIGTERM)\nfinally: print('removed')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
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
def test_any_name_is_shown_in_one_line(name, shown):
    assert (
        exit_status.escape_name(name) == shown and len(shown.splitlines()) == 1 and shown.encode()
    )


def test_what_the_encoding_does_not_know_is_escaped():
    written = io.BytesIO()
    stream = exit_status.TolerantStream(io.TextIOWrapper(written, encoding="ascii"))
    print("na\u00efve \udcff", file=stream)
    assert written.getvalue() == b"na\\xefve \\udcff\n"


class Failing(io.StringIO):
    """A stream without a file number on which everything fails."""

    def write(self, text=""):
        raise OSError(5, "Input/output error")

    flush = write


@pytest.mark.parametrize("stream", [Failing(), None])
def test_a_stream_that_fails_fails_nothing(stream, monkeypatch):
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", stream)

    def work():
        print("a line")
        print("part", end="", file=sys.stderr, flush=True)
        assert not sys.stdout.isatty()
        return 3

    assert exit_status.run_with_exit_status("tfanon.x", work) == 3 and sys.stdout is stream


def test_a_closed_stream_fails_nothing():
    stream = io.StringIO()
    stream.close()
    print("a line", file=exit_status.TolerantStream(stream), flush=True)


def test_a_stream_is_wrapped_once_however_many_blocks_overlap():
    before, inner = sys.stdout, []
    with exit_status.tolerate_output_errors():
        outer = sys.stdout
        exit_status.run_with_exit_status("tfanon.x", lambda: inner.append(sys.stdout))
        assert inner == [outer] and outer.stream is before
    assert sys.stdout is before


def test_what_is_only_shown_may_fail():
    exit_status.suppress_errors(lambda value: 1 // value)(0)
    with pytest.raises(KeyboardInterrupt):
        exit_status.suppress_errors(lambda value: exec("raise KeyboardInterrupt"))(0)


LINES = (
    "import sys\nfrom tfanon import exits\n"
    "def work():\n  for number in range(9): print('line', number)\n"
    "  print('rest', end='')\n  return 3\n"
    "sys.exit(exits.status('x', work))"
)


def test_a_reader_who_has_left_changes_no_exit_status():
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([sys.executable, "-c", LINES], stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (done.returncode, done.stderr) == (3, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has /dev/full")
def test_a_full_disk_changes_no_exit_status_and_is_said():
    with open("/dev/full", "wb") as full:
        done = subprocess.run([sys.executable, "-c", LINES], stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 3
    assert done.stderr == (
        b"Standard output: No space left on device. Further lines are lost; the work goes on.\n"
    )


def test_no_file_takes_the_place_of_a_closed_stream(tmp_path):
    code = (
        "import os\nfrom tfanon import exits\nexits.open_standard_streams()\n"
        f"file = open({str(tmp_path / 'a')!r}, 'w')\nassert file.fileno() > 2\n"
        "os.write(2, b'an error')\nfile.write('mine')"
    )
    done = subprocess.run([sys.executable, "-c", code], preexec_fn=lambda: os.closerange(0, 3))
    assert done.returncode == 0 and (tmp_path / "a").read_text() == "mine"
