"""What a command says and returns when it does not come to its end, and how it prints at all."""

import contextlib
import errno
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from absl import app

# What breaks a line, steers a terminal or turns the order of letters; bytes that are no text.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def run_with_exit_status(command, work, after_interrupt="goes on from here"):
    """The exit status that work() returns; 1 after one line where an input is at fault, 130 after Ctrl-C.

    A package that is not installed is such a fault; text that cannot be printed is none.
    command: name in front of the line, such as "tfanon.weights".  again: what the same command
    does after Ctrl-C.
    """
    with tolerate_output_errors():
        try:
            return work()
        except (ValueError, OSError, ImportError) as problem:
            print(f"{command}: {problem}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print(f"{command}: stopped; the same command {after_interrupt}.", file=sys.stderr)
            return 130


def reject_positional_arguments(words):
    """Raises absl's app.UsageError where a command that takes flags alone is given words."""
    if words:
        raise app.UsageError(f"'{words[0]}' is no flag: settings are given as --name=value.")


def exit_on_sigterm():
    """SIGTERM ends this process as an exception would: unfinished files are removed on the way out; status 143."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def open_standard_streams() -> None:
    """Open the null device in place of each standard stream that this process was started without.

    The next file that is opened would otherwise get its number, and a library's error messages.
    To be called before anything else is opened.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one


def escape_name(name: Any) -> str:
    r"""A file's name, or a line with names in it, as a terminal can show it in one line.

    A byte that is no text becomes \xNN; control characters, line breaks and marks that turn the
    order of letters become what Python writes for them.  All else stays.
    """
    return UNPRINTABLE.sub(lambda found: _escape_character(found[0]), str(name))


def _escape_character(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # how Python keeps a byte of a name that is no text
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def suppress_errors(call: Callable[[Any], Any]) -> Callable[[Any], None]:
    """The function without its errors: for what shows the work and is no part of it."""

    def suppressed(value: Any) -> None:
        with contextlib.suppress(Exception):
            call(value)

    return suppressed


@contextlib.contextmanager
def tolerate_output_errors() -> Iterator[None]:
    """Within this block nothing that is printed raises an error: see UnfailingStream."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = output, errors = _wrap_stream(sys.stdout), _wrap_stream(sys.stderr)
    try:
        yield
    finally:
        output.flush()
        errors.flush()
        sys.stdout, sys.stderr = before


def _wrap_stream(stream: TextIO | None) -> "TolerantStream":
    # Never one in another: blocks of several threads overlap, and would leave ever longer chains.
    return stream if isinstance(stream, TolerantStream) else TolerantStream(stream)


class TolerantStream:
    """A text stream for reports and progress bars that never raises an error.

    A character that the stream's encoding does not know is escaped.  Where the disk is full, the
    terminal is gone or nobody reads any more (`| head -1`), all further text is lost; a line on
    standard error says so, but for a reader who has left.  Every line is written at once, so that
    no text is left over to fail at the end of the process.

    Args:
        stream: The stream; None, as Python has it for one that was closed from the start, loses
            everything.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Write text as far as that is possible; returns its length."""
        if self.stream is not None:
            with self._discard_on_error():
                self._write(text)
                if "\n" in text:
                    self.stream.flush()
        return len(text)

    def flush(self) -> None:
        """Hand on what was written."""
        if self.stream is not None:
            with self._discard_on_error():
                self.stream.flush()

    def isatty(self) -> bool:
        """Whether this is a terminal."""
        with contextlib.suppress(ValueError):  # it is closed
            return self.stream is not None and self.stream.isatty()
        return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def _write(self, text: str) -> None:
        try:
            self.stream.write(text)
        except UnicodeEncodeError:
            encoding = self.stream.encoding or "ascii"
            self.stream.write(text.encode(encoding, "backslashreplace").decode(encoding))

    @contextlib.contextmanager
    def _discard_on_error(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as problem:  # ValueError: the stream was closed
            # AttributeError: a stream that is no file of the system
            with contextlib.suppress(OSError, ValueError, AttributeError):
                self._redirect_to_null(problem)

    def _redirect_to_null(self, problem: Exception) -> None:
        """Lead the stream, and the text that it still holds, to the null device."""
        number = self.stream.fileno()
        with open(os.devnull, "wb") as null:
            os.dup2(null.fileno(), number)
        if getattr(problem, "errno", None) != errno.EPIPE and number != 2:
            reason = getattr(problem, "strerror", None) or problem
            line = f"Standard output: {reason}. Further lines are lost; the work goes on."
            print(line, file=sys.stderr)
