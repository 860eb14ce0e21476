"""One pass over a video's frames, in display order; memory does not grow with its length.

Leading frames that refer to a frame which was cut away are dropped, as players do. Any later frame
that cannot be decoded is damage: the file is refused, or the damage is concealed and counted.
"""

import contextlib
import dataclasses
import fractions
from collections.abc import Iterator, Sequence

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Stream

from tfanon.media import frame_reader, frame_times, limits, scaling, tone_mapping, truncation
from tfanon.media.limits import MediaError
from tfanon.media.sound_check import SoundChecker
from tfanon.media.tone_mapping import ColourTags

DAMAGE_POLICIES = ("refuse", "conceal")
CONCEAL_HINT = "; --on_damage=conceal decodes the rest, as players do"
DEFAULT_FRAME_RATE = fractions.Fraction(25)  # of a stream that declares none
RGB_MATRIX = 0  # matrix coefficients of ITU-T H.273 for RGB


@dataclasses.dataclass(frozen=True)
class VideoInfo:
    """Properties that a copy shares with its original.

    Attributes:
        height: Of the stored frames, in pixels.
        width: Of the stored frames, in pixels.
        time_base: Seconds per unit of a timestamp.
        rate: Average frames per second.
        matrix: libav's display matrix, nine integers; None if there is none.
        rotation: What turns a stored frame upright, as ``scaling.find_orientation`` defines it.
        aspect: Width of a pixel divided by its height; None if unknown.
        colour: (matrix, range, primaries, transfer) in the numbers of ITU-T H.273.
    """

    height: int
    width: int
    time_base: fractions.Fraction
    rate: fractions.Fraction
    matrix: tuple[int, ...] | None = None
    rotation: int = 0
    aspect: fractions.Fraction | None = None
    colour: ColourTags = (2, 0, 2, 2)  # all unspecified


@dataclasses.dataclass(frozen=True)
class TimedFrame:
    """One decoded frame and when it is shown.

    Attributes:
        timestamp: From the start of the file's clock, in units of the video's time base.
        duration: In the same units; 0 if unknown.
        frame: The decoded frame.
    """

    timestamp: int
    duration: int
    frame: av.VideoFrame


class VideoReader:
    """An open video file, to be iterated once.

    The iteration yields a TimedFrame per frame and, in between, the packets of the sound tracks
    that are kept.

    Attributes:
        path: The file.
        container: The open file.
        stream: Its video stream.
        info: Properties of the first frame; later frames may have another size.
        origin: Time at which the file's clock starts, in the stream's time base.
        frame_count: Frames yielded so far.
        dropped_leading_frames: Frames at the start that refer to a missing frame.
        resized_frames: Frames whose size differs from that of the first.
        truncation: How a truncated file ends, if that is concealed; else empty.
        dropped_sound_packets: Packets of sound that could not be decoded as sound.
        sound_tracks: The sound tracks whose packets are yielded.
        sound_status: What becomes of the sound: "none", "dropped", "kept" or "kept, M of N tracks".
    """

    def __init__(
        self,
        path: str,
        info: VideoInfo,
        container: InputContainer,
        stream: av.VideoStream,
        sound: bool = False,
        on_damage: str = "refuse",
        knows_failures: bool = False,
    ) -> None:
        """Prepare to read an open file.

        Args:
            path: The file.
            info: Properties of its first frame.
            container: The open file; its decoder raises at damage unless that is to be concealed.
            stream: The video stream in it.
            sound: Whether to yield the packets of those sound tracks that can be copied.
            on_damage: One of DAMAGE_POLICIES.
            knows_failures: Whether an error of the decoder belongs to the packet that raised it,
                which holds for a decoder with one thread.
        """
        self.path = path
        self.container = container
        self.stream = stream
        self.info = info
        tracks = container.streams.audio
        self.sound_tracks: list[AudioStream] = []
        if sound:  # PyAV has no codec context for a track in an unknown format
            self.sound_tracks = [track for track in tracks if track.codec_context is not None]
        self.sound_status = _describe_sound(len(tracks), len(self.sound_tracks))
        self.frame_count = 0
        self.dropped_leading_frames = 0
        self.resized_frames = 0
        self.dropped_sound_packets = 0
        self.truncation = ""
        # Other containers start at 0: a later first frame is a delay, which the copy keeps.
        self.origin = 0
        if container.format.name in frame_times.SHIFTED_CLOCK_CONTAINERS:
            self.origin = _find_origin([stream, *self.sound_tracks], info.time_base)
        self._last_seconds = 0.0  # end of the latest packet
        self._observed_damage = 0  # damaged frames that this decoder reported or did not return
        self._strict_failures = 0  # packets at which the strict decoder raised
        self._packet_count = 0
        self._knows_failures = knows_failures
        self._check_colour = tone_mapping.ColourChecker(path)
        # Concealing decoders hide damage, so a second, strict one counts it.
        self._strict_decoder: av.VideoCodecContext | None = None
        if on_damage == "conceal":
            self._strict_decoder = frame_reader.copy_decoder(stream, frame_reader.STRICT_OPTIONS)
        self._sound_checker: SoundChecker | None = None
        if self.sound_tracks:
            self._sound_checker = SoundChecker(container, stream)
        self._frame_times = frame_times.choose_frame_times(container, stream)
        self._indexed_packets = 0  # as listed by the file's own index
        if container.format.name in frame_times.UNTIMED_CONTAINERS:
            self._indexed_packets = sum(entry.size > 0 for entry in stream.index_entries)

    @property
    def concealed_frames(self) -> int:
        """Damaged frames that the decoder concealed or that were left out."""
        # The strict decoder and the concealing one see the same damage; neither sees all of it.
        return max(self._observed_damage, self._strict_failures)

    @property
    def expected_frames(self) -> int | None:
        """Number of frames that the header promises, for a progress bar; None if unknown."""
        if self.stream.frames:
            return self.stream.frames
        seconds = (self.container.duration or 0) / limits.MICROSECONDS_PER_SECOND
        if not seconds or not self.stream.average_rate:
            return None
        return round(seconds * self.stream.average_rate)

    @property
    def notes(self) -> list[str]:
        """Differences from the file's content, a phrase each; complete after the iteration."""
        counted = (
            (self.dropped_leading_frames, "leading frames without their reference frame dropped"),
            (self.concealed_frames, "damaged frames concealed"),
            (self.resized_frames, "frames of another size scaled to the size of the first"),
            (self.dropped_sound_packets, "sound packets that cannot be decoded dropped"),
        )
        notes = [f"{count} {phrase}" for count, phrase in counted if count]
        if self.truncation:
            notes.append(self.truncation)
        return notes

    @property
    def metadata(self) -> dict[str, str]:
        """The container's metadata, such as its title."""
        return dict(self.container.metadata)

    def __iter__(self) -> Iterator[TimedFrame | av.Packet]:
        """Yield the frames, and the sound packets between them.

        Raises:
            MediaError: There is damage that is not to be concealed, no frame could be decoded, or
                a limit is exceeded.
        """
        packets = self._demux_packets()
        while True:
            # Not around the yield: an error in the code that uses an item is not this file's.
            with frame_reader.name_file_in_errors(self.path):
                packet = next(packets, None)
                items: list[TimedFrame | av.Packet] = []
                if packet is not None:
                    items = list(self._read(packet))
            yield from items
            if packet is None:
                break
        self._finish()

    def _read(self, packet: av.Packet) -> Iterator[TimedFrame | av.Packet]:
        """Yield the frames that a packet makes the decoder return, or the sound packet itself."""
        if packet.pts is not None:
            end = (packet.pts + (packet.duration or 0)) * packet.time_base
            self._last_seconds = max(self._last_seconds, float(end))
        if packet.stream is self.stream:
            yield from self._read_frames(packet)
        # Demuxing ends with an empty packet of each stream, which flushes its decoder.
        elif self._sound_checker and packet.stream in self.sound_tracks and packet.size:
            if packet.dts is not None and self._sound_checker.is_sound(packet):
                yield self._subtract_origin(packet)
            else:
                self.dropped_sound_packets += 1

    def _demux_packets(self) -> Iterator[av.Packet]:
        """Yield the packets of all streams, as the longest stream shows where the file ends."""
        try:
            yield from self.container.demux()
        except (av.FFmpegError, EOFError) as error:
            reason = frame_reader.describe_libav_error(error)
            if not self._strict_decoder:
                raise MediaError(f"{self.path}: {reason}{CONCEAL_HINT}.") from None
            self.truncation = (
                f"it cannot be read beyond {self._last_seconds:.2f} seconds ({reason})"
            )
            flush = av.Packet()  # an empty packet makes the decoder return what it still holds
            flush.stream = self.stream
            yield flush

    def _subtract_origin(self, packet: av.Packet) -> av.Packet:
        """Move a sound packet's times to the clock that the frames use."""
        origin = round(self.origin * self.info.time_base / packet.time_base)
        if packet.dts is not None:
            packet.dts -= origin
        if packet.pts is not None:
            packet.pts -= origin
        return packet

    def _read_frames(self, packet: av.Packet) -> Iterator[TimedFrame]:
        # A mark of the demuxer, for example after a gap in a transport stream.
        if packet.is_corrupt:
            self._record_damage(f"damaged after frame {self.frame_count}")
        self._packet_count += packet.size > 0
        self._frame_times.add_packet(packet)
        for frame in self._decode(packet):
            timed_frame = self._accept(frame)
            if timed_frame:
                yield timed_frame

    def _decode(self, packet: av.Packet) -> list[av.VideoFrame]:
        """Return the frames that a packet makes the decoder return."""
        # Failures before the first frame are leading frames, which are counted separately.
        if self._strict_decoder and _raises_on(self._strict_decoder, packet):
            self._strict_failures += self.frame_count > 0
        try:
            return packet.decode()
        except av.FFmpegError as error:
            # Before the first frame, an error may only mean that a reference was cut away.
            if self.frame_count or not (self._knows_failures or self._strict_decoder):
                self._record_damage(
                    f"frame {self.frame_count} could not be decoded: {error.strerror}"
                )
            else:
                self._frame_times.note_failure(packet)
            return []

    def _accept(self, frame: av.VideoFrame) -> TimedFrame | None:
        """Return a decoded frame with its time; None if it is dropped."""
        if not self.frame_count and self._frame_times.has_failed(frame):
            self.dropped_leading_frames += 1
            return None
        timestamp, leading, missing = self._frame_times.assign_time(frame)
        if timestamp is None:
            self._record_damage(f"frame {self.frame_count} has no timestamp")
            return None
        self.dropped_leading_frames += leading
        self._record_missing(missing)
        # A copy holds one frame at each time, or its verification fails.
        last = self._frame_times.last_timestamp
        if last is not None and timestamp <= last:
            seconds = float((timestamp - self.origin) * self.info.time_base)
            self._record_damage(f"two frames at the same time, {seconds:.3f} s")
            return None
        if frame.is_corrupt:
            self._record_damage(f"frame {self.frame_count} could not be decoded")
        self._frame_times.last_timestamp = timestamp
        return self._make_timed_frame(frame, timestamp)

    def _make_timed_frame(self, frame: av.VideoFrame, timestamp: int) -> TimedFrame:
        """Check a frame's colours, size and number, and count it."""
        self._check_colour(frame)
        if (frame.height, frame.width) != (self.info.height, self.info.width):
            # When the file was opened, only the size in its header was checked.
            limits.check_frame_size(self.path, frame.width, frame.height)
            self.resized_frames += 1
        self.frame_count += 1
        frame_reader.check_frame_count(self.path, self.frame_count)
        return TimedFrame(timestamp - self.origin, frame.duration or 0, frame)

    def _finish(self) -> None:
        """Find out at the end of the file whether it is complete."""
        if not self.frame_count:
            raise MediaError(f"{self.path}: none of its frames could be decoded.")
        truncated = truncation.describe_truncation(
            self.path, self.container, self.stream, self.sound_tracks, self._last_seconds
        )
        if truncated and not self._strict_decoder:
            raise MediaError(f"{self.path}: {truncated}{CONCEAL_HINT}.")
        self.truncation = self.truncation or truncated
        leading, missing = self._frame_times.count_lost_at_end(self.frame_count)
        self.dropped_leading_frames += leading
        self._record_missing(missing)
        # The index of a truncated file may list the missing end, too, which is reported already.
        if not truncated:
            self._record_missing(max(0, self._indexed_packets - self._packet_count))

    def _record_damage(self, problem: str) -> None:
        """Count one damaged frame.

        Raises:
            MediaError: Damage is to be refused.
        """
        if not self._strict_decoder:
            raise MediaError(f"{self.path}: {problem}{CONCEAL_HINT}.")
        self._observed_damage += 1

    def _record_missing(self, number: int) -> None:
        """Count frames that the decoder should have returned, as ``_record_damage`` counts one."""
        if number and not self._strict_decoder:
            total = self.frame_count + number
            raise MediaError(
                f"{self.path}: {number} of {total} frames could not be decoded{CONCEAL_HINT}."
            )
        self._observed_damage += number


@contextlib.contextmanager
def open_video(
    path: str, with_sound: bool = False, threads: int = 0, on_damage: str = "refuse"
) -> Iterator[VideoReader]:
    """Open a video file for one pass over its frames.

    Example:
        with open_video("in.mp4") as video:
            for item in video:
                pixels = item.frame.to_ndarray(format="rgb24")

    Args:
        path: The file.
        with_sound: Whether to yield packets of its sound tracks, too.
        threads: Of the decoder; 0: one per core.
        on_damage: One of DAMAGE_POLICIES.

    Yields:
        The open video.

    Raises:
        MediaError: The file cannot be read; the message names it. Also while the video is iterated.
    """
    info, start_is_broken = _probe_first_frame(path)
    strict = on_damage == "refuse"
    if start_is_broken or not strict:
        # Several decoder threads would each fail at what the first frames lack, and an error in one
        # of them loses frames of the others.
        threads = 1
    with frame_reader.open_container(path, strict=strict, threads=threads) as (container, stream):
        if threads != 1 and not frame_reader.has_time_per_frame(container, stream):
            # It must be known which packet makes the decoder return a frame.
            stream.thread_type = "SLICE"
        yield VideoReader(
            path, info, container, stream, with_sound, on_damage, knows_failures=threads == 1
        )


def _probe_first_frame(path: str) -> tuple[VideoInfo, bool]:
    """Return the properties of the first frame, and whether packets before it fail to decode.

    Packets fail at the start of a file that was cut out of another.
    """
    has_failed = False
    size = 0
    # A lenient decoder would invent what the first frames lack instead of failing.
    with frame_reader.open_container(path, strict=True) as (container, stream):
        for packet in container.demux(stream):
            size += packet.size
            try:
                frames = packet.decode()
            except av.FFmpegError:
                has_failed = True
                continue
            if frames:
                tone_mapping.check_colour(path, frames[0])
                return read_video_info(frames[0], stream), has_failed
    if size:
        raise MediaError(f"{path}: none of its frames could be decoded.")
    raise MediaError(f"{path}: it has no frames.")


def _raises_on(decoder: av.VideoCodecContext, packet: av.Packet) -> bool:
    """Return whether a decoder raises at a packet."""
    if not packet.size:
        return False
    try:
        decoder.decode(packet)
    except av.FFmpegError:
        return True
    return False


def _describe_sound(tracks: int, kept: int) -> str:
    """Return what becomes of a file's sound tracks, as recorded with the output."""
    if not tracks:
        return "none"
    if not kept:
        return "dropped"
    if kept == tracks:
        return "kept"
    return f"kept, {kept} of {tracks} tracks"


def _find_origin(tracks: Sequence[Stream], time_base: fractions.Fraction) -> int:
    """Return when a file's clock starts, in units of ``time_base``; kept sound may come first."""
    starts = []
    for track in tracks:
        if track.start_time is not None and track.time_base is not None:
            starts.append(track.start_time * track.time_base)
    return round(min(starts, default=0) / time_base)


def read_video_info(frame: av.VideoFrame, stream: av.VideoStream) -> VideoInfo:
    """Return the properties of a video stream.

    Args:
        frame: Its first frame.
        stream: The stream.

    Raises:
        MediaError: The frame is larger than the limit.
    """
    limits.check_frame_size("a frame", frame.width, frame.height)
    assert stream.time_base is not None, "an opened stream has a time base"
    context = stream.codec_context
    matrix = context.colorspace
    if frame.format.is_rgb or frame.format.has_palette:  # RGB that carries no tag as well
        matrix = RGB_MATRIX
    return VideoInfo(
        frame.height,
        frame.width,
        stream.time_base,
        stream.average_rate or DEFAULT_FRAME_RATE,
        matrix=scaling.read_display_matrix(frame),
        rotation=scaling.find_orientation(frame),
        aspect=stream.sample_aspect_ratio,
        colour=(matrix, context.color_range, context.color_primaries, context.color_trc),
    )
