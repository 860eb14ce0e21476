"""What a command says and returns when it does not come to its end."""

import sys


def status(command, work):
    """The exit status that work() returns; 1 after one line where an input is at fault, 130 after Ctrl-C.

    command: name in front of the line, such as "tfanon.weights"; its work must be one that can be taken up again.
    """
    try:
        return work()
    except (ValueError, OSError) as problem:
        print(f"{command}: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{command}: stopped; the same command goes on from here.", file=sys.stderr)
        return 130
