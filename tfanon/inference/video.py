"""One video, from file to file: decoding, the network and encoding overlap, in memory that does not grow.

The output has the frames of the input at their times, and appears when it was found to have them all.
"""

import array
import contextlib
import dataclasses
import pathlib

import numpy as np

from tfanon.core import files
from tfanon.inference.prefetch import prefetch
from tfanon.media import avi_check, frame_reader, scaling, video_reader, video_writer

PREFETCH_FRAMES = 8  # frames that may wait between two stages


@dataclasses.dataclass
class UprightFrame:
    """A frame on its way: pixels are upright, [h, w, 3] uint8 of the anonymizer's view."""

    timestamp: int
    duration: int
    pixels: np.ndarray


def anonymize_video(
    video,
    target,
    anonymizer,
    encoding,
    keep_metadata=False,
    on_frame=lambda frame: None,
    on_written=lambda path, about: None,
    overwrite=True,
):
    """Anonymize an open source.Video (or one like it) into the file `target`.

    metadata: whether it is kept.  seen(pixels): called with each anonymized frame, upright.
    written(path, record): called when the file is whole and checked, just before it gets its name.
    overwrite: a file that has appeared at `target` by then.
    Returns {"frames": .., "seconds": .., "sound": .., "notes": [..], "sha256": ..}; notes: phrases that say what is
    otherwise than in the original.  Raises MediaError, network.Unsafe, ValueError or
    OSError; then no file is left.
    """
    ending, notes = pathlib.Path(target).suffix.lower(), []

    def make(form):
        if ending == ".avi" and isinstance(video, video_reader.VideoReader):
            form = avi_check.fit_to_avi(video)
        output = video_writer.VideoWriter(
            unfinished,
            form,
            encoding,
            ending,
            video.sound_tracks,
            video.metadata if keep_metadata else None,
        )
        notes.extend(output.notes)
        return output

    with files.write_atomically(target, replace=overwrite) as unfinished:
        with frame_reader.name_file_in_errors(target):
            stamps, end = write_anonymized_frames(video, make, anonymizer, on_frame)
            if len(stamps) != video.frame_count:
                raise video_writer.MediaError(
                    f"{len(stamps)} of {video.frame_count} frames were written."
                )
            video_writer.verify_video_times(unfinished, stamps, video.info.time_base, ending)
        record = {
            "frames": len(stamps),
            "seconds": round(float((end - stamps[0]) * video.info.time_base), 6),
            "sound": video.sound_status,
            "notes": [*video.notes, *notes],
            "sha256": files.compute_sha256(unfinished),
        }
        on_written(unfinished, record)
    return record


def write_anonymized_frames(video, open_sink, anonymizer, on_frame=lambda frame: None):
    """Write every frame, anonymized, to the sink that make(form) opens; returns (time stamps, end of the last frame)."""
    stamps, end = array.array("q"), 0
    with contextlib.ExitStack() as stages:
        output = stages.enter_context(contextlib.closing(open_sink(video.info)))
        for item in _run_stages(stages, video, anonymizer):
            if not isinstance(item, UprightFrame):
                output.write_sound(item)
                continue
            output.write(
                scaling.make_upright(item.pixels, scaling.invert_orientation(video.info.rotation)),
                item.timestamp,
                item.duration,
            )
            on_frame(item.pixels)
            stamps.append(item.timestamp)
            end = item.timestamp + item.duration
        output.finish()
    return stamps, end


def _run_stages(stages, video, anonymizer):
    """Anonymized frames of the video, and its packets of sound; decoder and network in threads of their own."""
    made = stages.enter_context(prefetch(decode_frames(video, anonymizer), PREFETCH_FRAMES))
    return stages.enter_context(prefetch(anonymize_frames(made, anonymizer), PREFETCH_FRAMES))


def decode_frames(video, anonymizer):
    """A Frame for every Picture of the video; packets of sound as they are."""
    scaler = scaling.Scaler()
    for item in video:
        if isinstance(item, video_reader.TimedFrame):
            info = video.info  # to whose size a frame of another one is brought
            pixels = make_upright(
                item.frame, info.rotation, (info.height, info.width), anonymizer, scaler
            )
            item = UprightFrame(item.timestamp, item.duration, pixels)
        yield item


def anonymize_frames(items, anonymizer):
    """The same with anonymized pixels; in batches of a fixed size, so that no result depends on how fast frames came."""
    batch, count = [], 0
    for item in items:
        if not isinstance(item, UprightFrame):
            yield item
            continue
        batch.append(item)
        if len(batch) == anonymizer.network.batch:
            yield from _anonymize_batch(batch, count, anonymizer)
            batch, count = [], count + len(batch)
    if batch:
        yield from _anonymize_batch(batch, count, anonymizer)


def _anonymize_batch(batch, first, anonymizer):
    answer = anonymizer.run(np.stack([frame.pixels for frame in batch]), first)
    return [dataclasses.replace(frame, pixels=pixels) for frame, pixels in zip(batch, answer)]


def make_upright(frame, rotation, size, anonymizer, scaler):
    """Pixels of a decoded frame as the anonymizer wants them: people stand, as they did in training.

    size: (height, width) as frames are stored.
    """
    turns = rotation % 2
    tall, wide = size[::-1] if turns else size
    height, width = anonymizer.view(tall, wide)
    pixels = scaler.to_pixels(frame, *((width, height) if turns else (height, width)))
    return scaling.make_upright(pixels, rotation)
