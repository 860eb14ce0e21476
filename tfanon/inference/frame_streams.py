"""Anonymized frames of whatever gives frames, one by one, for programs of one's own."""

import contextlib
import os

from tfanon.inference import video
from tfanon.inference.prefetch import prefetch
from tfanon.media import live_source, scaling, video_reader


def stream_anonymized_frames(anonymizer, source, ca_file=""):
    """uint8 [H, W, 3], upright, at the source's size.  given, authority: as for Anonymizer.stream."""
    if not isinstance(source, (str, int, os.PathLike)):
        yield from map(anonymizer, source)
    elif live_source.is_live_input(source):
        with live_source.open_live_source(source, ca_file=ca_file) as frames:
            scaler, find_turn = scaling.Scaler(), scaling.OrientationFinder()
            for frame in frames:
                pixels = scaler.to_pixels(frame, frame.height, frame.width)
                upright = scaling.make_upright(pixels, find_turn(frame))
                yield anonymizer(upright)
    else:
        yield from _stream_file(anonymizer, os.fspath(source))


def _stream_file(anonymizer, path):
    """Read ahead while the caller is busy with the frame before."""
    with video_reader.open_video(path) as opened, contextlib.ExitStack() as stages:
        decoded = stages.enter_context(
            prefetch(video.decode_frames(opened, anonymizer), video.PREFETCH_FRAMES)
        )
        for frame in stages.enter_context(
            prefetch(video.anonymize_frames(decoded, anonymizer), video.PREFETCH_FRAMES)
        ):
            info = opened.info
            size = (info.width, info.height) if info.rotation % 2 else (info.height, info.width)
            yield scaling.resize_frames(frame.pixels[None], *size)[0]
