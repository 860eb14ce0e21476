"""Frames with their time stamps to a video file, and the proof that the file holds every one of them."""

import contextlib
import dataclasses
import fractions
import heapq
import itertools
import os
import pathlib

import av

from tfanon.media import limits, scaling, source
from tfanon.media.limits import MediaError

CONTAINERS = {".avi": "avi", ".m4v": "mp4", ".mkv": "matroska", ".mov": "mov", ".mp4": "mp4", ".webm": "webm"}
ISO = ("mov", "mp4")
SLACK = fractions.Fraction(1, 1000)  # second by which a frame may be off its time
REORDER = 64  # frames that a demuxer may be ahead of their order in time; encoders here stay below 17


@dataclasses.dataclass(frozen=True)
class Codec:
    """How one of libav's encoders is set.  option: name of its quality, larger is worse.  worst: its largest value."""

    option: str
    quality: int
    worst: int
    settings: dict = dataclasses.field(default_factory=dict)
    counts: bool = False  # wants frame numbers for time stamps: its own format cannot hold finer ones
    halves: tuple = ("yuv420p", "yuv444p")  # pixel formats for even and for odd sides


CODECS = {
    "libx264": Codec("crf", 23, 51, {"preset": "superfast"}),  # the encoder shares the cores with a network
    "libx265": Codec("crf", 24, 51, {"preset": "veryfast", "x265-params": "log-level=error"}),
    "libvpx-vp9": Codec("crf", 32, 63, {"b": "0", "cpu-used": "5", "row-mt": "1"}, halves=("yuv420p",) * 2),
    "mpeg4": Codec("global_quality", 3, 31, {"flags": "+qscale"}, counts=True, halves=("yuv420p",) * 2),
    "mjpeg": Codec("global_quality", 3, 31, {"flags": "+qscale"}, counts=True, halves=("yuvj420p",) * 2),
    "ffv1": Codec("", 0, 0, halves=("yuv444p",) * 2),
}
LAMBDA = 118  # libav counts qscale in 118ths


@dataclasses.dataclass(frozen=True)
class Encoding:
    """codec: a key of CODECS; empty: what suits the container.  quality: the codec's own scale; None: its default.
    preset: of libx264 (empty: superfast) and libx265 (veryfast).  threads: of the encoder; 0: half of the cores, since
    a network and a decoder want the others; the bytes of the output depend on it.
    """

    codec: str = ""
    quality: int | None = None
    preset: str = ""
    threads: int = 0

    def name_for(self, ending):
        """The encoder for a container of this ending.  Raises ValueError for an unknown container, codec or quality."""
        if ending not in CONTAINERS:
            raise ValueError(f"Cannot write a video that ends in '{ending}': choose {' '.join(CONTAINERS)}.")
        name = self.codec or ("libvpx-vp9" if ending == ".webm" else "libx264")
        if name not in CODECS:
            raise ValueError(f"No codec called '{name}': choose {' '.join(CODECS)}.")
        if ending == ".webm" and name != "libvpx-vp9":
            raise ValueError(f"A .webm file holds libvpx-vp9, not {name}; an .mkv file holds any codec.")
        if self.quality is not None and not 0 <= self.quality <= CODECS[name].worst:
            raise ValueError(f"The quality of {name} goes from 0 to {CODECS[name].worst}, not {self.quality}.")
        return name

    def options(self, name):
        """libav's options for the encoder `name`."""
        codec = CODECS[name]
        found = dict(codec.settings)
        if codec.option:
            quality = codec.quality if self.quality is None else self.quality
            found[codec.option] = str(quality * LAMBDA if codec.counts else quality)
        if self.preset and "preset" in found:
            found["preset"] = self.preset
        return found


class Sink:
    """A video file that is being written.  path: its name on disk.  ending: the container's, if not the path's.
    form: of the original.  sounds: sound tracks to copy.  metadata: what the container says of itself, or nothing.
    """

    def __init__(self, path, form, encoding, ending=None, sounds=(), metadata=None):
        ending = (ending or pathlib.Path(path).suffix).lower()
        name = encoding.name_for(ending)
        if form.matrix and ending == ".avi":
            raise ValueError("An .avi file cannot say that its frames are turned, as those of the original are; an .mkv "
                             "file can.")
        self.given = form.time_base
        if ending == ".avi":  # it holds no times: a finer unit would fill it with empty frames
            form = dataclasses.replace(form, time_base=1 / form.rate)
        self.form, self.codec, self.scaler = form, CODECS[name], scaling.Scaler()
        self.format = self.codec.halves[(form.height | form.width) % 2]
        self.container = av.open(
            limits.address(path), "w", format=CONTAINERS[ending], container_options={"fflags": "+bitexact"})
        self.container.metadata.update(metadata or {})
        self.stream = self._add(name, encoding, ending)
        self.sounds = {sound: self.container.add_stream_from_template(sound) for sound in sounds}
        if metadata and CONTAINERS[ending] in ISO:  # without it, only the few words that the standard names are written
            self.container.options["movflags"] = "use_metadata_tags"
        self.stamps, self.count = {}, 0  # encoder's time stamp: (stamp, duration) of frames that it still holds
        self.end = self.delay = None  # end of the last frame; decoding time before the first one is shown

    def _add(self, name, encoding, ending):
        form = self.form
        stream = self.container.add_stream(name, rate=form.rate, options=encoding.options(name))
        stream.height, stream.width, stream.pix_fmt = form.height, form.width, self.format
        context = stream.codec_context
        context.thread_count = encoding.threads or max(1, (os.cpu_count() or 1) // 2)
        context.colorspace, context.color_range, context.color_primaries, context.color_trc = self._colour()
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

    def _colour(self):
        space, _, primaries, transfer = self.form.colour
        return space, scaling.FULL if self.format.startswith("yuvj") else 1, primaries, transfer

    def write(self, pixels, stamp, duration):
        """Encode uint8 [h, w, 3] RGB, stretched to the form's size.  stamp, duration: in the form's time base."""
        stamp, duration = self._slot(stamp), round(duration * self.given / self.form.time_base)
        frame = self.scaler.frame(pixels, self.form.height, self.form.width, self.format, self._colour())
        frame.pts = self.count if self.codec.counts else stamp
        frame.time_base = 1 / self.form.rate if self.codec.counts else self.form.time_base
        self.stamps[frame.pts] = stamp, duration
        self.count, self.end = self.count + 1, stamp + duration
        self._mux(self.stream.encode(frame))

    def _slot(self, stamp):
        """The time stamp in the unit of the file."""
        slot = round(stamp * self.given / self.form.time_base)
        if abs(slot * self.form.time_base - stamp * self.given) > SLACK:
            raise MediaError(f"Frame {self.count} comes at {float(stamp * self.given):.3f} s: an .avi file cannot hold "
                             "uneven times, an .mkv file can.")
        return slot

    def write_sound(self, packet):
        """Copy a packet of one of the sound tracks."""
        packet.stream = self.sounds[packet.stream]
        self.container.mux(packet)

    def finish(self):
        """Write what the encoder still holds, and the container's index."""
        held = self.stream.encode()
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
            if last and self.container.format.name in ISO:  # it ends with the last packet, whichever frame that holds
                packet.duration = round(self.end * self.form.time_base / packet.time_base) - packet.dts - self.delay
            self.container.mux(packet)


@contextlib.contextmanager
def errors_named(name):
    """Every error of libav in the block becomes one MediaError line that begins with `name`."""
    try:
        yield
    except (av.FFmpegError, EOFError) as error:
        raise MediaError(f"{name}: {getattr(error, 'strerror', None) or error}.") from None


def check(path, stamps, time_base, ending=None):
    """Raise MediaError unless the video at `path` holds exactly one frame at each of the time stamps, in order.

    stamps: iterable of integers, ascending, in units of time_base.  A container's own unit may be coarser, up to SLACK.
    """
    form = CONTAINERS[(ending or pathlib.Path(path).suffix).lower()]
    with av.open(limits.address(path), format=form) as container:
        stream = container.streams.video[0]
        allowed = min(stream.time_base / 2, SLACK)  # what rounding to a coarser unit may do
        for number, (wanted, found) in enumerate(itertools.zip_longest(stamps, _in_order(container, stream))):
            if wanted is None or found is None:
                raise MediaError(f"Too {'many' if wanted is None else 'few'} frames were written; frame {number} is the "
                                 "first that differs.")
            if abs(wanted * time_base - found * stream.time_base) > allowed:
                raise MediaError(f"Frame {number} was written at {float(found * stream.time_base):.6f} s instead of "
                                 f"{float(wanted * time_base):.6f} s.")


def _in_order(container, stream):
    """Time stamps of the whole packets, sorted as they come."""
    ahead, counted = [], source.counted(container)
    for packet in container.demux(stream):
        stamp = source.stamp_of(packet, counted)
        if packet.size and stamp is not None and not packet.is_corrupt:
            heapq.heappush(ahead, stamp)
            if len(ahead) > REORDER:
                yield heapq.heappop(ahead)
    while ahead:
        yield heapq.heappop(ahead)
