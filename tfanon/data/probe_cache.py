"""What is known of files already: a line of JSON per file, valid while the file has the same size and time."""

import json
import os

from absl import logging


class Journal:
    """Answers kept in a file, so that the same command goes on where it was stopped; a context manager.

    A file that could not be read is not kept: it is looked at again.
    """

    def __init__(self, path):
        self.path, self.known, self.file = path, {}, None

    def __enter__(self):
        if os.path.exists(self.path):
            with open(self.path, encoding="ascii", errors="replace") as file:
                for line in file:
                    self._remember(line)
        self.file = open(self.path, "a", encoding="ascii")
        self.file.write("\n")  # where a killed writer left half a line
        if self.known:
            logging.info("%s knows %d files already.", self.path, len(self.known))
        return self

    def __exit__(self, *_):
        self.file.close()

    def get(self, path):
        """What is known of the file as it is now, or None."""
        return self.known.get(_key(path))

    def add(self, path, answer):
        """Keep an answer at once."""
        if "error" not in answer:
            self.file.write(json.dumps([*_key(path), answer]) + "\n")
            self.file.flush()

    def _remember(self, line):
        try:
            *key, answer = json.loads(line)
        except ValueError:
            return  # cut off where the writer was killed
        self.known[tuple(key)] = answer


def _key(path):
    path = os.path.abspath(path)
    state = os.stat(path)
    return path, state.st_size, state.st_mtime_ns
