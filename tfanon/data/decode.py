"""Files to pixels inside tf.data, and what happens to a file that cannot be read.

What a read returns depends on the files alone, never on what was read before: an unreadable file is tried each time it
comes up and replaced by the next readable row. Only the count of unreadable files is remembered.
"""

import atexit
import contextlib
import re
import threading
import time

import numpy as np
import tensorflow as tf
from absl import logging

from tfanon.data import sampling
from tfanon.media import frame_reader, image_io


class Files:
    """The files of one split, readable inside `map`.

    paths: of videos or of images.  frames, stride: of the clip taken from a video.  resolution: H and W.
    numbers: of the frame that each row shows, where rows are single frames of videos; beyond the end, the last one.
    on_bad_video: raise or skip.  max_bad_fraction: share of unreadable rows above which reading stops.
    """

    def __init__(
        self, paths, resolution, on_bad_video, max_bad_fraction, frames=1, stride=1, numbers=None
    ):
        if not paths:
            raise ValueError("No files to read: the split is empty.")
        self.paths, self.resolution = tuple(paths), resolution
        self.frames, self.stride, self.numbers = frames, stride, numbers
        self.on_bad_video, self.max_bad_fraction = on_bad_video, max_bad_fraction
        self.bad = {}  # row: message
        self._lock = threading.Lock()

    def __len__(self):
        return len(self.paths)

    @property
    def videos(self):
        """Whether a row is a whole video; a split holds one kind."""
        return self.numbers is None and any(map(frame_reader.is_video, self.paths))

    def read(self, row, moment, windows):
        """The pixels of one row, as TensorFlow ops.

        row: int64 [].  time: float32 [] in [0, 1]: where in a video the clip begins.
        windows: float32 [V, 3]: (factor, y, x) of each of V views.
        Returns uint8 [V, T, H, W, 3] (an image has T = 1), and the row that was read instead if this one is unreadable.
        """
        # stateful=False is true, and under op determinism a stateful op would read one file at a time.
        pixels, used = tf.numpy_function(
            self._read_or_next, [row, moment, windows], [tf.uint8, tf.int64], stateful=False
        )
        side = self.resolution
        return tf.ensure_shape(
            pixels, [windows.shape[0], self.frames, side, side, 3]
        ), tf.ensure_shape(used, [])

    def read_some(self, rows, moments, windows):
        """read() of n rows by one call, for the price of which a small image is read two or three times.

        rows: int64 [n].  moments: float32 [n].  windows: float32 [n, V, 3].
        Returns uint8 [n, V, T, H, W, 3] and int64 [n].
        """
        pixels, used = tf.numpy_function(
            self._read_some, [rows, moments, windows], [tf.uint8, tf.int64], stateful=False
        )
        side = self.resolution
        return tf.ensure_shape(
            pixels, [*windows.shape[:2], self.frames, side, side, 3]
        ), tf.ensure_shape(used, rows.shape)

    def _read_some(self, rows, moments, windows):
        pixels, used = zip(*(self._read_or_next(*one) for one in zip(rows, moments, windows)))
        return np.stack(pixels), np.stack(used)

    def _read_or_next(self, row, moment, windows):
        with reading() as ending:
            if ending:  # nobody will look at it
                return np.zeros(
                    (len(windows), self.frames, self.resolution, self.resolution, 3), np.uint8
                ), row
            return self._first_readable(row, moment, windows)

    def _first_readable(self, row, moment, windows):
        for step in range(len(self.paths)):
            used = (int(row) + step) % len(self.paths)
            try:
                return self._read(used, moment, windows), np.int64(used)
            except frame_reader.MediaError as error:
                self._note(used, str(error))
        raise frame_reader.MediaError(
            f"None of the {len(self)} files can be read; the first: {self.bad[min(self.bad)]}"
        )

    def _read(self, row, moment, windows):
        path, side = self.paths[row], self.resolution
        if not frame_reader.is_video(path):
            return image_io.read_image(path, side, side, windows)[:, None]
        choose = self.choose(row, moment)
        return np.stack(
            [frame_reader.read_frames(path, choose, side, side, view) for view in windows]
        )

    def choose(self, row, moment):
        """Function of a video's number of frames that returns the numbers of those that are shown."""
        if self.numbers is not None:
            return lambda num_frames: [min(self.numbers[row], num_frames - 1)]
        return lambda num_frames: sampling.frame_indices(
            num_frames, self.frames, self.stride, moment
        )

    def _note(self, row, message):
        """Count an unreadable row, name it once in the log, stop where that is asked for."""
        with self._lock:
            new = row not in self.bad
            self.bad[row] = message
            count = len(self.bad)
        if self.on_bad_video == "raise":
            raise frame_reader.MediaError(
                f"{message} (--on_bad_video=skip would read the next file instead.)"
            )
        if new:
            logging.warning(
                "Unreadable file %d of %d: %s The next one takes its place.",
                count,
                len(self),
                message,
            )
        if count > self.max_bad_fraction * len(self):
            raise frame_reader.MediaError(
                f"{count} of {len(self)} files cannot be read, more than --max_bad_fraction={self.max_bad_fraction:g} "
                f"allows; the last: {message}"
            )


class _Ending:
    """Lets a program end while files are being read ahead.

    Once Python shuts down, a thread that asks for its lock never returns, and TensorFlow, which waits for the reads of
    a data set that is still open, would wait for ever. So reading ends before that: what is under way is waited for,
    what comes later is answered without reading until the data set has enough.
    """

    def __init__(self):
        self.closed, self.under_way, self.last = False, 0, 0.0
        self.lock = threading.Lock()
        atexit.register(self.close)

    @contextlib.contextmanager
    def read(self):
        """Around one read; gives whether the program is ending."""
        with self.lock:
            self.under_way += 1
        try:
            yield self.closed
        finally:
            with self.lock:
                self.under_way -= 1
                self.last = time.monotonic()

    def close(self, quiet=0.1, patience=10.0):
        """Return when no read has been asked for in `quiet` seconds, or after `patience` seconds."""
        self.closed, self.last, begin = True, time.monotonic(), time.monotonic()
        while time.monotonic() - begin < patience and (
            self.under_way or time.monotonic() - self.last < quiet
        ):
            time.sleep(0.01)


reading = _Ending().read


@contextlib.contextmanager
def clear_errors(*kinds):
    """Turn TensorFlow's wrapping of an error in Python back into that error, one line: for loops over batches.

    kinds: exceptions beside MediaError, an unreadable file.  TensorFlow makes several lines of each, with a traceback
    and names of graph nodes.
    """
    try:
        yield
    except tf.errors.OpError as error:
        for kind in (frame_reader.MediaError, *kinds):
            if found := re.search(rf"\b{kind.__name__}: (.*)", str(error)):
                raise kind(found[1].strip()) from None
        raise
