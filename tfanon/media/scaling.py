"""Converts libav's frames to arrays and back, and scales them on the way.

No array of the full size is made if a small one is wanted.
"""

from typing import Any

import av
import av.video.reformatter
import numpy as np
from av.sidedata.sidedata import Type
from av.video.reformatter import ColorRange, Colorspace

from tfanon.media import tone_mapping
from tfanon.media.tone_mapping import ColourTags

Crop = tuple[float, float, float]  # (factor, y, x) of a window, as in frame_reader.read_frames
WHOLE_FRAME: Crop = (1.0, 0.0, 0.0)

SWSCALE_COLORSPACES = {  # matrix by ITU-T H.273: name in swscale
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
}
# Those of PAL and NTSC, and an unspecified matrix, for which swscale takes BT.601 as well.
BT601_MATRICES = (2, 5, 6)
FULL_RANGE = 2  # libav's number for levels of 0 to 255
SDR_COLOUR: ColourTags = (1, 1, 1, 1)  # BT.709 throughout

# Orientations 0 to 3 are quarter turns, 4 to 7 the same of the mirror image.
MIRRORED_OFFSET = 4


class Scaler:
    """Converts and scales frames in one direction and to one size.

    It keeps swscale's context, so make one per stream of frames.
    """

    def __init__(self) -> None:
        self._reformatter = av.video.reformatter.VideoReformatter()
        self._alpha_reformatter = av.video.reformatter.VideoReformatter()

    def to_pixels(self, frame: av.VideoFrame, height: int, width: int) -> np.ndarray:
        """Convert a frame to RGB, squeezed or stretched to a size.

        Args:
            frame: A decoded frame.
            height: Height of the result in pixels.
            width: Width of the result in pixels.

        Returns:
            uint8 ``[height, width, 3]``, which owns its memory; what is transparent is on white.
        """
        return np.array(self.view_pixels(frame, height, width))

    def view_pixels(self, frame: av.VideoFrame, height: int, width: int) -> np.ndarray:
        """Convert a frame as to_pixels does, without a copy: valid until the next call."""
        if any(component.is_alpha for component in frame.format.components):
            return self._lay_on_white(frame, height, width)
        return tone_mapping.read_sdr_pixels(frame, height, width, self._reformatter)

    def _lay_on_white(self, frame: av.VideoFrame, height: int, width: int) -> np.ndarray:
        """Convert a frame with transparency; colours that it hides stay hidden."""
        colours = tone_mapping.read_sdr_pixels(frame, height, width, self._reformatter)
        scaled = self._alpha_reformatter.reformat(
            frame,
            width=width,
            height=height,
            format="rgba",
            interpolation="BILINEAR",
            threads=1,
            **tone_mapping.choose_conversion(frame),
        )
        rgba = tone_mapping.view_packed_pixels(scaled, np.uint8, channels=4)
        return lay_on_white(colours, rgba[..., 3])

    def to_frame(
        self, pixels: np.ndarray, height: int, width: int, pixel_format: str, colour: ColourTags
    ) -> av.VideoFrame:
        """Convert RGB to a frame, squeezed or stretched to a size.

        Args:
            pixels: uint8 ``[H, W, 3]``.
            height: Height of the frame in pixels.
            width: Width of the frame in pixels.
            pixel_format: libav's name of the pixel format, such as ``yuv420p``.
            colour: Matrix and range that the frame gets; its other tags are not looked at.
        """
        matrix, colour_range = colour[:2]
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        return self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format=pixel_format,
            dst_colorspace=SWSCALE_COLORSPACES.get(matrix, Colorspace.ITU601),
            dst_color_range=ColorRange.JPEG if colour_range == FULL_RANGE else ColorRange.MPEG,
            interpolation="BILINEAR",
            threads=1,
        )


class WindowScaler:
    """Cuts a window out of upright frames and scales it to one size.

    One context of swscale serves a whole clip.
    """

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width
        self._scaler = Scaler()
        self._find_orientation = OrientationFinder()

    def __call__(
        self, frame: av.VideoFrame, crop: Crop, orientation: int | None = None
    ) -> np.ndarray:
        """Cut and scale a window of a frame.

        The whole frame is scaled, then sliced: swscale has no window of its own.

        Args:
            frame: A decoded frame.
            crop: (factor, y, x) of the window in the upright frame, as in frame_reader.read_frames.
            orientation: As find_orientation returns it; None to read it from the frame.

        Returns:
            uint8 ``[height, width, 3]``.
        """
        factor, y, x = crop
        full_height, full_width = round(self.height / factor), round(self.width / factor)
        if orientation is None:
            orientation = self._find_orientation(frame)
        size = turn_size((full_height, full_width), orientation)
        upright = make_upright(self._scaler.view_pixels(frame, *size), orientation)
        top, left = round(y * (full_height - self.height)), round(x * (full_width - self.width))
        return upright[top : top + self.height, left : left + self.width]


def lay_on_white(pixels: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Blend a picture with white by its alpha: levels are mixed, not light, as in browsers.

    Args:
        pixels: uint8 ``[H, W, 3]``.
        alpha: uint8 ``[H, W]``; 0 is transparent.

    Returns:
        uint8 ``[H, W, 3]``.
    """
    opacity = alpha[..., None].astype(np.uint16)
    mixed = pixels * opacity + 255 * (255 - opacity)
    return ((mixed + 127) // 255).astype(np.uint8)


def choose_output_colour(colour: ColourTags) -> ColourTags:
    """Choose the colour tags of an 8-bit copy by those of its original.

    Args:
        colour: (matrix, range, primaries, transfer) of the original.

    Returns:
        The same tags if they suit Y'CbCr in 8 bits. HDR was tone-mapped to BT.709, and the matrix
        of RGB, or another that swscale does not compute, becomes that of BT.709.
    """
    matrix, colour_range, primaries, transfer = colour
    if tone_mapping.is_hdr(colour):
        return SDR_COLOUR
    is_supported = matrix in SWSCALE_COLORSPACES or matrix in BT601_MATRICES
    return (matrix if is_supported else 1, colour_range, primaries, transfer)


def _name_unknown_kind(cls: type[Type], value: object) -> Type:
    """Make a member for a kind of side data that PyAV has no name for, such as Exif tags."""
    kind: Any = object.__new__(cls)
    kind._name_, kind._value_ = f"KIND_{value}", value
    return kind


# PyAV 18 raises an error for a frame with such a kind, so that no other kind can be read either.
Type._missing_ = classmethod(_name_unknown_kind)  # type: ignore[assignment, method-assign]


def read_display_matrix(frame: av.VideoFrame, is_safe: bool = False) -> tuple[int, ...] | None:
    """Read libav's display matrix of a frame.

    Args:
        frame: A decoded frame.
        is_safe: Whether its side data may be looked at although
            ``tone_mapping.has_safe_side_data`` says no.

    Returns:
        9 integers; None if the frame has no matrix, or if its side data must not be looked at.
    """
    if not (is_safe or tone_mapping.has_safe_side_data(frame)):
        return None
    # PyAV's stubs know only strings as keys.
    side_data = frame.side_data.get(Type.DISPLAYMATRIX)  # type: ignore[call-overload]
    if side_data is None:
        return None
    return tuple(memoryview(bytes(side_data)).cast("i"))


def find_orientation(frame: av.VideoFrame, is_safe: bool = False) -> int:
    """Find which operation shows a frame upright.

    An angle between quarter turns counts as none: players show such a frame as it is stored.

    Args:
        frame: A decoded frame.
        is_safe: As in read_display_matrix.

    Returns:
        0 to 3: so many quarter turns counter-clockwise. 4 to 7: the same of the frame mirrored top
        to bottom. It is mirrored that way since libav takes the angle from the first row of the
        matrix, which then stays as it is.
    """
    if frame.rotation % 90:
        return 0
    quarter_turns = round(frame.rotation / 90) % 4
    matrix = read_display_matrix(frame, is_safe)
    if not matrix:
        return quarter_turns
    a, b, _, c, d, *_ = matrix
    is_mirrored = a * d < b * c
    return quarter_turns + (MIRRORED_OFFSET if is_mirrored else 0)


class OrientationFinder:
    """Finds the orientation of the frames of one video.

    A frame whose side data was looked at stays in memory until the next garbage collection.
    So that is done once for each rotation, which costs nothing to read.
    """

    def __init__(self) -> None:
        self._orientations: dict[float, int] = {}

    def __call__(self, frame: av.VideoFrame) -> int:
        """Return the orientation of a frame, as find_orientation does."""
        if frame.rotation not in self._orientations:
            self._orientations[frame.rotation] = find_orientation(frame)
        return self._orientations[frame.rotation]


def make_upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn and mirror a picture.

    Args:
        pixels: ``[H, W, C]`` as stored.
        orientation: As find_orientation returns it.

    Returns:
        ``[H, W, C]``, or ``[W, H, C]`` after an odd number of quarter turns.
    """
    if not orientation:
        return pixels
    if orientation >= MIRRORED_OFFSET:
        pixels = pixels[::-1]
    return np.ascontiguousarray(np.rot90(pixels, orientation % MIRRORED_OFFSET))


def invert_orientation(orientation: int) -> int:
    """Return the orientation that undoes another; a mirrored one undoes itself."""
    return orientation if orientation >= MIRRORED_OFFSET else -orientation % MIRRORED_OFFSET


def turn_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Return (H, W) after an orientation: an odd number of quarter turns swaps the sides.

    It works both ways, from the stored to the upright size and back.
    """
    height, width = size
    return (width, height) if orientation % 2 else (height, width)


def resize_frames(frames: np.ndarray, height: int, width: int) -> np.ndarray:
    """Scale RGB frames to a size.

    Args:
        frames: uint8 ``[T, H, W, 3]``.
        height: Height of the result in pixels.
        width: Width of the result in pixels.

    Returns:
        uint8 ``[T, height, width, 3]``; the same array if it has this size already.
    """
    if frames.shape[1:3] == (height, width):
        return frames
    scaler = Scaler()
    resized = []
    for pixels in frames:
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        resized.append(scaler.to_pixels(frame, height, width))
    return np.stack(resized)
