"""The newest frame of a live source, whatever happens to the connection."""

import threading
import time

from tfanon.media import live_source
from tfanon.media.limits import MediaError

RECONNECT_PAUSE_SECONDS = 0.5  # seconds before a lost stream is asked for again


class ConnectionLostError(MediaError):
    """The source is gone and stays so."""


class FrameGrabber:
    """Reads a camera or an address in a thread of its own: iterate for (time of arrival, frame).

    A frame that nobody has taken when the next one comes is dropped, or, with `keep`, waited for.
    reconnect: seconds for which a lost stream is asked for again, after which iteration raises Lost; an address that
    never answered raises at once.  seconds: after which iteration ends; 0: when the source does, or at close().
    authority: as for live.opened.
    Times are those of time.monotonic().
    """

    def __init__(self, given, reconnect_seconds=60.0, keep_all=False, max_seconds=0.0, ca_file=""):
        self.given, self.reconnect_seconds, self.keep, self.authority = (
            given,
            reconnect_seconds,
            keep_all,
            ca_file,
        )
        self.end = time.monotonic() + max_seconds if max_seconds else float("inf")
        self.dropped = self.connections = 0
        self._changed, self._frame, self._error, self._closed = (
            threading.Condition(),
            None,
            None,
            False,
        )
        self._thread = threading.Thread(target=self._read_frames, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.close()
        self._thread.join(live_source.TIMEOUT_SECONDS)

    def close(self):
        """End the iteration after the frame that waits; may be called by a signal's handler or another thread."""
        self._closed = True

    def __iter__(self):
        while time.monotonic() < self.end:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._frame or self._error or self._closed, timeout=0.1
                )
                entry, self._frame = self._frame, None
                self._changed.notify_all()
            if entry:
                yield entry
            elif self._error:
                raise self._error
            elif self._closed:
                return

    def _read_frames(self):
        lost = None
        while not self._closed:
            try:
                with live_source.open_live_source(self.given, ca_file=self.authority) as frames:
                    self.connections += 1
                    for frame in frames:
                        lost = None
                        self._offer_frame(frame)
                        if self._closed:
                            return
                return self.close()  # it had an end, and this was it
            except MediaError as error:
                lost = lost or time.monotonic()
                if not self.connections or time.monotonic() - lost >= self.reconnect_seconds:
                    return self._fail(ConnectionLostError(error))
            except Exception as error:  # whatever it is, the one who waits must hear of it
                return self._fail(error)
            time.sleep(RECONNECT_PAUSE_SECONDS)

    def _offer_frame(self, frame):
        with self._changed:
            while self.keep and self._frame and not self._closed:
                self._changed.wait(timeout=0.1)
            self.dropped += self._frame is not None
            self._frame = time.monotonic(), frame
            self._changed.notify_all()

    def _fail(self, error):
        with self._changed:
            self._error = error
            self._changed.notify_all()
