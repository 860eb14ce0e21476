"""Frames of libav to arrays and back, scaled on the way: a full-size array is never made where a small one is wanted."""

import av
import av.video.reformatter
import numpy as np
from av.sidedata.sidedata import Type
from av.video.reformatter import ColorRange, Colorspace

from tfanon.media import reader

SPACES = {1: Colorspace.ITU709, 4: Colorspace.FCC, 7: Colorspace.SMPTE240M, 9: Colorspace.BT2020}  # H.273 -> swscale
FULL = 2  # H.273's range of 0 to 255
MIRRORED = 4  # more than the turn of a frame that is not


class Scaler:
    """One direction and one size; keeps its swscale context, so one per stream of frames."""

    def __init__(self):
        self._reformatter = av.video.reformatter.VideoReformatter()

    def pixels(self, frame, height, width):
        """uint8 [height, width, 3] RGB of an av.VideoFrame, squeezed to that size; an array of its own."""
        scaled = self._reformatter.reformat(
            frame, width=width, height=height, format="rgb24", interpolation="BILINEAR", threads=1)
        return np.array(reader.pixels(scaled))

    def frame(self, pixels, height, width, pixel_format, colour):
        """av.VideoFrame of uint8 [h, w, 3] RGB, stretched to height x width.  colour: as in source.Form."""
        space, reach = SPACES.get(colour[0], Colorspace.ITU601), ColorRange.JPEG if colour[1] == FULL else ColorRange.MPEG
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        return self._reformatter.reformat(
            frame, width=width, height=height, format=pixel_format, dst_colorspace=space, dst_color_range=reach,
            interpolation="BILINEAR", threads=1)


@classmethod
def _unnamed(cls, value):
    """A kind of side data that PyAV 18 has no name for, such as EXIF tags: it refuses the others of the frame as well."""
    kind = object.__new__(cls)
    kind._name_, kind._value_ = f"KIND_{value}", value
    return kind


Type._missing_ = _unnamed


def matrix(frame):
    """libav's display matrix of an av.VideoFrame, 9 integers, or None."""
    found = frame.side_data.get(Type.DISPLAYMATRIX)
    return found and tuple(memoryview(bytes(found)).cast("i"))


def turn(frame):
    """What shows an av.VideoFrame upright: 0 to 3 quarter turns counter-clockwise; 4 to 7: the same, of its mirror image.

    That is mirrored top to bottom: libav takes the angle from the first row of the matrix, which then stays as it is.
    """
    a, b, _, c, d, *_ = matrix(frame) or (1, 0, 0, 0, 1)
    return round(frame.rotation / 90) % 4 + (MIRRORED if a * d < b * c else 0)


def turned(pixels, turn):
    """Pixels [H, W, C] upright.  turn: as above."""
    return np.ascontiguousarray(np.rot90(pixels[::-1] if turn >= MIRRORED else pixels, turn % MIRRORED))


def back(turn):
    """The turn that undoes `turn`: a mirrored one is its own opposite."""
    return turn if turn >= MIRRORED else -turn % MIRRORED


def resized(frames, height, width):
    """uint8 [n, H, W, 3] -> [n, height, width, 3]; the same array where nothing is to be done."""
    if frames.shape[1:3] == (height, width):
        return frames
    scaler = Scaler()
    return np.stack([scaler.pixels(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24"), height, width)
                     for frame in frames])
