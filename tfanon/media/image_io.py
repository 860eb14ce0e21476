"""Reads image files as upright, opaque sRGB pixels, and writes images without metadata.

Training, evaluation, the builders and the anonymizer all read pictures here and so see the same
pixels. Most pictures are sRGB without transparency; libav decodes these. Pillow decodes the others
(another colour profile, transparency, AVIF, HEIF), which come out as a browser shows them on a
white page:

| file | what is read |
| --- | --- |
| orientation (Exif, or rotation and mirror of AVIF and HEIF) | upright |
| ICC profile other than sRGB, also of grey and CMYK | converted to sRGB |
| broken ICC profile | as if it were sRGB |
| code points of AVIF and PNG: Display P3, BT.2020; PQ and HLG | converted to sRGB; tone-mapped |
| transparency: alpha, a colour or palette entries of PNG | on white; hidden colours stay hidden |
| several pictures in a JPEG or HEIF (gain map, preview, burst) | the primary one |
| an animation (WebP, PNG, AVIF) | its first picture; `read_full_image` refuses it |
"""

import contextlib
import dataclasses
import io
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import av
import numpy as np
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    WebPImagePlugin,
)

from tfanon.media import colour_profiles, frame_cache, frame_reader, limits, scaling
from tfanon.media.frame_reader import MediaPath
from tfanon.media.limits import MediaError

WRITE_FORMATS = {
    ".avif": "AVIF",
    ".bmp": "BMP",
    ".jfif": "JPEG",
    ".jpe": "JPEG",
    ".jpeg": "JPEG",
    ".jpg": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
}
DEFAULT_QUALITY = 92  # of AVIF, JPEG and WebP, 1 to 100

# Opened by class: Image.open would try every format, and its limit belongs to the whole process.
PILLOW_PLUGINS: dict[str, type[ImageFile.ImageFile]] = {
    "avif": AvifImagePlugin.AvifImageFile,
    "bmp_pipe": BmpImagePlugin.BmpImageFile,
    "jpeg_pipe": JpegImagePlugin.JpegImageFile,
    "png_pipe": PngImagePlugin.PngImageFile,
    "webp_pipe": WebPImagePlugin.WebPImageFile,
}

EXIF_ORIENTATION_TAG = 0x0112
UPRIGHT_TRANSPOSES = {  # value of the tag: operation that makes the picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,  # Pillow turns counter-clockwise
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
UPRIGHT = 1  # value of the tag
SIDE_SWAPPING_ORIENTATIONS = (5, 6, 7, 8)  # values that exchange height and width

PNG_SIGNATURE, PNG_PROFILE_CHUNK = b"\x89PNG\r\n\x1a\n", b"iCCP"
PNG_CHUNK_OVERHEAD = 12  # bytes of a chunk's length, name and checksum
WEBP_HEADER_BYTES = 30  # hold the size of every variant of WebP


class InMemoryFile:
    """A file whose bytes are in memory, under the name of the file that they came from."""

    def __init__(self, name: object, content: bytes) -> None:
        self.name, self.content = name, content

    def __str__(self) -> str:
        return str(self.name)

    def read(self) -> bytes:
        """Return the content of the file."""
        return self.content


@dataclasses.dataclass(frozen=True)
class _OpenedImage:
    """An image file whose header has been read.

    Attributes:
        source: What libav is to open.
        kind: Format of the file, as limits.detect_content returns it.
        picture: The picture as Pillow opens it, not decoded; None if Pillow cannot read its header,
            which libav may still be able to.
        code_points: Its (primaries, transfer) by ITU-T H.273; None if its ICC profile counts, or
            if it has neither.
    """

    source: MediaPath
    kind: str
    picture: ImageFile.ImageFile | None
    code_points: colour_profiles.CodePoints | None


def read_image(
    path: MediaPath,
    height: int,
    width: int,
    crops: Sequence[scaling.Crop] = (scaling.WHOLE_FRAME,),
) -> np.ndarray:
    """Read an image, decoded once, and cut and scale each of some crops.

    Args:
        path: The file, or an object that holds one.
        height: Height of the result in pixels.
        width: Width of the result in pixels.
        crops: Windows in the upright picture, each as in frame_reader.read_frames.

    Returns:
        uint8 ``[len(crops), height, width, 3]`` sRGB; greyscale has three equal channels.

    Raises:
        MediaError: The file cannot be read, or is truncated.
    """
    file = frame_reader.identify_file_state(path)
    scaler = scaling.WindowScaler(height, width)
    cached = frame_cache.FRAME_CACHE.find(file)
    if cached:
        frame, orientation = cached[0]
    else:
        frame, orientation = _decode_frame(path)
        size = frame_reader.compute_frame_bytes(frame.width, frame.height, frame.format)
        frame_cache.FRAME_CACHE.keep(file, size, lambda: {0: (frame, orientation)})
    return np.stack([scaler(frame, crop, orientation) for crop in crops])


def read_full_image(path: MediaPath) -> np.ndarray:
    """Read an image at its own size.

    Args:
        path: The file, or an object that holds one.

    Returns:
        uint8 ``[H, W, 3]`` sRGB.

    Raises:
        MediaError: The file cannot be read, is truncated, or is an animation.
    """
    frame, orientation = _decode_frame(path, refuse_animation=True)
    pixels = scaling.Scaler().view_pixels(frame, frame.height, frame.width)
    return np.array(scaling.make_upright(pixels, orientation))


def read_image_size(path: MediaPath) -> tuple[int, int]:
    """Read the size of an image from its header.

    Args:
        path: The file, or an object that holds one.

    Returns:
        (height, width) of the upright picture.

    Raises:
        MediaError: The header cannot be read.
    """
    with _open_image(path) as opened:
        if opened.picture is not None:
            width, height = opened.picture.size
            if _read_exif_orientation(opened.picture) in SIDE_SWAPPING_ORIENTATIONS:
                return width, height
            return height, width
    # Pillow could not read the header, but libav may.
    with frame_reader.open_container(opened.source) as (_, stream):
        return stream.codec_context.height, stream.codec_context.width


def write_image(
    path: str | os.PathLike[str], pixels: np.ndarray, quality: int | None = None
) -> None:
    """Write an image without a colour profile, which means sRGB, and without metadata.

    Args:
        path: Path of the file; its extension decides the format.
        pixels: uint8 ``[H, W, 3]`` sRGB.
        quality: Quality of AVIF, JPEG and WebP, 1 to 100; None for ``DEFAULT_QUALITY``.

    Raises:
        ValueError: The extension is not in ``WRITE_FORMATS``.
    """
    ending = pathlib.Path(path).suffix.lower()
    if ending not in WRITE_FORMATS:
        raise ValueError(
            f"Cannot write an image that ends in '{ending}': choose {' '.join(WRITE_FORMATS)}."
        )
    image = Image.fromarray(np.ascontiguousarray(pixels))
    # PNG and BMP ignore the quality.
    image.save(path, WRITE_FORMATS[ending], quality=quality or DEFAULT_QUALITY)


def _decode_frame(path: MediaPath, refuse_animation: bool = False) -> tuple[av.VideoFrame, int]:
    """Return a frame and its orientation, as scaling.find_orientation gives it.

    The frame is as libav decodes it, or, of a picture that Pillow decodes, of upright sRGB.
    """
    with _open_image(path) as opened:
        picture, source = opened.picture, opened.source
        if picture is not None:
            if refuse_animation and _is_animation(picture, opened.kind):
                raise MediaError(
                    f"{path}: the file is an animation with more than one picture, which is not "
                    "anonymized. Convert it to a video first."
                )
            if opened.kind in limits.PILLOW_ONLY_FORMATS or not _is_plain_srgb(picture, opened):
                with _name_file_in_pillow_errors(path):
                    pixels = _read_srgb_pixels(picture, opened)
                    return av.VideoFrame.from_ndarray(pixels, format="rgb24"), 0
        if opened.kind == "png_pipe":
            source = _drop_png_profile(source)
        frame = _decode_with_libav(source)
        # Looking at side data keeps a frame in memory until Python collects its garbage.
        needs_side_data = (
            picture is None or frame.rotation or _read_exif_orientation(picture) != UPRIGHT
        )
        return frame, scaling.find_orientation(frame, is_safe=True) if needs_side_data else 0


def _drop_png_profile(path: MediaPath) -> MediaPath:
    """Return a PNG without its colour profile: the path itself if it has none.

    PyAV 18 frees the name of a profile twice if the side data of the frame was looked at.
    """
    if isinstance(path, str | os.PathLike):
        content = pathlib.Path(path).read_bytes()
    else:
        content = path.read()
    if PNG_PROFILE_CHUNK not in content:
        return path
    end = len(PNG_SIGNATURE)
    parts = [content[:end]]
    while end < len(content):
        start, length = end, int.from_bytes(content[end : end + 4], "big")
        end = start + length + PNG_CHUNK_OVERHEAD
        if content[start + 4 : start + 8] != PNG_PROFILE_CHUNK:
            parts.append(content[start:end])
    return InMemoryFile(path, b"".join(parts))


def _decode_with_libav(path: MediaPath) -> av.VideoFrame:
    """Return the first frame: what comes after it in a JPEG is a gain map or a preview."""
    with frame_reader.open_container(path, strict=True) as (container, stream):
        for frame in container.decode(stream):
            limits.check_frame_size(path, frame.width, frame.height)
            return frame
    raise MediaError(f"{path}: the image could not be decoded.")


@contextlib.contextmanager
def _open_image(path: MediaPath) -> Iterator[_OpenedImage]:
    """Open a file within the limits and read its header."""
    with contextlib.ExitStack() as stack:
        source: MediaPath
        file: BinaryIO
        if isinstance(path, str | os.PathLike):
            source = path
            limits.check_ending(path)
            try:
                file = stack.enter_context(open(path, "rb"))
            except OSError as error:
                raise MediaError(f"{path}: {error.strerror}.") from None
        else:
            content = path.read()
            source, file = InMemoryFile(path, content), io.BytesIO(content)
        kind = limits.detect_content(file, path)
        if kind not in limits.IMAGE_FORMATS:
            raise MediaError(
                f"{path}: the content is a video ({kind}), but the name is that of an image. "
                "Rename the file to end as a video does."
            )
        picture = _read_header(file, kind, path)
        code_points = None
        if picture is not None:
            code_points = _choose_colour_description(file, kind, picture)
        yield _OpenedImage(source, kind, picture, code_points)


def _read_header(file: BinaryIO, kind: str, path: MediaPath) -> ImageFile.ImageFile | None:
    """Return Pillow's picture, not decoded; None if only libav may be able to read it."""
    if kind == "webp_pipe":  # Pillow allocates memory for the picture when it opens one
        limits.check_frame_size(path, *_read_webp_size(file.read(WEBP_HEADER_BYTES)))
        file.seek(0)
    plugin = _load_heif_plugin(path) if kind == "heif" else PILLOW_PLUGINS[kind]
    try:
        picture = plugin(file)
    except Exception as error:  # Pillow raises errors of any type for broken files
        if kind in limits.PILLOW_ONLY_FORMATS:
            raise MediaError(f"{path}: {_format_error(error)}.") from None
        return None
    limits.check_frame_size(path, *picture.size)
    return picture


def _choose_colour_description(
    file: BinaryIO, kind: str, picture: ImageFile.ImageFile
) -> colour_profiles.CodePoints | None:
    """Return the code points that count; forget a profile that does not.

    A file may describe its colours twice: the profile counts in AVIF, the code points in PNG.
    """
    code_points = colour_profiles.read_code_points(file, kind)
    if code_points is not None and picture.info.get("icc_profile"):
        if kind == "avif":
            return None
        del picture.info["icc_profile"]
    return code_points


def _read_webp_size(header: bytes) -> tuple[int, int]:
    """Return (width, height) by the first bytes of a WebP; (0, 0) if they do not contain it."""
    header = header.ljust(WEBP_HEADER_BYTES, b"\0")
    kind = header[12:16]
    # Extended files: sides minus 1, in 24 bits each.
    if kind == b"VP8X":
        width, height = header[24:27], header[27:30]
        return 1 + int.from_bytes(width, "little"), 1 + int.from_bytes(height, "little")
    # Lossless: sides minus 1, in 14 bits each.
    if kind == b"VP8L":
        bits = int.from_bytes(header[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    # Lossy: sides in 14 bits each, before two bits for upscaling (RFC 6386, section 9.1).
    if kind == b"VP8 ":
        width, height = header[26:28], header[28:30]
        return int.from_bytes(width, "little") & 0x3FFF, int.from_bytes(height, "little") & 0x3FFF
    return 0, 0


def _load_heif_plugin(path: MediaPath) -> type[ImageFile.ImageFile]:
    try:
        from pillow_heif.as_plugin import HeifImageFile
    except ImportError:
        raise MediaError(
            f"{path}: an HEIF picture (HEIC) needs the package pillow-heif: pip install "
            "'tfanon[heif]'. Or convert it to JPEG first."
        ) from None
    return HeifImageFile


@contextlib.contextmanager
def _name_file_in_pillow_errors(path: MediaPath) -> Iterator[None]:
    """Turn errors of any type in the block, as Pillow raises them, into a one-line MediaError."""
    try:
        yield
    except MediaError:
        raise
    except Exception as error:
        raise MediaError(f"{path}: {_format_error(error)}.") from None


def _format_error(error: Exception) -> str:
    """Return the message of an error on one line, without its full stop."""
    message = " ".join(str(error).split()).rstrip(".")
    return message or type(error).__name__


def _is_animation(picture: ImageFile.ImageFile, kind: str) -> bool:
    """Return whether the pictures of a file are shown in turn; in HEIF they are other photos."""
    return kind != "heif" and getattr(picture, "n_frames", 1) > 1


def _is_plain_srgb(picture: ImageFile.ImageFile, opened: _OpenedImage) -> bool:
    """Return whether the stored values are those of an opaque sRGB picture."""
    if picture.has_transparency_data:
        return False
    # libav does not decode animated WebP.
    if opened.kind == "webp_pipe" and _is_animation(picture, opened.kind):
        return False
    if opened.code_points is not None:
        return colour_profiles.are_srgb_code_points(opened.code_points)
    return colour_profiles.find_srgb_transform(picture) is None


def _read_exif_orientation(picture: ImageFile.ImageFile) -> int:
    """Return the orientation as Exif counts, 1 to 8; 1, upright, if it is missing or invalid."""
    exif = Image.Exif()
    try:
        exif.load(picture.info.get("exif") or b"")
        orientation = exif.get(EXIF_ORIENTATION_TAG, UPRIGHT)
    except Exception:  # Pillow raises errors of any type for broken tags
        return UPRIGHT
    return orientation if orientation in UPRIGHT_TRANSPOSES else UPRIGHT


def _read_srgb_pixels(picture: ImageFile.ImageFile, opened: _OpenedImage) -> np.ndarray:
    """Decode a picture with Pillow to uint8 ``[H, W, 3]``, upright sRGB on white."""
    transform = colour_profiles.find_srgb_transform(picture)
    picture.load()
    colours, alpha = _split_alpha(picture)
    if alpha is not None and opened.kind == "bmp_pipe":
        _, highest = alpha.getextrema()
        if not highest:
            alpha = None  # of programs that leave the fourth byte empty
    if transform is not None:
        colours = transform.apply(colour_profiles.convert_mode(colours, transform.input_mode))
    pixels = np.asarray(colour_profiles.convert_mode(colours, "RGB"))
    if transform is None and opened.code_points is not None:
        pixels = colour_profiles.convert_code_points(pixels, opened.code_points)
    if alpha is not None:
        pixels = scaling.lay_on_white(pixels, np.asarray(alpha))
    orientation = _read_exif_orientation(picture)
    if orientation != UPRIGHT:
        pixels = np.asarray(Image.fromarray(pixels).transpose(UPRIGHT_TRANSPOSES[orientation]))
    return np.ascontiguousarray(pixels)


def _split_alpha(picture: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Return the colours of a picture and its alpha in mode L, which is None if it is opaque."""
    if picture.mode.startswith("I"):
        levels = np.asarray(picture).astype(np.int64)  # 255 times a level does not fit into 16 bits
        grey = Image.fromarray((levels * 255 / 65535).round().astype(np.uint8))
        # PNG without an alpha channel names one grey level as transparent.
        transparent_level = picture.info.get("transparency")
        if transparent_level is None:
            return grey, None
        alpha = np.where(levels == transparent_level, 0, 255).astype(np.uint8)
        return grey, Image.fromarray(alpha)
    if not picture.has_transparency_data:
        return picture, None
    if picture.mode == "LA":
        return picture.getchannel("L"), picture.getchannel("A")
    rgba = picture.convert("RGBA")
    return rgba.convert("RGB"), rgba.getchannel("A")
