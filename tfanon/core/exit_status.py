"""Exit statuses and messages of commands that fail or are interrupted, and how commands print."""

import contextlib
import errno
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TextIO, TypeVar

from absl import app

INPUT_ERROR = 1
INTERRUPTED, TERMINATED = 130, 143  # 128 and the number of the signal
STANDARD_ERROR = 2  # file descriptor

# Characters that break a line, control a terminal or reverse the text; bytes that are not text.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

Value = TypeVar("Value")


def run_with_exit_status(
    command: str,
    work: Callable[[], Value],
    after_interrupt: str = "Run the same command again to resume.",
) -> Value | int:
    """Run a command; turn errors in its input, and Ctrl-C, into one line and an exit status.

    A package that is not installed counts as an error in the input. Text that cannot be printed is
    no error.

    Args:
        command: Name at the beginning of the line, such as ``tfanon.weights``.
        work: The command; returns its exit status, or None for 0.
        after_interrupt: What to do after Ctrl-C.

    Returns:
        The status that ``work`` returns; 1 after an error, 130 after Ctrl-C.
    """
    with tolerate_output_errors():
        try:
            return work()
        except (ValueError, OSError, ImportError) as error:
            print(f"{command}: {error}", file=sys.stderr)
            return INPUT_ERROR
        except KeyboardInterrupt:
            print(f"{command}: interrupted. {after_interrupt}", file=sys.stderr)
            return INTERRUPTED


def reject_positional_arguments(arguments: Sequence[str]) -> None:
    """Refuse arguments that are not flags.

    Args:
        arguments: What absl leaves on the command line after the flags, without the program.

    Raises:
        app.UsageError: There are some.
    """
    if arguments:
        raise app.UsageError(f"'{arguments[0]}' is not a flag. Write flags as --name=value.")


def exit_on_sigterm() -> None:
    """Make SIGTERM end this process like an exception, with status 143.

    Unfinished files are then removed on the way out.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))


def escape_name(name: object) -> str:
    r"""Escape the name of a file, or a line with names in it, so that it is shown in one line.

    A byte that is not text becomes \xNN; control characters, line breaks and marks that change the
    direction of text become Python's escapes. Everything else stays.
    """
    return UNPRINTABLE.sub(lambda match: _escape_character(match[0]), str(name))


def _escape_character(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # how Python stores a byte of a name that is not text
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def suppress_errors(call: Callable[[Value], Any]) -> Callable[[Value], None]:
    """Return a function without its errors, for displays that must not stop the work."""

    def suppressed(value: Value) -> None:
        with contextlib.suppress(Exception):
            call(value)

    return suppressed


@contextlib.contextmanager
def tolerate_output_errors() -> Iterator[None]:
    """Within this block, printing never raises an error: see TolerantStream."""
    before = sys.stdout, sys.stderr
    output, errors = _wrap_stream(sys.stdout), _wrap_stream(sys.stderr)
    sys.stdout, sys.stderr = output, errors
    try:
        yield
    finally:
        # Here errors are discarded; left to Python's exit, the flush could still fail.
        output.flush()
        errors.flush()
        sys.stdout, sys.stderr = before


def _wrap_stream(stream: "TextIO | TolerantStream | None") -> "TolerantStream":
    # Never one in another: blocks of several threads overlap, and would leave ever longer chains.
    return stream if isinstance(stream, TolerantStream) else TolerantStream(stream)


class TolerantStream:
    """A text stream for reports and progress bars that never raises an error.

    A character that the stream's encoding does not have is escaped. If the disk is full, the
    terminal is closed or the reader has left (``| head -1``), further text is lost; a line on
    standard error says so, unless the reader has left. Every line is written at once, so that no
    text remains that could fail at the end of the process.
    """

    def __init__(self, stream: TextIO | None) -> None:
        """Wrap a stream.

        Args:
            stream: The stream; None, which Python uses for one that was closed from the start,
                discards everything.
        """
        self.stream = stream

    def write(self, text: str) -> int:
        """Write text as far as possible; return its length."""
        if self.stream is not None:
            with self._discard_on_error(self.stream):
                _write_escaped(self.stream, text)
                if "\n" in text:
                    self.stream.flush()
        return len(text)

    def flush(self) -> None:
        """Pass on what was written."""
        if self.stream is not None:
            with self._discard_on_error(self.stream):
                self.stream.flush()

    def isatty(self) -> bool:
        """Return whether this is a terminal."""
        with contextlib.suppress(ValueError):  # it is closed
            return self.stream is not None and self.stream.isatty()
        return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    @contextlib.contextmanager
    def _discard_on_error(self, stream: TextIO) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:  # ValueError: the stream was closed
            # AttributeError: the stream is not a file of the system
            with contextlib.suppress(OSError, ValueError, AttributeError):
                _redirect_to_null(stream, error)


def _write_escaped(stream: TextIO, text: str) -> None:
    """Write text; escape characters that the stream's encoding does not have."""
    try:
        stream.write(text)
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        # Only the characters that the encoding lacks are escaped: an ASCII terminal shows the rest.
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))


def _redirect_to_null(stream: TextIO, error: Exception) -> None:
    """Redirect a stream, and the text that it still holds, to the null device."""
    number = stream.fileno()
    with open(os.devnull, "wb") as null:
        # The descriptor, not the object: Python flushes what the stream still holds at exit.
        os.dup2(null.fileno(), number)
    has_reader_left = getattr(error, "errno", None) == errno.EPIPE
    if not has_reader_left and number != STANDARD_ERROR:
        reason = getattr(error, "strerror", None) or error
        line = f"Standard output: {reason}. Further output is lost; the command continues."
        print(line, file=sys.stderr)
