"""A video as one pass over its pictures, in the order in which they are shown; memory does not grow with its length.

Pictures before the first whole one, which need another that was cut away, are left out as players do. Any later picture
that cannot be decoded is damage: the file is refused, or, if asked, the damage is concealed and counted.
"""

import contextlib
import dataclasses
import fractions
import os
from collections.abc import Iterator

import av

from tfanon.media import frame_reader, limits, picture_times, scaling, tone_mapping
from tfanon.media.limits import MediaError
from tfanon.media.sound_check import SoundChecker

UNTIMED_CONTAINERS = ("avi",)  # no time stamps in it: libav numbers the packets
SHIFTED_CLOCK_CONTAINERS = ("mpeg", "mpegts")  # their clocks start anywhere
EXACT_DURATION_CONTAINERS = ("matroska",)  # by the header; a cut file ends without an error, before that
DURATION_TOLERANCE_SECONDS = 0.2  # seconds by which a header's length may be wrong
DAMAGE_POLICIES = ("refuse", "conceal")  # what may be done about it
CONCEAL_HINT = "; --on_damage=conceal goes on as players do"
UNFINISHED_RIFF_LENGTHS = (0, 2**32 - 1)  # lengths of a RIFF chunk whose writer did not come to its end


@dataclasses.dataclass(frozen=True)
class VideoInfo:
    """What a copy has in common with its original.

    height, width: of frames as they are stored.  matrix: libav's display matrix, 9 integers, or None.
    rotation: what shows a stored frame upright, as scaling.turn says.
    time_base: seconds of one unit of a time stamp.  rate: frames per second, an average.
    colour: (space, range, primaries, transfer) in the numbers of ITU-T H.273.
    """

    height: int
    width: int
    time_base: fractions.Fraction
    rate: fractions.Fraction
    matrix: tuple | None = None
    rotation: int = 0
    aspect: fractions.Fraction | None = None
    colour: tuple = (2, 0, 2, 2)


@dataclasses.dataclass(frozen=True)
class TimedFrame:
    """One decoded frame. stamp, duration: in units of the form's time base."""

    stamp: int
    duration: int
    frame: av.VideoFrame


class VideoReader:
    """An open video file: iterate over it once, for a Picture per frame and, in between, packets of sound.

    Attributes:
        form: Of the first picture. Later ones may have another size.
        origin: Time at which the file's clock starts, in the stream's time base.
        count: Pictures so far.
        leading_dropped: Pictures before the first whole one, which were left out.
        resized: Pictures of another size than the first.
        cut_short: How a file ends before it should, if that is concealed; else empty.
        sound_left_out: Packets of sound that are none.
        sounds: Sound tracks whose packets are given too.
        sound: What becomes of the sound: "none", "dropped", "kept" or "kept, M of N tracks".
    """

    def __init__(
        self,
        path,
        form: VideoInfo,
        container,
        stream,
        sound: bool = False,
        on_damage: str = "refuse",
        knows_failures: bool = False,
    ) -> None:
        """
        Args:
            path: Of the file.
            form: Of its first picture.
            container: The open av container; its decoder raises at damage unless that is to be concealed.
            stream: Of the pictures.
            sound: Whether packets of sound are given too, of those tracks that can be copied.
            on_damage: One of DAMAGE.
            knows_failures: Whether a decoder's error belongs to the packet at which it is raised.
        """
        self.path, self.container, self.stream = path, container, stream
        tracks = container.streams.audio
        wanted = tracks if sound else ()
        self.sounds = [track for track in wanted if track.codec_context is not None]
        self.sound = _describe_sound(len(tracks), len(self.sounds))
        self.form, self.count = form, 0
        self.dropped_leading_frames = self.resized = self.dropped_sound_packets = 0
        self.truncation = ""
        self.last_seconds = 0.0  # end of what was seen, in seconds
        self._observed_damage = self._strict_failures = self._packet_count = (
            0  # damage that was seen; that a strict decoder sees; packets
        )
        self._knows_failures = knows_failures
        self._check_colour = tone_mapping.ColourChecker(path)
        self._strict_decoder = None  # a decoder that raises at what the stream's own conceals
        if on_damage == "conceal":
            self._strict_decoder = frame_reader.copy_decoder(stream, frame_reader.STRICT_OPTIONS)
        self.origin = _find_origin(container, stream, self.sounds)
        self._sound_check = SoundChecker(container, stream) if self.sounds else None
        self._times = _choose_frame_times(container, stream)
        self._indexed_packets = 0  # packets that the file's own index lists
        if container.format.name in UNTIMED_CONTAINERS:
            self._indexed_packets = sum(entry.size > 0 for entry in stream.index_entries)

    @property
    def concealed(self) -> int:
        """Damaged pictures, which were concealed by the decoder or left out."""
        return max(self._observed_damage, self._strict_failures)

    @property
    def expected(self) -> int | None:
        """Frames that the header promises, for a progress bar; None where it says nothing."""
        if self.stream.frames:
            return self.stream.frames
        length = (self.container.duration or 0) / 1_000_000
        return (
            round(length * self.stream.average_rate)
            if length and self.stream.average_rate
            else None
        )

    @property
    def notes(self) -> list[str]:
        """What is otherwise than in the file, a phrase each; complete at the end of the iteration."""
        found = []
        if self.dropped_leading_frames:
            found.append(f"{self.dropped_leading_frames} leading frames without their reference left out")
        if self.concealed:
            found.append(f"{self.concealed} damaged frames concealed")
        if self.resized:
            found.append(f"{self.resized} frames of another size scaled to that of the first")
        if self.dropped_sound_packets:
            found.append(f"{self.dropped_sound_packets} packets of sound that cannot be decoded left out")
        if self.truncation:
            found.append(self.truncation)
        return found

    @property
    def metadata(self) -> dict[str, str]:
        """What the container says of itself."""
        return dict(self.container.metadata)

    def __iter__(self) -> Iterator[TimedFrame | av.Packet]:
        """
        Raises:
            MediaError: Damage that is not to be concealed, no whole picture at all, or more than the limits allow.
        """
        packets = self._demux_packets()
        while True:
            with frame_reader.name_file_in_errors(
                self.path
            ):  # not around the yields: what a reader does with an item is its own
                packet = next(packets, None)
                items = [] if packet is None else list(self._read(packet))
            yield from items
            if packet is None:
                break
        self._finish()

    def _read(self, packet) -> Iterator[TimedFrame | av.Packet]:
        if packet.pts is not None:
            end = (packet.pts + (packet.duration or 0)) * packet.time_base
            self.last_seconds = max(self.last_seconds, float(end))
        if packet.stream is self.stream:
            yield from self._read_frames(packet)
        elif packet.stream in self.sounds and packet.size:
            if packet.dts is not None and self._sound_check.is_sound(packet):
                yield self._subtract_origin(packet)
            else:
                self.dropped_sound_packets += 1

    def _demux_packets(self) -> Iterator[av.Packet]:
        """Packets of all streams: the longest of them shows where the file ends."""
        try:
            yield from self.container.demux()
        except (av.FFmpegError, EOFError) as error:
            reason = getattr(error, "strerror", None) or error
            if not self._strict_decoder:
                raise MediaError(f"{self.path}: {reason}{CONCEAL_HINT}.") from None
            self.truncation = f"it cannot be read beyond {self.last_seconds:.2f} seconds ({reason})"
            last = av.Packet()  # makes the decoder return what it still holds
            last.stream = self.stream
            yield last

    def _subtract_origin(self, packet) -> av.Packet:
        origin = round(self.origin * self.stream.time_base / packet.time_base)
        packet.dts -= origin
        if packet.pts is not None:
            packet.pts -= origin
        return packet

    def _read_frames(self, packet) -> Iterator[TimedFrame]:
        if packet.is_corrupt:
            self._record_damage(f"damaged after frame {self.count}")
        self._packet_count += packet.size > 0
        self._times.add_packet(packet)
        for frame in self._decode(packet):
            picture = self._accept(frame)
            if picture:
                yield picture

    def _decode(self, packet) -> list[av.VideoFrame]:
        """The frames that a packet makes the decoder return."""
        if self._strict_decoder and _raises_on(self._strict_decoder, packet):
            self._strict_failures += self.count > 0
        try:
            return packet.decode()
        except av.FFmpegError as error:
            if self.count or not (self._knows_failures or self._strict_decoder):
                self._record_damage(f"frame {self.count} could not be decoded: {error.strerror}")
            else:
                self._times.note_failure(packet)
            return []

    def _accept(self, frame) -> TimedFrame | None:
        """The Picture of a frame; None where it is left out."""
        if not self.count and self._times.is_broken(frame):
            self.dropped_leading_frames += 1
            return None
        stamp, leading, missing = self._times.take(frame)
        if stamp is None:
            self._record_damage(f"frame {self.count} has no time stamp")
            return None
        self.dropped_leading_frames += leading
        self._record_missing(missing)
        if self._times.last is not None and stamp <= self._times.last:
            seconds = float((stamp - self.origin) * self.stream.time_base)
            self._record_damage(f"two frames at one time, {seconds:.3f} s")
            return None
        if frame.is_corrupt:
            self._record_damage(f"frame {self.count} could not be decoded")
        self._times.last = stamp
        return self._make_timed_frame(frame, stamp)

    def _make_timed_frame(self, frame, stamp: int) -> TimedFrame:
        self._check_colour(frame)
        if (frame.height, frame.width) != (self.form.height, self.form.width):
            limits.check_frame_size(self.path, frame.width, frame.height)
            self.resized += 1
        self.count += 1
        frame_reader.check_frame_count(self.path, self.count)
        return TimedFrame(stamp - self.origin, frame.duration or 0, frame)

    def _finish(self) -> None:
        if not self.count:
            raise MediaError(f"{self.path}: no frame of it could be decoded.")
        cut = self._describe_truncation()
        if cut and not self._strict_decoder:
            raise MediaError(f"{self.path}: {cut}{CONCEAL_HINT}.")
        self.truncation = self.truncation or cut
        leading, missing = self._times.finish(self.count)
        self.dropped_leading_frames += leading
        self._record_missing(missing)
        if not cut:
            self._record_missing(max(0, self._indexed_packets - self._packet_count))

    def _record_damage(self, what: str) -> None:
        """Count one damaged picture.  Raises MediaError where damage is refused."""
        if not self._strict_decoder:
            raise MediaError(f"{self.path}: {what}{CONCEAL_HINT}.")
        self._observed_damage += 1

    def _record_missing(self, number: int) -> None:
        """As _note_damage, of a number of pictures that did not come out."""
        if number and not self._strict_decoder:
            raise MediaError(
                f"{self.path}: {number} of {self.count + number} frames could not be decoded{CONCEAL_HINT}."
            )
        self._observed_damage += number

    def _describe_truncation(self) -> str:
        """How the file ends before it should; empty where it does not."""
        promised, container = self._find_declared_seconds(), self.container
        if self.last_seconds < promised - DURATION_TOLERANCE_SECONDS:
            return f"it ends after {self.last_seconds:.2f} of {promised:.2f} seconds"
        needed = 0
        if container.format.name in frame_reader.INDEXED_CONTAINERS:
            needed = self._find_indexed_end()
        elif container.format.name in UNTIMED_CONTAINERS:
            needed = _find_end_of_riff(self.path)
        return (
            f"it ends after {container.size} of {needed} bytes" if container.size < needed else ""
        )

    def _find_declared_seconds(self) -> float:
        """By the header; 0 where it promises none that can be relied on."""
        if self.container.format.name in EXACT_DURATION_CONTAINERS:
            return (self.container.duration or 0) / 1_000_000
        if (
            self.container.format.name in frame_reader.INDEXED_CONTAINERS and not self.stream.frames
        ):  # in fragments, perhaps listed in front
            return float((self.stream.duration or 0) * self.stream.time_base)
        return 0.0

    def _find_indexed_end(self) -> int:
        """Where the last of the samples lies that are copied.

        Frames and seconds would not do: an edit list leaves out some of the frames, and moves the others.
        """
        return max(
            (
                entry.pos + entry.size
                for stream in [self.stream, *self.sounds]
                for entry in stream.index_entries
            ),
            default=0,
        )


@contextlib.contextmanager
def open_video(
    path, with_sound: bool = False, threads: int = 0, on_damage: str = "refuse"
) -> Iterator[VideoReader]:
    """The Video at `path`.

    Args:
        path: Of the file.
        sound: Whether packets of its sound tracks are given too.
        threads: Of the decoder; 0: one per core.
        on_damage: One of DAMAGE.

    Raises:
        MediaError: The file cannot be read; the message names it. Also while the Video is iterated over.
    """
    form, fails = _probe_first_frame(path)
    strict = on_damage == "refuse"
    if fails or not strict:
        # Several decoders at once would each fail at what the first pictures lack, and an error of one of them loses
        # frames of the others.
        threads = 1
    with frame_reader.open_container(path, strict=strict, threads=threads) as (container, stream):
        if threads != 1 and not frame_reader.has_time_per_frame(container, stream):
            stream.thread_type = (
                "SLICE"  # which packet makes the decoder return a picture has to be known
            )
        yield VideoReader(path, form, container, stream, with_sound, on_damage, knows_failures=threads == 1)


def _probe_first_frame(path) -> tuple[VideoInfo, bool]:
    """(Form of the first picture, whether packets before it cannot be decoded, as of a file cut out of another)."""
    fails, size = False, 0
    with frame_reader.open_container(path, strict=True) as (container, stream):
        for packet in container.demux(stream):
            size += packet.size
            try:
                frames = packet.decode()
            except av.FFmpegError:
                fails = True
                continue
            if frames:
                tone_mapping.check_colour(path, frames[0])
                return read_video_info(frames[0], stream), fails
    raise MediaError(f"{path}: {'no frame of it could be decoded' if size else 'no frames in it'}.")


def _raises_on(decoder: av.CodecContext, packet: av.Packet) -> bool:
    """Whether a decoder raises at a packet."""
    if not packet.size:
        return False
    try:
        decoder.decode(packet)
    except av.FFmpegError:
        return True
    return False


def _describe_sound(tracks: int, kept: int) -> str:
    if not tracks:
        return "none"
    if not kept:
        return "dropped"
    return "kept" if kept == tracks else f"kept, {kept} of {tracks} tracks"


def _choose_frame_times(container, stream) -> picture_times.FrameTimes:
    codec = stream.codec_context.codec.canonical_name
    if frame_reader.has_time_per_frame(container, stream):
        return picture_times.TimedPackets(codec)
    if container.format.name in UNTIMED_CONTAINERS:
        return picture_times.NumberedSlots(codec)
    if codec == "mpeg4" and container.format.name not in SHIFTED_CLOCK_CONTAINERS:
        return picture_times.SortedTimes(codec)
    return picture_times.DecoderTimes(
        codec, _find_frame_interval(stream) if container.format.name in SHIFTED_CLOCK_CONTAINERS else None
    )


def _find_frame_interval(stream) -> fractions.Fraction | None:
    """Time from one picture to the next, in the stream's time base; None where the rate is unknown."""
    return 1 / (stream.average_rate * stream.time_base) if stream.average_rate else None


def _find_origin(container, stream, sounds) -> int:
    """Time at which the file's clock starts, in the stream's time base; sound that is kept may come first."""
    if container.format.name not in SHIFTED_CLOCK_CONTAINERS:
        return 0
    starts = [
        track.start_time * track.time_base
        for track in (stream, *sounds)
        if track.start_time is not None
    ]
    return round(min(starts, default=0) / stream.time_base)


def _find_end_of_riff(path) -> int:
    """Where the RIFF chunks of an AVI file end, by their own lengths; 0 where a writer did not come to its end."""
    place = end = 0
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        while place + 8 <= size:
            file.seek(place)
            head = file.read(8)
            length = int.from_bytes(head[4:], "little")
            if head[:4] != b"RIFF" or length in UNFINISHED_RIFF_LENGTHS:
                break
            end = place + 8 + length
            place = end + length % 2
    return end


def read_video_info(frame, stream) -> VideoInfo:
    """The Form of a stream, by its first frame."""
    limits.check_frame_size("a frame", frame.width, frame.height)
    context = stream.codec_context
    space = (
        0 if frame.format.is_rgb or frame.format.has_palette else context.colorspace
    )  # RGB without a tag as well
    return VideoInfo(
        frame.height,
        frame.width,
        stream.time_base,
        stream.average_rate or fractions.Fraction(25),
        matrix=scaling.read_display_matrix(frame),
        rotation=scaling.find_orientation(frame),
        aspect=stream.sample_aspect_ratio,
        colour=(space, context.color_range, context.color_primaries, context.color_trc),
    )
