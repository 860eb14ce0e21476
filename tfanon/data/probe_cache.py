"""Results of examining files, kept on disk: one line of JSON per file.

A result is valid as long as the file has the same size and modification time.
"""

import json
import os
from types import TracebackType
from typing import IO, Any

from absl import logging

FileKey = tuple[str, int, int]  # absolute path, size in bytes, modification time in ns


class ProbeCache:
    """Results kept in a file, so that re-running a command resumes where it stopped.

    Use it as a context manager. The result of a file that could not be read is not kept, so that
    the file is examined again.

    Args:
        path: The file that keeps the results; it is created or appended to.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.results: dict[FileKey, dict[str, Any]] = {}
        self.file: IO[str] | None = None

    def __enter__(self) -> "ProbeCache":
        if os.path.exists(self.path):
            # json.dumps writes ASCII; any other byte is damage, which must cost one line at most.
            with open(self.path, encoding="ascii", errors="replace") as file:
                for line in file:
                    self._parse_line(line)
        self.file = open(self.path, "a", encoding="ascii")
        self.file.write("\n")  # ends the half line that a killed process may have left
        if self.results:
            logging.info("%s has the results of %d files.", self.path, len(self.results))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self.file is not None
        self.file.close()

    def get(self, path: str) -> dict[str, Any] | None:
        """Return the result for a file as it is now, or None."""
        return self.results.get(_make_key(path))

    def add(self, path: str, result: dict[str, Any]) -> None:
        """Write the result for a file to disk at once, unless it is an error."""
        if "error" not in result:
            assert self.file is not None
            self.file.write(json.dumps([*_make_key(path), result]) + "\n")
            self.file.flush()  # a killed process loses at most the line it is writing

    def _parse_line(self, line: str) -> None:
        try:
            path, size, modified, result = json.loads(line)
        except ValueError:
            return  # an empty line, or one cut off when the process was killed
        self.results[path, size, modified] = result


def _make_key(path: str) -> FileKey:
    path = os.path.abspath(path)
    state = os.stat(path)
    return path, state.st_size, state.st_mtime_ns
