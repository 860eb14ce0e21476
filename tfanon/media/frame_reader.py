"""Reads chosen frames of a video, exact to the frame. PyAV is imported in this folder only.

A path may also be an object whose read() returns the file's bytes and whose str() ends as the
file's name does.

Frame i is the i-th that a decoder returns when it starts at the first packet. Neither the number of
packets nor a header's count will do: a chunk of DivX in AVI may hold no frame, or two. If the
container stores a time for each packet and each packet of the codec is one frame, the list of times
is read without decoding, and reading starts at a key frame. Everything else is decoded once from
the first packet. If that shows one frame per packet, in the order in which they are stored (as in
XviD without B-frames in AVI), reading starts at a key frame, too; otherwise at the first packet.
"""

import contextlib
import dataclasses
import functools
import io
import os
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, Protocol, TypeVar, cast

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import PictureType

from tfanon.core import processes
from tfanon.media import frame_cache, limits, tone_mapping
from tfanon.media.limits import MediaError
from tfanon.media.scaling import WHOLE_FRAME, WindowScaler

STRICT_OPTIONS = {"err_detect": "explode"}  # of a decoder: raise at damage, do not conceal it
MAX_DECODER_THREADS = 16  # more of them hold more frames and are no faster
MAX_CACHED_INDEXES = 16384  # about 2.5 KB each, for 300 frames
INDEXED_CONTAINERS = ("mov",)  # their index says where each packet lies, separately for each track
TIMED_CONTAINERS = ("flv", "matroska", "mov", "mpegts")  # store a presentation time per packet
# Codecs in which each packet is one frame that is shown. Not among them: MPEG-4 part 2 (packed
# B-frames, packets that repeat a frame) and VP8 (frames that are never shown).
ONE_FRAME_PER_PACKET_CODECS = ("av1", "ffv1", "h264", "hevc", "mjpeg", "png", "prores", "vp9")
DEFAULT_BITS_PER_PIXEL = 32  # where the header does not give the pixel format

Converted = TypeVar("Converted")
FrameConverter = Callable[[av.VideoFrame], Converted]
FileState = tuple[str | os.PathLike[str], int, int]


class StoredFile(Protocol):
    """A media file that is not on the disk; its str() ends as the file's name does."""

    def read(self) -> bytes:
        """Return the whole content, the same each time."""


MediaPath = str | os.PathLike[str] | StoredFile


@dataclasses.dataclass(frozen=True)
class FrameIndex:
    """What is known about a video's frames before one is read.

    Attributes:
        count: Number of frames that a decoder returns when it starts at the first packet.
        timestamps: Time of each frame, ascending, in the stream's time base; None if only decoding
            from the first packet shows which frame is which.
        size: Bytes of all decoded frames.
        keys: Times at which decoding may start, as found by decoding; None: where the file says so.
    """

    count: int
    timestamps: tuple[int, ...] | None
    size: int
    keys: frozenset[int] | None = None


def count_frames(path: MediaPath) -> int:
    """Return the number of frames of a video.

    Args:
        path: The file.

    Raises:
        MediaError: The file cannot be read.
    """
    return index_frames(path, identify_file_state(path)).count


def index_frames(path: MediaPath, state: FileState | None) -> FrameIndex:
    """Return the index of a video's frames, which is cached until the file changes.

    Args:
        path: The file.
        state: As identify_file_state returns it now.

    Raises:
        MediaError: The file cannot be read.
    """
    key = state or (path, None, None)
    return _index_frames(*key)


def read_frames(
    path: MediaPath,
    choose: Callable[[int], Iterable[int]],
    height: int,
    width: int,
    crop: tuple[float, float, float] = WHOLE_FRAME,
) -> np.ndarray:
    """Read some frames of a video, upright, cropped and scaled.

    Args:
        path: The file.
        choose: Returns the numbers of the frames to read, given the number of frames of the video;
            a number may be repeated.
        height: Of the result, in pixels.
        width: Of the result, in pixels.
        crop: (factor, y, x): the window is ``factor`` times as high and wide as the frame, and its
            top left corner lies at the fractions y and x in [0, 1] of the remaining space. It is
            scaled to height x width, whatever its own aspect ratio is.

    Returns:
        uint8 RGB ``[T, height, width, 3]``.

    Raises:
        MediaError: The file cannot be read, or one of the frames cannot be decoded; the message
            names the file.
    """
    state = identify_file_state(path)
    index = index_frames(path, state)
    numbers = [int(number) for number in choose(index.count)]
    wanted = set(numbers)  # a repeated frame is decoded once
    scaler = WindowScaler(height, width)
    check_colour = tone_mapping.ColourChecker(path)

    def scale(frame: av.VideoFrame) -> np.ndarray:
        check_colour(frame)
        return scaler(frame, crop)

    def decode_all() -> dict[int, av.VideoFrame]:
        return _decode_frames(path, index, set(range(index.count)), lambda frame: frame)

    cached = frame_cache.FRAME_CACHE.find(state)
    if not cached:
        cached = frame_cache.FRAME_CACHE.keep(state, index.size, decode_all)
    if cached:
        frames = {number: scale(cached[number]) for number in wanted}
    else:
        frames = _decode_frames(path, index, wanted, scale)
    return np.stack([frames[number] for number in numbers])


@contextlib.contextmanager
def open_container(
    path: MediaPath, strict: bool = False, threads: int = 1
) -> Iterator[tuple[InputContainer, av.VideoStream]]:
    """Open a media file within the limits; every error of libav becomes a one-line MediaError.

    Args:
        path: The file.
        strict: Whether the decoder raises at a damaged frame instead of concealing the damage.
        threads: Of the decoder; 0: one per core.

    Yields:
        The open container and its video stream.

    Raises:
        MediaError: The file cannot be read or exceeds a limit.
    """
    file_format, source = _resolve_input(path)
    with (
        name_file_in_errors(path),
        av.open(
            source,
            "r",
            format=file_format,
            options=limits.LIBAV_OPEN_OPTIONS,
            metadata_errors="replace",  # titles need not be UTF-8
        ) as container,
    ):
        stream = limits.select_video_stream(path, container)
        # One thread is the default because tf.data already reads several files at once.
        stream.thread_type = "NONE" if threads == 1 else "AUTO"
        stream.codec_context.thread_count = threads or min(
            MAX_DECODER_THREADS, processes.count_cores()
        )
        if strict:
            stream.codec_context.options = STRICT_OPTIONS
        yield container, stream


def copy_decoder(stream: av.VideoStream, options: dict[str, str]) -> av.VideoCodecContext:
    """Create another decoder, with one thread, for the packets of a stream.

    Args:
        stream: The stream whose codec and extradata it gets.
        options: libav's options, such as STRICT_OPTIONS.
    """
    original = stream.codec_context
    decoder = cast(av.VideoCodecContext, av.CodecContext.create(original.codec.name, "r"))
    decoder.extradata = original.extradata
    decoder.codec_tag = original.codec_tag
    decoder.width = original.width
    decoder.height = original.height
    decoder.thread_type = "NONE"
    decoder.thread_count = 1
    decoder.options = options
    return decoder


@contextlib.contextmanager
def name_file_in_errors(name: object) -> Iterator[None]:
    """Turn errors of libav in the block into a one-line MediaError that begins with ``name``."""
    try:
        yield
    except (av.FFmpegError, EOFError, MemoryError) as error:
        raise MediaError(f"{name}: {describe_libav_error(error)}.") from None


def describe_libav_error(error: Exception) -> str:
    """Return what libav says about an error, without the number and the address around it."""
    return getattr(error, "strerror", None) or str(error) or "out of memory"


def _resolve_input(path: MediaPath) -> tuple[str, str | BinaryIO]:
    """Return (name of libav's demuxer, what libav is to open)."""
    if isinstance(path, str | os.PathLike):
        return limits.detect_file_format(path), limits.make_file_url(path)
    content = io.BytesIO(path.read())
    return limits.detect_format(content, path), content


def identify_file_state(path: MediaPath) -> FileState | None:
    """Return (path, time of the last change, size) of a file; None for an object.

    Together they identify the content of a file without reading it. An object never changes.
    """
    if not isinstance(path, str | os.PathLike):
        return None
    try:
        state = os.stat(path)
    except OSError as error:
        raise MediaError(f"{path}: {error.strerror}.") from None
    return path, state.st_mtime_ns, state.st_size


@functools.lru_cache(maxsize=MAX_CACHED_INDEXES)
def _index_frames(path: MediaPath, _modified: int | None, _size: int | None) -> FrameIndex:
    """Index a file; its modification time and size are part of the cache's key alone."""
    with open_container(path) as (container, stream):
        timestamps = _list_timestamps(path, container, stream)
        codec = stream.codec_context
        frame_bytes = compute_frame_bytes(codec.width, codec.height, codec.format)
    if timestamps:
        return FrameIndex(len(timestamps), timestamps, len(timestamps) * frame_bytes)
    count, timestamps, keys = _index_by_decoding(path)
    if not count:
        raise MediaError(f"{path}: it has no frames.")
    return FrameIndex(count, timestamps, count * frame_bytes, keys)


def _list_timestamps(
    path: MediaPath, container: InputContainer, stream: av.VideoStream
) -> tuple[int, ...] | None:
    """Return the time of each frame, ascending; None if packets do not show what comes out when."""
    if not has_time_per_frame(container, stream):
        return None
    timestamps: set[int] = set()
    first: int | None = None
    for packet in container.demux(stream):
        if not packet.size:
            continue
        if packet.pts is None or packet.pts in timestamps or packet.is_corrupt:
            return None
        if first is None:
            # Without its references, a decoder may return fewer frames than packets.
            if not packet.is_keyframe:
                return None
            first = packet.pts
        if packet.is_discard:  # left out by an edit list
            continue
        # It may refer to a frame that was cut away, and then is never shown.
        if packet.pts < first:
            return None
        timestamps.add(packet.pts)
        check_frame_count(path, len(timestamps))
    return tuple(sorted(timestamps))


def has_time_per_frame(container: InputContainer, stream: av.VideoStream) -> bool:
    """Return whether each packet of a stream is one frame, with the time at which it is shown.

    Args:
        container: The open file.
        stream: Its video stream.
    """
    codec = stream.codec_context.codec.canonical_name
    return container.format.name in TIMED_CONTAINERS and codec in ONE_FRAME_PER_PACKET_CODECS


def _index_by_decoding(
    path: MediaPath,
) -> tuple[int, tuple[int, ...] | None, frozenset[int] | None]:
    """Return (count, timestamps, keys) of a FrameIndex by decoding all frames."""
    packet_times: list[int | None] = []
    frame_times: list[int | None] = []
    keys: set[int] = set()
    is_stored_in_order = True
    with open_container(path) as (container, stream):
        for packet in container.demux(stream):
            if packet.size:
                packet_times.append(packet.pts)
                # Differing times mean B-frames, which are stored after frames shown later.
                has_one_time = packet.pts is not None and packet.pts == packet.dts
                is_stored_in_order = is_stored_in_order and has_one_time
            for frame in packet.decode():
                frame_times.append(frame.pts)
                if frame.pict_type == PictureType.I and frame.pts is not None:
                    keys.add(frame.pts)
                check_frame_count(path, len(frame_times))
    times = [time for time in frame_times if time is not None]
    if is_stored_in_order and packet_times == frame_times == sorted(set(times)):
        return len(times), tuple(times), frozenset(keys)
    return len(frame_times), None, None


def check_frame_count(path: MediaPath, count: int) -> None:
    """Check the length of a video.

    Args:
        path: The file, for the message.
        count: Frames so far.

    Raises:
        MediaError: There are more than limits.MAX_VIDEO_FRAMES.
    """
    if count > limits.MAX_VIDEO_FRAMES:
        raise MediaError(
            f"{path}: more than {limits.MAX_VIDEO_FRAMES} frames, which is a fixed limit."
        )


def compute_frame_bytes(width: int, height: int, pixel_format: av.VideoFormat | None) -> int:
    """Return the bytes of one decoded frame."""
    bits = pixel_format.padded_bits_per_pixel if pixel_format else DEFAULT_BITS_PER_PIXEL
    return width * height * bits // 8


def _decode_frames(
    path: MediaPath, index: FrameIndex, wanted: set[int], convert: FrameConverter[Converted]
) -> dict[int, Converted]:
    """Return {number: convert(frame)} of the wanted frames.

    Raises:
        MediaError: One of them cannot be decoded.
    """
    frames: dict[int, Converted] = {}
    if index.timestamps:
        frames = _decode_from_key_frame(path, index.timestamps, index.keys, wanted, convert)
    # The file's own index may also point past the key frame that it promises.
    if len(frames) < len(wanted):
        frames = _decode_from_start(path, index.timestamps, wanted, convert)
    if len(frames) < len(wanted):
        missing = min(wanted - frames.keys())
        raise MediaError(f"{path}: frame {missing} of {index.count} could not be decoded.")
    return frames


def _decode_from_key_frame(
    path: MediaPath,
    timestamps: tuple[int, ...],
    keys: frozenset[int] | None,
    wanted: set[int],
    convert: FrameConverter[Converted],
) -> dict[int, Converted]:
    """Decode as ``_decode_frames`` does, from the key frame before the first wanted frame.

    Frames that no other frame refers to are only decoded if they are wanted. The result is
    incomplete, or empty, if the file's own index is wrong.
    """
    numbers = {timestamps[number]: number for number in wanted}
    first = min(numbers)
    start = None
    frames: dict[int, Converted] = {}
    with open_container(path) as (container, stream):
        if first > timestamps[0]:
            container.seek(first, stream=stream, backward=True)
        for packet in container.demux(stream):
            start = packet.pts if start is None else start
            # The seek did not end at a frame at which decoding may start.
            if keys is not None and start not in keys:
                return {}
            needed = packet.pts is None or packet.pts in numbers
            stream.codec_context.skip_frame = "DEFAULT" if needed else "NONREF"
            for frame in packet.decode():
                # Frames shown before the key frame refer to frames that were not decoded.
                if start is None or frame.pts is None or frame.pts < start:
                    continue
                # A corrupt frame shows what the decoder made up: it counts as not decoded.
                if frame.pts in numbers and not frame.is_corrupt:
                    frames.setdefault(numbers[frame.pts], convert(frame))
                if len(frames) == len(numbers):
                    return frames
    return frames


def _decode_from_start(
    path: MediaPath,
    timestamps: tuple[int, ...] | None,
    wanted: set[int],
    convert: FrameConverter[Converted],
) -> dict[int, Converted]:
    """Decode as ``_decode_frames`` does, from the first packet.

    Without timestamps, frames are numbered in the order in which they are decoded.
    """
    frames: dict[int, Converted] = {}
    with open_container(path) as (container, stream):
        for number, frame in _number_frames(container.decode(stream), timestamps):
            if number in wanted and not frame.is_corrupt:
                frames.setdefault(number, convert(frame))
            if len(frames) == len(wanted):
                break
    return frames


def _number_frames(
    frames: Iterable[av.VideoFrame], timestamps: tuple[int, ...] | None
) -> Iterator[tuple[int | None, av.VideoFrame]]:
    """Yield (number, frame) by the frames' times; the number is None for a time not listed."""
    if timestamps is None:
        yield from enumerate(frames)
        return
    numbers = {timestamp: number for number, timestamp in enumerate(timestamps)}
    for frame in frames:
        number = None if frame.pts is None else numbers.get(frame.pts)
        yield number, frame
