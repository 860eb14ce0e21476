"""A video as one pass over its frames, in the order of their time stamps; memory does not grow with its length."""

import contextlib
import dataclasses
import fractions
import heapq

import av

from tfanon.media import limits, reader, scaling
from tfanon.media.limits import MediaError

COUNTED = ("avi",)  # no time stamps in it: libav numbers the packets, in an order that B-frames disturb
SHIFTED = ("mpeg",)  # its clock starts anywhere
LENGTH_KNOWN = ("matroska",)  # by the header; a cut file ends without an error, before that
INDEXED = ("mov",)  # says in front where each frame lies; libav reads to the end of the file, whatever lies behind it
SLACK = 0.2  # seconds by which a header's length may be wrong


@dataclasses.dataclass(frozen=True)
class Form:
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
class Picture:
    """One decoded frame. stamp, duration: in units of the form's time base."""

    stamp: int
    duration: int
    frame: av.VideoFrame


class Video:
    """An open video file: iterate over it once.

    Gives a Picture per frame and, with `sound`, the packets of its sound tracks in between.  form: of the first frame;
    known from the first Picture on.  sound: what becomes of it, "none", "kept" or "dropped".
    Raises MediaError where a frame is damaged or missing, where the file ends before its header says, where two frames
    share a time stamp, and beyond the limits.
    """

    def __init__(self, path, container, stream, sound=False):
        self.path, self.container, self.stream = path, container, stream
        self.sounds = list(container.streams.audio) if sound else []
        self.sound = "none" if not container.streams.audio else "kept" if sound else "dropped"
        self.counted = counted(container)
        self.origin = stream.start_time or 0 if container.format.name in SHIFTED else 0
        self.form, self.count = None, 0
        self.packets, self.reached = 0, 0.0  # frames seen, decoded or not; end of what was seen, in seconds

    @property
    def expected(self):
        """Frames that the header promises, for a progress bar; None where it says nothing."""
        if self.stream.frames:
            return self.stream.frames
        length = (self.container.duration or 0) / 1_000_000
        return round(length * self.stream.average_rate) if length and self.stream.average_rate else None

    @property
    def metadata(self):
        """What the container says of itself."""
        return dict(self.container.metadata)

    def __iter__(self):
        waiting, last = [], None  # time stamps of packets whose frames have not come out yet
        for packet in self.container.demux([self.stream, *self.container.streams.audio]):
            if packet.pts is not None:
                self.reached = max(self.reached, float((packet.pts + (packet.duration or 0)) * packet.time_base))
            if packet.stream is not self.stream:
                if packet.stream in self.sounds and packet.dts is not None:
                    yield self._shifted(packet)
                continue
            self._note(packet, waiting)
            for frame in packet.decode():
                picture = self._picture(frame, waiting)
                if last is not None and picture.stamp <= last:
                    raise MediaError(f"{self.path}: two frames at one time, {picture.stamp * self.form.time_base} s.")
                last = picture.stamp
                yield picture
        if waiting:
            raise MediaError(f"{self.path}: {len(waiting)} of {self.count + len(waiting)} frames could not be decoded.")
        if not self.count:
            raise MediaError(f"{self.path}: no frames in it.")
        self._refuse_cut()

    def _refuse_cut(self):
        promised, size = self._seconds_promised(), self.container.size
        if self.reached < promised - SLACK:
            raise MediaError(f"{self.path}: it ends after {self.reached:.2f} of {promised:.2f} seconds.")
        if self.counted and self.packets < self.stream.frames:
            raise MediaError(f"{self.path}: it ends after {self.packets} of {self.stream.frames} frames.")
        if self.container.format.name in INDEXED and size < (needed := self._bytes_promised()):
            raise MediaError(f"{self.path}: it ends after {size} of {needed} bytes.")

    def _seconds_promised(self):
        """By the header; 0 where it promises none that can be relied on."""
        if self.container.format.name in LENGTH_KNOWN:
            return (self.container.duration or 0) / 1_000_000
        if self.container.format.name in INDEXED and not self.stream.frames:  # in fragments, perhaps listed in front
            return float((self.stream.duration or 0) * self.stream.time_base)
        return 0.0

    def _bytes_promised(self):
        """Where the last of the samples lies that are copied.

        Frames and seconds would not do: an edit list leaves out some of the frames, and moves the others.
        """
        return max((entry.pos + entry.size for stream in [self.stream, *self.sounds] for entry in stream.index_entries),
                   default=0)

    def _note(self, packet, waiting):
        self.packets += packet.dts is not None  # the last packet flushes the decoder
        if packet.is_corrupt:
            raise MediaError(f"{self.path}: damaged after frame {self.count}.")
        if packet.size and not packet.is_discard:
            stamp = stamp_of(packet, self.counted)
            if stamp is None:
                raise MediaError(f"{self.path}: frame {self.count} has no time stamp.")
            heapq.heappush(waiting, stamp)

    def _shifted(self, packet):
        origin = round(self.origin * self.stream.time_base / packet.time_base)
        packet.dts -= origin
        if packet.pts is not None:
            packet.pts -= origin
        return packet

    def _picture(self, frame, waiting):
        stamp = heapq.heappop(waiting) if waiting else None  # frames come out in the order of their time stamps
        if stamp is None or frame.is_corrupt or not self.counted and frame.pts != stamp:
            raise MediaError(f"{self.path}: frame {self.count} could not be decoded.")
        if self.form is None:
            self.form = form_of(frame, self.stream)
        if (frame.height, frame.width) != (self.form.height, self.form.width):
            raise MediaError(f"{self.path}: frame {self.count} is {frame.width}x{frame.height}, the first "
                             f"{self.form.width}x{self.form.height}; a copy of two sizes cannot be written.")
        self.count += 1
        if self.count > limits.MAX_FRAMES:
            raise MediaError(f"{self.path}: more than {limits.MAX_FRAMES} frames.")
        return Picture(stamp - self.origin, frame.duration or 0, frame)


@contextlib.contextmanager
def open_video(path, sound=False, threads=0):
    """The Video at `path`.  threads: of the decoder; 0 lets libav decide.  Raises MediaError that names the file."""
    with reader.opened(path, explode=True, threads=threads) as (container, stream):
        yield Video(path, container, stream, sound)


def counted(container):
    """Whether the frames of an open container have numbers instead of time stamps."""
    return container.format.name in COUNTED


def stamp_of(packet, counted):
    """The time stamp of a packet's frame; None where it has none."""
    return packet.dts if counted or packet.pts is None else packet.pts


def form_of(frame, stream):
    """The Form of a stream, by its first frame."""
    limits.check_pixels("a frame", frame.width, frame.height)
    context = stream.codec_context
    return Form(
        frame.height, frame.width, stream.time_base, stream.average_rate or fractions.Fraction(25),
        matrix=scaling.matrix(frame),
        rotation=scaling.turn(frame) if frame.rotation % 90 == 0 else 0,
        aspect=stream.sample_aspect_ratio,
        colour=(context.colorspace, context.color_range, context.color_primaries, context.color_trc))
