"""Times of frames, worked out by hand from made-up packets and frames."""

import dataclasses
import fractions
import types

import pytest

from tfanon.media import frame_times

VP8_SHOWN = 0x10  # RFC 6386: show_frame is bit 4 of the first byte
VP8_HIDDEN = 0x01


@dataclasses.dataclass(frozen=True)
class Packet:
    """The part of an av.Packet that frame_times reads.  first_byte: of its content."""

    pts: int | None
    dts: int | None = None
    size: int = 100
    first_byte: int = 0
    is_discard: bool = False

    def __bytes__(self) -> bytes:
        return bytes([self.first_byte]).ljust(self.size, b"\0")[: self.size]


def frame(pts: int | None, dts: int | None = None) -> types.SimpleNamespace:
    return types.SimpleNamespace(pts=pts, dts=dts, duration=1)


def assign_times(times: frame_times.FrameTimes, frames: list) -> list[tuple]:
    """What assign_time() returns for each frame, if VideoReader accepts all of them."""
    answers = []
    for each in frames:
        answers.append(times.assign_time(each))
        times.last_timestamp = answers[-1].timestamp
    return answers


@pytest.mark.parametrize(
    "codec, size, first_byte, is_shown",
    [
        ("h264", 2, 0, True),
        ("h264", 1, 0, False),
        ("h264", 0, 0, False),
        ("mpeg4", 19, 0, False),  # repeats the frame before
        ("mpeg4", 20, 0, True),
        ("vp8", 50, VP8_SHOWN, True),
        ("vp8", 50, VP8_HIDDEN, False),
    ],
)
def test_packets_that_hold_a_shown_frame(
    codec: str, size: int, first_byte: int, is_shown: bool
) -> None:
    packet = Packet(0, size=size, first_byte=first_byte)
    assert frame_times.holds_shown_frame(packet, codec) == is_shown


def test_missing_frame_is_identified_by_its_time() -> None:
    # Coded I0 P3 B1 B2 P6 B4 B5; B4 never comes out.
    times = frame_times.TimedPackets("h264")
    for pts in (0, 3, 1, 2, 6, 4, 5):
        times.add_packet(Packet(pts))
    answers = assign_times(times, [frame(pts) for pts in (0, 1, 2, 3, 5, 6)])
    assert answers == [(0, 0, 0), (1, 0, 0), (2, 0, 0), (3, 0, 0), (5, 0, 1), (6, 0, 0)]
    assert times.count_lost_at_end(6) == (0, 0)


def test_leading_frames_are_no_damage() -> None:
    # Cut at an open GOP: I10 B8 B9 P13 B11 B12; B8 and B9 need a frame that was cut away.
    times = frame_times.TimedPackets("hevc")
    for pts in (10, 8, 9, 13, 11, 12):
        times.add_packet(Packet(pts))
    answers = assign_times(times, [frame(pts) for pts in (10, 11, 12, 13)])
    assert answers[0] == (10, 2, 0)
    assert times.count_lost_at_end(4) == (0, 0)


def test_leading_frame_may_be_shown_after_the_key_frame() -> None:
    # At a variable rate: I185 B189 P300: B189 directly follows the key frame in coding order.
    times = frame_times.TimedPackets("h264")
    times.add_packet(Packet(185))
    times.add_packet(Packet(189))
    times.note_failure(Packet(189))
    times.add_packet(Packet(300))
    assert assign_times(times, [frame(185), frame(300)]) == [(185, 0, 0), (300, 1, 0)]


def test_failure_after_an_undamaged_frame_is_damage() -> None:
    # I0 P3 B1 B2: P3 decodes, B1 fails.
    times = frame_times.TimedPackets("h264")
    times.add_packet(Packet(0))
    times.add_packet(Packet(3))
    times.add_packet(Packet(1))
    times.note_failure(Packet(1))
    times.add_packet(Packet(2))
    answers = assign_times(times, [frame(0), frame(2), frame(3)])
    assert answers == [(0, 0, 0), (2, 0, 1), (3, 0, 0)]


def test_slots_of_divx_whose_second_chunk_holds_no_frame() -> None:
    # Chunks 0 1 2 3; the second is one byte. Frames come with packets 2 and 3, and one at the end.
    times = frame_times.NumberedSlots("mpeg4")
    for slot, size in enumerate((100, 1, 100, 100)):
        times.add_packet(Packet(slot + 1, slot, size))
        if slot == 2:
            assert times.assign_time(frame(1, 2)) == (0, 0, 0)
            times.last_timestamp = 0
    assert assign_times(times, [frame(3, 3), frame(4, None)]) == [(1, 0, 0), (2, 0, 0)]
    assert times.count_lost_at_end(3) == (0, 0)


def test_empty_slots_stay_empty() -> None:
    slots = [0, 1, 2, 4, 5, 6, 8]
    times = frame_times.NumberedSlots("mpeg4")
    answers = []
    for slot in slots:  # without B-frames each packet gives its own frame
        times.add_packet(Packet(slot, slot))
        answers += assign_times(times, [frame(slot, slot)])
    assert [answer.timestamp for answer in answers] == slots
    assert times.count_lost_at_end(7) == (0, 0)


def test_frames_that_the_decoder_lost_are_counted() -> None:
    times = frame_times.NumberedSlots("mpeg4")
    for slot in range(10):
        times.add_packet(Packet(slot, slot))
        if slot not in (4, 5):
            assign_times(times, [frame(slot, slot)])
    assert times.count_lost_at_end(8) == (0, 2)


def test_times_in_coding_order_are_sorted() -> None:
    # MPEG-4 with B-frames copied from AVI: packets I P B B in that order have the times 0 1 2 3.
    times = frame_times.SortedTimes("mpeg4")
    for pts in (0, 1, 2, 3):
        times.add_packet(Packet(pts, pts))
    answers = assign_times(times, [frame(0), frame(2), frame(3), frame(1)])
    assert [answer.timestamp for answer in answers] == [0, 1, 2, 3]


def test_repeated_time_in_a_program_stream_is_one_step_after_the_last() -> None:
    step = fractions.Fraction(15015, 4)  # 90 kHz at 24000/1001 frames a second
    times = frame_times.DecoderTimes("mpeg2video", step)
    frames = [frame(time, time) for time in (0, 3754, 3754, 3754, 20000)]
    for each in frames:
        times.add_packet(Packet(each.pts, each.dts))
    answers = assign_times(times, frames)
    assert [answer.timestamp for answer in answers] == [0, 3754, 7508, 11262, 20000]


def test_repeated_time_without_a_known_step_is_returned_as_it_is() -> None:
    times = frame_times.DecoderTimes("vp8")
    assign_times(times, [frame(5, 5)])
    # The caller sees that it is no later than the last.
    assert times.assign_time(frame(5, 5)) == (5, 0, 0)
