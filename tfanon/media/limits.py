"""Limits on media files: containers, frame size, duration, number of streams.

Media files are untrusted input, and decoders have bugs. The container is therefore recognised by
the content of the file and named to libav, so that libav never guesses. Playlists and concatenation
scripts, which could open other files, are never accepted, whatever the extension of the file is.
"""

import os
import struct
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:  # PyAV takes a while to import, and commands check paths without it
    import av
    import av.container

VIDEO_ENDINGS = (
    ".3g2",
    ".3gp",
    ".asf",
    ".avi",
    ".divx",
    ".dv",
    ".f4v",
    ".flv",
    ".gif",
    ".m2t",
    ".m2ts",
    ".m4v",
    ".mkv",
    ".mov",
    ".mp4",
    ".mpe",
    ".mpeg",
    ".mpg",
    ".mts",
    ".ogv",
    ".qt",
    ".ts",
    ".vob",
    ".webm",
    ".wmv",
)
IMAGE_ENDINGS = (
    ".avif",
    ".bmp",
    ".heic",
    ".heif",
    ".jfif",
    ".jpe",
    ".jpeg",
    ".jpg",
    ".png",
    ".webp",
)
# Elementary video streams without a container, which store no timestamps.
RAW_STREAM_ENDINGS = (
    ".264",
    ".265",
    ".avc",
    ".h264",
    ".h265",
    ".hevc",
    ".m1v",
    ".m2v",
    ".mpv",
)
IMAGE_FORMATS = ("avif", "bmp_pipe", "heif", "jpeg_pipe", "png_pipe", "webp_pipe")
# libav would return one tile of a picture that is stored in several.
PILLOW_ONLY_FORMATS = {"avif": "AVIF", "heif": "HEIF"}

FILE_SIGNATURES = (  # offset, bytes, name of libav's demuxer
    (0, b"\xff\xd8\xff", "jpeg_pipe"),
    (0, b"\x89PNG\r\n\x1a\n", "png_pipe"),
    (8, b"WEBP", "webp_pipe"),
    (0, b"BM", "bmp_pipe"),
    (0, b"GIF87a", "gif"),
    (0, b"GIF89a", "gif"),
    (8, b"AVI ", "avi"),
    (8, b"AVI\x19", "avi"),  # what some capture programs write instead
    (0, b"\x1a\x45\xdf\xa3", "matroska"),
    (0, b"FLV\x01", "flv"),
    (0, b"OggS", "ogg"),
    (0, bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"), "asf"),
    (0, b"\x1f\x07\x00", "dv"),
)
MOVIE_BOXES = (b"moov", b"mdat", b"moof", b"styp", b"sidx")  # a QuickTime or MP4 file without ftyp
AVIF_BRANDS = (b"avif", b"avis")
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
UNSUPPORTED_BRANDS = (b"jp2 ", b"jpx ", b"jpm ", b"crx ", b"jxl ")  # picture formats
MAX_BOXES = 64  # after so many boxes without a known one, the file is something else
MAX_BRANDS = 64
SNIFFED_BYTES = 64 * 1024  # searched for the sync pattern of a stream that begins in the middle
# MPEG transport streams: broadcast; Blu-ray and camcorders; with error correction.
TS_PACKET_SIZES = (188, 192, 204)
TS_SYNC_BYTE, MIN_TS_PACKETS, MAX_TS_PACKETS = 0x47, 3, 8
PS_PACK_START = b"\x00\x00\x01\xba"  # of a pack in an MPEG program stream
RAW_STREAM_STARTS = (  # sequence header; parameter sets and delimiters of H.264 and HEVC
    b"\x00\x00\x01\xb3",
    b"\x00\x00\x01\x67",
    b"\x00\x00\x01\x27",
    b"\x00\x00\x01\x40",
    b"\x00\x00\x01\x09",
    b"\x00\x00\x01\x46",
)

# A file must not make libav open a network address.
LIBAV_OPEN_OPTIONS = {"protocol_whitelist": "file"}

MAX_FRAME_PIXELS = 64_000_000  # of one frame: 8K has 33 million
MAX_VIDEO_SECONDS = 6 * 3600  # of one video
MAX_VIDEO_FRAMES = 2_000_000  # of one video: the list of timestamps is kept in memory
MAX_STREAMS = 16  # of one file

MICROSECONDS_PER_SECOND = 1_000_000  # durations of libav are in microseconds


class MediaError(ValueError):
    """A media file cannot be read; the message begins with its name."""


def set_limits(pixels: int, seconds: int, streams: int) -> None:
    """Set the limits of this process.

    Args:
        pixels: Largest number of pixels of a frame.
        seconds: Longest duration of a video.
        streams: Largest number of streams of a file.
    """
    global MAX_FRAME_PIXELS, MAX_VIDEO_SECONDS, MAX_STREAMS  # noqa: PLW0603
    MAX_FRAME_PIXELS, MAX_VIDEO_SECONDS, MAX_STREAMS = pixels, seconds, streams


def get_limits() -> dict[str, int]:
    """Return the limits of this process as arguments of set_limits, for a child process."""
    return {"pixels": MAX_FRAME_PIXELS, "seconds": MAX_VIDEO_SECONDS, "streams": MAX_STREAMS}


def is_video_path(path: object) -> bool:
    """Return whether a file has the extension of a video, in upper or lower case."""
    return _get_ending(path) in VIDEO_ENDINGS


def check_ending(path: object) -> None:
    """Check that a file has the extension of a supported video or image.

    Raises:
        MediaError: It has another one.
    """
    ending = _get_ending(path)
    if ending in RAW_STREAM_ENDINGS:
        raise _make_raw_stream_error(path)
    if ending not in VIDEO_ENDINGS + IMAGE_ENDINGS:
        supported = " ".join(VIDEO_ENDINGS + IMAGE_ENDINGS)
        raise MediaError(
            f"{path}: '{ending}' is not the extension of a supported video or image file. "
            f"Supported: {supported}."
        )


def detect_file_format(path: str | os.PathLike[str]) -> str:
    """Return the name of the libav demuxer for a file, by its content.

    Args:
        path: Path of the file.

    Raises:
        MediaError: The file is missing or unreadable, its format is not supported, or it is a
            picture that libav does not read as a whole.
    """
    check_ending(path)
    try:
        with open(path, "rb") as file:
            return detect_format(file, path)
    except OSError as error:
        raise MediaError(f"{path}: {error.strerror}.") from None


def detect_format(file: BinaryIO, path: object) -> str:
    """Return the name of the libav demuxer for an open file, by its content.

    Args:
        file: A seekable file; it is left at its beginning.
        path: Name of the file, for messages.

    Raises:
        MediaError: The format is not supported, or it is a picture that libav does not read as a
            whole.
    """
    content_format = detect_content(file, path)
    if content_format in PILLOW_ONLY_FORMATS:
        raise MediaError(
            f"{path}: the content is an {PILLOW_ONLY_FORMATS[content_format]} picture, not a "
            f"video. Rename the file to {_strip_ending(path)}.{content_format}."
        )
    return content_format


def detect_content(file: BinaryIO, path: object) -> str:
    """Return the format of an open file, by its content.

    Args:
        file: A seekable file; it is left at its beginning.
        path: Name of the file, for messages.

    Returns:
        The name of a libav demuxer, or a key of ``PILLOW_ONLY_FORMATS``.

    Raises:
        MediaError: The format is not supported.
    """
    file.seek(0)
    head = file.read(16)
    content_format = _match_signature(head) or _detect_boxes(file)
    file.seek(0)
    if not content_format:
        # Last, since transport and program streams may begin anywhere: this test is the weakest.
        head = file.read(SNIFFED_BYTES)
        content_format = _detect_mpeg_stream(head)
        file.seek(0)
    if content_format:
        return content_format
    if _is_raw_stream(head):
        raise _make_raw_stream_error(path)
    if not head:
        raise MediaError(f"{path}: the file is empty.")
    raise MediaError(f"{path}: the content is not in a supported video or image format.")


def _is_raw_stream(head: bytes) -> bool:
    """Return whether a file begins with a start code of an elementary stream after zeros."""
    after_zeros = head.lstrip(b"\0")
    if len(after_zeros) == len(head):
        return False
    start_code = (b"\0\0" + after_zeros)[:4]
    return start_code in RAW_STREAM_STARTS


def _make_raw_stream_error(path: object) -> MediaError:
    return MediaError(
        f"{path}: a raw video stream without a container, which has no timestamps. Put it into a "
        "container first: ffmpeg -r FRAME_RATE -i FILE FILE.mp4."
    )


def _match_signature(head: bytes) -> str:
    """Return the demuxer whose signature the first bytes hold, or ''."""
    for offset, magic, name in FILE_SIGNATURES:
        if head[offset : offset + len(magic)] == magic:
            return name
    return ""


def _detect_boxes(file: BinaryIO) -> str:
    """Return the format of a file of boxes (MP4, QuickTime, AVIF, HEIF), or ''.

    The first box of a known type decides; boxes of other types before it are skipped.
    """
    end = file.seek(0, os.SEEK_END)
    place = 0
    for _ in range(MAX_BOXES):
        file.seek(place)
        header = file.read(16)
        if len(header) < 8:
            return ""
        size, kind = struct.unpack_from(">I4s", header)
        if kind == b"ftyp":
            return _classify_brands(header[8:] + file.read(4 * MAX_BRANDS), size - 8)
        if kind in MOVIE_BOXES:
            return "mov"
        if size == 1 and len(header) == 16:  # the size follows in 64 bits
            (size,) = struct.unpack_from(">Q", header, 8)
        if size < 8 or not _is_box_name(kind) or place + size >= end:
            return ""
        place += size
    return ""


def _is_box_name(kind: bytes) -> bool:
    """Return whether four bytes are printable ASCII, as the types of boxes are."""
    return all(32 <= letter < 127 for letter in kind)


def _classify_brands(content: bytes, size: int) -> str:
    """Return the format that an ftyp box declares, or '' for an unsupported one.

    Args:
        content: The box without its header: the major brand, a version, then compatible brands.
        size: Size of the content in bytes by the header of the box.
    """
    brands = [content[place : place + 4] for place in range(0, min(size, len(content)) - 3, 4)]
    major = brands[0] if brands else b""
    if major in UNSUPPORTED_BRANDS:
        return ""
    if major not in AVIF_BRANDS + HEIF_BRANDS:
        return "mov"
    # The major brand of either may be mif1, which only says that it is a picture.
    is_avif = any(brand in AVIF_BRANDS for brand in brands)
    return "avif" if is_avif else "heif"


def _detect_mpeg_stream(head: bytes) -> str:
    """Return 'mpegts' for a transport stream and 'mpeg' for a program stream, or ''.

    Recordings are cut by size, so that either may begin in the middle of a packet.
    """
    if _is_transport_stream(head):
        return "mpegts"
    place = head.find(PS_PACK_START)
    if place >= 0 and not head[:place].strip(b"\0"):
        return "mpeg"
    packs = 0
    while place >= 0:
        marker = head[place + len(PS_PACK_START) : place + len(PS_PACK_START) + 1]
        packs += _is_pack_marker(marker)
        place = head.find(PS_PACK_START, place + len(PS_PACK_START))
    # One pack start may be chance in the data of another format.
    return "mpeg" if packs >= 2 else ""


def _is_transport_stream(head: bytes) -> bool:
    """Return whether sync bytes are one packet apart, from whatever offset on."""
    for size in TS_PACKET_SIZES:
        for start in range(size):
            sync_bytes = head[start : start + size * MAX_TS_PACKETS : size]
            if len(sync_bytes) < MIN_TS_PACKETS:
                continue
            if sync_bytes == bytes([TS_SYNC_BYTE]) * len(sync_bytes):
                return True
    return False


def _is_pack_marker(marker: bytes) -> bool:
    """Return whether the byte after a pack's start code is one of MPEG-2 or MPEG-1."""
    if not marker:
        return False
    return marker[0] & 0xC0 == 0x40 or marker[0] & 0xF0 == 0x20


def make_file_url(path: str | os.PathLike[str]) -> str:
    """Return the URL of a file for libav, which would take "12:" in a plain path for a protocol."""
    return f"file:{os.fspath(path)}"


def select_video_stream(path: object, container: "av.container.InputContainer") -> "av.VideoStream":
    """Return the video stream of an opened file, which must be within the limits.

    Args:
        path: Name of the file, for messages.
        container: The opened file.

    Raises:
        MediaError: There is no video stream that can be decoded, or a limit is exceeded.
    """
    stream = select_live_stream(path, container)
    if container.duration and container.duration > MAX_VIDEO_SECONDS * MICROSECONDS_PER_SECOND:
        raise MediaError(
            f"{path}: {container.duration // MICROSECONDS_PER_SECOND} seconds; the limit is "
            f"{MAX_VIDEO_SECONDS} (--max_video_seconds)."
        )
    return stream


def select_live_stream(path: object, container: "av.container.InputContainer") -> "av.VideoStream":
    """Return the video stream of an input that may have no end, such as a camera.

    Args:
        path: Name of the input, for messages.
        container: The opened input.

    Raises:
        MediaError: There is no video stream that can be decoded, or a limit is exceeded.
    """
    if len(container.streams) > MAX_STREAMS:
        raise MediaError(
            f"{path}: {len(container.streams)} streams; the limit is {MAX_STREAMS} (--max_streams)."
        )
    videos = [stream for stream in container.streams.video if not _is_cover_picture(stream)]
    if not videos:
        raise MediaError(f"{path}: no video stream in it.")
    stream = videos[0]
    if stream.codec_context is None:
        raise MediaError(f"{path}: there is no decoder for the format of its video.")
    check_frame_size(path, stream.codec_context.width, stream.codec_context.height)
    return stream


def _is_cover_picture(stream: "av.VideoStream") -> bool:
    """Return whether a stream is a still picture that players show in place of a video."""
    return bool(stream.disposition & type(stream.disposition).attached_pic)


def check_frame_size(path: object, width: int, height: int) -> None:
    """Check the size of a frame before memory is allocated for it.

    Args:
        path: Name of the file, for the message.
        width: Width of the frame in pixels.
        height: Height of the frame in pixels.

    Raises:
        MediaError: The frame has more than ``MAX_FRAME_PIXELS`` pixels.
    """
    if width * height > MAX_FRAME_PIXELS:
        raise MediaError(
            f"{path}: frames of {width}x{height} pixels; the limit is {MAX_FRAME_PIXELS} pixels "
            "(--max_frame_pixels)."
        )


def _get_ending(path: object) -> str:
    return os.path.splitext(str(path))[1].lower()


def _strip_ending(path: object) -> str:
    return os.path.splitext(str(path))[0]
