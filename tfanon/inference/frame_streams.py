"""Anonymized frames of whatever gives frames, one by one, for programs of one's own."""

import contextlib
import os

from tfanon.inference import video
from tfanon.inference.prefetch import ahead
from tfanon.media import live_source, scaling, video_reader


def anonymized(anonymizer, given, authority=""):
    """uint8 [H, W, 3], upright, at the source's size.  given, authority: as for Anonymizer.stream."""
    if not isinstance(given, (str, int, os.PathLike)):
        yield from map(anonymizer, given)
    elif live_source.is_live(given):
        with live_source.opened(given, authority=authority) as frames:
            scaler, find_turn = scaling.Scaler(), scaling.TurnFinder()
            for frame in frames:
                pixels = scaler.pixels(frame, frame.height, frame.width)
                upright = scaling.turned(pixels, find_turn(frame))
                yield anonymizer(upright)
    else:
        yield from _of_file(anonymizer, os.fspath(given))


def _of_file(anonymizer, path):
    """Read ahead while the caller is busy with the frame before."""
    with video_reader.open_video(path) as opened, contextlib.ExitStack() as stages:
        decoded = stages.enter_context(ahead(video.decoded(opened, anonymizer), video.DEPTH))
        for frame in stages.enter_context(
            ahead(video.anonymized(decoded, anonymizer), video.DEPTH)
        ):
            form = opened.form
            size = (form.width, form.height) if form.rotation % 2 else (form.height, form.width)
            yield scaling.resized(frame.pixels[None], *size)[0]
