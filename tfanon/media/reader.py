"""Frames of a video, pixels of an image; exact to the frame. PyAV is imported in this folder only.

A path may be an object whose read() gives the file's bytes and whose str() ends as the file's name does.

A time stamp is not a frame number: in AVI with B-frames the first one is 1 where the stream starts at 0. So frame i is
the frame that carries the i-th time stamp of the sorted list, and the list is read once per file, without decoding.
"""

import contextlib
import functools
import io
import itertools
import os

import av
import av.video.reformatter
import numpy as np

from tfanon.media import limits, memory
from tfanon.media.limits import MediaError, is_video  # noqa: F401  (both are part of this module's interface)

WHOLE = (1.0, 0.0, 0.0)
CACHED_FILES = 16384  # lists of time stamps kept: about 2.5 KB for 300 frames


def count_frames(path):
    """Number of frames of the video at `path`, counted, not taken from its header. Raises MediaError."""
    return len(_time_stamps(path, _state(path))[0])


def read_frames(path, choose, height, width, crop=WHOLE):
    """Some frames of a video, cropped and scaled.

    choose: function of the number of frames that returns the wanted frame numbers; repeats are allowed.
    crop: (factor, y, x): the window has factor times the frame's sides, and its corner lies at the shares y and x in
        [0, 1] of what remains. The window is scaled to height x width, whatever its own aspect is.
    Returns uint8 [T, height, width, 3] RGB.  Raises MediaError that names the file.
    """
    file = _state(path)
    stamps, trusted, size = _time_stamps(path, file)
    numbers = [int(number) for number in choose(len(stamps))]
    scale, wanted = _Scaler(height, width), set(numbers)
    kept = memory.FRAMES.find(file) or memory.FRAMES.keep(
        file, size, lambda: _decode(path, stamps, trusted, set(range(len(stamps))), lambda frame: frame))
    if kept:
        found = {number: scale(kept[number], crop) for number in wanted}
    else:
        found = _decode(path, stamps, trusted, wanted, lambda frame: scale(frame, crop))
    return np.stack([found[number] for number in numbers])


def read_image(path, height, width, crops=(WHOLE,)):
    """One image, decoded once, cut and scaled once per crop (as in read_frames).

    Returns uint8 [len(crops), height, width, 3] RGB; a greyscale file has three equal channels, alpha is dropped.
    Raises MediaError that names the file; a truncated image counts as unreadable.
    """
    frame, scale = _image(path), _Scaler(height, width)
    return np.stack([scale(frame, crop) for crop in crops])


@contextlib.contextmanager
def opened(path, explode=False, threads=1):
    """(container, stream) of an open file; every error of libav becomes one MediaError line.

    explode: a damaged frame is an error, not something to be concealed.  threads: of the decoder; 0 lets libav decide.
    """
    name, source = _source(path)
    try:
        with av.open(source, format=name, options=limits.OPEN_OPTIONS, metadata_errors="replace") as container:
            stream = limits.check_stream(path, container)
            stream.thread_type = "NONE" if threads == 1 else "AUTO"  # 1: tf.data already reads several files at once
            stream.codec_context.thread_count = threads
            if explode:
                stream.codec_context.options = {"err_detect": "explode"}
            yield container, stream
    except (av.FFmpegError, EOFError, MemoryError) as error:
        raise MediaError(f"{path}: {getattr(error, 'strerror', None) or error}.") from None


def _source(path):
    """(name of libav's demuxer, what libav opens)."""
    if _is_file(path):
        return limits.container_format(path), limits.address(path)
    content = path.read()
    return limits.format_of(content[:16], path), io.BytesIO(content)


def _is_file(path):
    """Whether `path` names a file; else it is an object whose read() gives the bytes of one, and never others."""
    return isinstance(path, (str, os.PathLike))


def _state(path):
    """(path, time of its last change, size) of a file, which tell its content from any other; None of other objects."""
    if not _is_file(path):
        return None
    try:
        state = os.stat(path)
    except OSError as error:
        raise MediaError(f"{path}: {error.strerror}.") from None
    return path, state.st_mtime_ns, state.st_size


def _time_stamps(path, state):
    """(sorted time stamps of the frames, whether they tell frames apart, bytes of all frames), once per _state."""
    return _read_time_stamps(*(state or (path, None, None)))


@functools.lru_cache(maxsize=CACHED_FILES)
def _read_time_stamps(path, _modified, _size):
    stamps = []
    with opened(path) as (container, stream):
        for packet in container.demux(stream):
            if packet.size and packet.pts is not None and not packet.is_discard:
                stamps.append(packet.pts)
                if len(stamps) > limits.MAX_FRAMES:
                    raise MediaError(f"{path}: more than {limits.MAX_FRAMES} frames.")
        codec = stream.codec_context
        reordered, size = codec.has_b_frames, len(stamps) * _bytes(codec.width, codec.height, codec.format)
    if not stamps:
        raise MediaError(f"{path}: no frames in it.")
    ordered = sorted(set(stamps))
    # H.264 with B-frames in AVI: no time stamps are stored, libav counts packets instead, and these are out of order.
    return tuple(ordered), not (reordered and stamps == ordered), size


def _bytes(width, height, pixel):
    """Of one frame.  pixel: its av.VideoFormat, None where the header does not say."""
    return width * height * (pixel.padded_bits_per_pixel if pixel else 32) // 8


def _image(path):
    """The frame of an image."""
    file = _state(path)
    if kept := memory.FRAMES.find(file):
        return kept[0]
    with opened(path, explode=True) as (container, stream):
        for frame in container.decode(stream):
            limits.check_pixels(path, frame.width, frame.height)
            memory.FRAMES.keep(file, _bytes(frame.width, frame.height, frame.format), lambda: {0: frame})
            return frame
    raise MediaError(f"{path}: no image could be decoded.")


def _decode(path, stamps, trusted, wanted, convert):
    """{frame number: convert(frame)} of the wanted numbers, from the key frame before the first if possible."""
    first, found = min(wanted), {}
    if trusted:
        with opened(path) as (container, stream):
            if first:
                container.seek(stamps[first], stream=stream, backward=True)
            found = _decode_until(container, stream, {stamps[number]: number for number in wanted}, convert)
    if len(found) < len(wanted):  # also where the index of the file leads behind the frame it promises
        with opened(path) as (container, stream):
            found = _decode_all(container, stream, wanted, stamps if trusted else None, convert)
    if len(found) < len(wanted):
        raise MediaError(f"{path}: frame {min(wanted - found.keys())} of {len(stamps)} could not be decoded.")
    return found


def _decode_until(container, stream, numbers, convert):
    """As _decode.  numbers: {time stamp: number} of the wanted frames.

    A frame that no other is predicted from is not decoded unless it is wanted.
    """
    found = {}
    for packet in container.demux(stream):
        stream.codec_context.skip_frame = "DEFAULT" if packet.pts is None or packet.pts in numbers else "NONREF"
        for frame in packet.decode():
            if frame.pts in numbers and not frame.is_corrupt:
                found.setdefault(numbers[frame.pts], convert(frame))
                if len(found) == len(numbers):
                    return found
    return found


def _decode_all(container, stream, wanted, stamps, convert):
    """As _decode.  stamps: of all frames; None: count the frames, which then start at the first."""
    numbers = {stamp: number for number, stamp in enumerate(stamps or ())}
    found, count = {}, itertools.count()
    for frame in container.decode(stream):
        number = next(count) if stamps is None else numbers.get(frame.pts)
        if number in wanted and number not in found and not frame.is_corrupt:
            found[number] = convert(frame)
            if len(found) == len(wanted):
                return found
    return found


class _Scaler:
    """Cuts a window out of frames and scales it. One swscale context serves all frames of a clip."""

    def __init__(self, height, width):
        self.height, self.width = height, width
        self.reformatter = av.video.reformatter.VideoReformatter()

    def __call__(self, frame, crop):
        """uint8 [height, width, 3].  The whole frame is scaled, then sliced: swscale has no window of its own."""
        factor, y, x = crop
        tall, wide = round(self.height / factor), round(self.width / factor)
        scaled = self.reformatter.reformat(
            frame, width=wide, height=tall, format="rgb24", interpolation="BILINEAR", threads=1)
        top, left = round(y * (tall - self.height)), round(x * (wide - self.width))
        return pixels(scaled)[top:top + self.height, left:left + self.width]


def pixels(frame):
    """uint8 [height, width, 3] of an rgb24 frame; a view where the lines carry padding."""
    plane = frame.planes[0]
    lines = np.frombuffer(plane, np.uint8).reshape(frame.height, plane.line_size)
    return lines[:, :3 * frame.width].reshape(frame.height, frame.width, 3)
