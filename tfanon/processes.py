"""Processes of ours that work at one time: each on its share of the machine, none left when the first one ends."""

import contextlib
import os
import signal
import subprocess
import sys
import threading

PATIENCE = 60  # seconds that a process has to save what it is at


def shares(count):
    """What the environment of one of `count` processes adds: its share of the cores, GPU memory as needed.

    The threads between operations stay as many as there are cores: tf.data reads on them, and with one a step waits for
    the next batch.
    """
    threads = str(max(1, (os.cpu_count() or 1) // count))
    return {"TF_NUM_INTRAOP_THREADS": threads, "TF_FORCE_GPU_ALLOW_GROWTH": "true"} if count > 1 else {}


def share(count):
    """Take one of `count` shares of the machine: before TensorFlow is at work, which looks at its environment then.

    What the environment says already stands.
    """
    os.environ.update({**shares(count), **os.environ})


@contextlib.contextmanager
def beside(command, count):
    """`count` processes of Python with these arguments, as long as the block runs or until they have done their work;
    below 1, none.

    When the block ends, and when this process ends in whatever way, they get a SIGTERM; the block waits for them.
    Each has to call end_with_parent().
    """
    children = [subprocess.Popen([sys.executable, *command], stdin=subprocess.PIPE, start_new_session=True,
                                 env={**os.environ, "TQDM_POSITION": str(place)}) for place in range(1, count + 1)]
    try:
        yield
    finally:
        for child in children:
            child.stdin.close()
        for child in children:
            _wait(child)


def _wait(child):
    try:
        child.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        child.kill()  # its last checkpoint is whole
        child.wait()


def end_with_parent():
    """Send this process a SIGTERM when the one that started it by beside() has left its block or is no more."""
    def watch():
        os.read(sys.stdin.fileno(), 1)  # nothing is ever written: it returns when the other end is closed
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
