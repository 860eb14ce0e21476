"""When each picture that a decoder returns is shown, and which pictures it should have returned and did not.

Pictures are what the decoder returns; their times are what the container says of them. There are several kinds of container:

    TimedPackets    a time for each picture, which the decoder hands on: what is not returned is known by its time
    NumberedSlots   AVI: no times. A picture is shown in the slot of the packet that made the decoder return it, which is
                    what players do: a slot may hold no picture (a repeated one) or two (packed B-frames)
    SortedTimes     MPEG-4 part 2 elsewhere, whose packets may have the times of their coding order
    DecoderTimes    times for some pictures or for packets only: the decoder's, as long as they ascend
"""

import fractions
import heapq

import av

MAX_REPEAT_PACKET_BYTES = (
    19  # bytes of an MPEG-4 part 2 packet that only repeats a picture; libav's own bound
)
VP8_SHOW_FRAME_BIT = 0x10  # bit of a packet's first byte (RFC 6386, 9.1)


def holds_shown_frame(packet: av.Packet, codec: str) -> bool:
    """Whether a packet holds a picture that is to be shown.

    Args:
        packet: As demuxed.
        codec: libav's canonical name of its codec.
    """
    if (
        packet.is_discard or packet.size <= 1
    ):  # an edit list leaves it out; AVI repeats the picture before
        return False
    if codec == "mpeg4":
        return packet.size > MAX_REPEAT_PACKET_BYTES
    if codec == "vp8":
        return bool(bytes(packet)[0] & VP8_SHOW_FRAME_BIT)
    return True


class TimedPackets:
    """Each packet is one picture and has its time."""

    def __init__(self, codec: str) -> None:
        self.codec, self.last = codec, None
        self._sent = 0  # packets, in coding order
        self._waiting: list[
            tuple[int, int]
        ] = []  # (time, place in coding order) of pictures that have not come out yet
        self._untimed = 0  # packets of pictures that are shown before the file begins
        self._failed: dict[
            int, int | None
        ] = {}  # place: time, of packets that failed before the first picture came
        self._dropped: set[int] = set()  # places of pictures in front that did not come out
        self._first: tuple[int, int] | None = None  # time and place of the first picture
        self._is_start = True  # until the second picture

    def add_packet(self, packet: av.Packet) -> None:
        """Note a packet that is about to be decoded."""
        if not holds_shown_frame(packet, self.codec):
            return
        self._sent += 1
        if packet.pts is None:
            self._untimed += 1
            self._dropped.add(self._sent)
        else:
            heapq.heappush(self._waiting, (packet.pts, self._sent))

    def note_failure(self, packet: av.Packet) -> None:
        """Note that a packet could not be decoded, before the first picture came out."""
        if holds_shown_frame(packet, self.codec):
            self._failed[self._sent] = packet.pts

    def is_broken(self, frame: av.VideoFrame) -> bool:
        """Whether a picture came out although its packet failed."""
        return frame.pts in self._failed.values()

    def take(self, frame: av.VideoFrame) -> tuple[int | None, int, int]:
        """(time of a picture that came out, pictures left out in front, pictures missing before it); None for no time."""
        if frame.pts is None:
            return None, 0, 0
        stamp, missing = frame.pts, set()
        while self._waiting and self._waiting[0][0] < stamp:
            missing.add(heapq.heappop(self._waiting)[1])
        place = self._sent
        if self._waiting and self._waiting[0][0] == stamp:
            place = heapq.heappop(self._waiting)[1]
        if self._first is None:
            self._first = stamp, place
            self._dropped |= missing
            leading, self._untimed = len(missing) + self._untimed, 0
            return stamp, leading, 0
        return stamp, *self._sort_out(missing)

    def _sort_out(self, missing: set[int]) -> tuple[int, int]:
        """(pictures left out in front, pictures missing) of the places of pictures that did not come out.

        Until the second picture they may still be such as need one that was cut away: those that directly follow the
        first one in coding order.
        """
        if not self._is_start:
            return 0, len(missing)
        self._is_start = False
        first_time, first_place = self._first
        later = {
            place for place, time in self._failed.items() if time is not None and time >= first_time
        }
        lost, front = missing | later, set()
        place = first_place + 1
        while place in lost or place in self._dropped:
            front.add(place)
            place += 1
        return len(front & lost), len(lost - front)

    def finish(self, count: int) -> tuple[int, int]:
        """(pictures left out in front, pictures missing) that are known only at the end."""
        return self._sort_out({place for _, place in self._waiting})


class _CountedPackets:
    """Packets are counted; which of them gave which picture is not known. The decoder has to be a single one."""

    def __init__(self, codec: str) -> None:
        self.codec, self.last = codec, None
        self._held = 0  # packets that hold a picture
        self._sent_before_first, self._flushed = None, 0

    def add_packet(self, packet: av.Packet) -> None:
        """As TimedPackets."""
        self._held += holds_shown_frame(packet, self.codec)

    def note_failure(self, packet: av.Packet) -> None:
        """Nothing to note: what a packet gave is known by the count alone."""

    def is_broken(self, frame: av.VideoFrame) -> bool:
        """Never known."""
        return False

    def finish(self, count: int) -> tuple[int, int]:
        """As TimedPackets.

        A decoder holds back as many pictures before it returns the first as it returns at the end.
        """
        leading = max(0, (self._sent_before_first or 0) - self._flushed)
        return leading, max(0, self._held - count - leading)

    def _note_frame(self, frame: av.VideoFrame) -> None:
        flushed = frame.dts is None
        self._flushed += flushed
        if self._sent_before_first is None:
            self._sent_before_first = self._held if flushed else self._held - 1


class NumberedSlots(_CountedPackets):
    """AVI: a packet's decoding time is the number of its slot."""

    def __init__(self, codec: str) -> None:
        super().__init__(codec)
        self._first_slot, self._delay = None, 0

    def add_packet(self, packet: av.Packet) -> None:
        """As TimedPackets."""
        super().add_packet(packet)
        if self._first_slot is None:
            self._first_slot = packet.dts

    def take(self, frame: av.VideoFrame) -> tuple[int | None, int, int]:
        """As TimedPackets; the first picture is shown in the slot of the first packet."""
        self._note_frame(frame)
        if (
            frame.dts is None
        ):  # the last packet has been: one slot each for what the decoder still held
            return self._first_slot if self.last is None else self.last + 1, 0, 0
        if self.last is None:
            self._delay = frame.dts - (self._first_slot or 0)
        return frame.dts - self._delay, 0, 0


class DecoderTimes(_CountedPackets):
    """The decoder's presentation time where it ascends, else the time of the packet that made it return the picture.

    Where only some pictures have a time of their own, as in MPEG program streams, libav derives the others, and at times
    comes back to one that has been: such a picture follows the one before it by one step.
    """

    def __init__(self, codec: str, step: fractions.Fraction | None = None) -> None:
        """
        Args:
            codec: libav's canonical name.
            step: Time from one picture to the next, where only some have a time of their own.
        """
        super().__init__(codec)
        self._step, self._anchor, self._steps = (
            step,
            None,
            0,
        )  # pictures since the last one with a time

    def take(self, frame: av.VideoFrame) -> tuple[int | None, int, int]:
        """As TimedPackets."""
        self._note_frame(frame)
        for stamp in (frame.pts, frame.dts):
            if stamp is not None and (self.last is None or stamp > self.last):
                self._anchor, self._steps = stamp, 0
                return stamp, 0, 0
        step = self._step or frame.duration or 1
        if self.last is not None and (self._step or frame.dts is None):
            self._steps += 1
            return round(self._anchor + self._steps * step), 0, 0
        return frame.pts, 0, 0


class SortedTimes(_CountedPackets):
    """MPEG-4 part 2 in a container that stores times: those of the packets, sorted.

    Packets with packed B-frames, and files written from AVI, have the times of the coding order.
    """

    def __init__(self, codec: str) -> None:
        super().__init__(codec)
        self._times: list[int] = []

    def add_packet(self, packet: av.Packet) -> None:
        """As TimedPackets."""
        super().add_packet(packet)
        time = packet.dts if packet.pts is None else packet.pts
        if packet.size > 1 and time is not None and not packet.is_discard:
            heapq.heappush(self._times, time)

    def take(self, frame: av.VideoFrame) -> tuple[int | None, int, int]:
        """As TimedPackets."""
        self._note_frame(frame)
        while (
            self.last is None
            and self._times
            and frame.pts is not None
            and self._times[0] < frame.pts
        ):
            heapq.heappop(self._times)  # of pictures in front that were left out
        while self.last is not None and self._times and self._times[0] <= self.last:
            heapq.heappop(
                self._times
            )  # of others in front, which a cut has moved to the first time
        if self._times:
            return heapq.heappop(self._times), 0, 0
        stamp = frame.pts if self.last is None else self.last + max(1, frame.duration or 0)
        return stamp, 0, 0


FrameTimes = TimedPackets | NumberedSlots | SortedTimes | DecoderTimes
