"""Frames with their time stamps to a video file, and the proof that the file holds every one of them."""

import contextlib
import dataclasses
import fractions
import heapq
import io
import itertools
import pathlib
from collections.abc import Sequence

import av
import numpy as np

from tfanon.core import processes
from tfanon.media import limits, scaling, tone_mapping, video_reader
from tfanon.media.limits import MediaError

CONTAINER_FORMATS = {
    ".avi": "avi",
    ".m4v": "mp4",
    ".mkv": "matroska",
    ".mov": "mov",
    ".mp4": "mp4",
    ".webm": "webm",
}
ISO_FORMATS = ("mov", "mp4")
UNSUPPORTED_CODECS = {
    ".avi": ("libx265",),
    ".mov": ("libvpx-vp9", "ffv1"),
}  # codecs that a container does not take
MAX_TIME_ERROR_SECONDS = fractions.Fraction(1, 1000)  # second by which a frame may be off its time
UNEVEN_TIMES_MESSAGE = "{}: an .avi file cannot hold uneven times; .mkv, .mp4 and .mov files can."
MAX_REORDERED_FRAMES = (
    64  # frames that a demuxer may be ahead of their order in time; encoders here stay below 17
)


@dataclasses.dataclass(frozen=True)
class Codec:
    """How one of libav's encoders is set.  option: name of its quality, larger is worse.  worst: its largest value."""

    quality_option: str
    quality: int
    worst_quality: int
    settings: dict = dataclasses.field(default_factory=dict)
    counts: bool = (
        False  # wants frame numbers for time stamps: its own format cannot hold finer ones
    )
    pixels: str = "yuv420p"  # its pixel format; phones play no other of H.264 and HEVC
    needs_even_sides: bool = False  # its halved colour planes need even sides


CODECS = {
    "libx264": Codec(
        "crf", 23, 51, {"preset": "superfast"}, needs_even_sides=True
    ),  # the encoder shares the cores with a network
    "libx265": Codec(
        "crf", 24, 51, {"preset": "veryfast", "x265-params": "log-level=error"}, needs_even_sides=True
    ),
    "libvpx-vp9": Codec("crf", 32, 63, {"b": "0", "cpu-used": "5", "row-mt": "1"}),
    "mpeg4": Codec("global_quality", 3, 31, {"flags": "+qscale"}, counts=True),
    "mjpeg": Codec("global_quality", 3, 31, {"flags": "+qscale"}, counts=True, pixels="yuvj420p"),
    "ffv1": Codec("", 0, 0, pixels="yuv444p"),
}
MIN_CUTREE_SIDE = (
    64  # pixels a side: below, cutree of x265 writes beyond its own memory, which ends the process
)
MAX_UNTIMED_X265_FRAMES = 2  # frames of a whole video for which x265 leaves decoding times unwritten
QSCALE_UNITS = 118  # libav counts qscale in 118ths


@dataclasses.dataclass(frozen=True)
class EncodingOptions:
    """codec: a key of CODECS; empty: what suits the container.  quality: the codec's own scale; None: its default.
    preset: of libx264 (empty: superfast) and libx265 (veryfast).  threads: of the encoder; 0: half of the cores, since
    a network and a decoder want the others; the bytes of the output depend on it.
    """

    codec: str = ""
    quality: int | None = None
    preset: str = ""
    threads: int = 0

    def choose_encoder(self, ending):
        """The encoder for a container of this ending.  Raises ValueError for an unknown container, codec or quality."""
        if ending not in CONTAINER_FORMATS:
            raise ValueError(
                f"Cannot write a video that ends in '{ending}': choose {' '.join(CONTAINER_FORMATS)}."
            )
        name = self.codec or ("libvpx-vp9" if ending == ".webm" else "libx264")
        if name not in CODECS:
            raise ValueError(f"No codec called '{name}': choose {' '.join(CODECS)}.")
        if name in UNSUPPORTED_CODECS.get(ending, ()):
            raise ValueError(f"An {ending} file cannot hold {name}; an .mkv file holds any codec.")
        if ending == ".webm" and name != "libvpx-vp9":
            raise ValueError(
                f"A .webm file holds libvpx-vp9, not {name}; an .mkv file holds any codec."
            )
        if self.quality is not None and not 0 <= self.quality <= CODECS[name].worst_quality:
            raise ValueError(
                f"The quality of {name} goes from 0 to {CODECS[name].worst_quality}, not {self.quality}."
            )
        return name

    def options(self, name):
        """libav's options for the encoder `name`."""
        codec = CODECS[name]
        found = dict(codec.settings)
        if codec.quality_option:
            quality = codec.quality if self.quality is None else self.quality
            found[codec.quality_option] = str(quality * QSCALE_UNITS if codec.counts else quality)
        if self.preset and "preset" in found:
            found["preset"] = self.preset
        return found


class VideoWriter:
    """A video file that is being written; what its container cannot hold is refused before the first frame.

    Attributes:
        notes: What is otherwise than in the original, a phrase each.
    """

    def __init__(
        self,
        path,
        form: video_reader.VideoInfo,
        encoding: EncodingOptions,
        ending: str | None = None,
        sounds: Sequence = (),
        metadata: dict | None = None,
    ) -> None:
        """
        Args:
            path: Its name on disk.
            form: Of the original.
            encoding: How it is encoded.
            ending: The container's, if not the path's.
            sounds: Sound tracks to copy.
            metadata: What the container says of itself, or nothing.

        Raises:
            ValueError: The container cannot hold what it should; the message names one that can.
        """
        ending = (ending or pathlib.Path(path).suffix).lower()
        name = encoding.choose_encoder(ending)
        if form.matrix and ending == ".avi":
            raise ValueError(
                "An .avi file cannot say that its frames are turned, as those of the original are; an .mkv "
                "file can."
            )
        self.given, self.ending, self.notes = form.time_base, ending, []
        if ending == ".avi":  # it holds no times: a finer unit would fill it with empty frames
            form = dataclasses.replace(form, time_base=1 / form.rate)
        self.form, self.codec, self.scaler = form, CODECS[name], scaling.Scaler()
        self.height, self.width = form.height, form.width
        if self.codec.needs_even_sides and (form.height | form.width) % 2:
            self.height, self.width = form.height + form.height % 2, form.width + form.width % 2
            self.notes.append(
                f"padded from {form.width}x{form.height} to {self.width}x{self.height}"
            )
        self.colour = scaling.choose_output_colour(form.colour)
        if tone_mapping.is_hdr(form.colour):
            self.notes.append(
                f"HDR ({tone_mapping.HDR_TRANSFERS[form.colour[3]]}) tone-mapped to SDR"
            )
        self.container = av.open(
            limits.make_file_url(path),
            "w",
            format=CONTAINER_FORMATS[ending],
            container_options={"fflags": "+bitexact"},
        )
        self.container.metadata.update(metadata or {})
        try:
            self.stream = self._add(name, encoding, ending)
            self.sounds = self._add_sound_tracks(sounds)
        except BaseException:
            self.close()
            raise
        if CONTAINER_FORMATS[ending] in ISO_FORMATS:
            self.container.options["movie_timescale"] = str(
                _choose_time_scale(form.time_base.denominator)
            )
        if (
            metadata and CONTAINER_FORMATS[ending] in ISO_FORMATS
        ):  # without it, only the few words that the standard names are written
            self.container.options["movflags"] = "use_metadata_tags"
        self.stamps, self.count = (
            {},
            0,
        )  # encoder's time stamp: (stamp, duration) of frames that it still holds
        self.first_slot = (
            None  # of the first frame, in slots, where times are slots: .avi begins with it
        )
        self.sound_ends = {}  # index of a track: (time of its last packet, its end), in the units of the file
        self.end = self.delay = (
            None  # end of the last frame; decoding time before the first one is shown
        )

    def _add(self, name, encoding, ending):
        form = self.form
        options = encoding.options(name)
        if name == "libx265" and min(self.height, self.width) < MIN_CUTREE_SIDE:
            options["x265-params"] += ":cutree=0"
        stream = self.container.add_stream(name, rate=form.rate, options=options)
        stream.height, stream.width, stream.pix_fmt = self.height, self.width, self.codec.pixels
        context = stream.codec_context
        context.thread_count = encoding.threads or max(1, processes.count_cores() // 2)
        space, _, primaries, transfer = self.colour
        context.colorspace, context.color_range = space, self._get_colour_range()
        context.color_primaries, context.color_trc = primaries, transfer
        if form.aspect:
            context.sample_aspect_ratio = form.aspect
        if not self.codec.counts:
            context.time_base = form.time_base
        if ending == ".avi" and name != "ffv1":
            context.max_b_frames = 0  # the container has no time stamps to put them in order again
        if form.matrix:
            stream.set_display_matrix(form.matrix)
        stream.time_base = form.time_base
        return stream

    def _get_colour_range(self) -> int:
        return scaling.FULL_RANGE if self.codec.pixels.startswith("yuvj") else 1

    def _add_sound_tracks(self, sounds) -> dict:
        """{track of the original: its copy}.  Raises ValueError where the container cannot hold one."""
        for sound in sounds:
            if (
                self.ending == ".avi"
                and sound.container.format.name == "avi"
                and sound.codec_context.name == "aac"
            ):
                raise ValueError(
                    "AAC out of an .avi file loses its times in another one; .mkv, .mp4 and .mov files keep "
                    "them. --audio=drop leaves it out."
                )
            if not _can_hold_sound(self.ending, sound):
                able = [ending for ending in CONTAINER_FORMATS if _can_hold_sound(ending, sound)]
                raise ValueError(
                    f"An {self.ending} file cannot hold sound in the format {sound.codec_context.name}"
                    f"{'; these can: ' + ' '.join(able) if able else ''}. --audio=drop leaves it out."
                )
        return {sound: self.container.add_stream_from_template(sound) for sound in sounds}

    def write(self, pixels: np.ndarray, stamp: int, duration: int) -> None:
        """Encode uint8 [h, w, 3] RGB, stretched to the form's size.  stamp, duration: in the form's time base."""
        stamp, duration = self._to_file_timestamp(stamp), round(duration * self.given / self.form.time_base)
        if (self.height, self.width) != (self.form.height, self.form.width):
            pixels = self._pad(pixels)
        colour = (self.colour[0], self._get_colour_range())
        frame = self.scaler.frame(pixels, self.height, self.width, self.codec.pixels, colour)
        frame.pts = self.count if self.codec.counts else stamp
        frame.time_base = 1 / self.form.rate if self.codec.counts else self.form.time_base
        self.stamps[frame.pts] = stamp, duration
        self.count, self.end = self.count + 1, stamp + duration
        self._mux(self.stream.encode(frame))

    def _pad(self, pixels: np.ndarray) -> np.ndarray:
        """At the form's size, with the last row or column once more where a side is odd."""
        sized = scaling.resize_frames(pixels[None], self.form.height, self.form.width)[0]
        missing = (self.height - self.form.height, self.width - self.form.width)
        return np.pad(sized, [(0, missing[0]), (0, missing[1]), (0, 0)], mode="edge")

    def _to_file_timestamp(self, stamp: int) -> int:
        """The time stamp in the unit of the file."""
        if self.ending != ".avi":
            return stamp
        place = stamp * self.given / self.form.time_base
        if self.first_slot is None:
            self.first_slot = place
        number = round(place - self.first_slot)
        if abs(number - (place - self.first_slot)) * self.form.time_base > MAX_TIME_ERROR_SECONDS:
            raise MediaError(
                UNEVEN_TIMES_MESSAGE.format(f"Frame {self.count} comes at {float(stamp * self.given):.3f} s")
            )
        return number

    def write_sound(self, packet: av.Packet) -> None:
        """Copy a packet of one of the sound tracks.

        Sound before 0 is what decoders start on and nobody hears. MP4 says so; elsewhere it is left out, since all other
        times would have to be moved for it.
        """
        if packet.pts is not None and packet.pts < 0 and CONTAINER_FORMATS[self.ending] not in ISO_FORMATS:
            if packet.pts + (packet.duration or 0) <= 0:
                return
            packet.pts = packet.dts = 0
        track = self.sounds[packet.stream]
        self.container.start_encoding()  # the head of the file decides on the units of its tracks
        units = packet.time_base / track.time_base
        packet.dts, packet.duration = (
            round(packet.dts * units),
            round((packet.duration or 0) * units),
        )
        packet.pts = packet.dts if packet.pts is None else round(packet.pts * units)
        packet.time_base = track.time_base
        packet.stream = track
        self._separate_sound_packets(packet)
        self.container.mux(packet)

    def _separate_sound_packets(self, packet: av.Packet) -> None:
        """Give a packet of sound a time behind that of the one before.

        A cut may have left several at one time, and rounding to the units of the file may bring two together.
        """
        last, end = self.sound_ends.get(packet.stream.index, (None, 0))
        if last is not None and packet.dts <= last:
            packet.pts = packet.dts = end
        self.sound_ends[packet.stream.index] = packet.dts, packet.dts + max(1, packet.duration or 0)

    def finish(self):
        """Write what the encoder still holds, and the container's index."""
        held = self.stream.encode()
        if len(held) == self.count <= MAX_UNTIMED_X265_FRAMES:
            for packet in held:
                packet.dts = packet.pts
        self._mux(held[:-1])
        self._mux(held[-1:], last=True)
        self.container.close()

    def close(self):
        """Let go of the file, whatever state it is in."""
        with contextlib.suppress(av.FFmpegError):
            self.container.close()

    def _mux(self, packets, last=False):
        for packet in packets:
            stamp, duration = self.stamps.pop(packet.pts)
            if self.codec.counts:
                packet.pts = packet.dts = stamp
                packet.time_base = self.form.time_base
            if self.delay is None:
                self.delay = packet.pts - packet.dts
            if duration:
                packet.duration = round(duration * self.form.time_base / packet.time_base)
            if (
                last and self.container.format.name in ISO_FORMATS
            ):  # it ends with the last packet, whichever frame that holds
                packet.duration = (
                    round(self.end * self.form.time_base / packet.time_base)
                    - packet.dts
                    - self.delay
                )
            self.container.mux(packet)


def _choose_time_scale(units: int) -> int:
    """The time scale of MP4 tracks whose stamps come in so many units a second, as libav chooses it."""
    while units < 10_000:
        units *= 2
    return units


def _can_hold_sound(ending: str, sound) -> bool:
    """Whether a container takes a sound track, by writing the head of one."""
    try:
        with av.open(io.BytesIO(), "w", format=CONTAINER_FORMATS[ending]) as container:
            container.add_stream_from_template(sound)
            container.start_encoding()
    except (av.FFmpegError, ValueError):
        return False
    return True


def verify_video_times(path, stamps, time_base, ending=None):
    """Raise MediaError unless the video at `path` holds exactly one frame at each of the time stamps, in order.

    stamps: iterable of integers, ascending, in units of time_base.  A container's own unit may be coarser, up to SLACK.
    """
    ending = (ending or pathlib.Path(path).suffix).lower()
    form, first = CONTAINER_FORMATS[ending], None
    with av.open(limits.make_file_url(path), format=form) as container:
        stream = container.streams.video[0]
        allowed = min(stream.time_base / 2, MAX_TIME_ERROR_SECONDS)  # what rounding to a coarser unit may do
        for number, (wanted, found) in enumerate(
            itertools.zip_longest(stamps, _read_sorted_timestamps(container, stream))
        ):
            if wanted is None or found is None:
                raise MediaError(
                    f"Too {'many' if wanted is None else 'few'} frames were written; frame {number} is the "
                    "first that differs."
                )
            if ending == ".avi":  # its slots begin where the first frame is
                first = (wanted * time_base - found * stream.time_base) if first is None else first
                found += first / stream.time_base
            if abs(wanted * time_base - found * stream.time_base) > allowed:
                raise MediaError(
                    f"Frame {number} was written at {float(found * stream.time_base):.6f} s instead of "
                    f"{float(wanted * time_base):.6f} s."
                )


def _read_sorted_timestamps(container, stream):
    """Time stamps of the whole packets, sorted as they come."""
    ahead, slotted = [], container.format.name in video_reader.UNTIMED_CONTAINERS
    for packet in container.demux(stream):
        stamp = packet.dts if slotted else packet.pts
        if packet.size and stamp is not None and not packet.is_corrupt:
            heapq.heappush(ahead, stamp)
            if len(ahead) > MAX_REORDERED_FRAMES:
                yield heapq.heappop(ahead)
    while ahead:
        yield heapq.heappop(ahead)
