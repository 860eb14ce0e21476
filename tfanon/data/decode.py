"""Read files to pixels inside tf.data, and handle files that cannot be read.

What a read returns depends on the files alone, never on earlier reads: an unreadable file is tried
each time it comes up and replaced by the next readable row. Only the set of unreadable rows is
remembered, for the log and the limit.
"""

import atexit
import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import cast

import numpy as np
import tensorflow as tf
from absl import logging

from tfanon.data import sampling
from tfanon.media import frame_reader, image_io, limits, scaling
from tfanon.media.frame_reader import MediaPath


class MediaReader:
    """The files of one split, readable inside `map`.

    Args:
        paths: Videos or images.
        resolution: H and W of the result, in pixels.
        on_bad_video: "raise" or "skip".
        max_bad_fraction: Share of unreadable rows above which reading stops.
        frames: T, frames of the clip taken from a video.
        stride: Distance between them, in frames of the video.
        frame_numbers: If rows are single frames of videos, the number of each row's frame; a number
            beyond the end means the last frame.

    Raises:
        ValueError: There are no paths.
    """

    def __init__(
        self,
        paths: Sequence[MediaPath],
        resolution: int,
        on_bad_video: str,
        max_bad_fraction: float,
        frames: int = 1,
        stride: int = 1,
        frame_numbers: np.ndarray | None = None,
    ) -> None:
        if not paths:
            raise ValueError("There are no files to read: the split is empty.")
        self.paths, self.resolution = tuple(paths), resolution
        self.frames, self.stride, self.frame_numbers = frames, stride, frame_numbers
        self.on_bad_video, self.max_bad_fraction = on_bad_video, max_bad_fraction
        self.unreadable_rows: dict[int, str] = {}  # row: message
        self._lock = threading.Lock()  # tf.data reads in several threads

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def holds_videos(self) -> bool:
        """Whether a row is a whole video; a split contains either videos or images."""
        return self.frame_numbers is None and any(map(limits.is_video_path, self.paths))

    def read(
        self, row: tf.Tensor, moment: tf.Tensor, windows: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Read one row, as TensorFlow ops.

        Args:
            row: int64 scalar.
            moment: float32 scalar in [0, 1]: where in a video the clip begins.
            windows: float32 ``[V, 3]``: (factor, y, x) of the crop window of each of V views.

        Returns:
            (pixels, row): uint8 ``[V, T, H, W, 3]``, with T = 1 for an image; and the row that was
            read instead if this one is unreadable, else the same row.
        """
        # stateful=False is true, and under op determinism a stateful op would read one file at a
        # time.
        pixels, used_row = tf.numpy_function(
            self._read_or_next, [row, moment, windows], [tf.uint8, tf.int64], stateful=False
        )
        # The result of a numpy_function has no static shape.
        shape = [windows.shape[0], *self._clip_shape]
        return tf.ensure_shape(pixels, shape), tf.ensure_shape(used_row, [])

    def read_batch(
        self, rows: tf.Tensor, moments: tf.Tensor, windows: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Read n rows in one call into Python, which costs more than reading a small image.

        Args:
            rows: int64 ``[n]``.
            moments: float32 ``[n]``.
            windows: float32 ``[n, V, 3]``.

        Returns:
            (pixels, rows): uint8 ``[n, V, T, H, W, 3]`` and int64 ``[n]``; each as in `read`.
        """
        # stateful=False as in `read`.
        pixels, used_rows = tf.numpy_function(
            self._read_batch, [rows, moments, windows], [tf.uint8, tf.int64], stateful=False
        )
        shape = [*windows.shape[:2], *self._clip_shape]
        return tf.ensure_shape(pixels, shape), tf.ensure_shape(used_rows, rows.shape)

    @property
    def _clip_shape(self) -> tuple[int, int, int, int]:
        return self.frames, self.resolution, self.resolution, 3

    def _read_batch(
        self, rows: np.ndarray, moments: np.ndarray, windows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        examples = [self._read_or_next(*args) for args in zip(rows, moments, windows, strict=True)]
        pixels, used_rows = zip(*examples, strict=True)
        return np.stack(pixels), np.stack(used_rows)

    def _read_or_next(
        self, row: np.int64, moment: float, windows: np.ndarray
    ) -> tuple[np.ndarray, np.int64]:
        with guard_read() as is_ending:
            if is_ending:  # the result will not be used
                return np.zeros((len(windows), *self._clip_shape), np.uint8), row
            return self._read_first_readable(row, moment, windows)

    def _read_first_readable(
        self, row: np.int64, moment: float, windows: np.ndarray
    ) -> tuple[np.ndarray, np.int64]:
        for step in range(len(self.paths)):
            used_row = (int(row) + step) % len(self.paths)
            try:
                return self._read(used_row, moment, windows), np.int64(used_row)
            except limits.MediaError as error:
                self._record_unreadable(used_row, str(error))
        # The lowest row, because the order of the dict depends on the threads.
        first_message = self.unreadable_rows[min(self.unreadable_rows)]
        raise limits.MediaError(
            f"None of the {len(self)} files can be read; the first: {first_message}"
        )

    def _read(self, row: int, moment: float, windows: np.ndarray) -> np.ndarray:
        path, side = self.paths[row], self.resolution
        if not limits.is_video_path(path):
            crops = cast(Sequence[scaling.Crop], windows)  # rows of an array serve as tuples
            return image_io.read_image(path, side, side, crops)[:, None]
        choose = self.make_frame_chooser(row, moment)
        views = [frame_reader.read_frames(path, choose, side, side, window) for window in windows]
        return np.stack(views)

    def make_frame_chooser(self, row: int, moment: float) -> Callable[[int], Iterable[int]]:
        """Return the function that selects the frames of one row.

        Args:
            row: Row number.
            moment: Where in a video the clip begins, in [0, 1].

        Returns:
            A function from a video's number of frames to the frame numbers of the clip.
        """
        numbers = self.frame_numbers
        if numbers is not None:
            return lambda num_frames: [min(numbers[row], num_frames - 1)]

        def choose_clip(num_frames: int) -> np.ndarray:
            return sampling.choose_frame_indices(num_frames, self.frames, self.stride, moment)

        return choose_clip

    def _record_unreadable(self, row: int, message: str) -> None:
        """Count an unreadable row and log it once; raise if the settings do not tolerate it."""
        with self._lock:
            # Rows are counted, not reads: an unreadable file comes up again in every epoch.
            is_new = row not in self.unreadable_rows
            self.unreadable_rows[row] = message
            count = len(self.unreadable_rows)
        if self.on_bad_video == "raise":
            raise limits.MediaError(
                f"{message} (--on_bad_video=skip would read the next file instead.)"
            )
        if is_new:
            logging.warning(
                "Unreadable file %d of %d: %s The next file is read instead.",
                count,
                len(self),
                message,
            )
        if count > self.max_bad_fraction * len(self):
            raise limits.MediaError(
                f"{count} of {len(self)} files cannot be read, more than "
                f"--max_bad_fraction={self.max_bad_fraction:g} allows; the last: {message}"
            )


class _ShutdownGuard:
    """Lets a program end while files are being read ahead.

    Once Python shuts down, a thread that waits for the interpreter lock never returns, and
    TensorFlow, which waits for the reads of a dataset that is still open, would hang. So reading
    ends before that: reads in progress are waited for, and later ones are answered without reading
    until the dataset stops requesting them.
    """

    def __init__(self) -> None:
        self.closed = False
        self.reads_in_progress = 0
        self.last_read_time = 0.0
        self.lock = threading.Lock()
        atexit.register(self.close)

    @contextlib.contextmanager
    def read(self) -> Iterator[bool]:
        """Enclose one read; yields whether the program is ending."""
        with self.lock:
            self.reads_in_progress += 1
        try:
            yield self.closed
        finally:
            with self.lock:
                self.reads_in_progress -= 1
                self.last_read_time = time.monotonic()

    def close(self, quiet_seconds: float = 0.1, max_seconds: float = 10.0) -> None:
        """Wait until nothing has been read for a while.

        Args:
            quiet_seconds: Return when there was no read for this long.
            max_seconds: Return after this time in any case.
        """
        begin = time.monotonic()
        # The quiet time begins now, also if the last read was long ago.
        self.closed, self.last_read_time = True, begin
        while time.monotonic() - begin < max_seconds:
            idle_seconds = time.monotonic() - self.last_read_time
            if not self.reads_in_progress and idle_seconds >= quiet_seconds:
                break
            time.sleep(0.01)


# One guard per process: it waits for the reads of all datasets.
guard_read = _ShutdownGuard().read


@contextlib.contextmanager
def unwrap_errors(*kinds: type[Exception]) -> Iterator[None]:
    """Turn an error raised inside a dataset back into the Python error that caused it.

    TensorFlow wraps each such error in several lines, with a traceback and names of graph nodes.
    Use this around loops over batches.

    Args:
        *kinds: Exceptions to restore besides MediaError, an unreadable file.
    """
    try:
        yield
    except tf.errors.OpError as error:
        restorable: tuple[type[Exception], ...] = (limits.MediaError, *kinds)
        for kind in restorable:
            # TensorFlow keeps only text: class name, message and, below it, the traceback.
            match = re.search(rf"\b{kind.__name__}: (.*)", str(error))
            if match:
                raise kind(match[1].strip()) from None
        raise
