"""The newest frame of a live source, which is reconnected when it is lost."""

import threading
import time
from collections.abc import Iterator
from typing import Self

import av

from tfanon.media import live_source
from tfanon.media.limits import MediaError

RECONNECT_PAUSE_SECONDS = 0.5  # between two attempts to reconnect
POLL_SECONDS = 0.1  # how long a deadline, or the end of the work, can be overlooked


class ConnectionLostError(MediaError):
    """A live source was lost and could not be reconnected."""


class FrameGrabber:
    """Reads a camera or an address in its own thread; iterate for (time of arrival, frame).

    A frame that has not been taken when the next one arrives is dropped. Times are those of
    time.monotonic(). Use it in a `with` block, which starts and ends the thread.

    Args:
        source: Number of a camera, or an address.
        reconnect_seconds: How long to try to reconnect to a lost stream; then iteration raises
            ConnectionLostError. An address that never answered is not tried again.
        keep_all: Drop no frame: the source waits until each is taken.
        max_seconds: When iteration ends; 0: when the source does, or at close().
        ca_file: PEM file that a server's certificate is checked against; empty: the system's.

    Attributes:
        dropped: Number of frames that were dropped.
        connections: How often the source was connected.
    """

    def __init__(
        self,
        source: str,
        reconnect_seconds: float = 60.0,
        keep_all: bool = False,
        max_seconds: float = 0.0,
        ca_file: str = "",
    ) -> None:
        self.source = source
        self.reconnect_seconds = reconnect_seconds
        self.keep_all = keep_all
        self.ca_file = ca_file
        self.deadline = time.monotonic() + max_seconds if max_seconds else float("inf")
        self.dropped = 0
        self.connections = 0
        self._changed = threading.Condition()  # guards what follows
        self._frame: tuple[float, av.VideoFrame] | None = None
        self._error: Exception | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._read_frames, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self._thread.join(live_source.TIMEOUT_SECONDS)

    def close(self) -> None:
        """End the iteration after the waiting frame; signal handlers and other threads may call."""
        # Without the lock: a signal handler may interrupt the thread that holds it.
        self._closed = True

    def __iter__(self) -> Iterator[tuple[float, av.VideoFrame]]:
        while time.monotonic() < self.deadline:
            with self._changed:
                self._changed.wait_for(self._has_news, timeout=POLL_SECONDS)
                arrived, self._frame = self._frame, None
                self._changed.notify_all()
            if arrived:
                yield arrived
            elif self._error:
                raise self._error
            elif self._closed:
                return

    def _has_news(self) -> bool:
        return bool(self._frame or self._error or self._closed)

    def _read_frames(self) -> None:
        """Offer frames until the source ends, stays lost, or close() is called; in the thread."""
        lost_since = None
        while not self._closed:
            try:
                with live_source.open_live_source(self.source, ca_file=self.ca_file) as frames:
                    self.connections += 1
                    for frame in frames:
                        lost_since = None
                        self._offer_frame(frame)
                        if self._closed:
                            return
                # Only a source that has an end, such as a file on a server, comes here.
                self.close()
                return
            except MediaError as error:
                now = time.monotonic()
                if lost_since is None:
                    lost_since = now
                if not self.connections or now - lost_since >= self.reconnect_seconds:
                    self._fail(ConnectionLostError(error))
                    return
            except Exception as error:  # of any type, or the iteration would wait forever
                self._fail(error)
                return
            time.sleep(RECONNECT_PAUSE_SECONDS)

    def _offer_frame(self, frame: av.VideoFrame) -> None:
        """Make a frame the newest one, and count the one that it replaces."""
        with self._changed:
            while self.keep_all and self._frame and not self._closed:
                self._changed.wait(timeout=POLL_SECONDS)
            self.dropped += self._frame is not None
            self._frame = time.monotonic(), frame
            self._changed.notify_all()

    def _fail(self, error: Exception) -> None:
        """Raise an error where the frames are taken."""
        with self._changed:
            self._error = error
            self._changed.notify_all()
