"""Converts HDR frames (PQ and HLG) to SDR as a player does for an ordinary screen.

The signal is made linear (SMPTE ST 2084 for PQ, ITU-R BT.2100-2 for HLG), its highlights are
compressed with the roll-off of ITU-R BT.2390 (EETF), its colours go from BT.2020 to BT.709, and the
result is encoded for a display after ITU-R BT.1886. SDR white is 203 cd/m2, the HDR reference white
of ITU-R BT.2408. The curve is the same for every frame, so that brightness does not flicker with
what a frame shows.
"""

import functools
import struct
from collections.abc import Iterator
from typing import Protocol

import av
import av.video.reformatter
import numpy as np
from av.sidedata.sidedata import Type
from av.video.reformatter import ColorRange, Colorspace

from tfanon.media.limits import MediaError

PQ, HLG = 16, 18  # transfer characteristics of ITU-T H.273
HDR_TRANSFERS = {PQ: "PQ", HLG: "HLG"}  # SDR screens cannot show them

REFERENCE_WHITE = 203.0  # cd/m2, BT.2408
SOURCE_PEAK = 1000.0  # cd/m2: of HLG by BT.2100, of most PQ masters; what is brighter becomes white
PQ_PEAK = 10000.0  # cd/m2 of a full PQ signal
PQ_CONSTANTS = (  # m1, m2, c1, c2, c3 of SMPTE ST 2084
    2610 / 16384,
    2523 / 4096 * 128,
    3424 / 4096,
    2413 / 4096 * 32,
    2392 / 4096 * 32,
)
HLG_GAMMA = 1.2  # system gamma of BT.2100 at a peak of 1000 cd/m2
SDR_GAMMA = 2.4  # BT.1886

FULL_SIGNAL = 65535
# Entries of the tables over the square root of light, which is fine enough near black.
ROOT_TABLE_SIZE = 1 << 16
MIN_LIGHT = np.float32(1e-9)  # so that nothing is divided by zero
BLOCK_PIXELS = 1 << 14  # converted at a time: temporaries stay in the processor's cache

D65 = (0.3127, 0.3290)
PRIMARIES = {  # H.273 number: (x, y) of red, green and blue; all with D65 as white
    1: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),  # BT.709
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),  # BT.2020
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),  # Display P3
}
BT709_PRIMARIES, BT2020_PRIMARIES = 1, 9
# Matrices by their H.273 numbers.
UNSPECIFIED_MATRIX = 2
DOVI_PROFILE_5_MATRIX = 15
SUPPORTED_MATRICES = (0, 1, 2, 4, 5, 6, 7, 9)  # libav converts them as they are tagged
SUBSTITUTE_MATRICES = {  # libav has always converted them like these
    3: Colorspace.ITU601,  # reserved: as if there were no tag
    10: Colorspace.BT2020,  # constant luminance
    12: Colorspace.BT2020,  # derived from the primaries
    13: Colorspace.BT2020,
}
PNG_FORMATS = (  # pixel formats that libav's PNG decoder returns
    "rgb24",
    "rgba",
    "gray",
    "ya8",
    "pal8",
    "monob",
    "rgb48be",
    "rgba64be",
    "gray16be",
    "ya16be",
)
DOVI_SIGNAL_SPACE_OFFSET = 185  # of signal_color_space in libav's AVDOVIColorMetadata
DOVI_SIGNAL_SPACE_IPT = 2  # its value for IPT, which is profile 5

ColourTags = tuple[int, int, int, int]  # (matrix, range, primaries, transfer) by ITU-T H.273


class HasTransfer(Protocol):
    """A frame or codec context, as far as its transfer characteristic."""

    @property
    def color_trc(self) -> int:
        """The number of ITU-T H.273."""


def is_hdr(colour: HasTransfer | ColourTags) -> bool:
    """Return whether a picture is HDR, by the transfer characteristic that it is tagged with.

    Args:
        colour: A frame or codec context, or the four tags.
    """
    transfer = colour[3] if isinstance(colour, tuple) else colour.color_trc
    return transfer in HDR_TRANSFERS


def check_colour(path: object, frame: av.VideoFrame) -> None:
    """Refuse a frame whose colours would come out wrong: one that is neither Y'CbCr nor RGB.

    Dolby Vision profile 5 is such a case. Its files often bear no tag, and without the metadata of
    each picture they are green and violet in every player.

    Args:
        path: Name of the file, for the message.
        frame: One of its frames.

    Raises:
        MediaError: The colours cannot be converted.
    """
    is_profile_5 = frame.colorspace == DOVI_PROFILE_5_MATRIX
    if is_profile_5 or _read_dovi_signal_space(frame) == DOVI_SIGNAL_SPACE_IPT:
        raise MediaError(
            f"{path}: Dolby Vision without a base layer for other players (profile 5); convert "
            "it to profile 8 or to SDR first."
        )
    convertible_matrices = (*SUPPORTED_MATRICES, *SUBSTITUTE_MATRICES)
    if not frame.format.is_rgb and frame.colorspace not in convertible_matrices:
        raise MediaError(
            f"{path}: its colours cannot be converted (matrix {frame.colorspace} of ITU-T H.273); "
            "convert it to BT.709 first."
        )


class ColourChecker:
    """Checks the first frame of a video, and each whose matrix differs from that before."""

    def __init__(self, path: object) -> None:
        """Start before the first frame.

        Args:
            path: Name of the file, for messages.
        """
        self._path = path
        self._matrix: int | None = None

    def __call__(self, frame: av.VideoFrame) -> None:
        """Check a frame as check_colour does.

        Raises:
            MediaError: The colours cannot be converted.
        """
        if frame.colorspace != self._matrix:
            check_colour(self._path, frame)
            self._matrix = frame.colorspace


def read_sdr_pixels(
    frame: av.VideoFrame,
    height: int,
    width: int,
    reformatter: av.video.reformatter.VideoReformatter,
) -> np.ndarray:
    """Convert a frame, HDR or not, to SDR pixels; it is scaled before it is tone-mapped.

    Args:
        frame: A decoded frame that check_colour accepts. HDR without a matrix tag counts as
            BT.2020.
        height: Height of the result in pixels.
        width: Width of the result in pixels.
        reformatter: Keeps the context of the scaler; one per stream of frames.

    Returns:
        uint8 ``[height, width, 3]`` R'G'B'; of an SDR frame a view, whose lines may carry padding.

    Raises:
        av.FFmpegError: The frame is one that check_colour refuses.
    """
    pixel_format = "rgb48le" if is_hdr(frame) else "rgb24"
    scaled = reformatter.reformat(
        frame,
        width=width,
        height=height,
        format=pixel_format,
        interpolation="BILINEAR",
        threads=1,
        **choose_conversion(frame),
    )
    if not is_hdr(frame):
        return view_packed_pixels(scaled, np.uint8)
    return tone_map(
        view_packed_pixels(scaled, np.uint16),
        frame.color_trc,
        frame.color_primaries,
        _get_full_signal(frame),
    )


def tone_map(
    pixels: np.ndarray, transfer: int, primaries: int = BT2020_PRIMARIES, white: int = FULL_SIGNAL
) -> np.ndarray:
    """Convert HDR R'G'B' to SDR R'G'B'.

    The three channels of a pixel are scaled alike, by what the curve does to the largest, so that
    hues stay. Grey stays grey and black stays black; colours outside BT.709 are clipped to it.

    Args:
        pixels: uint16 ``[..., 3]``, full range.
        transfer: ``PQ`` or ``HLG``.
        primaries: H.273 number of the colour primaries; an unknown one counts as BT.2020.
        white: The value of a full signal. libav gives a little less than 65535.

    Returns:
        uint8 of the same shape: BT.709 primaries, for a BT.1886 display.

    Raises:
        ValueError: The transfer is neither PQ nor HLG.
    """
    light = _build_light_table(transfer, white)
    luminance, to_bt709 = _build_matrices(primaries if primaries in PRIMARIES else BT2020_PRIMARIES)
    result = np.empty(pixels.shape, np.uint8)
    flat = result.reshape(-1, 3)
    for rows, block in _iterate_blocks(pixels):
        rgb = _look_up(light, np.ascontiguousarray(block.T))  # [3, n], 1 is the SDR white
        if transfer == HLG:
            _apply_system_gamma(rgb, luminance)
        rgb *= _compute_gain(rgb.max(axis=0))
        # The rows of the matrix sum to 1, so only the differences from green need it: grey stays
        # grey to the last bit.
        green = rgb[1].copy()
        rgb -= green
        sdr = to_bt709 @ rgb
        sdr += green
        flat[rows] = _encode_sdr(sdr).T
    return result


def pq_eotf(signal: np.ndarray | float) -> np.ndarray:
    """Convert a PQ signal in [0, 1] to light in cd/m2 (EOTF of SMPTE ST 2084)."""
    m1, m2, c1, c2, c3 = PQ_CONSTANTS
    power = np.power(signal, 1 / m2)
    return PQ_PEAK * np.power(np.maximum(power - c1, 0) / (c2 - c3 * power), 1 / m1)


def pq_inverse_eotf(light: np.ndarray | float) -> np.ndarray:
    """Convert light in cd/m2 to a PQ signal in [0, 1] (inverse EOTF of SMPTE ST 2084)."""
    m1, m2, c1, c2, c3 = PQ_CONSTANTS
    power = np.power(np.divide(light, PQ_PEAK), m1)
    return np.power((c1 + c2 * power) / (1 + c3 * power), m2)


def hlg_inverse_oetf(signal: np.ndarray | float) -> np.ndarray:
    """Convert an HLG signal to scene light, both in [0, 1] (ITU-R BT.2100-2, table 5)."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    signal = np.asarray(signal, np.float64)
    return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)


def compress_highlights(light: np.ndarray | float) -> np.ndarray:
    """Compress light from SOURCE_PEAK to REFERENCE_WHITE (EETF of ITU-R BT.2390, section 5.4).

    Args:
        light: Light in cd/m2; black is at 0.

    Returns:
        Light in cd/m2, at most REFERENCE_WHITE; unchanged below the knee, about 88 cd/m2.
    """
    source_peak = pq_inverse_eotf(SOURCE_PEAK)
    peak = pq_inverse_eotf(REFERENCE_WHITE) / source_peak
    signal = np.minimum(pq_inverse_eotf(light) / source_peak, 1)
    knee = 1.5 * peak - 0.5
    t = np.maximum(signal - knee, 0) / (1 - knee)
    spline = (
        (2 * t**3 - 3 * t**2 + 1) * knee
        + (t**3 - 2 * t**2 + t) * (1 - knee)
        + (-2 * t**3 + 3 * t**2) * peak
    )
    compressed = pq_eotf(np.where(signal < knee, signal, spline) * source_peak)
    # Below the knee the input itself, without the rounding errors of two conversions.
    return np.where(signal < knee, light, compressed)


def rgb_to_xyz(primaries: int) -> np.ndarray:
    """Derive the matrix from linear RGB to CIE XYZ (SMPTE RP 177).

    Args:
        primaries: A key of ``PRIMARIES``.

    Returns:
        ``[3, 3]``; white has Y = 1.
    """
    columns = np.stack([_convert_to_xyz(point) for point in PRIMARIES[primaries]], axis=1)
    return columns * np.linalg.solve(columns, _convert_to_xyz(D65))


def _convert_to_xyz(point: tuple[float, float]) -> np.ndarray:
    """Convert the chromaticity (x, y) to XYZ at Y = 1."""
    x, y = point
    return np.array([x / y, 1, (1 - x - y) / y])


def choose_conversion(frame: av.VideoFrame) -> dict[str, Colorspace]:
    """Return the arguments of a reformatter for the matrix of a frame.

    Returns:
        Nothing if the reformatter understands the frame's own tag.
    """
    matrix = SUBSTITUTE_MATRICES.get(frame.colorspace)
    if is_hdr(frame) and frame.colorspace == UNSPECIFIED_MATRIX:
        matrix = Colorspace.BT2020  # swscale would take BT.601
    if matrix is None or frame.format.is_rgb:
        return {}
    # For the result too: it copies the frame's tag, and the reformatter refuses it there as well.
    return {"src_colorspace": matrix, "dst_colorspace": matrix}


def has_safe_side_data(frame: av.VideoFrame) -> bool:
    """Return whether the side data of a frame may be looked at.

    PyAV 18 frees the metadata of a PNG frame with a colour profile twice, which ends the process.
    """
    return frame.format.name not in PNG_FORMATS


def _read_dovi_signal_space(frame: av.VideoFrame) -> int | None:
    """Return signal_color_space of a frame's Dolby Vision metadata; None if it has none."""
    if not has_safe_side_data(frame):
        return None
    # PyAV's stubs know only strings as keys.
    metadata = frame.side_data.get(Type.DOVI_METADATA)  # type: ignore[call-overload]
    if metadata is None:
        return None
    content = bytes(metadata)
    # libav's AVDOVIMetadata begins with the offsets of its header, mapping and colour.
    _, _, colour_offset = struct.unpack_from("@3N", content)
    return content[colour_offset + DOVI_SIGNAL_SPACE_OFFSET]


def _get_full_signal(frame: av.VideoFrame) -> int:
    """Return swscale's value of a full signal in rgb48: 255, 1023 or 4095, shifted to the left.

    swscale turns limited range into eight bits and a fraction, whatever the depth of the frame is.
    """
    full_range = frame.format.is_rgb or frame.color_range == ColorRange.JPEG
    bits = frame.format.components[0].bits if full_range else 8
    return ((1 << bits) - 1) << (16 - bits)


def view_packed_pixels(frame: av.VideoFrame, kind: type, channels: int = 3) -> np.ndarray:
    """View a packed frame as ``[height, width, channels]``, without a copy of the frame.

    Args:
        frame: An RGB frame with one plane, such as one in rgb24, rgb48le or rgba.
        kind: Type of its levels, such as np.uint8.
        channels: Number of its channels.
    """
    plane = frame.planes[0]
    levels = np.frombuffer(memoryview(plane), np.uint8)
    lines: np.ndarray = levels.reshape(frame.height, plane.line_size).view(kind)
    return lines[:, : channels * frame.width].reshape(frame.height, frame.width, channels)


def _iterate_blocks(pixels: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield (slice of the flat picture, ``[n, 3]``), BLOCK_PIXELS at a time."""
    flat = pixels.reshape(-1, 3)
    for start in range(0, len(flat), BLOCK_PIXELS):
        rows = slice(start, start + BLOCK_PIXELS)
        yield rows, flat[rows]


def _apply_system_gamma(rgb: np.ndarray, luminance: np.ndarray) -> None:
    """Convert scene light to display light in place (OOTF of BT.2100 for HLG); 1 is SDR white."""
    peak = np.float32(SOURCE_PEAK / REFERENCE_WHITE)
    scene = luminance @ rgb
    rgb *= peak * np.power(scene, np.float32(HLG_GAMMA - 1))


def _compute_gain(light: np.ndarray) -> np.ndarray:
    """Return the factor by which the curve compresses light; 1 is SDR white."""
    compressed = _look_up(_build_curve_table(), _index_by_root(light, PQ_PEAK / REFERENCE_WHITE))
    return compressed / np.maximum(light, MIN_LIGHT)


def _encode_sdr(light: np.ndarray) -> np.ndarray:
    """Encode linear light, clipped to [0, 1], as a uint8 signal."""
    return _look_up(_build_encoding_table(), _index_by_root(light, 1.0))


def _look_up(table: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Return table[index] in half the time: no index lies outside, so none has to be checked."""
    return table.take(index, mode="clip")


def _index_by_root(light: np.ndarray, peak: float) -> np.ndarray:
    """Return the places of light in a table over its square root that ends at a peak."""
    index = np.clip(light, 0, peak)
    np.sqrt(index, out=index)
    index *= np.float32((ROOT_TABLE_SIZE - 1) / np.sqrt(peak))
    index += np.float32(0.5)
    return index.astype(np.intp)


@functools.lru_cache(maxsize=16)
def _build_light_table(transfer: int, white: int) -> np.ndarray:
    """Return float32 ``[65536]``: light by signal, 1 is SDR white; for HLG, scene light."""
    signal = np.minimum(np.arange(FULL_SIGNAL + 1) / white, 1)
    if transfer == PQ:
        light = pq_eotf(signal) / REFERENCE_WHITE
    elif transfer == HLG:
        light = hlg_inverse_oetf(signal)
    else:
        raise ValueError(
            f"Transfer characteristic {transfer} is not HDR: give {PQ} (PQ) or {HLG} (HLG)."
        )
    return light.astype(np.float32)


@functools.cache
def _build_matrices(primaries: int) -> tuple[np.ndarray, np.ndarray]:
    """Return float32 (luminance of linear RGB ``[3]``, linear RGB to BT.709 ``[3, 3]``)."""
    to_xyz = rgb_to_xyz(primaries)
    to_bt709 = np.linalg.solve(rgb_to_xyz(BT709_PRIMARIES), to_xyz)
    return to_xyz[1].astype(np.float32), to_bt709.astype(np.float32)


@functools.cache
def _build_curve_table() -> np.ndarray:
    """Return float32 ``[ROOT_TABLE_SIZE]``: compressed light by the root of light, 1 is white."""
    light = np.linspace(0, 1, ROOT_TABLE_SIZE) ** 2 * PQ_PEAK
    return (compress_highlights(light) / REFERENCE_WHITE).astype(np.float32)


@functools.cache
def _build_encoding_table() -> np.ndarray:
    """Return uint8 ``[ROOT_TABLE_SIZE]``: signal by the root of light (BT.1886, inverse EOTF)."""
    light = np.linspace(0, 1, ROOT_TABLE_SIZE) ** 2
    return np.round(255 * light ** (1 / SDR_GAMMA)).astype(np.uint8)
