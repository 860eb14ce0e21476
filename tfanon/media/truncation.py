"""Checks whether a video file ends before its own headers and indexes say it should."""

import os
from collections.abc import Iterable

import av

from tfanon.media import frame_reader, frame_times

# Containers whose header gives the exact duration; a truncated file ends there without an error.
EXACT_DURATION_CONTAINERS = ("matroska",)
DURATION_TOLERANCE_SECONDS = 0.2  # by which the duration in a header may be wrong
# Length of a RIFF chunk whose writer never finished: not filled in yet, or unknown.
UNFINISHED_RIFF_LENGTHS = (0, 2**32 - 1)
RIFF_HEADER_BYTES = 8  # four letters and a 32-bit length


def describe_truncation(
    path: str,
    container: av.container.InputContainer,
    stream: av.VideoStream,
    sound_tracks: Iterable[av.AudioStream],
    last_seconds: float,
) -> str:
    """Describe how a file ends too early.

    Args:
        path: The file.
        container: The same file, opened and read to its end.
        stream: Its video stream.
        sound_tracks: Its sound tracks that are read, too.
        last_seconds: End of the last packet, in seconds.

    Returns:
        A phrase, such as "it ends after 1.20 of 2.40 seconds"; empty if the file is complete.
    """
    declared = _read_declared_seconds(container, stream)
    if last_seconds < declared - DURATION_TOLERANCE_SECONDS:
        return f"it ends after {last_seconds:.2f} of {declared:.2f} seconds"
    end = 0
    if container.format.name in frame_reader.INDEXED_CONTAINERS:
        end = _find_indexed_end([stream, *sound_tracks])
    elif container.format.name in frame_times.UNTIMED_CONTAINERS:
        end = find_riff_end(path)
    if container.size < end:
        return f"it ends after {container.size} of {end} bytes"
    return ""


def _read_declared_seconds(container: av.container.InputContainer, stream: av.VideoStream) -> float:
    """Return the duration by the header; 0 if there is none that can be relied on."""
    if container.format.name in EXACT_DURATION_CONTAINERS:
        return (container.duration or 0) / av.time_base
    # A fragmented file, whose fragments may be listed at the front.
    if container.format.name in frame_reader.INDEXED_CONTAINERS and not stream.frames:
        return float((stream.duration or 0) * (stream.time_base or 0))
    return 0.0


def _find_indexed_end(streams: Iterable[av.stream.Stream]) -> int:
    """Return the byte at which the last indexed sample of the copied streams ends.

    Counts and durations would not do: an edit list leaves out some frames and moves others.
    """
    end = 0
    for stream in streams:
        for entry in stream.index_entries:
            end = max(end, entry.pos + entry.size)
    return end


def find_riff_end(path: str) -> int:
    """Return the byte at which the RIFF chunks of an AVI file end, by their own lengths.

    Args:
        path: The file.

    Returns:
        0 if the writer of the file never finished it.
    """
    position = end = 0
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        while position + RIFF_HEADER_BYTES <= size:
            file.seek(position)
            header = file.read(RIFF_HEADER_BYTES)
            length = int.from_bytes(header[4:], "little")
            if header[:4] != b"RIFF" or length in UNFINISHED_RIFF_LENGTHS:
                break
            end = position + RIFF_HEADER_BYTES + length
            position = end + length % 2  # chunks are padded to an even length
    return end
