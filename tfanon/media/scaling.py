"""Frames of libav to arrays and back, scaled on the way: a full-size array is never made where a small one is wanted."""

import av
import av.video.reformatter
import numpy as np
from av.sidedata.sidedata import Type
from av.video.reformatter import ColorRange, Colorspace

from tfanon.media import tone_mapping

SWSCALE_COLORSPACES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
}  # H.273 -> swscale
WHOLE_FRAME = (1.0, 0.0, 0.0)  # the window that leaves nothing out
BT601_MATRICES = (2, 5, 6)  # PAL's and NTSC's; what says nothing is taken for it, as swscale does
FULL_RANGE = 2  # H.273's range of 0 to 255
SDR_COLOUR = (1, 1, 1, 1)  # BT.709 throughout, as colour of a source.Form
MIRRORED_OFFSET = 4  # more than the turn of a frame that is not


class Scaler:
    """One direction and one size; keeps its swscale context, so one per stream of frames."""

    def __init__(self):
        self._reformatter = av.video.reformatter.VideoReformatter()
        self._alpha_reformatter = av.video.reformatter.VideoReformatter()

    def pixels(self, frame, height, width):
        """uint8 [height, width, 3] RGB of an av.VideoFrame, squeezed to that size; an array of its own."""
        return np.array(self.view(frame, height, width))

    def view(self, frame: av.VideoFrame, height: int, width: int) -> np.ndarray:
        """As pixels(), without a copy: valid until the next call."""
        if any(component.is_alpha for component in frame.format.components):
            return self._lay_on_white(frame, height, width)
        return tone_mapping.read_sdr_pixels(frame, height, width, self._reformatter)

    def _lay_on_white(self, frame: av.VideoFrame, height: int, width: int) -> np.ndarray:
        """Pixels of a frame with transparency, whose hidden colours stay hidden."""
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
        lines = np.frombuffer(scaled.planes[0], np.uint8).reshape(
            height, scaled.planes[0].line_size
        )
        return lay_on_white(colours, lines[:, : 4 * width].reshape(height, width, 4)[..., 3])

    def frame(self, pixels, height, width, pixel_format, colour):
        """av.VideoFrame of uint8 [h, w, 3] RGB, stretched to height x width.  colour: as in source.Form."""
        space, reach = (
            SWSCALE_COLORSPACES.get(colour[0], Colorspace.ITU601),
            ColorRange.JPEG if colour[1] == FULL_RANGE else ColorRange.MPEG,
        )
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        return self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format=pixel_format,
            dst_colorspace=space,
            dst_color_range=reach,
            interpolation="BILINEAR",
            threads=1,
        )


class WindowScaler:
    """Cuts a window out of upright frames and scales it to height x width. One swscale context serves a whole clip."""

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width, self._scaler, self._find_orientation = (
            height,
            width,
            Scaler(),
            OrientationFinder(),
        )

    def __call__(
        self, frame: av.VideoFrame, crop: tuple[float, float, float], rotation: int | None = None
    ) -> np.ndarray:
        """uint8 [height, width, 3] of a window of a frame.

        The whole frame is scaled, then sliced: swscale has no window of its own.

        Args:
            frame: As decoded.
            crop: (factor, y, x) of the window in the upright frame, as in reader.read_frames.
            rotation: What shows it upright, as turn() says; None: as its own side data says.
        """
        factor, y, x = crop
        tall, wide = round(self.height / factor), round(self.width / factor)
        rotation = self._find_orientation(frame) if rotation is None else rotation
        stored = (wide, tall) if rotation % 2 else (tall, wide)
        upright = make_upright(self._scaler.view(frame, *stored), rotation)
        top, left = round(y * (tall - self.height)), round(x * (wide - self.width))
        return upright[top : top + self.height, left : left + self.width]


def lay_on_white(pixels: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 3] of colours and alpha [H, W]: levels are mixed, not light, as in browsers."""
    share = alpha[..., None].astype(np.uint16)
    mixed = pixels * share + 255 * (255 - share)
    return ((mixed + 127) // 255).astype(np.uint8)


def choose_output_colour(colour: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """What a copy in 8 bits says of its colours, by what its original says.

    Args:
        colour: As in source.Form: (space, range, primaries, transfer).

    Returns:
        The same where it suits Y'CbCr in 8 bits. HDR was tone-mapped to BT.709, and the matrix of RGB, or another one
        that swscale does not compute, becomes that of BT.709.
    """
    space, reach, primaries, transfer = colour
    if tone_mapping.is_hdr(colour):
        return SDR_COLOUR
    known = space in SWSCALE_COLORSPACES or space in BT601_MATRICES
    return (space if known else 1, reach, primaries, transfer)


@classmethod
def _name_unknown_kind(cls, value):
    """A kind of side data that PyAV 18 has no name for, such as EXIF tags: it refuses the others of the frame as well."""
    kind = object.__new__(cls)
    kind._name_, kind._value_ = f"KIND_{value}", value
    return kind


Type._missing_ = _name_unknown_kind


def read_display_matrix(frame, is_safe=False):
    """libav's display matrix of an av.VideoFrame, 9 integers, or None.

    is_safe: its side data may be looked at, whatever tone_mapping.has_safe_side_data says.
    """
    if not (is_safe or tone_mapping.has_safe_side_data(frame)):
        return None
    found = frame.side_data.get(Type.DISPLAYMATRIX)
    return found and tuple(memoryview(bytes(found)).cast("i"))


def find_orientation(frame, is_safe=False):
    """What shows an av.VideoFrame upright: 0 to 3 quarter turns counter-clockwise; 4 to 7: the same, of its mirror image.

    That is mirrored top to bottom: libav takes the angle from the first row of the matrix, which then stays as it is.
    An angle between quarter turns counts as none: players show such a frame as it is stored.
    is_safe: as in matrix().
    """
    if frame.rotation % 90:
        return 0
    a, b, _, c, d, *_ = read_display_matrix(frame, is_safe) or (1, 0, 0, 0, 1)
    return round(frame.rotation / 90) % 4 + (MIRRORED_OFFSET if a * d < b * c else 0)


class OrientationFinder:
    """turn() of the frames of one video.

    Whoever has looked at a frame's side data keeps the frame in memory until the next garbage collection, so that is done
    once for each rotation, which costs nothing to read.
    """

    def __init__(self) -> None:
        self._orientations: dict[float, int] = {}

    def __call__(self, frame: av.VideoFrame) -> int:
        """What shows the frame upright, as turn() says."""
        if frame.rotation not in self._orientations:
            self._orientations[frame.rotation] = find_orientation(frame)
        return self._orientations[frame.rotation]


def make_upright(pixels, orientation):
    """Pixels [H, W, C] upright.  turn: as above."""
    if not orientation:
        return pixels
    return np.ascontiguousarray(
        np.rot90(
            pixels[::-1] if orientation >= MIRRORED_OFFSET else pixels,
            orientation % MIRRORED_OFFSET,
        )
    )


def invert_orientation(orientation):
    """The turn that undoes `turn`: a mirrored one is its own opposite."""
    return orientation if orientation >= MIRRORED_OFFSET else -orientation % MIRRORED_OFFSET


def resize_frames(frames, height, width):
    """uint8 [n, H, W, 3] -> [n, height, width, 3]; the same array where nothing is to be done."""
    if frames.shape[1:3] == (height, width):
        return frames
    scaler = Scaler()
    return np.stack(
        [
            scaler.pixels(
                av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24"),
                height,
                width,
            )
            for frame in frames
        ]
    )
