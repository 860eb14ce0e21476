"""What a command says and returns when it does not come to its end."""

import signal
import sys

from absl import app


def status(command, work, again="goes on from here"):
    """The exit status that work() returns; 1 after one line where an input is at fault, 130 after Ctrl-C.

    A package that is not installed is such a fault.  command: name in front of the line, such as "tfanon.weights".
    again: what the same command does after Ctrl-C.
    """
    try:
        return work()
    except (ValueError, OSError, ModuleNotFoundError) as problem:
        print(f"{command}: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{command}: stopped; the same command {again}.", file=sys.stderr)
        return 130


def refuse_words(words):
    """Raises absl's app.UsageError where a command that takes flags alone is given words."""
    if words:
        raise app.UsageError(f"'{words[0]}' is no flag: settings are given as --name=value.")


def unwind_on_sigterm():
    """SIGTERM ends this process as an exception would: unfinished files are removed on the way out; status 143."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
