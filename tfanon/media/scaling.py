"""Frames of libav to arrays and back, scaled on the way: a full-size array is never made where a small one is wanted."""

import av
import av.video.reformatter
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from tfanon.media import reader

SPACES = {1: Colorspace.ITU709, 4: Colorspace.FCC, 7: Colorspace.SMPTE240M, 9: Colorspace.BT2020}  # H.273 -> swscale
FULL = 2  # H.273's range of 0 to 255


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


def quarters(frame):
    """Quarter turns counter-clockwise that show an av.VideoFrame upright, 0 to 3."""
    return round(frame.rotation / 90) % 4


def resized(frames, height, width):
    """uint8 [n, H, W, 3] -> [n, height, width, 3]; the same array where nothing is to be done."""
    if frames.shape[1:3] == (height, width):
        return frames
    scaler = Scaler()
    return np.stack([scaler.pixels(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24"), height, width)
                     for frame in frames])
