"""What a media file may be: which containers, how large, how long. Decoders are the part of tfanon that strangers feed.

A container is chosen by the first bytes of the file and named to libav, so that libav never guesses: a play list or a
concatenation script, which could open other files, is not among the choices, whatever its name ends in.
"""

import os

VIDEO_ENDINGS = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm")
IMAGE_ENDINGS = (".bmp", ".jpeg", ".jpg", ".png", ".webp")

SIGNATURES = (  # offset, bytes, name of libav's demuxer
    (0, b"\xff\xd8\xff", "jpeg_pipe"),
    (0, b"\x89PNG\r\n\x1a\n", "png_pipe"),
    (8, b"WEBP", "webp_pipe"),
    (0, b"BM", "bmp_pipe"),
    (4, b"ftyp", "mov"),
    (4, b"moov", "mov"),
    (4, b"mdat", "mov"),
    (4, b"wide", "mov"),
    (8, b"AVI ", "avi"),
    (0, b"\x1a\x45\xdf\xa3", "matroska"),
    (0, b"\x00\x00\x01\xba", "mpeg"),
)

OPEN_OPTIONS = {"protocol_whitelist": "file"}  # a file must not make libav open a network address

MAX_PIXELS = 64_000_000  # of one frame: 8K has 33 million
MAX_SECONDS = 6 * 3600  # of one video
MAX_FRAMES = 2_000_000  # of one video: the list of time stamps is kept in memory
MAX_STREAMS = 16


def allow(pixels, seconds, streams):
    """Set the limits of this process: pixels of a frame, seconds and streams of a file."""
    global MAX_PIXELS, MAX_SECONDS, MAX_STREAMS
    MAX_PIXELS, MAX_SECONDS, MAX_STREAMS = pixels, seconds, streams


def allowed():
    """What allow() was given, for a child process to be told."""
    return {"pixels": MAX_PIXELS, "seconds": MAX_SECONDS, "streams": MAX_STREAMS}


class MediaError(ValueError):
    """A file that cannot be read; the message names it."""


def is_video(path):
    """Whether the ending of `path` is one of a video, in any case."""
    return _ending(path) in VIDEO_ENDINGS


def check_ending(path):
    """Raise MediaError unless `path` ends as a video or an image does."""
    if _ending(path) not in VIDEO_ENDINGS + IMAGE_ENDINGS:
        allowed = " ".join(VIDEO_ENDINGS + IMAGE_ENDINGS)
        raise MediaError(f"{path}: no video or image file by its ending '{_ending(path)}'. Allowed: {allowed}.")


def container_format(path):
    """Name of the libav demuxer for the file at `path`, by its first bytes.

    Raises MediaError for a file that is missing, unreadable or of none of the allowed kinds.
    """
    check_ending(path)
    try:
        with open(path, "rb") as file:
            return format_of(file.read(16), path)
    except OSError as error:
        raise MediaError(f"{path}: {error.strerror}.") from None


def format_of(head, path):
    """As container_format, from the first 16 bytes."""
    for offset, magic, name in SIGNATURES:
        if head[offset:offset + len(magic)] == magic:
            return name
    raise MediaError(f"{path}: {'no video or image that is read here, by its content' if head else 'an empty file'}.")


def address(path):
    """What libav opens for the file at `path`: of a plain path it would read '12:' as the name of a protocol."""
    return f"file:{os.fspath(path)}"


def check_stream(path, container):
    """The one video stream of an opened file.

    Raises MediaError where there is none, or where it is beyond the limits above.
    """
    stream = check_live(path, container)
    if container.duration and container.duration > MAX_SECONDS * 1_000_000:
        raise MediaError(f"{path}: {container.duration // 1_000_000} seconds; the limit is {MAX_SECONDS}.")
    return stream


def check_live(path, container):
    """As check_stream, of what may go on for ever."""
    if len(container.streams) > MAX_STREAMS:
        raise MediaError(f"{path}: {len(container.streams)} streams; the limit is {MAX_STREAMS}.")
    if not container.streams.video:
        raise MediaError(f"{path}: no video stream in it.")
    stream = container.streams.video[0]
    if stream.codec_context is None:
        raise MediaError(f"{path}: its video is in no format that can be decoded here.")
    check_pixels(path, stream.codec_context.width, stream.codec_context.height)
    return stream


def check_pixels(path, width, height):
    """Raise MediaError for a frame beyond MAX_PIXELS."""
    if width * height > MAX_PIXELS:
        raise MediaError(f"{path}: frames of {width}x{height} pixels; the limit is {MAX_PIXELS} pixels.")


def _ending(path):
    return os.path.splitext(str(path))[1].lower()
