"""Pictures of a video, exact to the picture. PyAV is imported in this folder only.

A path may be an object whose read() gives the file's bytes and whose str() ends as the file's name does.

Picture i is the i-th that a decode from the first packet returns. Neither packets nor a header's count will do for it: a
chunk of DivX in AVI may hold no picture, or two. Where a container stores a time for each packet and each packet of the
codec is one picture, the list of times is read without decoding, and reading starts at a key frame. Everything else is
decoded once from the first packet. Where that shows that each packet gave one picture, in the order in which they are
stored, as XviD without B-frames in AVI does, reading starts at a key frame after all; else at the first packet.
"""

import contextlib
import dataclasses
import functools
import io
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import av
import numpy as np
from av.video.frame import PictureType

from tfanon.core import processes
from tfanon.media import frame_cache, limits, tone_mapping
from tfanon.media.limits import MediaError, is_video_path  # noqa: F401  (both are part of this module's interface)
from tfanon.media.scaling import WHOLE_FRAME, WindowScaler

STRICT_OPTIONS = {
    "err_detect": "explode"
}  # a decoder's option: damage is an error, not something to be concealed
MAX_DECODER_THREADS = 16  # of a decoder: more of them hold more frames and are no faster
MAX_CACHED_INDEXES = 16384  # indexes kept: about 2.5 KB for 300 pictures
INDEXED_CONTAINERS = ("mov",)  # their index says where each packet lies, apart for each track
TIMED_CONTAINERS = (
    "flv",
    "matroska",
    "mov",
    "mpegts",
)  # they store a presentation time for each packet
# Codecs of which a packet is one picture that is shown. Not among them: MPEG-4 part 2 (packed B-frames, packets that
# repeat a picture) and VP8 (pictures that are never shown).
ONE_FRAME_PER_PACKET_CODECS = ("av1", "ffv1", "h264", "hevc", "mjpeg", "png", "prores", "vp9")


@dataclasses.dataclass(frozen=True)
class FrameIndex:
    """What is known of a video's pictures before one is read.

    Attributes:
        count: Number of pictures that a decode from the first packet returns.
        stamps: Time of each picture, ascending, in the stream's time base; None where only a decode
            from the first packet tells which picture is which.
        size: Bytes of all decoded pictures.
        keys: Times at which a decode may start, where a decode has shown them; None: where the file
            says it may.
    """

    count: int
    stamps: tuple[int, ...] | None
    size: int
    keys: frozenset[int] | None = None


def count_frames(path) -> int:
    """Number of pictures of the video at `path`.  Raises MediaError."""
    return index_frames(path).count


def index_frames(path) -> FrameIndex:
    """The FrameIndex of the video at `path`, made once per state of the file.  Raises MediaError."""
    return _index_frames(*(_identify_file_state(path) or (path, None, None)))


def read_frames(
    path, choose: Callable[[int], Iterable[int]], height: int, width: int, crop=WHOLE_FRAME
) -> np.ndarray:
    """Some pictures of a video, upright, cropped and scaled.

    Args:
        path: Of the file, or an object as above.
        choose: Function of the number of pictures that returns the wanted numbers; repeats are allowed.
        height: Of the result, in pixels.
        width: Of the result, in pixels.
        crop: (factor, y, x): the window has factor times the picture's sides, and its corner lies at the shares y and x
            in [0, 1] of what remains. The window is scaled to height x width, whatever its own aspect is.

    Returns:
        uint8 [T, height, width, 3] RGB.

    Raises:
        MediaError: The file cannot be read, or one of the pictures cannot be decoded; the message names it.
    """
    index, file = index_frames(path), _identify_file_state(path)
    numbers = [int(number) for number in choose(index.count)]
    scaler, wanted = WindowScaler(height, width), set(numbers)
    check_colour = tone_mapping.ColourChecker(path)

    def scale(frame: av.VideoFrame) -> np.ndarray:
        check_colour(frame)
        return scaler(frame, crop)

    kept = frame_cache.FRAME_CACHE.find(file) or frame_cache.FRAME_CACHE.keep(
        file, index.size, lambda: _decode_frames(path, index, set(range(index.count)), lambda frame: frame)
    )
    if kept:
        found = {number: scale(kept[number]) for number in wanted}
    else:
        found = _decode_frames(path, index, wanted, scale)
    return np.stack([found[number] for number in numbers])


@contextlib.contextmanager
def open_container(path, strict=False, threads=1):
    """(container, stream) of an open file; every error of libav becomes one MediaError line.

    explode: a damaged frame is an error, not something to be concealed.  threads: of the decoder; 0: one per core.
    """
    name, source = _resolve_input(path)
    with (
        name_file_in_errors(path),
        av.open(
            source, format=name, options=limits.LIBAV_OPEN_OPTIONS, metadata_errors="replace"
        ) as container,
    ):
        stream = limits.select_video_stream(path, container)
        stream.thread_type = (
            "NONE" if threads == 1 else "AUTO"
        )  # 1: tf.data already reads several files at once
        stream.codec_context.thread_count = threads or min(MAX_DECODER_THREADS, processes.count_cores())
        if strict:
            stream.codec_context.options = STRICT_OPTIONS
        yield container, stream


def copy_decoder(stream, options: dict[str, str]) -> av.CodecContext:
    """A further decoder, on one thread, for the packets of a stream.

    Args:
        stream: Whose codec and extradata it gets.
        options: Of libav, such as {"err_detect": "explode"}.
    """
    given = stream.codec_context
    decoder = av.CodecContext.create(given.codec.name, "r")
    decoder.extradata, decoder.codec_tag = given.extradata, given.codec_tag
    decoder.width, decoder.height = given.width, given.height
    decoder.thread_type, decoder.thread_count = "NONE", 1
    decoder.options = options
    return decoder


@contextlib.contextmanager
def name_file_in_errors(name) -> Iterator[None]:
    """Every error of libav in the block becomes one MediaError line that begins with `name`."""
    try:
        yield
    except (av.FFmpegError, EOFError, MemoryError) as error:
        raise MediaError(
            f"{name}: {getattr(error, 'strerror', None) or error or 'out of memory'}."
        ) from None


def _resolve_input(path):
    """(name of libav's demuxer, what libav opens)."""
    if _is_path(path):
        return limits.detect_file_format(path), limits.make_file_url(path)
    content = io.BytesIO(path.read())
    return limits.detect_format(content, path), content


def _is_path(path):
    """Whether `path` names a file; else it is an object whose read() gives the bytes of one, and never others."""
    return isinstance(path, (str, os.PathLike))


def _identify_file_state(path):
    """(path, time of its last change, size) of a file, which tell its content from any other; None of other objects."""
    if not _is_path(path):
        return None
    try:
        state = os.stat(path)
    except OSError as error:
        raise MediaError(f"{path}: {error.strerror}.") from None
    return path, state.st_mtime_ns, state.st_size


@functools.lru_cache(maxsize=MAX_CACHED_INDEXES)
def _index_frames(path, _modified, _size) -> FrameIndex:
    with open_container(path) as (container, stream):
        stamps = _list_timestamps(path, container, stream)
        codec = stream.codec_context
        size = _compute_frame_bytes(codec.width, codec.height, codec.format)
    if stamps:
        return FrameIndex(len(stamps), stamps, len(stamps) * size)
    count, stamps, keys = _index_by_decoding(path)
    if not count:
        raise MediaError(f"{path}: no frames in it.")
    return FrameIndex(count, stamps, count * size, keys)


def _list_timestamps(path, container, stream) -> tuple[int, ...] | None:
    """The time of each picture, ascending; None where packets do not tell how many pictures come out, and when."""
    if not has_time_per_frame(container, stream):
        return None
    stamps, first = set(), None
    for packet in container.demux(stream):
        if not packet.size:
            continue
        first = first or packet
        untold = packet.pts is None or packet.pts in stamps or packet.is_corrupt
        if untold or not first.is_keyframe:
            return None
        if packet.is_discard:
            continue
        if (
            packet.pts < first.pts
        ):  # it may need a picture that was cut away, and then is never shown
            return None
        stamps.add(packet.pts)
        check_frame_count(path, len(stamps))
    return tuple(sorted(stamps))


def has_time_per_frame(container, stream) -> bool:
    """Whether the packets of a stream are one picture each, with the time at which it is shown."""
    codec = stream.codec_context.codec.canonical_name
    return container.format.name in TIMED_CONTAINERS and codec in ONE_FRAME_PER_PACKET_CODECS


def _index_by_decoding(path) -> tuple[int, tuple[int, ...] | None, frozenset[int] | None]:
    """(count, stamps, keys) of a FrameIndex, by decoding all pictures."""
    packets, shown, keys, plain = [], [], set(), True
    with open_container(path) as (container, stream):
        for packet in container.demux(stream):
            if packet.size:
                packets.append(packet.pts)
                plain = plain and packet.pts is not None and packet.pts == packet.dts
            for frame in packet.decode():
                shown.append(frame.pts)
                if frame.pict_type == PictureType.I:
                    keys.add(frame.pts)
                check_frame_count(path, len(shown))
    if plain and packets == shown == sorted(set(shown)):
        return len(shown), tuple(shown), frozenset(keys)
    return len(shown), None, None


def check_frame_count(path, count: int) -> None:
    """Raise MediaError for a video of more than limits.MAX_FRAMES pictures."""
    if count > limits.MAX_VIDEO_FRAMES:
        raise MediaError(
            f"{path}: more than {limits.MAX_VIDEO_FRAMES} frames, which is the limit; no flag raises it."
        )


def _compute_frame_bytes(width, height, pixel):
    """Of one frame.  pixel: its av.VideoFormat, None where the header does not say."""
    return width * height * (pixel.padded_bits_per_pixel if pixel else 32) // 8


def _decode_frames(
    path, index: FrameIndex, wanted: set[int], convert: Callable[[av.VideoFrame], Any]
) -> dict[int, Any]:
    """{number: convert(frame)} of the wanted pictures.  Raises MediaError where one of them cannot be decoded."""
    found = {}
    if index.stamps:
        found = _decode_from_key_frame(path, index, wanted, convert)
    if len(found) < len(
        wanted
    ):  # also where the file's own index points behind the key frame that it promises
        found = _decode_from_start(path, index.stamps, wanted, convert)
    if len(found) < len(wanted):
        raise MediaError(
            f"{path}: frame {min(wanted - found.keys())} of {index.count} could not be decoded."
        )
    return found


def _decode_from_key_frame(path, index: FrameIndex, wanted, convert) -> dict[int, Any]:
    """As _decode, from the key frame before the first wanted picture; nothing where the file's own index is wrong.

    A picture that no other is predicted from is not decoded unless it is wanted.
    """
    numbers = {index.stamps[number]: number for number in wanted}
    first, found, start = min(numbers), {}, None
    with open_container(path) as (container, stream):
        if first > index.stamps[0]:
            container.seek(first, stream=stream, backward=True)
        for packet in container.demux(stream):
            start = packet.pts if start is None else start
            if index.keys is not None and start not in index.keys:
                return {}
            needed = packet.pts is None or packet.pts in numbers
            stream.codec_context.skip_frame = "DEFAULT" if needed else "NONREF"
            for frame in packet.decode():
                # What is shown before the key frame is predicted from pictures that were not decoded.
                predicted = start is None or frame.pts is None or frame.pts < start
                if frame.pts in numbers and not predicted and not frame.is_corrupt:
                    found.setdefault(numbers[frame.pts], convert(frame))
                if len(found) == len(numbers):
                    return found
    return found


def _decode_from_start(path, stamps, wanted, convert) -> dict[int, Any]:
    """As _decode, from the first packet on.  stamps: None: pictures are numbered as they come."""
    found = {}
    with open_container(path) as (container, stream):
        for number, frame in _number_frames(container.decode(stream), stamps):
            if number in wanted and not frame.is_corrupt:
                found.setdefault(number, convert(frame))
            if len(found) == len(wanted):
                break
    return found


def _number_frames(
    frames: Iterable[av.VideoFrame], stamps
) -> Iterator[tuple[int | None, av.VideoFrame]]:
    """(number, frame) of each: by its time, None for a time that is not among the stamps; without stamps counted."""
    if stamps is None:
        yield from enumerate(frames)
        return
    numbers = {stamp: number for number, stamp in enumerate(stamps)}
    for frame in frames:
        yield numbers.get(frame.pts), frame
