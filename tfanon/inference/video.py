"""Anonymization of one video, from file to file, in memory that does not grow with its length.

Decoding, the network and encoding overlap. The output has the frames of the input at their times,
and appears only after it was found to have all of them.
"""

import array
import contextlib
import dataclasses
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

import av
import numpy as np

from tfanon.core import files
from tfanon.inference.network import Network
from tfanon.inference.prefetch import prefetch
from tfanon.media import (
    avi_check,
    frame_reader,
    limits,
    live_source,
    scaling,
    video_reader,
    video_writer,
)

PREFETCH_FRAMES = 8  # that may wait between two stages

InputVideo = video_reader.VideoReader | live_source.RawVideoReader


class FrameAnonymizer(Protocol):
    """What the stages need of an `anonymizer.Anonymizer`, which imports this module itself."""

    network: Network

    def get_input_size(self, height: int, width: int) -> tuple[int, int]:
        """Return (H, W) of the arrays that `anonymize_batch` takes, for upright frames."""

    def anonymize_batch(self, frames: np.ndarray, first_number: int = 0) -> np.ndarray:
        """Anonymize frames, uint8 `[N, H, W, 3]`, of the input size."""

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """Anonymize frames, uint8 `[N, H, W, 3]` or `[H, W, 3]`, of any size."""


class FrameWriter(Protocol):
    """Where anonymized frames of a file go; see `video_writer.VideoWriter`."""

    def write(self, pixels: np.ndarray, timestamp: int, duration: int) -> None:
        """Append a frame as it is stored, uint8 `[H, W, 3]`."""

    def finish(self) -> None:
        """Write what is held back."""

    def close(self) -> None:
        """Release the file."""


@dataclasses.dataclass
class UprightFrame:
    """A frame between two stages.

    Attributes:
        timestamp: In units of the video's time base.
        duration: In the same units.
        pixels: Upright, uint8 `[H, W, 3]`, of the anonymizer's input size.
    """

    timestamp: int
    duration: int
    pixels: np.ndarray


def anonymize_video(
    video: InputVideo,
    target: str | os.PathLike,
    anonymizer: FrameAnonymizer,
    encoding: video_writer.EncodingOptions,
    keep_metadata: bool = False,
    on_frame: Callable[[np.ndarray], Any] = lambda pixels: None,
    on_written: Callable[[pathlib.Path, dict[str, Any]], Any] = lambda path, record: None,
    overwrite: bool = True,
) -> dict[str, Any]:
    """Anonymize an open video into a file.

    Args:
        video: The video, not yet iterated.
        target: The file; after an error there is none.
        anonymizer: The anonymizer.
        encoding: How the file is encoded.
        keep_metadata: Copy the metadata of the container.
        on_frame: Called with each anonymized frame, upright, uint8 `[H, W, 3]`.
        on_written: Called with the temporary path and the record when the file is complete and
            verified, just before it gets its name.
        overwrite: Replace a file that has appeared at `target` meanwhile.

    Returns:
        The record: "frames", "seconds", "sound", "notes" (phrases that say where the file differs
        from the original) and "sha256".

    Raises:
        MediaError: The video cannot be read, or the file does not have all of its frames.
        UnsafeOutputError: A frame must not be shown.
        ValueError: The container cannot hold what it should.
        OSError: The file cannot be written.
    """
    ending = pathlib.Path(target).suffix.lower()
    notes: list[str] = []

    def open_writer(info: video_reader.VideoInfo) -> video_writer.VideoWriter:
        if ending == ".avi" and isinstance(video, video_reader.VideoReader):
            info = avi_check.fit_to_avi(video)
        writer = video_writer.VideoWriter(
            unfinished,
            info,
            encoding,
            ending,
            video.sound_tracks,
            video.metadata if keep_metadata else None,
        )
        notes.extend(writer.notes)
        return writer

    with files.write_atomically(target, replace=overwrite) as unfinished:
        # Errors of reading are MediaErrors already, which name the input.
        with frame_reader.name_file_in_errors(target):
            timestamps, end = write_anonymized_frames(video, open_writer, anonymizer, on_frame)
            # A frame that a stage has lost is missing from the timestamps, too.
            if len(timestamps) != video.frame_count:
                raise limits.MediaError(
                    f"{len(timestamps)} of {video.frame_count} frames were written."
                )
            time_base = video.info.time_base
            video_writer.verify_video_times(unfinished, timestamps, time_base, ending)
        record = {
            "frames": len(timestamps),
            "seconds": round(float((end - timestamps[0]) * time_base), 6),
            "sound": video.sound_status,
            "notes": [*video.notes, *notes],
            "sha256": files.compute_sha256(unfinished),
        }
        on_written(unfinished, record)
    return record


def claim_path(path: str | os.PathLike, overwrite: bool) -> None:
    """Make sure that a file may be written, and remove what an earlier process left there.

    Raises:
        ValueError: The file exists and is not to be replaced.
    """
    if os.path.exists(path) and not overwrite:
        raise ValueError(f"{path} exists; give --overwrite, or another -o.")
    files.remove_leftovers(path)


def write_anonymized_frames(
    video: InputVideo,
    open_writer: Callable[[video_reader.VideoInfo], FrameWriter],
    anonymizer: FrameAnonymizer,
    on_frame: Callable[[np.ndarray], Any] = lambda pixels: None,
) -> tuple[array.array, int]:
    """Write every frame of a video, anonymized.

    Args:
        video: The video, not yet iterated.
        open_writer: Opens the writer for a video of these properties. Where the video yields
            packets of sound, the writer also has a method `write_sound`.
        anonymizer: The anonymizer.
        on_frame: Called with each anonymized frame, upright.

    Returns:
        The timestamps of the frames, and the end of the last one, in the video's time base.
    """
    timestamps, end = array.array("q"), 0
    # The copy keeps the display matrix, so its frames are stored turned like those of the original.
    stored_orientation = scaling.invert_orientation(video.info.rotation)
    with contextlib.ExitStack() as stages:
        writer: Any = stages.enter_context(contextlib.closing(open_writer(video.info)))
        for item in run_stages(stages, video, anonymizer):
            if not isinstance(item, UprightFrame):
                writer.write_sound(item)
                continue
            pixels = scaling.make_upright(item.pixels, stored_orientation)
            writer.write(pixels, item.timestamp, item.duration)
            on_frame(item.pixels)
            timestamps.append(item.timestamp)
            end = item.timestamp + item.duration
        writer.finish()
    return timestamps, end


def run_stages(
    stages: contextlib.ExitStack, video: InputVideo, anonymizer: FrameAnonymizer
) -> Iterator[UprightFrame | av.Packet]:
    """Return anonymized frames and packets of sound; decoder and network each have a thread."""
    decoded = stages.enter_context(prefetch(decode_frames(video, anonymizer), PREFETCH_FRAMES))
    anonymized = anonymize_frames(decoded, anonymizer)
    return stages.enter_context(prefetch(anonymized, PREFETCH_FRAMES))


def decode_frames(
    video: InputVideo, anonymizer: FrameAnonymizer
) -> Iterator[UprightFrame | av.Packet]:
    """Yield the frames of a video as the anonymizer takes them, and packets of sound unchanged."""
    scaler = scaling.Scaler()
    for item in video:
        if not isinstance(item, video_reader.TimedFrame):
            yield item
            continue
        # A frame of another size is brought to that of the first.
        size = (video.info.height, video.info.width)
        pixels = make_upright(item.frame, video.info.rotation, size, anonymizer, scaler)
        yield UprightFrame(item.timestamp, item.duration, pixels)


def anonymize_frames(
    items: Iterable[UprightFrame | av.Packet], anonymizer: FrameAnonymizer
) -> Iterator[UprightFrame | av.Packet]:
    """Yield anonymized frames, and packets of sound unchanged.

    Batches have a fixed size, so that no result depends on how fast frames arrive.
    """
    batch: list[UprightFrame] = []
    count = 0
    for item in items:
        if not isinstance(item, UprightFrame):
            yield item
            continue
        batch.append(item)
        if len(batch) == anonymizer.network.batch:
            yield from _anonymize_batch(batch, count, anonymizer)
            count += len(batch)
            batch = []
    if batch:
        yield from _anonymize_batch(batch, count, anonymizer)


def _anonymize_batch(
    batch: list[UprightFrame], first_number: int, anonymizer: FrameAnonymizer
) -> list[UprightFrame]:
    """Return the frames of a batch, anonymized."""
    pixels = np.stack([frame.pixels for frame in batch])
    anonymized = anonymizer.anonymize_batch(pixels, first_number)
    pairs = zip(batch, anonymized, strict=True)
    return [dataclasses.replace(frame, pixels=pixels) for frame, pixels in pairs]


def make_upright(
    frame: av.VideoFrame,
    rotation: int,
    size: tuple[int, int],
    anonymizer: FrameAnonymizer,
    scaler: scaling.Scaler,
) -> np.ndarray:
    """Return the pixels of a decoded frame as the anonymizer takes them: people stand upright.

    Args:
        frame: The frame.
        rotation: What turns it upright, as `scaling.find_orientation` defines it.
        size: (H, W) of stored frames.
        anonymizer: The anonymizer, which decides the size.
        scaler: The scaler of this stream of frames.

    Returns:
        uint8 `[H, W, 3]` of the anonymizer's input size.
    """
    input_size = anonymizer.get_input_size(*scaling.turn_size(size, rotation))
    # to_pixels makes copies, as several frames wait between two stages.
    pixels = scaler.to_pixels(frame, *scaling.turn_size(input_size, rotation))
    return scaling.make_upright(pixels, rotation)
