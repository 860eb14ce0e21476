"""Decoded frames that stay in memory: a small data set is then decoded once, not in every epoch.

A process has one such memory, as it has one set of limits; until allow() it keeps nothing.
"""

import threading

from tfanon.media import limits


class FrameCache:
    """A file, as it is on the disk -> {frame number: frame}, all of its frames as they were decoded, up to a limit.

    What came first stays: every epoch has another order, so no file is likelier to be asked for next than another. A
    file of which a frame cannot be decoded is not kept, so that what a read gives never depends on earlier reads.
    """

    def __init__(self):
        self.set_limit(0)

    def set_limit(self, limit):
        """Forget everything, and keep up to `limit` bytes from now on."""
        self.limit, self.used, self.files, self.lock = limit, 0, {}, threading.Lock()

    def find(self, file):
        """The frames of a file, or None."""
        return self.files.get(file)

    def keep(self, file, size, decode):
        """The frames that decode() gives, if there is room for them, `size` bytes, and all can be decoded; or None."""
        if not self._reserve(file, size):
            return None
        try:
            self.files[file] = decode()
        except limits.MediaError:
            with self.lock:
                self.used -= size
        return self.find(file)

    def _reserve(self, file, size):
        """Whether the file is this thread's to decode; no file is tried twice."""
        with self.lock:
            if file is None or file in self.files or self.used + size > self.limit:
                return False
            self.used += size
            self.files[file] = None
            return True


FRAME_CACHE = FrameCache()
