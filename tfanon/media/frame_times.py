"""Finds out when each decoded frame is shown, and which frames a decoder failed to return.

The decoder returns frames; the container says when they are shown. Containers differ:

    TimedPackets    Each packet is one frame with its own time, which the decoder passes on. A frame
                    that is not returned is identified by its time.
    NumberedSlots   AVI stores no times. A frame is shown in the slot of the packet that made the
                    decoder return it, as players do. A slot may hold no frame (a repeated one) or
                    two (packed B-frames).
    SortedTimes     MPEG-4 part 2 in other containers, whose packets may carry their times in coding
                    order.
    DecoderTimes    Only some frames or packets carry times. The decoder's times are used while they
                    ascend.
"""

import fractions
import heapq
from typing import NamedTuple

import av

from tfanon.media import frame_reader

UNTIMED_CONTAINERS = ("avi",)  # libav numbers the packets instead
SHIFTED_CLOCK_CONTAINERS = ("mpeg", "mpegts")  # their clocks start at any value
MAX_REPEAT_PACKET_BYTES = 19  # MPEG-4 part 2 packet that repeats a frame; libav uses the same bound
VP8_SHOW_FRAME_BIT = 0x10  # in the first byte of a packet (RFC 6386, section 9.1)


class FrameTime(NamedTuple):
    """The time of a decoded frame, and what its arrival says about frames before it.

    Attributes:
        timestamp: In units of the stream's time base; None if the frame has no time.
        leading: Frames at the start that were left out because they refer to a missing frame.
        missing: Frames before this one that the decoder should have returned.
    """

    timestamp: int | None
    leading: int = 0
    missing: int = 0


def holds_shown_frame(packet: av.Packet, codec: str) -> bool:
    """Return whether a packet holds a frame that is to be shown.

    Args:
        packet: The packet, as demuxed.
        codec: libav's canonical name of its codec.
    """
    # Edit lists discard packets; an AVI packet of at most one byte repeats the frame before.
    if packet.is_discard or packet.size <= 1:
        return False
    if codec == "mpeg4":
        return packet.size > MAX_REPEAT_PACKET_BYTES
    if codec == "vp8":
        return bool(bytes(packet)[0] & VP8_SHOW_FRAME_BIT)
    return True


class TimedPackets:
    """Times of a stream whose packets are one frame each and carry its presentation time.

    Attributes:
        codec: libav's canonical name of the codec.
        last_timestamp: Of the latest accepted frame, set by the caller; None before the first.
    """

    def __init__(self, codec: str) -> None:
        """Start before the first packet.

        Args:
            codec: libav's canonical name of the codec.
        """
        self.codec = codec
        self.last_timestamp: int | None = None
        self._sent = 0  # packets so far, which is the position in coding order
        # (time, position in coding order) of frames that have not come out yet
        self._waiting: list[tuple[int, int]] = []
        self._untimed = 0  # packets of frames that are shown before the file begins
        # position -> time of packets that failed before the first frame came out
        self._failed: dict[int, int | None] = {}
        self._dropped: set[int] = set()  # positions of leading frames that did not come out
        self._first: tuple[int, int] | None = None  # time and position of the first frame
        self._is_start = True  # until the second frame

    def add_packet(self, packet: av.Packet) -> None:
        """Register a packet that is about to be decoded."""
        if not holds_shown_frame(packet, self.codec):
            return
        self._sent += 1
        if packet.pts is None:
            self._untimed += 1
            self._dropped.add(self._sent)
        else:
            heapq.heappush(self._waiting, (packet.pts, self._sent))

    def note_failure(self, packet: av.Packet) -> None:
        """Record that a packet could not be decoded, before the first frame came out."""
        if holds_shown_frame(packet, self.codec):
            self._failed[self._sent] = packet.pts

    def has_failed(self, frame: av.VideoFrame) -> bool:
        """Return whether a frame came out although the decoder raised at its packet."""
        return frame.pts in self._failed.values()

    def assign_time(self, frame: av.VideoFrame) -> FrameTime:
        """Return the time of the next frame that came out of the decoder."""
        timestamp = frame.pts
        if timestamp is None:
            return FrameTime(None)
        missing = set()
        while self._waiting and self._waiting[0][0] < timestamp:
            missing.add(heapq.heappop(self._waiting)[1])
        position = self._sent
        if self._waiting and self._waiting[0][0] == timestamp:
            position = heapq.heappop(self._waiting)[1]
        if self._first is None:
            self._first = timestamp, position
            self._dropped |= missing
            leading = len(missing) + self._untimed
            self._untimed = 0
            return FrameTime(timestamp, leading)
        return FrameTime(timestamp, *self._split_lost(missing))

    def _split_lost(self, positions: set[int]) -> tuple[int, int]:
        """Split frames that did not come out into (number of leading ones, number of damaged ones).

        Until the second frame comes out, a lost frame may still be a leading one, which refers to
        a frame that was cut away: those directly follow the first frame in coding order.
        """
        if not self._is_start:
            return 0, len(positions)
        self._is_start = False
        assert self._first is not None, "called once a frame has come out"
        first_time, first_position = self._first
        failed_later = {
            position
            for position, time in self._failed.items()
            if time is not None and time >= first_time
        }
        lost = positions | failed_later
        leading = set()
        position = first_position + 1
        while position in lost or position in self._dropped:
            leading.add(position)
            position += 1
        return len(leading & lost), len(lost - leading)

    def count_lost_at_end(self, count: int) -> tuple[int, int]:
        """Return the (leading, missing) frames that are only known at the end of the stream.

        Args:
            count: Frames that were accepted.
        """
        return self._split_lost({position for _, position in self._waiting})


class _CountedPackets:
    """Base of streams in which it is unknown which packet gave which frame.

    Packets and frames are counted, which requires a decoder with a single thread.
    """

    def __init__(self, codec: str) -> None:
        """Start before the first packet; ``codec`` is libav's canonical name."""
        self.codec = codec
        self.last_timestamp: int | None = None
        self._held = 0  # packets that hold a frame
        self._sent_before_first: int | None = None
        self._flushed = 0  # frames that came out after the last packet

    def add_packet(self, packet: av.Packet) -> None:
        """Register a packet that is about to be decoded."""
        self._held += holds_shown_frame(packet, self.codec)

    def note_failure(self, packet: av.Packet) -> None:
        """Do nothing: what a packet gave is known by the count alone."""

    def has_failed(self, frame: av.VideoFrame) -> bool:
        """Return False: the packet of a frame is unknown."""
        return False

    def count_lost_at_end(self, count: int) -> tuple[int, int]:
        """Return the (leading, missing) frames of the whole stream.

        A decoder holds back as many frames before it returns the first as it returns at the end.

        Args:
            count: Frames that were accepted.
        """
        leading = max(0, (self._sent_before_first or 0) - self._flushed)
        return leading, max(0, self._held - count - leading)

    def _count_frame(self, frame: av.VideoFrame) -> None:
        """Count a frame that came out; without a decoding time it came after the last packet."""
        is_flushed = frame.dts is None
        self._flushed += is_flushed
        if self._sent_before_first is None:
            self._sent_before_first = self._held if is_flushed else self._held - 1


class NumberedSlots(_CountedPackets):
    """Times in AVI, where a packet's decoding time is the number of its slot."""

    def __init__(self, codec: str) -> None:
        """Start before the first packet; ``codec`` is libav's canonical name."""
        super().__init__(codec)
        self._first_slot: int | None = None
        self._delay = 0  # slots by which the decoder is behind

    def add_packet(self, packet: av.Packet) -> None:
        """Register a packet that is about to be decoded."""
        super().add_packet(packet)
        if self._first_slot is None:
            self._first_slot = packet.dts

    def assign_time(self, frame: av.VideoFrame) -> FrameTime:
        """Return the slot of the next frame; the first is shown in the slot of the first packet."""
        self._count_frame(frame)
        # After the last packet, the frames that the decoder still held get one slot each.
        if frame.dts is None:
            if self.last_timestamp is None:
                return FrameTime(self._first_slot)
            return FrameTime(self.last_timestamp + 1)
        if self.last_timestamp is None:
            self._delay = frame.dts - (self._first_slot or 0)
        return FrameTime(frame.dts - self._delay)


class DecoderTimes(_CountedPackets):
    """Times by the decoder: the presentation time if it ascends, else the packet's decoding time.

    In MPEG program streams only some frames have a time of their own; libav derives the others, and
    sometimes returns to a time that has passed. Such a frame is placed one step after the frame
    before it.
    """

    def __init__(self, codec: str, step: fractions.Fraction | None = None) -> None:
        """Start before the first packet.

        Args:
            codec: libav's canonical name of the codec.
            step: Time from one frame to the next, in units of the stream's time base, if only some
                frames have times of their own.
        """
        super().__init__(codec)
        self._step = step
        self._anchor = 0  # time of the latest frame with a time of its own
        self._steps = 0  # frames since then

    def assign_time(self, frame: av.VideoFrame) -> FrameTime:
        """Return the time of the next frame that came out of the decoder."""
        self._count_frame(frame)
        for timestamp in (frame.pts, frame.dts):
            if timestamp is None:
                continue
            if self.last_timestamp is None or timestamp > self.last_timestamp:
                self._anchor = timestamp
                self._steps = 0
                return FrameTime(timestamp)
        step = self._step or frame.duration or 1
        if self.last_timestamp is not None and (self._step or frame.dts is None):
            self._steps += 1
            return FrameTime(round(self._anchor + self._steps * step))
        return FrameTime(frame.pts)


class SortedTimes(_CountedPackets):
    """Times of MPEG-4 part 2 in a container that stores times: those of the packets, sorted.

    Packets with packed B-frames, and files that were remuxed from AVI, carry their times in coding
    order.
    """

    def __init__(self, codec: str) -> None:
        """Start before the first packet; ``codec`` is libav's canonical name."""
        super().__init__(codec)
        self._times: list[int] = []  # heap of the packets' times

    def add_packet(self, packet: av.Packet) -> None:
        """Register a packet that is about to be decoded."""
        super().add_packet(packet)
        time = packet.dts if packet.pts is None else packet.pts
        if packet.size > 1 and time is not None and not packet.is_discard:
            heapq.heappush(self._times, time)

    def assign_time(self, frame: av.VideoFrame) -> FrameTime:
        """Return the time of the next frame that came out of the decoder."""
        self._count_frame(frame)
        if self.last_timestamp is None:
            if frame.pts is not None:
                self._drop_times_before(frame.pts)  # of leading frames that were left out
        else:
            # A cut moves other leading frames to the time of the first frame.
            self._drop_times_before(self.last_timestamp + 1)
        if self._times:
            return FrameTime(heapq.heappop(self._times))
        if self.last_timestamp is None:
            return FrameTime(frame.pts)
        return FrameTime(self.last_timestamp + max(1, frame.duration or 0))

    def _drop_times_before(self, time: int) -> None:
        while self._times and self._times[0] < time:
            heapq.heappop(self._times)


FrameTimes = TimedPackets | NumberedSlots | SortedTimes | DecoderTimes


def choose_frame_times(
    container: av.container.InputContainer, stream: av.VideoStream
) -> FrameTimes:
    """Return the rule by which the frames of a stream get their times.

    Args:
        container: The open file.
        stream: Its video stream.
    """
    codec = stream.codec_context.codec.canonical_name
    if frame_reader.has_time_per_frame(container, stream):
        return TimedPackets(codec)
    if container.format.name in UNTIMED_CONTAINERS:
        return NumberedSlots(codec)
    if container.format.name in SHIFTED_CLOCK_CONTAINERS:
        return DecoderTimes(codec, _find_frame_interval(stream))
    if codec == "mpeg4":
        return SortedTimes(codec)
    return DecoderTimes(codec)


def _find_frame_interval(stream: av.VideoStream) -> fractions.Fraction | None:
    """Return the time between frames, in the stream's time base; None if the rate is unknown."""
    if not stream.average_rate or not stream.time_base:
        return None
    return 1 / (stream.average_rate * stream.time_base)
