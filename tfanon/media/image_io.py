"""Pictures: files to upright, opaque sRGB, and back without whatever else the file said.

Training, evaluation, the builders and anonymizing read pictures here, so that all of them see the
same. Most pictures are sRGB without transparency: libav decodes these. Pillow decodes the others
(another colour profile, transparency, AVIF, HEIF), which then become what a browser shows on a
white page:

| file | what is read |
| --- | --- |
| orientation (Exif, or rotation and mirror of AVIF and HEIF) | upright |
| ICC profile other than sRGB, also of grey and CMYK | converted to sRGB |
| broken ICC profile | as if it were sRGB |
| code points of AVIF and PNG: Display P3, BT.2020; PQ and HLG | converted to sRGB; tone-mapped |
| transparency: alpha, a colour or palette entries of PNG | on white; what it hides stays hidden |
| several pictures in a JPEG or HEIF (gain map, preview, burst) | the primary one |
| an animation (WebP, PNG, AVIF) | its first picture, by read_image; refused by read_still |
"""

import contextlib
import functools
import io
import pathlib
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import av
import numpy as np
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    Image,
    ImageCms,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    WebPImagePlugin,
)

from tfanon.media import frame_cache, frame_reader, limits, scaling, tone_mapping
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
# Opened by class: Image.open would try every format, and its limit belongs to the whole process.
PILLOW_PLUGINS = {
    "avif": AvifImagePlugin.AvifImageFile,
    "bmp_pipe": BmpImagePlugin.BmpImageFile,
    "jpeg_pipe": JpegImagePlugin.JpegImageFile,
    "png_pipe": PngImagePlugin.PngImageFile,
    "webp_pipe": WebPImagePlugin.WebPImageFile,
}

EXIF_ORIENTATION_TAG = 0x0112  # Exif tag
UPRIGHT_TRANSPOSES = {  # value of that tag: what shows the picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDE_SWAPPING_ORIENTATIONS = (5, 6, 7, 8)  # of these, height and width change places

CODE_POINT_MARKERS = {
    "avif": b"colrnclx",
    "png_pipe": b"\x00\x00\x00\x04cICP",
}  # what stands before them
PNG_SIGNATURE, PNG_PROFILE_CHUNK = b"\x89PNG\r\n\x1a\n", b"iCCP"
PNG_CHUNK_OVERHEAD = 12  # bytes of a chunk's length, name and checksum
SRGB_PRIMARIES, BT2020_PRIMARIES, DISPLAY_P3_PRIMARIES = (
    1,
    9,
    12,
)  # primaries of ITU-T H.273; the others are near those of sRGB

MAX_SRGB_DEVIATION = (
    3  # grey levels by which a profile that counts as sRGB may differ: they do in their black
)
MAX_CACHED_TRANSFORMS = 64  # transforms kept: the files of a data set share a few profiles
PROFILE_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}  # of a profile: mode of its pictures
ENCODING_TABLE_SIZE = 4096  # of the table that encodes light, over its square root


class InMemoryFile:
    """A file whose bytes are in memory, under the name of the object that they came from."""

    def __init__(self, name: object, content: bytes) -> None:
        self.name, self.content = name, content

    def __str__(self) -> str:
        return str(self.name)

    def read(self) -> bytes:
        return self.content


def read_image(
    path, height: int, width: int, crops: Sequence = (scaling.WHOLE_FRAME,)
) -> np.ndarray:
    """One picture, decoded once, cut and scaled once per crop.

    Args:
        path: Of the file, or an object whose read() gives the file's bytes, as in media.reader.
        height: Of the result, in pixels.
        width: Of the result, in pixels.
        crops: Windows in the upright picture, each as in reader.read_frames.

    Returns:
        uint8 ``[len(crops), height, width, 3]`` sRGB; of a greyscale file three equal channels.

    Raises:
        MediaError: The file cannot be read, or is cut off; the message names it.
    """
    file, cut = frame_reader._identify_file_state(path), scaling.WindowScaler(height, width)
    kept = frame_cache.FRAME_CACHE.find(file)
    frame, turn = kept[0] if kept else _decode_frame(path)
    if not kept:
        size = frame_reader._compute_frame_bytes(frame.width, frame.height, frame.format)
        frame_cache.FRAME_CACHE.keep(file, size, lambda: {0: (frame, turn)})
    return np.stack([cut(frame, crop, turn) for crop in crops])


def read_full_image(path) -> np.ndarray:
    """uint8 [H, W, 3] sRGB of the picture at `path`, at its own size.

    Raises:
        MediaError: The file cannot be read, is cut off, or is an animation; the message names it.
    """
    frame, turn = _decode_frame(path, refuse_animation=True)
    return np.array(
        scaling.make_upright(scaling.Scaler().view(frame, frame.height, frame.width), turn)
    )


def read_image_size(path) -> tuple[int, int]:
    """(height, width) of the upright picture at `path`, by its header.  Raises MediaError."""
    with _open_picture(path) as (source, _, picture):
        if picture is not None:
            return (
                picture.size
                if _read_exif_orientation(picture) in SIDE_SWAPPING_ORIENTATIONS
                else picture.size[::-1]
            )
    with frame_reader.open_container(source) as (_, stream):
        return stream.codec_context.height, stream.codec_context.width


def write_image(path, pixels: np.ndarray, quality: int | None = None) -> None:
    """Write a picture without a profile, which means sRGB, and without tags.

    Args:
        path: The ending decides on the format.
        pixels: uint8 ``[H, W, 3]`` sRGB.
        quality: 1 to 100, of AVIF, JPEG and WebP; None: 92.

    Raises:
        ValueError: Nothing is written under such an ending.
    """
    ending = pathlib.Path(path).suffix.lower()
    if ending not in WRITE_FORMATS:
        raise ValueError(
            f"Cannot write an image that ends in '{ending}': choose {' '.join(WRITE_FORMATS)}."
        )
    Image.fromarray(np.ascontiguousarray(pixels)).save(
        path, WRITE_FORMATS[ending], quality=quality or 92
    )


def _decode_frame(path, refuse_animation: bool = False) -> tuple[av.VideoFrame, int]:
    """(frame as libav decodes it, or of upright sRGB; what turns it upright, as in scaling.turn).

    single: an animation is refused.
    """
    with _open_picture(path) as (source, kind, picture):
        if refuse_animation and picture is not None and _is_animation(picture, kind):
            raise MediaError(
                f"{path}: more than one picture in it: an animation, which is not anonymized. "
                "Convert it to a video first."
            )
        if picture is not None and (
            kind in limits.PILLOW_ONLY_FORMATS or not _is_plain_srgb(picture, kind)
        ):
            with _name_file_in_errors(path):
                return av.VideoFrame.from_ndarray(
                    _read_srgb_pixels(picture, kind), format="rgb24"
                ), 0
        if kind == "png_pipe":
            source = _drop_png_profile(source)
        frame = _decode_with_libav(source)
        # Looking at side data keeps a frame in memory until Python collects its garbage.
        turned = (
            picture is None
            or frame.rotation
            or _read_exif_orientation(picture) in UPRIGHT_TRANSPOSES
        )
        return frame, scaling.find_orientation(frame, is_safe=True) if turned else 0


def _drop_png_profile(path):
    """What libav is to open of a PNG: the path, or the file without its profile where it has one.

    PyAV 18 frees a profile's name twice once the side data of its frame was looked at.
    """
    content = pathlib.Path(path).read_bytes() if frame_reader._is_path(path) else path.read()
    if PNG_PROFILE_CHUNK not in content:
        return path
    end = len(PNG_SIGNATURE)
    kept = [content[:end]]
    while end < len(content):
        start, length = end, int.from_bytes(content[end : end + 4], "big")
        end = start + length + PNG_CHUNK_OVERHEAD
        if content[start + 4 : start + 8] != PNG_PROFILE_CHUNK:
            kept.append(content[start:end])
    return InMemoryFile(path, b"".join(kept))


def _decode_with_libav(path) -> av.VideoFrame:
    """The first frame: what comes after it in a JPEG is a gain map or a preview."""
    with frame_reader.open_container(path, strict=True) as (container, stream):
        for frame in container.decode(stream):
            limits.check_frame_size(path, frame.width, frame.height)
            return frame
    raise MediaError(f"{path}: no image could be decoded.")


@contextlib.contextmanager
def _open_picture(path) -> Iterator[tuple[object, str, ImageFile.ImageFile | None]]:
    """(path for libav, kind, Pillow's picture, of which the header is read) of a file.

    The picture is None where Pillow cannot read the header and libav may still be able to.
    """
    source = path if frame_reader._is_path(path) else InMemoryFile(path, path.read())
    with contextlib.ExitStack() as stack:
        if source is path:
            limits.check_ending(path)
            try:
                file = stack.enter_context(open(path, "rb"))
            except OSError as error:
                raise MediaError(f"{path}: {error.strerror}.") from None
        else:
            file = io.BytesIO(source.content)
        kind = limits.detect_content(file, path)
        if kind not in limits.IMAGE_FORMATS:
            raise MediaError(
                f"{path}: a video by its content ({kind}), under the name of an image. Give it a "
                "name that ends as a video's does."
            )
        yield source, kind, _read_header(file, kind, path)


def _read_header(file: BinaryIO, kind: str, path) -> ImageFile.ImageFile | None:
    if kind == "webp_pipe":  # Pillow makes room for the picture when it opens one
        limits.check_frame_size(path, *_read_webp_size(file.read(30)))
        file.seek(0)
    plugin = _load_heif_plugin(path) if kind == "heif" else PILLOW_PLUGINS[kind]
    try:
        picture = plugin(file)
    except Exception as error:  # Pillow raises anything at broken files
        if kind in limits.PILLOW_ONLY_FORMATS:
            raise MediaError(f"{path}: {_format_error(error)}.") from None
        return None
    limits.check_frame_size(path, *picture.size)
    # A file may say its colours twice: the profile counts in AVIF, the code points in PNG.
    picture.code_points = _read_code_points(file, kind)
    if picture.code_points is not None and picture.info.get("icc_profile"):
        if kind == "avif":
            picture.code_points = None
        else:
            del picture.info["icc_profile"]
    return picture


def _read_webp_size(head: bytes) -> tuple[int, int]:
    """(width, height) by the first 30 bytes of a file; (0, 0) where they do not say it."""
    head = head.ljust(30, b"\0")
    if head[12:16] == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if head[12:16] == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if head[12:16] == b"VP8 ":
        sides = (int.from_bytes(head[place : place + 2], "little") for place in (26, 28))
        return tuple(side & 0x3FFF for side in sides)
    return 0, 0


def _load_heif_plugin(path) -> type[ImageFile.ImageFile]:
    try:
        from pillow_heif.as_plugin import HeifImageFile
    except ImportError:
        raise MediaError(
            f"{path}: an HEIF picture (HEIC), which needs the package pillow-heif: pip install "
            "'tfanon[heif]'. Or convert it to JPEG first."
        ) from None
    return HeifImageFile


@contextlib.contextmanager
def _name_file_in_errors(path) -> Iterator[None]:
    """Turns whatever Pillow raises at a broken picture into one line that names it."""
    try:
        yield
    except MediaError:
        raise
    except Exception as error:
        raise MediaError(f"{path}: {_format_error(error)}.") from None


def _format_error(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def _is_animation(picture: ImageFile.ImageFile, kind: str) -> bool:
    """Whether a file holds pictures to be shown in turn; in HEIF they are other photographs."""
    return kind != "heif" and getattr(picture, "n_frames", 1) > 1


def _is_plain_srgb(picture: ImageFile.ImageFile, kind: str) -> bool:
    """Whether the numbers that are stored are those of the sRGB picture."""
    if picture.has_transparency_data or (kind == "webp_pipe" and picture.n_frames > 1):
        return False
    if picture.code_points is not None:
        primaries, transfer = picture.code_points
        return transfer not in tone_mapping.HDR_TRANSFERS and primaries not in (
            BT2020_PRIMARIES,
            DISPLAY_P3_PRIMARIES,
        )
    return _find_srgb_transform(picture) is None


def _read_code_points(file: BinaryIO, kind: str) -> tuple[int, int] | None:
    """(primaries, transfer) in the numbers of ITU-T H.273; None where a file has none."""
    if kind not in CODE_POINT_MARKERS:
        return None
    place = file.tell()
    file.seek(0)
    head = file.read(limits.SNIFFED_BYTES).split(b"IDAT")[0]
    file.seek(place)
    _, found, after = head.partition(CODE_POINT_MARKERS[kind])
    if not found or len(after) < 4:
        return None
    if kind == "png_pipe":
        return after[0], after[1]
    return int.from_bytes(after[:2], "big"), int.from_bytes(after[2:4], "big")


def _read_exif_orientation(picture: ImageFile.ImageFile) -> int:
    """1 to 8, as Exif counts; 1, upright, where nothing sensible is said."""
    exif = Image.Exif()
    try:
        exif.load(picture.info.get("exif") or b"")
        found = exif.get(EXIF_ORIENTATION_TAG, 1)
    except Exception:  # Pillow raises anything at broken tags
        return 1
    return found if found in UPRIGHT_TRANSPOSES else 1


def _read_srgb_pixels(picture: ImageFile.ImageFile, kind: str) -> np.ndarray:
    """uint8 [H, W, 3] of a picture: upright sRGB on white."""
    transform = _find_srgb_transform(picture)
    picture.load()
    colour, alpha = _split_alpha(picture)
    if alpha is not None and kind == "bmp_pipe" and not alpha.getextrema()[1]:
        alpha = None  # programs that leave the fourth byte empty
    if transform is not None:
        colour = transform.apply(_convert_mode(colour, transform.input_mode))
    pixels = np.asarray(_convert_mode(colour, "RGB"))
    if transform is None and picture.code_points is not None:
        pixels = _convert_code_points(pixels, picture)
    if alpha is not None:
        pixels = scaling.lay_on_white(pixels, np.asarray(alpha))
    orientation = _read_exif_orientation(picture)
    if orientation in UPRIGHT_TRANSPOSES:
        pixels = np.asarray(Image.fromarray(pixels).transpose(UPRIGHT_TRANSPOSES[orientation]))
    return np.ascontiguousarray(pixels)


def _split_alpha(picture: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """The colours of a picture and its alpha, mode L; None where it has none."""
    if picture.mode.startswith("I"):
        levels = np.asarray(picture).astype(np.int64)
        grey = Image.fromarray((levels * 255 / 65535).round().astype(np.uint8))
        clear = picture.info.get("transparency")
        if clear is None:
            return grey, None
        return grey, Image.fromarray(np.where(levels == clear, 0, 255).astype(np.uint8))
    if not picture.has_transparency_data:
        return picture, None
    if picture.mode == "LA":
        return picture.getchannel("L"), picture.getchannel("A")
    both = picture.convert("RGBA")
    return both.convert("RGB"), both.getchannel("A")


def _convert_mode(picture: Image.Image, mode: str) -> Image.Image:
    return picture if picture.mode == mode else picture.convert(mode)


def _find_srgb_transform(picture: ImageFile.ImageFile) -> ImageCms.ImageCmsTransform | None:
    """What makes sRGB of a picture's numbers by its profile; None where they count as sRGB."""
    profile = picture.info.get("icc_profile")
    if not profile:
        return None
    mode = (
        picture.mode
        if picture.mode in ("CMYK", "L", "LA") or picture.mode.startswith("I")
        else "RGB"
    )
    return _build_srgb_transform(
        profile, "CMYK" if mode == "CMYK" else "RGB" if mode == "RGB" else "L"
    )


@functools.lru_cache(maxsize=MAX_CACHED_TRANSFORMS)
def _build_srgb_transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """As _find_transform, of the bytes of a profile and the mode of a picture: RGB, L or CMYK.

    A profile that is broken, or of another colour space, counts as sRGB, as in browsers.
    """
    try:
        given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        described = PROFILE_MODES.get(given.profile.xcolor_space.strip())
        if described != mode and (described, mode) != ("RGB", "L"):
            return None
        target = ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(
            given, target, described, "RGB", ImageCms.Intent.PERCEPTUAL
        )
        if mode == "CMYK":
            return transform
        sample = _convert_mode(_sample_colours(mode), described)
        change = np.asarray(transform.apply(sample)).astype(int) - np.asarray(sample.convert("RGB"))
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    return transform if np.abs(change).max() > MAX_SRGB_DEVIATION else None


def _sample_colours(mode: str) -> Image.Image:
    """Every 17th level of each channel, all combined."""
    levels = np.arange(0, 256, 17, dtype=np.uint8)
    if mode == "L":
        return Image.fromarray(levels[None])
    red, green, blue = np.meshgrid(levels, levels, levels)
    return Image.fromarray(np.stack([red, green, blue], axis=-1).reshape(len(levels), -1, 3))


def _convert_code_points(pixels: np.ndarray, picture: ImageFile.ImageFile) -> np.ndarray:
    """uint8 [H, W, 3] sRGB of pixels in the colours that a picture's code points name."""
    primaries, transfer = picture.code_points
    if transfer in tone_mapping.HDR_TRANSFERS:
        return tone_mapping.tone_map(pixels.astype(np.uint16) * 257, transfer, primaries)
    if primaries not in (BT2020_PRIMARIES, DISPLAY_P3_PRIMARIES):
        return pixels
    to_srgb = np.linalg.inv(tone_mapping.rgb_to_xyz(SRGB_PRIMARIES)) @ tone_mapping.rgb_to_xyz(
        primaries
    )
    light, levels = _build_srgb_tables()
    result = np.empty_like(pixels)
    # A row at a time: the picture in floats would be twelve times as large.
    for row, line in enumerate(pixels):
        linear = np.clip(light[line] @ to_srgb.T, 0, 1)
        result[row] = levels[np.rint(np.sqrt(linear) * (ENCODING_TABLE_SIZE - 1)).astype(int)]
    return result


@functools.lru_cache(maxsize=1)
def _build_srgb_tables() -> tuple[np.ndarray, np.ndarray]:
    """Light of each of the 256 levels of sRGB (IEC 61966-2-1); uint8 [STEPS] levels of its root."""
    level = np.arange(256) / 255
    light = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    linear = np.linspace(0, 1, ENCODING_TABLE_SIZE) ** 2
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return light, np.rint(255 * encoded).astype(np.uint8)
