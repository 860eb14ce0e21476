"""Yields anonymized frames of any source, one by one, for programs that use this package."""

import contextlib
import os
from collections.abc import Iterable, Iterator

import numpy as np

from tfanon.inference import video
from tfanon.media import live_source, scaling, video_reader


def stream_anonymized_frames(
    anonymizer: video.FrameAnonymizer,
    source: str | int | os.PathLike | Iterable[np.ndarray],
    ca_file: str = "",
) -> Iterator[np.ndarray]:
    """Yield anonymized frames, uint8 `[H, W, 3]`, upright, at the size of the source.

    Args:
        anonymizer: The anonymizer.
        source: As for `Anonymizer.stream`.
        ca_file: As for `Anonymizer.stream`.

    Yields:
        The frames.
    """
    if not isinstance(source, (str, int, os.PathLike)):
        yield from map(anonymizer, source)
    elif isinstance(source, int) or live_source.is_live_input(source):
        yield from _stream_live_source(anonymizer, str(source), ca_file)
    else:
        yield from _stream_file(anonymizer, os.fspath(source))


def _stream_live_source(
    anonymizer: video.FrameAnonymizer, address: str, ca_file: str
) -> Iterator[np.ndarray]:
    scaler, find_orientation = scaling.Scaler(), scaling.OrientationFinder()
    with live_source.open_live_source(address, ca_file=ca_file) as frames:
        for frame in frames:
            pixels = scaler.to_pixels(frame, frame.height, frame.width)
            yield anonymizer(scaling.make_upright(pixels, find_orientation(frame)))


def _stream_file(anonymizer: video.FrameAnonymizer, path: str) -> Iterator[np.ndarray]:
    """Yield the frames of a video file; later ones are prepared while the caller is busy."""
    with video_reader.open_video(path) as opened, contextlib.ExitStack() as stages:
        info = opened.info
        size = scaling.turn_size((info.height, info.width), info.rotation)
        for frame in video.run_stages(stages, opened, anonymizer):
            if isinstance(frame, video.UprightFrame):  # not a packet of sound
                yield scaling.resize_frames(frame.pixels[None], *size)[0]
