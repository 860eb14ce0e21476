"""A picture at its own size: read upright, written without whatever else the file said (place, device, time)."""

import pathlib

import numpy as np
from PIL import Image

from tfanon.media import limits, reader, scaling
from tfanon.media.limits import MediaError

FORMATS = {".bmp": "BMP", ".jpeg": "JPEG", ".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP"}


def read_still(path):
    """uint8 [H, W, 3] RGB of the image at `path`, turned as its orientation tag says; alpha is dropped.

    Raises MediaError that names the file, also for a truncated one and for one with several pictures.
    """
    with reader.opened(path, explode=True) as (container, stream):
        frames = list(_first_two(container, stream, path))
    if len(frames) != 1:
        raise MediaError(f"{path}: {'no image' if not frames else 'more than one picture'} in it.")
    frame = frames[0]
    return scaling.turned(scaling.Scaler().pixels(frame, frame.height, frame.width), scaling.turn(frame))


def write_still(path, pixels, quality=None):
    """Write uint8 [H, W, 3] RGB.  quality: 1 to 100, of JPEG and WebP; None: 92.  The ending of `path` decides."""
    ending = pathlib.Path(path).suffix.lower()
    if ending not in FORMATS:
        raise ValueError(f"Cannot write an image that ends in '{ending}': choose {' '.join(FORMATS)}.")
    Image.fromarray(np.ascontiguousarray(pixels)).save(path, FORMATS[ending], quality=quality or 92)


def _first_two(container, stream, path):
    for number, frame in enumerate(container.decode(stream)):
        limits.check_pixels(path, frame.width, frame.height)
        yield frame
        if number:
            return
