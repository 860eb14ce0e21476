"""Live anonymization of a camera or a stream, with a bounded latency.

Late frames are dropped; no frame is ever shown unanonymized.
"""

import array
import contextlib
import fractions
import os
import pathlib
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Protocol

import numpy as np

from tfanon.core import files
from tfanon.inference import video
from tfanon.inference.anonymizer import Anonymizer
from tfanon.inference.frame_grabber import ConnectionLostError, FrameGrabber
from tfanon.media import frame_reader, live_source, scaling, video_reader, video_writer
from tfanon.media.limits import MediaError

TIME_BASE = fractions.Fraction(1, 1000)  # frames are written with their time of arrival in ms
NOMINAL_RATE = fractions.Fraction(25)  # frames per second that a file declares; times are exact


class Recorder(Protocol):
    """Where anonymized frames of a live source go.

    Attributes:
        files: Number of frames by the path of each finished file.
    """

    files: dict[str, int]

    def write(self, pixels: np.ndarray, size: tuple[int, int], arrival: float) -> None:
        """Take an upright frame, uint8 `[H, W, 3]`, to be shown at a size (H, W).

        Args:
            pixels: The frame.
            size: (H, W) of the source.
            arrival: When the frame arrived, in seconds of a monotonic clock.
        """

    def finish(self) -> None:
        """Complete what was written."""

    def discard(self) -> None:
        """Remove the file that is not complete."""


class FileRecorder:
    """Video files of a live source; each gets its name after it is complete and verified.

    Args:
        target: The file; with `segment_seconds` the pattern of names: out.mkv becomes
            out-00001.mkv, out-00002.mkv, ...
        encoding: How the files are encoded.
        segment_seconds: When to start a new file; 0: never.
        overwrite: Replace existing files.
        on_file_finished: Called with path and number of frames once a file has its name.

    Attributes:
        files: Number of frames by the path of each finished file.

    Raises:
        ValueError: The file exists, or its container cannot hold live frames.
        MediaError: Later, a file cannot be written; it then does not exist.
        OSError: The same.
    """

    def __init__(
        self,
        target: str | os.PathLike,
        encoding: video_writer.EncodingOptions,
        segment_seconds: float = 0.0,
        overwrite: bool = False,
        on_file_finished: Callable[[str, int], Any] = lambda path, frames: None,
    ) -> None:
        self.target = pathlib.Path(target)
        self.encoding = encoding
        self.segment_seconds = segment_seconds
        self.overwrite = overwrite
        self.on_file_finished = on_file_finished
        self.files: dict[str, int] = {}
        # Of the file that is being written: open contexts, arrival of the first frame, timestamps.
        self._stack: contextlib.ExitStack | None = None
        self._start = 0.0
        self._timestamps = array.array("q")
        ending = self.target.suffix.lower()
        encoding.choose_encoder(ending)  # raises an error for an impossible encoding
        if ending == ".avi":
            raise ValueError(
                "Live frames arrive at uneven times, which an .avi file cannot hold; an .mkv file "
                "can."
            )
        video.claim_path(self._make_path(1), overwrite)  # refused before the source is opened

    def write(self, pixels: np.ndarray, size: tuple[int, int], arrival: float) -> None:
        """Append a frame; begin a file where none is open or the open one is long enough.

        Args:
            pixels: Upright frame, uint8 `[H, W, 3]`.
            size: (H, W) at which a new file shows its frames.
            arrival: When the frame arrived, in seconds of a monotonic clock.
        """
        if self._stack and self.segment_seconds and arrival - self._start >= self.segment_seconds:
            self.finish()
        if self._stack is None:
            self._start_file(size, arrival)
        elapsed = round((arrival - self._start) / TIME_BASE)
        # Two frames may arrive in one millisecond: timestamps must still rise.
        earliest = self._timestamps[-1] + 1 if self._timestamps else 0
        timestamp = max(earliest, elapsed)
        self._timestamps.append(timestamp)
        with frame_reader.name_file_in_errors(self._path):
            # The duration is unknown until the next frame arrives.
            self._writer.write(pixels, timestamp, 0)

    def finish(self) -> None:
        """Complete the file that is being written, verify it, and give it its name."""
        if self._stack is None:
            return
        # Leaving the stack gives the file its name, or removes it after an error.
        with self._stack, frame_reader.name_file_in_errors(self._path):
            self._writer.finish()
            video_writer.verify_video_times(self._unfinished, self._timestamps, TIME_BASE)
        self._stack = None
        path, frame_count = str(self._path), len(self._timestamps)
        self.files[path] = frame_count
        self.on_file_finished(path, frame_count)

    def discard(self) -> None:
        """Remove the file that is being written."""
        if self._stack is None:
            return
        # An unfinished file vanishes where its block is left by an error.
        with contextlib.suppress(InterruptedError), self._stack:
            raise InterruptedError
        self._stack = None

    def _start_file(self, size: tuple[int, int], arrival: float) -> None:
        """Open the next file; its first frame is at time 0."""
        self._path = self._make_path(len(self.files) + 1)
        video.claim_path(self._path, self.overwrite)
        self._stack = contextlib.ExitStack()
        self._unfinished = self._stack.enter_context(
            files.write_atomically(self._path, replace=self.overwrite)
        )
        info = video_reader.VideoInfo(*size, TIME_BASE, NOMINAL_RATE)
        with frame_reader.name_file_in_errors(self._path):
            writer = video_writer.VideoWriter(self._unfinished, info, self.encoding)
            self._writer = self._stack.enter_context(contextlib.closing(writer))
        self._start = arrival
        self._timestamps = array.array("q")

    def _make_path(self, number: int) -> pathlib.Path:
        """Return the path of a file by its number, which begins at 1."""
        if not self.segment_seconds:
            return self.target
        return self.target.with_stem(f"{self.target.stem}-{number:05d}")


class PipeRecorder:
    """Raw RGB frames on a pipe, upright and at the size of the source.

    Args:
        pipe: Binary file.

    Attributes:
        files: Empty: there are no files.
    """

    def __init__(self, pipe: BinaryIO) -> None:
        self.pipe = pipe
        self.files: dict[str, int] = {}

    def write(self, pixels: np.ndarray, size: tuple[int, int], arrival: float) -> None:
        """Write a frame, resized to (H, W)."""
        self.pipe.write(scaling.resize_frames(pixels[None], *size).tobytes())
        self.pipe.flush()

    def finish(self) -> None:
        """Do nothing: every frame has been written."""

    def discard(self) -> None:
        """Do nothing: what was written cannot be taken back."""


class NullRecorder:
    """Keeps no frame, for a preview alone.

    Attributes:
        files: Empty: there are no files.
    """

    def __init__(self) -> None:
        self.files: dict[str, int] = {}

    def write(self, pixels: np.ndarray, size: tuple[int, int], arrival: float) -> None:
        """Drop a frame."""

    def finish(self) -> None:
        """Do nothing."""

    def discard(self) -> None:
        """Do nothing."""


def anonymize_live(
    source: str,
    recorder: Recorder,
    anonymizer: Anonymizer,
    max_latency: float = 0.5,
    max_seconds: float = 0.0,
    reconnect_seconds: float = 60.0,
    on_frame: Callable[[np.ndarray], Any] = lambda pixels: None,
    ca_file: str = "",
) -> dict[str, Any]:
    """Anonymize a live source until it ends, a signal arrives or the time is over.

    Args:
        source: Number of a camera, or an address.
        recorder: Where the frames go.
        anonymizer: The anonymizer.
        max_latency: Seconds from the arrival of a frame to the end of its anonymization, beyond
            which it is dropped; 0: none is dropped, and the source waits.
        max_seconds: When to stop; 0: when the source ends.
        reconnect_seconds: How long to try to reconnect to a lost stream.
        on_frame: Called with each anonymized frame, upright.
        ca_file: PEM file that a server's certificate is checked against; empty: the system's.

    Returns:
        A record: "frames", "dropped", "connections", "seconds", and "files" {path: frames}.

    Raises:
        ConnectionLostError: The source stays lost; what was recorded is kept.
        MediaError: No frame was anonymized in time.
        UnsafeOutputError: A frame must not be shown. The file that is being written is removed.
    """
    scaler, find_orientation = scaling.Scaler(), scaling.OrientationFinder()
    start = time.monotonic()
    frame_count = late_count = 0
    keep_all = not max_latency
    with (
        FrameGrabber(source, reconnect_seconds, keep_all, max_seconds, ca_file) as grabber,
        _close_on_signal(grabber),
    ):
        try:
            for arrival, frame in grabber:
                rotation = find_orientation(frame)
                stored_size = (frame.height, frame.width)
                pixels = video.make_upright(frame, rotation, stored_size, anonymizer, scaler)
                anonymized = anonymizer.anonymize_batch(pixels[None], frame_count)[0]
                if max_latency and time.monotonic() - arrival > max_latency:
                    late_count += 1
                    continue
                recorder.write(anonymized, scaling.turn_size(stored_size, rotation), arrival)
                on_frame(anonymized)
                frame_count += 1
        # What arrived before the loss is complete and worth keeping.
        except ConnectionLostError:
            recorder.finish()
            raise
        # Fails closed: after an unsafe frame, nothing of the open file is kept.
        except BaseException:
            recorder.discard()
            raise
        recorder.finish()
    dropped_count = grabber.dropped + late_count
    if not frame_count:
        raise MediaError(
            f"{live_source.redact_address(source)}: no frame was anonymized in time; "
            f"{dropped_count} came. A larger --max_latency may help, or a model that was trained "
            "at a smaller size."
        )
    return {
        "frames": frame_count,
        "dropped": dropped_count,
        "connections": grabber.connections,
        "seconds": round(time.monotonic() - start, 3),
        "files": recorder.files,
    }


@contextlib.contextmanager
def _close_on_signal(grabber: FrameGrabber) -> Iterator[None]:
    """End a live source at Ctrl-C and SIGTERM as if it had ended itself: the file is completed."""
    previous_handlers = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        previous_handlers[number] = signal.signal(number, lambda *_: grabber.close())
    try:
        yield
    finally:
        for number, handler in previous_handlers.items():
            signal.signal(number, handler)
