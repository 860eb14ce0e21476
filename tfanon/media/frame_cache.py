"""Decoded frames kept in memory, so that a small data set is decoded once and not in every epoch.

A process has one such cache, as it has one set of limits. It keeps nothing until its limit is set.
"""

import threading
from collections.abc import Callable, Hashable
from typing import Any

from tfanon.media import limits

Frames = dict[int, Any]  # by number: an av.VideoFrame; for an image, (frame, orientation)


class FrameCache:
    """All decoded frames of as many files as fit, by the state of the file on the disk.

    What came first stays: every epoch reads in another order, so no file is likelier to be needed
    next than another. A file with a frame that cannot be decoded is not kept, so that what a read
    returns never depends on earlier reads.

    Attributes:
        limit: Bytes that may be kept.
        used: Bytes that are kept, or reserved by a thread that is decoding.
        files: {file state: {frame number: frame}}; None in place of the frames while they are being
            decoded, and where that failed.
    """

    def __init__(self) -> None:
        """Start empty, without room for any file."""
        self.set_limit(0)

    def set_limit(self, limit: int) -> None:
        """Forget everything, and keep up to ``limit`` bytes from now on."""
        self.limit = limit
        self.used = 0
        self.files: dict[Hashable, Frames | None] = {}
        self._lock = threading.Lock()

    def find(self, file: Hashable) -> Frames | None:
        """Return the frames of a file; None if they are not kept."""
        return self.files.get(file)

    def keep(self, file: Hashable, size: int, decode: Callable[[], Frames]) -> Frames | None:
        """Decode the frames of a file and keep them, if there is room.

        Args:
            file: The file's state; None for a file that cannot be kept.
            size: Bytes of its decoded frames.
            decode: Returns all of its frames.

        Returns:
            The frames; None if they are not kept, because there is no room, another thread is
            decoding them, or one of them cannot be decoded.
        """
        if not self._reserve(file, size):
            return None
        try:
            self.files[file] = decode()
        # Its other frames can still be read one by one; the entry stays None, so that this is not
        # tried again.
        except limits.MediaError:
            with self._lock:
                self.used -= size
        return self.find(file)

    def _reserve(self, file: Hashable, size: int) -> bool:
        """Return whether this thread is to decode the file; none is tried twice."""
        with self._lock:
            if file is None or file in self.files or self.used + size > self.limit:
                return False
            self.used += size
            self.files[file] = None
            return True


FRAME_CACHE = FrameCache()
