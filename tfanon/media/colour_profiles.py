"""Converts pictures to sRGB by their ICC profile or their code points.

Browsers are the model: a profile that is broken, or that does not suit the picture, is ignored, and
a picture without any colour description counts as sRGB.
"""

import functools
import io
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageCms

from tfanon.media import limits, tone_mapping

# The bytes in front of the code points.
CODE_POINT_MARKERS = {"avif": b"colrnclx", "png_pipe": b"\x00\x00\x00\x04cICP"}

# Primaries of ITU-T H.273 by which a picture is converted; the others are near those of sRGB, which
# are those of BT.709.
DISPLAY_P3_PRIMARIES = 12
WIDE_PRIMARIES = (tone_mapping.BT2020_PRIMARIES, DISPLAY_P3_PRIMARIES)

# Grey levels by which a profile may differ and still count as sRGB: sRGB profiles differ in black.
MAX_SRGB_DEVIATION = 3
MAX_CACHED_TRANSFORMS = 64  # the files of a data set share a few profiles
PROFILE_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}  # space of a profile: mode of pictures
ENCODING_TABLE_SIZE = 4096  # entries of the table that encodes light, over its square root

CodePoints = tuple[int, int]


def find_srgb_transform(picture: Image.Image) -> ImageCms.ImageCmsTransform | None:
    """Return the conversion of a picture's values to sRGB by its ICC profile.

    Args:
        picture: A picture whose header has been read.

    Returns:
        The transform; None for a picture whose values count as sRGB.
    """
    profile = picture.info.get("icc_profile")
    if not profile:
        return None
    if picture.mode == "CMYK":
        mode = "CMYK"
    elif picture.mode in ("L", "LA") or picture.mode.startswith("I"):
        mode = "L"
    else:
        mode = "RGB"
    return _build_srgb_transform(profile, mode)


@functools.lru_cache(maxsize=MAX_CACHED_TRANSFORMS)
def _build_srgb_transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return the conversion to sRGB by a profile; None if there is nothing to convert.

    Args:
        profile: Content of an ICC profile.
        mode: Mode of the picture: RGB, L or CMYK.
    """
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        source_mode = PROFILE_MODES.get(source.profile.xcolor_space.strip())
        # Grey pictures with an RGB profile are common, and are converted as RGB.
        suits_picture = source_mode == mode or (source_mode, mode) == ("RGB", "L")
        if source_mode is None or not suits_picture:
            return None
        target = ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(
            source, target, source_mode, "RGB", ImageCms.Intent.PERCEPTUAL
        )
        if mode == "CMYK":
            return transform
        sample = convert_mode(_make_colour_samples(mode), source_mode)
        converted = np.asarray(transform.apply(sample)).astype(int)
        change = converted - np.asarray(sample.convert("RGB"))
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    return transform if np.abs(change).max() > MAX_SRGB_DEVIATION else None


def _make_colour_samples(mode: str) -> Image.Image:
    """Return a picture of every 17th level of each channel, all combined."""
    levels = np.arange(0, 256, 17, dtype=np.uint8)
    if mode == "L":
        return Image.fromarray(levels[None])
    red, green, blue = np.meshgrid(levels, levels, levels)
    return Image.fromarray(np.stack([red, green, blue], axis=-1).reshape(len(levels), -1, 3))


def convert_mode(picture: Image.Image, mode: str) -> Image.Image:
    """Return a picture in another of Pillow's modes; the same object if it already has it."""
    return picture if picture.mode == mode else picture.convert(mode)


def read_code_points(file: BinaryIO, kind: str) -> CodePoints | None:
    """Read which colours an AVIF or PNG file declares beside its ICC profile.

    Args:
        file: The open file; its position stays.
        kind: Format of the file, as limits.detect_content returns it.

    Returns:
        (primaries, transfer) in the numbers of ITU-T H.273; None for a file without code points.
    """
    if kind not in CODE_POINT_MARKERS:
        return None
    position = file.tell()
    file.seek(0)
    # In a PNG they stand before the pixels, in which the same bytes may occur by chance.
    header = file.read(limits.SNIFFED_BYTES).split(b"IDAT")[0]
    file.seek(position)
    _, marker, after = header.partition(CODE_POINT_MARKERS[kind])
    if not marker or len(after) < 4:
        return None
    if kind == "png_pipe":
        return after[0], after[1]
    return int.from_bytes(after[:2], "big"), int.from_bytes(after[2:4], "big")


def are_srgb_code_points(code_points: CodePoints) -> bool:
    """Return whether pixels with these code points count as sRGB."""
    primaries, transfer = code_points
    return transfer not in tone_mapping.HDR_TRANSFERS and primaries not in WIDE_PRIMARIES


def convert_code_points(pixels: np.ndarray, code_points: CodePoints) -> np.ndarray:
    """Convert pixels to sRGB by the code points of their file.

    Args:
        pixels: uint8 ``[H, W, 3]`` in the colours of the file.
        code_points: (primaries, transfer) in the numbers of ITU-T H.273.

    Returns:
        uint8 ``[H, W, 3]`` sRGB; HDR is tone-mapped.
    """
    primaries, transfer = code_points
    if transfer in tone_mapping.HDR_TRANSFERS:
        return tone_mapping.tone_map(pixels.astype(np.uint16) * 257, transfer, primaries)
    if are_srgb_code_points(code_points):
        return pixels
    xyz_to_srgb = np.linalg.inv(tone_mapping.rgb_to_xyz(tone_mapping.BT709_PRIMARIES))
    to_srgb = xyz_to_srgb @ tone_mapping.rgb_to_xyz(primaries)
    light, levels = _build_srgb_tables()
    result = np.empty_like(pixels)
    # A row at a time: the picture in floats would be twelve times as large.
    for row, line in enumerate(pixels):
        linear = np.clip(light[line] @ to_srgb.T, 0, 1)
        result[row] = levels[np.rint(np.sqrt(linear) * (ENCODING_TABLE_SIZE - 1)).astype(int)]
    return result


@functools.lru_cache(maxsize=1)
def _build_srgb_tables() -> tuple[np.ndarray, np.ndarray]:
    """Return the transfer curve of sRGB (IEC 61966-2-1) as two tables.

    Returns:
        Light of each of the 256 levels; uint8 ``[ENCODING_TABLE_SIZE]``, the level of light by its
        square root.
    """
    level = np.arange(256) / 255
    light = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    linear = np.linspace(0, 1, ENCODING_TABLE_SIZE) ** 2
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return light, np.rint(255 * encoded).astype(np.uint8)
