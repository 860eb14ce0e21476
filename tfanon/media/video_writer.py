"""Writes frames with their timestamps to a video file, and checks that it holds all of them."""

import contextlib
import dataclasses
import fractions
import heapq
import io
import itertools
import os
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import cast

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer

from tfanon.core import processes
from tfanon.media import frame_times, limits, scaling, tone_mapping, video_reader
from tfanon.media.encoding_options import (
    CODECS,
    CONTAINER_FORMATS,
    ISO_FORMATS,
    EncodingOptions,
)
from tfanon.media.limits import MediaError

MAX_TIME_ERROR_SECONDS = fractions.Fraction(1, 1000)  # by which a frame may be off its time
UNEVEN_TIMES_MESSAGE = "{}: an .avi file cannot hold uneven times; .mkv, .mp4 and .mov files can."
DROP_SOUND_HINT = "--audio=drop leaves it out."
# Frames by which a demuxer may be ahead of display order; the encoders here stay below 17.
MAX_REORDERED_FRAMES = 64
# In pixels: with a smaller side, cutree of x265 writes beyond its own memory and crashes.
MIN_CUTREE_SIDE = 64
# x265 leaves the decoding times of videos with at most this many frames uninitialized.
MAX_UNTIMED_X265_FRAMES = 2
# libav chooses time scales of MP4 tracks of at least this many units a second.
MIN_MP4_TIME_SCALE = 10_000
LIMITED_RANGE = 1  # colour range of ITU-T H.273 as libav numbers it


class VideoWriter:
    """A video file that is being written.

    What its container cannot hold is refused before the first frame.

    Attributes:
        info: Properties of the original, with the time base of the file.
        notes: Differences from the original, a phrase each.
        height: Of the encoded frames, in pixels; even if the codec needs that.
        width: Of the encoded frames, in pixels.
        frame_count: Frames written so far.
        sound_tracks: {sound track of the original: its copy}.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        info: video_reader.VideoInfo,
        encoding: EncodingOptions,
        ending: str | None = None,
        sound_tracks: Sequence[AudioStream] = (),
        metadata: dict[str, str] | None = None,
    ) -> None:
        """Create the file.

        Args:
            path: Its name on the disk.
            info: Properties of the original.
            encoding: How it is encoded.
            ending: The container's, if not the path's.
            sound_tracks: To copy from the original.
            metadata: The container's metadata, if any.

        Raises:
            ValueError: The container cannot hold what it should; the message names one that can.
        """
        ending = (ending or pathlib.Path(path).suffix).lower()
        name = encoding.choose_encoder(ending)
        if info.matrix and ending == ".avi":
            raise ValueError(
                "An .avi file cannot say that its frames are rotated, as those of the original "
                "are; an .mkv file can."
            )
        self.ending = ending
        self.notes: list[str] = []
        self._given_time_base = info.time_base
        if ending == ".avi":  # it holds no times: a finer unit would fill it with empty frames
            info = dataclasses.replace(info, time_base=1 / info.rate)
        self.info = info
        self.codec = CODECS[name]
        self.scaler = scaling.Scaler()
        self.height, self.width = info.height, info.width
        if self.codec.needs_even_sides and (info.height | info.width) % 2:
            self.height = info.height + info.height % 2
            self.width = info.width + info.width % 2
            self.notes.append(
                f"padded from {info.width}x{info.height} to {self.width}x{self.height}"
            )
        matrix, _, primaries, transfer = scaling.choose_output_colour(info.colour)
        self.colour = (matrix, self._get_colour_range(), primaries, transfer)
        if tone_mapping.is_hdr(info.colour):
            hdr_format = tone_mapping.HDR_TRANSFERS[info.colour[3]]
            self.notes.append(f"HDR ({hdr_format}) tone-mapped to SDR")
        # bitexact: no version of libav in the file, so that equal frames give equal bytes.
        self.container = av.open(
            limits.make_file_url(path),
            "w",
            format=CONTAINER_FORMATS[ending],
            container_options={"fflags": "+bitexact"},
        )
        self.container.metadata.update(metadata or {})
        try:
            self.stream = self._add_video_stream(name, encoding)
            self.sound_tracks = self._add_sound_tracks(sound_tracks)
        except BaseException:
            self.close()
            raise
        if self._is_iso():
            # The start of a track is stored in this unit; libav's default is a millisecond.
            time_scale = _choose_time_scale(info.time_base.denominator)
            self.container.options["movie_timescale"] = str(time_scale)
            if metadata:  # else only the few keys that the standard names are written
                self.container.options["movflags"] = "use_metadata_tags"
        self.frame_count = 0
        # {encoder's timestamp: (timestamp, duration)} of frames that the encoder still holds
        self._pending: dict[int, tuple[int, int]] = {}
        # slot of the first frame, as an .avi file begins with it
        self._first_slot: fractions.Fraction | None = None
        # {index of a sound track: (time of its last packet, its end)}, in the units of the file
        self._sound_ends: dict[int, tuple[int | None, int]] = {}
        self._end = 0  # end of the last frame
        self._delay: int | None = None  # from the first decoding time to the first frame's time

    def _add_video_stream(self, name: str, encoding: EncodingOptions) -> av.VideoStream:
        info = self.info
        options = encoding.make_encoder_options(name)
        if name == "libx265" and min(self.height, self.width) < MIN_CUTREE_SIDE:
            options["x265-params"] += ":cutree=0"
        stream = cast(
            av.VideoStream, self.container.add_stream(name, rate=info.rate, options=options)
        )
        stream.height = self.height
        stream.width = self.width
        stream.pix_fmt = self.codec.pixel_format
        context = stream.codec_context
        context.thread_count = encoding.threads or max(1, processes.count_cores() // 2)
        matrix, colour_range, primaries, transfer = self.colour
        context.colorspace = matrix
        context.color_range = colour_range
        context.color_primaries = primaries
        context.color_trc = transfer
        if info.aspect:
            context.sample_aspect_ratio = info.aspect
        # Else the encoder counts frames at the rate of the stream.
        if not self.codec.uses_frame_numbers:
            context.time_base = info.time_base
        if self.ending == ".avi" and name != "ffv1":
            context.max_b_frames = 0  # the container has no times to put them in order again
        if info.matrix:
            stream.set_display_matrix(info.matrix)
        stream.time_base = info.time_base
        return stream

    def _get_colour_range(self) -> int:
        if self.codec.pixel_format.startswith("yuvj"):
            return scaling.FULL_RANGE
        return LIMITED_RANGE

    def _add_sound_tracks(self, tracks: Sequence[AudioStream]) -> dict[AudioStream, AudioStream]:
        """Return {track of the original: its copy}.

        Raises:
            ValueError: The container cannot hold one of the tracks.
        """
        for sound in tracks:
            codec = sound.codec_context.name
            is_from_avi = sound.container.format.name == "avi"
            if self.ending == ".avi" and is_from_avi and codec == "aac":
                raise ValueError(
                    "AAC from an .avi file loses its times in another one; .mkv, .mp4 and .mov "
                    f"files keep them. {DROP_SOUND_HINT}"
                )
            if not _can_hold_sound(self.ending, sound):
                suitable = [
                    ending for ending in CONTAINER_FORMATS if _can_hold_sound(ending, sound)
                ]
                advice = f"; these can: {' '.join(suitable)}" if suitable else ""
                raise ValueError(
                    f"An {self.ending} file cannot hold sound in the format {codec}{advice}. "
                    f"{DROP_SOUND_HINT}"
                )
        return {sound: self.container.add_stream_from_template(sound) for sound in tracks}

    def write(self, pixels: np.ndarray, timestamp: int, duration: int) -> None:
        """Encode a frame, stretched to the size of the original.

        Args:
            pixels: uint8 RGB ``[h, w, 3]``.
            timestamp: In units of the original's time base.
            duration: In the same units; 0 if unknown.

        Raises:
            MediaError: The container cannot hold the time.
        """
        timestamp = self._to_file_timestamp(timestamp)
        duration = round(duration * self._given_time_base / self.info.time_base)
        if (self.height, self.width) != (self.info.height, self.info.width):
            pixels = self._pad(pixels)
        frame = self.scaler.to_frame(
            pixels, self.height, self.width, self.codec.pixel_format, self.colour
        )
        if self.codec.uses_frame_numbers:
            frame.pts = self.frame_count
            frame.time_base = 1 / self.info.rate
        else:
            frame.pts = timestamp
            frame.time_base = self.info.time_base
        self._pending[frame.pts] = timestamp, duration
        self.frame_count += 1
        self._end = timestamp + duration
        self._mux(self.stream.encode(frame))

    def _pad(self, pixels: np.ndarray) -> np.ndarray:
        """Return pixels at the original's size, with the last row or column repeated to be even."""
        sized = scaling.resize_frames(pixels[None], self.info.height, self.info.width)[0]
        rows = self.height - self.info.height
        columns = self.width - self.info.width
        return np.pad(sized, [(0, rows), (0, columns), (0, 0)], mode="edge")

    def _to_file_timestamp(self, timestamp: int) -> int:
        """Return a timestamp in the units of the file, which are slots in .avi."""
        if self.ending != ".avi":
            return timestamp
        position = timestamp * self._given_time_base / self.info.time_base
        if self._first_slot is None:
            self._first_slot = position
        position -= self._first_slot
        slot = round(position)
        error_seconds = abs(slot - position) * self.info.time_base
        if error_seconds > MAX_TIME_ERROR_SECONDS:
            seconds = float(timestamp * self._given_time_base)
            problem = f"Frame {self.frame_count} comes at {seconds:.3f} s"
            raise MediaError(UNEVEN_TIMES_MESSAGE.format(problem))
        return slot

    def write_sound(self, packet: av.Packet) -> None:
        """Copy a packet of one of the sound tracks.

        Sound before time 0 only warms up the decoder and is not heard. MP4 can say so; elsewhere
        it is left out, since all other times would have to be moved for it.

        Args:
            packet: Of a track of the original; it is changed.
        """
        if packet.pts is not None and packet.pts < 0 and not self._is_iso():
            if packet.pts + (packet.duration or 0) <= 0:
                return
            # Part of it is heard.
            packet.pts = packet.dts = 0
        track = self.sound_tracks[packet.stream]
        # The header must be written first: it decides on the units of the tracks.
        self.container.start_encoding()
        assert track.time_base is not None, "the header has been written"
        assert packet.dts is not None, "VideoReader drops packets without a time"
        ratio = packet.time_base / track.time_base
        packet.dts = round(packet.dts * ratio)
        packet.duration = round((packet.duration or 0) * ratio)
        packet.pts = packet.dts if packet.pts is None else round(packet.pts * ratio)
        packet.time_base = track.time_base
        packet.stream = track
        self._separate_sound_packets(packet, packet.dts)
        self.container.mux(packet)

    def _is_iso(self) -> bool:
        return CONTAINER_FORMATS[self.ending] in ISO_FORMATS

    def _separate_sound_packets(self, packet: av.Packet, time: int) -> None:
        """Move a sound packet past the one before it.

        A cut may have left several at the same time, and rounding to the units of the file may
        bring two together.
        """
        index = packet.stream.index
        last, end = self._sound_ends.get(index, (None, 0))
        if last is not None and time <= last:
            time = end
            packet.pts = packet.dts = time
        self._sound_ends[index] = time, time + max(1, packet.duration or 0)

    def finish(self) -> None:
        """Write what the encoder still holds, and the container's index."""
        held = self.stream.encode()
        if len(held) == self.frame_count <= MAX_UNTIMED_X265_FRAMES:
            for packet in held:
                packet.dts = packet.pts
        self._mux(held[:-1])
        self._mux(held[-1:], last=True)
        self.container.close()

    def close(self) -> None:
        """Release the file, whatever state it is in."""
        with contextlib.suppress(av.FFmpegError):
            self.container.close()

    def _mux(self, packets: Sequence[av.Packet], last: bool = False) -> None:
        """Write encoded frames, with the durations of the original."""
        for packet in packets:
            assert packet.pts is not None, "encoders return what write() gave them"
            timestamp, duration = self._pending.pop(packet.pts)
            # These encoders use no B-frames, so frames are decoded in the order of display.
            if self.codec.uses_frame_numbers:
                packet.pts = packet.dts = timestamp
                packet.time_base = self.info.time_base
            ratio = self.info.time_base / packet.time_base
            if self._delay is None:
                assert packet.dts is not None, "the first packet has a decoding time"
                self._delay = packet.pts - packet.dts
            if duration:
                packet.duration = round(duration * ratio)
            # An MP4 file ends with the last packet in it, whichever frame that holds.
            if last and self._is_iso():
                assert packet.dts is not None, "packets in MP4 have decoding times"
                packet.duration = round(self._end * ratio) - packet.dts - self._delay
            self.container.mux(packet)


def _choose_time_scale(units: int) -> int:
    """Return the time scale of MP4 tracks with so many units a second, as libav chooses it."""
    while units < MIN_MP4_TIME_SCALE:
        units *= 2
    return units


def _can_hold_sound(ending: str, sound: AudioStream) -> bool:
    """Return whether a container takes a sound track, by writing the header of a file with it."""
    try:
        with av.open(io.BytesIO(), "w", format=CONTAINER_FORMATS[ending]) as container:
            container.add_stream_from_template(sound)
            container.start_encoding()
    except (av.FFmpegError, ValueError):
        return False
    return True


def verify_video_times(
    path: str | os.PathLike[str],
    timestamps: Iterable[int],
    time_base: fractions.Fraction,
    ending: str | None = None,
) -> None:
    """Check that a video file holds exactly one frame at each of the timestamps, in order.

    Args:
        path: The file.
        timestamps: Of the frames that were written, ascending, in units of ``time_base``. The unit
            of the container may be coarser, up to MAX_TIME_ERROR_SECONDS.
        time_base: Seconds per unit.
        ending: The container's, if not the path's.

    Raises:
        MediaError: A frame is missing, superfluous or at another time.
    """
    ending = (ending or pathlib.Path(path).suffix).lower()
    first_offset = None
    with av.open(limits.make_file_url(path), "r", format=CONTAINER_FORMATS[ending]) as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None, "an opened stream has a time base"
        allowed = min(stream.time_base / 2, MAX_TIME_ERROR_SECONDS)  # rounding to a coarser unit
        pairs = itertools.zip_longest(timestamps, _read_sorted_timestamps(container, stream))
        for number, (expected, actual) in enumerate(pairs):
            if expected is None or actual is None:
                amount = "many" if expected is None else "few"
                raise MediaError(
                    f"Too {amount} frames were written; frame {number} is the first that differs."
                )
            expected_seconds = expected * time_base
            actual_seconds = actual * stream.time_base
            if ending == ".avi":  # its slots begin where the first frame is
                if first_offset is None:
                    first_offset = expected_seconds - actual_seconds
                actual_seconds += first_offset
            if abs(expected_seconds - actual_seconds) > allowed:
                raise MediaError(
                    f"Frame {number} was written at {float(actual_seconds):.6f} s instead of "
                    f"{float(expected_seconds):.6f} s."
                )


def _read_sorted_timestamps(container: InputContainer, stream: av.VideoStream) -> Iterator[int]:
    """Yield the timestamps of the undamaged packets, ascending, while the file is read."""
    ahead: list[int] = []
    has_slots = container.format.name in frame_times.UNTIMED_CONTAINERS
    for packet in container.demux(stream):
        # In AVI the decoding time is the number of the slot.
        timestamp = packet.dts if has_slots else packet.pts
        if packet.size and timestamp is not None and not packet.is_corrupt:
            heapq.heappush(ahead, timestamp)
            if len(ahead) > MAX_REORDERED_FRAMES:
                yield heapq.heappop(ahead)
    while ahead:
        yield heapq.heappop(ahead)
