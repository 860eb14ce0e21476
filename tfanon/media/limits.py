"""What a media file may be: which containers, how large, how long.

Decoders are the part of tfanon that strangers feed. A container is recognised by the content of the
file and named to libav, so that libav never guesses: a playlist or a concatenation script, which
could open other files, is not among the choices, whatever its name ends in.
"""

import os
import struct
from typing import BinaryIO

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
)  # of streams without a container
IMAGE_FORMATS = ("avif", "bmp_pipe", "heif", "jpeg_pipe", "png_pipe", "webp_pipe")
PILLOW_ONLY_FORMATS = {
    "avif": "AVIF",
    "heif": "HEIF",
}  # libav would return one tile of a picture that is stored in several

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
UNSUPPORTED_BRANDS = (b"jp2 ", b"jpx ", b"jpm ", b"crx ", b"jxl ")  # pictures that are not read
MAX_BOXES = 64  # looked at before the file counts as something else
MAX_BRANDS = 64
SNIFFED_BYTES = 64 * 1024  # bytes in which a stream that begins in the middle is looked for
TS_PACKET_SIZES = (
    188,
    192,
    204,
)  # of MPEG transport streams: broadcast, Blu-ray and camcorders, with error correction
TS_SYNC_BYTE, MIN_TS_PACKETS, MAX_TS_PACKETS = 0x47, 3, 8
RAW_STREAM_STARTS = (
    b"\x00\x00\x01\xb3",
    b"\x00\x00\x01\x67",
    b"\x00\x00\x01\x27",
    b"\x00\x00\x01\x40",
    b"\x00\x00\x01\x09",
    b"\x00\x00\x01\x46",
)  # sequence header; parameter sets and delimiters of H.264 and HEVC

LIBAV_OPEN_OPTIONS = {
    "protocol_whitelist": "file"
}  # a file must not make libav open a network address

MAX_FRAME_PIXELS = 64_000_000  # of one frame: 8K has 33 million
MAX_VIDEO_SECONDS = 6 * 3600  # of one video
MAX_VIDEO_FRAMES = 2_000_000  # of one video: the list of time stamps is kept in memory
MAX_STREAMS = 16


def set_limits(pixels, seconds, streams):
    """Set the limits of this process: pixels of a frame, seconds and streams of a file."""
    global MAX_FRAME_PIXELS, MAX_VIDEO_SECONDS, MAX_STREAMS
    MAX_FRAME_PIXELS, MAX_VIDEO_SECONDS, MAX_STREAMS = pixels, seconds, streams


def get_limits():
    """What allow() was given, for a child process to be told."""
    return {"pixels": MAX_FRAME_PIXELS, "seconds": MAX_VIDEO_SECONDS, "streams": MAX_STREAMS}


class MediaError(ValueError):
    """A file that cannot be read; the message names it."""


def is_video_path(path):
    """Whether the ending of `path` is one of a video, in any case."""
    return _get_ending(path) in VIDEO_ENDINGS


def check_ending(path):
    """Raise MediaError unless `path` ends as a video or an image does."""
    ending = _get_ending(path)
    if ending in RAW_STREAM_ENDINGS:
        raise _raw_stream_error(path)
    if ending not in VIDEO_ENDINGS + IMAGE_ENDINGS:
        allowed = " ".join(VIDEO_ENDINGS + IMAGE_ENDINGS)
        raise MediaError(
            f"{path}: no video or image file by its ending '{ending}'. Allowed: {allowed}."
        )


def detect_file_format(path) -> str:
    """Name of the libav demuxer for the file at `path`, by its content.

    Raises:
        MediaError: The file is missing, unreadable, of none of the allowed kinds, or a picture that
            libav does not read whole.
    """
    check_ending(path)
    try:
        with open(path, "rb") as file:
            return detect_format(file, path)
    except OSError as error:
        raise MediaError(f"{path}: {error.strerror}.") from None


def detect_format(file: BinaryIO, path) -> str:
    """As container_format, of an open file that can seek; it is left at its beginning."""
    found = detect_content(file, path)
    if found in PILLOW_ONLY_FORMATS:
        raise MediaError(
            f"{path}: an {PILLOW_ONLY_FORMATS[found]} picture by its content, not a video. Rename it to "
            f"{_strip_ending(path)}.{found}."
        )
    return found


def detect_content(file: BinaryIO, path) -> str:
    """As detect_format; "avif" and "heif" for pictures that Pillow must read."""
    file.seek(0)
    head = file.read(16)
    found = _match_signature(head) or _detect_boxes(file)
    file.seek(0)
    if not found:
        head = file.read(SNIFFED_BYTES)
        found = _detect_mpeg_stream(head)
        file.seek(0)
    if found:
        return found
    if head.lstrip(b"\0") != head and (b"\0\0" + head.lstrip(b"\0"))[:4] in RAW_STREAM_STARTS:
        raise _raw_stream_error(path)
    if not head:
        raise MediaError(f"{path}: an empty file.")
    raise MediaError(f"{path}: no video or image that is read here, by its content.")


def _raw_stream_error(path) -> MediaError:
    return MediaError(
        f"{path}: a bare video stream, which holds no times. Put it into a container first: "
        "ffmpeg -r FRAME_RATE -i FILE FILE.mp4."
    )


def _match_signature(head: bytes) -> str:
    for offset, magic, name in FILE_SIGNATURES:
        if head[offset : offset + len(magic)] == magic:
            return name
    return ""


def _detect_boxes(file: BinaryIO) -> str:
    """Kind of a file of boxes (MP4, QuickTime, AVIF, HEIF), by the first box that tells; or ''."""
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
    return all(32 <= letter < 127 for letter in kind)


def _classify_brands(content: bytes, size: int) -> str:
    """From the content of an ftyp box: the major brand, a version, then compatible brands."""
    brands = [content[place : place + 4] for place in range(0, min(size, len(content)) - 3, 4)]
    major = brands[0] if brands else b""
    if major in UNSUPPORTED_BRANDS:
        return ""
    if major not in AVIF_BRANDS + HEIF_BRANDS:
        return "mov"
    is_avif = any(brand in AVIF_BRANDS for brand in brands)
    return "avif" if is_avif else "heif"


def _detect_mpeg_stream(head: bytes) -> str:
    """'mpeg' of a program stream, 'mpegts' of a transport stream, cut off anywhere; or ''."""
    for size in TS_PACKET_SIZES:
        for start in range(size):
            syncs = head[start : start + size * MAX_TS_PACKETS : size]
            if len(syncs) >= MIN_TS_PACKETS and syncs == bytes([TS_SYNC_BYTE]) * len(syncs):
                return "mpegts"
    packs = 0
    place = head.find(b"\x00\x00\x01\xba")
    if place >= 0 and not head[:place].strip(b"\0"):
        return "mpeg"
    while place >= 0:
        after = head[place + 4 : place + 5]
        packs += bool(
            after and (after[0] & 0xC0 == 0x40 or after[0] & 0xF0 == 0x20)
        )  # MPEG-2, MPEG-1
        place = head.find(b"\x00\x00\x01\xba", place + 4)
    return "mpeg" if packs >= 2 else ""


def make_file_url(path):
    """What libav opens for the file at `path`: of a plain path '12:' would be a protocol."""
    return f"file:{os.fspath(path)}"


def select_video_stream(path, container):
    """The one video stream of an opened file.

    Raises MediaError where there is none, or where it is beyond the limits above.
    """
    stream = select_live_stream(path, container)
    if container.duration and container.duration > MAX_VIDEO_SECONDS * 1_000_000:
        raise MediaError(
            f"{path}: {container.duration // 1_000_000} seconds; the limit is {MAX_VIDEO_SECONDS} "
            "(--max_video_seconds)."
        )
    return stream


def select_live_stream(path, container):
    """As check_stream, of what may go on for ever."""
    if len(container.streams) > MAX_STREAMS:
        raise MediaError(
            f"{path}: {len(container.streams)} streams; the limit is {MAX_STREAMS} (--max_streams)."
        )
    videos = [stream for stream in container.streams.video if not _is_cover_picture(stream)]
    if not videos:
        raise MediaError(f"{path}: no video stream in it.")
    stream = videos[0]
    if stream.codec_context is None:
        raise MediaError(f"{path}: its video is in no format that can be decoded here.")
    check_frame_size(path, stream.codec_context.width, stream.codec_context.height)
    return stream


def _is_cover_picture(stream) -> bool:
    """Whether a stream is a still picture that players show in the place of a video."""
    return bool(stream.disposition & type(stream.disposition).attached_pic)


def check_frame_size(path, width, height):
    """Raise MediaError for a frame beyond MAX_FRAME_PIXELS."""
    if width * height > MAX_FRAME_PIXELS:
        raise MediaError(
            f"{path}: frames of {width}x{height} pixels; the limit is {MAX_FRAME_PIXELS} pixels "
            "(--max_frame_pixels)."
        )


def _get_ending(path):
    return os.path.splitext(str(path))[1].lower()


def _strip_ending(path) -> str:
    return os.path.splitext(str(path))[0]
