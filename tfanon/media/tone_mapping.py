"""HDR video (PQ and HLG) to SDR: the same picture as a player shows on an ordinary screen.

The signal is made linear (SMPTE ST 2084 for PQ, ITU-R BT.2100-2 for HLG), its highlights are
compressed with the roll-off of ITU-R BT.2390 (EETF), its colours go from BT.2020 to BT.709, and the
result is encoded for a display after ITU-R BT.1886. SDR white is 203 cd/m2, the HDR reference white
of ITU-R BT.2408. The curve is the same for every frame, so that brightness does not flicker with
what a frame shows.
"""

import functools
import struct
from collections.abc import Iterator

import av
import av.video.reformatter
import numpy as np
from av.sidedata.sidedata import Type
from av.video.reformatter import ColorRange, Colorspace

from tfanon.media.limits import MediaError

PQ, HLG = 16, 18  # transfer characteristics of ITU-T H.273
HDR_TRANSFERS = {PQ: "PQ", HLG: "HLG"}  # those that SDR screens cannot show

REFERENCE_WHITE = 203.0  # cd/m2, BT.2408
SOURCE_PEAK = 1000.0  # cd/m2: of HLG by BT.2100, of most PQ masters; what is brighter becomes white
PQ_PEAK = 10000.0  # cd/m2 of a full PQ signal
HLG_GAMMA = 1.2  # system gamma of BT.2100 at a peak of 1000 cd/m2
SDR_GAMMA = 2.4  # BT.1886

FULL_SIGNAL = 65535
ROOT_TABLE_SIZE = (
    1 << 16
)  # entries of the tables over the square root of light, fine enough near black
MIN_LIGHT = np.float32(1e-9)  # so that nothing is divided by zero
BLOCK_PIXELS = 1 << 14  # pixels at a time: temporaries stay in the cache

D65 = (0.3127, 0.3290)
PRIMARIES = {  # H.273 number: (x, y) of red, green and blue; all with D65 as white
    1: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),  # BT.709
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),  # BT.2020
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),  # Display P3
}
BT709_PRIMARIES, BT2020_PRIMARIES = 1, 9
UNSPECIFIED_MATRIX = 2  # matrix
SUPPORTED_MATRICES = (0, 1, 2, 4, 5, 6, 7, 9)  # that libav converts as they are tagged
SUBSTITUTE_MATRICES = {  # that libav has converted with these ever since
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
DOVI_SIGNAL_SPACE_OFFSET = 185  # where signal_color_space lies in libav's AVDOVIColorMetadata
DOVI_SIGNAL_SPACE_IPT = 2  # its value for IPT, which is profile 5


def is_hdr(colour: object) -> bool:
    """Whether a picture is HDR, by the transfer characteristic it is tagged with.

    Args:
        colour: A frame or codec context (anything with ``color_trc``), or a tuple (matrix, range,
            primaries, transfer) in the numbers of ITU-T H.273.
    """
    transfer = colour[3] if isinstance(colour, tuple) else colour.color_trc
    return transfer in HDR_TRANSFERS


def check_colour(path: object, frame: av.VideoFrame) -> None:
    """Refuse a frame whose colours would come out wrong: one that is neither Y'CbCr nor RGB.

    Dolby Vision profile 5 is such a case. Its files often bear no tag, and without the metadata of
    each picture they are green and violet in every player.

    Args:
        path: Of the file, for the message.
        frame: One of its frames, the first say.

    Raises:
        MediaError: The colours cannot be converted.
    """
    if frame.colorspace == 15 or _read_dovi_signal_space(frame) == DOVI_SIGNAL_SPACE_IPT:
        raise MediaError(
            f"{path}: Dolby Vision without a base layer that others can show (profile 5); convert "
            "it to profile 8 or to SDR first."
        )
    known = frame.format.is_rgb or frame.colorspace in (*SUPPORTED_MATRICES, *SUBSTITUTE_MATRICES)
    if not known:
        raise MediaError(
            f"{path}: colours of a kind that cannot be read here (matrix {frame.colorspace} of "
            "ITU-T H.273); convert it to BT.709 first."
        )


class ColourChecker:
    """check_colour for the frames of one video: of the first, and of each whose matrix is another than before."""

    def __init__(self, path: object) -> None:
        """path: Of the file, for the message."""
        self._path, self._matrix = path, None

    def __call__(self, frame: av.VideoFrame) -> None:
        """Raises MediaError as check_colour does."""
        if frame.colorspace != self._matrix:
            check_colour(self._path, frame)
            self._matrix = frame.colorspace


def read_sdr_pixels(
    frame: av.VideoFrame,
    height: int,
    width: int,
    reformatter: av.video.reformatter.VideoReformatter,
) -> np.ndarray:
    """SDR pixels of a frame, HDR or not, scaled before they are tone-mapped.

    Args:
        frame: A decoded frame that check_colour lets through. HDR without a matrix tag counts as
            BT.2020.
        height: Of the result, in pixels.
        width: Of the result, in pixels.
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
        return _view_packed_pixels(scaled, np.uint8)
    return tone_map(
        _view_packed_pixels(scaled, np.uint16),
        frame.color_trc,
        frame.color_primaries,
        _get_full_signal(frame),
    )


def tone_map(
    pixels: np.ndarray, transfer: int, primaries: int = BT2020_PRIMARIES, white: int = FULL_SIGNAL
) -> np.ndarray:
    """SDR R'G'B' of HDR R'G'B'.

    The three channels of a pixel are scaled alike, by what the curve does to the largest, so that
    hues stay. Grey stays grey and black stays black; colours outside BT.709 are clipped to it.

    Args:
        pixels: uint16 ``[..., 3]``, full range.
        transfer: ``PQ`` or ``HLG``.
        primaries: H.273 number of the colour primaries; an unknown one counts as BT.2020.
        white: The number that stands for a full signal. libav gives a little less than 65535.

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
    """Light of a PQ signal (SMPTE ST 2084, EOTF): [0, 1] to cd/m2."""
    m1, m2, c1, c2, c3 = _PQ_CONSTANTS
    power = np.power(signal, 1 / m2)
    return PQ_PEAK * np.power(np.maximum(power - c1, 0) / (c2 - c3 * power), 1 / m1)


def pq_inverse_eotf(light: np.ndarray | float) -> np.ndarray:
    """PQ signal of light (SMPTE ST 2084, inverse EOTF): cd/m2 to [0, 1]."""
    m1, m2, c1, c2, c3 = _PQ_CONSTANTS
    power = np.power(np.divide(light, PQ_PEAK), m1)
    return np.power((c1 + c2 * power) / (1 + c3 * power), m2)


_PQ_CONSTANTS = (2610 / 16384, 2523 / 4096 * 128, 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32)


def hlg_inverse_oetf(signal: np.ndarray | float) -> np.ndarray:
    """Scene light of an HLG signal (ITU-R BT.2100-2, table 5): both in [0, 1]."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    signal = np.asarray(signal, np.float64)
    return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)


def compress_highlights(light: np.ndarray | float) -> np.ndarray:
    """The EETF of ITU-R BT.2390 (section 5.4), from SOURCE_PEAK to REFERENCE_WHITE, black at 0.

    Args:
        light: cd/m2.

    Returns:
        cd/m2, at most REFERENCE_WHITE; what lies below the knee (about 88 cd/m2) is unchanged.
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
    return np.where(signal < knee, light, compressed)  # without the rounding of there and back


def rgb_to_xyz(primaries: int) -> np.ndarray:
    """Matrix ``[3, 3]`` from linear RGB to CIE XYZ, white at Y = 1 (SMPTE RP 177).

    Args:
        primaries: A key of ``PRIMARIES``.
    """
    columns = np.stack([_convert_to_xyz(point) for point in PRIMARIES[primaries]], axis=1)
    return columns * np.linalg.solve(columns, _convert_to_xyz(D65))


def _convert_to_xyz(point: tuple[float, float]) -> np.ndarray:
    x, y = point
    return np.array([x / y, 1, (1 - x - y) / y])


def choose_conversion(frame: av.VideoFrame) -> dict[str, Colorspace]:
    """What to tell the scaler of a frame's matrix; nothing where its tag is understood."""
    matrix = SUBSTITUTE_MATRICES.get(frame.colorspace)
    if is_hdr(frame) and frame.colorspace == UNSPECIFIED_MATRIX:
        matrix = Colorspace.BT2020  # swscale would take BT.601
    if matrix is None or frame.format.is_rgb:
        return {}
    # On both sides: it refuses an odd tag of the result as well, which is copied from the frame's.
    return {"src_colorspace": matrix, "dst_colorspace": matrix}


def has_safe_side_data(frame: av.VideoFrame) -> bool:
    """Whether the side data of a frame may be looked at.

    PyAV 18 frees the metadata of a PNG frame with a colour profile twice, which ends the process.
    """
    return frame.format.name not in PNG_FORMATS


def _read_dovi_signal_space(frame: av.VideoFrame) -> int | None:
    """signal_color_space of a frame's Dolby Vision metadata, None without."""
    if not has_safe_side_data(frame):
        return None
    metadata = frame.side_data.get(Type.DOVI_METADATA)
    if metadata is None:
        return None
    content = bytes(metadata)
    # libav's AVDOVIMetadata begins with the offsets of its header, mapping and colour.
    _, _, colour_offset = struct.unpack_from("@3N", content)
    return content[colour_offset + DOVI_SIGNAL_SPACE_OFFSET]


def _get_full_signal(frame: av.VideoFrame) -> int:
    """The number that swscale gives a full signal in rgb48: 255, 1023 or 4095, shifted to the left.

    It turns limited range into eight bits and a fraction, whatever the depth of the frame is.
    """
    full_range = frame.format.is_rgb or frame.color_range == ColorRange.JPEG
    bits = frame.format.components[0].bits if full_range else 8
    return ((1 << bits) - 1) << (16 - bits)


def _view_packed_pixels(frame: av.VideoFrame, kind: type) -> np.ndarray:
    """``[height, width, 3]`` of a packed RGB frame, without a copy."""
    plane = frame.planes[0]
    lines = np.frombuffer(plane, np.uint8).reshape(frame.height, plane.line_size).view(kind)
    return lines[:, : 3 * frame.width].reshape(frame.height, frame.width, 3)


def _iterate_blocks(pixels: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """(which pixels, [n, 3]) of a picture, BLOCK pixels at a time."""
    flat = pixels.reshape(-1, 3)
    for start in range(0, len(flat), BLOCK_PIXELS):
        rows = slice(start, start + BLOCK_PIXELS)
        yield rows, flat[rows]


def _apply_system_gamma(rgb: np.ndarray, luminance: np.ndarray) -> None:
    """The OOTF of BT.2100 for HLG, in place: scene light to display light, 1 is the SDR white."""
    peak = np.float32(SOURCE_PEAK / REFERENCE_WHITE)
    scene = luminance @ rgb
    rgb *= peak * np.power(scene, np.float32(HLG_GAMMA - 1))


def _compute_gain(light: np.ndarray) -> np.ndarray:
    """What the curve multiplies light by.  light: 1 is the SDR white."""
    compressed = _look_up(_build_curve_table(), _root_index(light, PQ_PEAK / REFERENCE_WHITE))
    return compressed / np.maximum(light, MIN_LIGHT)


def _encode_sdr(light: np.ndarray) -> np.ndarray:
    """uint8 signal of linear light, clipped to [0, 1]."""
    return _look_up(_build_encoding_table(), _root_index(light, 1.0))


def _look_up(table: np.ndarray, index: np.ndarray) -> np.ndarray:
    """table[index]; in half the time, since no index lies outside and none has to be checked."""
    return table.take(index, mode="clip")


def _root_index(light: np.ndarray, most: float) -> np.ndarray:
    """Where the square root of light lies in a table that ends at `most`."""
    index = np.clip(light, 0, most)
    np.sqrt(index, out=index)
    index *= np.float32((ROOT_TABLE_SIZE - 1) / np.sqrt(most))
    index += np.float32(0.5)
    return index.astype(np.intp)


@functools.lru_cache(maxsize=16)
def _build_light_table(transfer: int, white: int) -> np.ndarray:
    """float32 [65536]: light of a signal, 1 is the SDR white; of HLG, light of the scene."""
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
    """(luminance of linear RGB [3], linear RGB to linear BT.709 [3, 3]), float32."""
    to_xyz = rgb_to_xyz(primaries)
    to_bt709 = np.linalg.solve(rgb_to_xyz(BT709_PRIMARIES), to_xyz)
    return to_xyz[1].astype(np.float32), to_bt709.astype(np.float32)


@functools.cache
def _build_curve_table() -> np.ndarray:
    """float32 [ROOTS] over the square root of light: compressed light, 1 is the SDR white."""
    light = np.linspace(0, 1, ROOT_TABLE_SIZE) ** 2 * PQ_PEAK
    return (compress_highlights(light) / REFERENCE_WHITE).astype(np.float32)


@functools.cache
def _build_encoding_table() -> np.ndarray:
    """uint8 [ROOTS] over the square root of light: the inverse EOTF of BT.1886."""
    light = np.linspace(0, 1, ROOT_TABLE_SIZE) ** 2
    return np.round(255 * light ** (1 / SDR_GAMMA)).astype(np.uint8)
