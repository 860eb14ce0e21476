"""Times of pictures, worked out by hand from packets and frames that are made up."""

import dataclasses
import fractions
import types

import pytest

from tfanon.media import picture_times


@dataclasses.dataclass(frozen=True)
class Packet:
    """What picture_times looks at of an av.Packet.  first: its first byte."""

    pts: int | None
    dts: int | None = None
    size: int = 100
    first: int = 0
    is_discard: bool = False

    def __bytes__(self) -> bytes:
        return bytes([self.first]).ljust(self.size, b"\0")[: self.size]


def frame(pts: int | None, dts: int | None = None) -> types.SimpleNamespace:
    return types.SimpleNamespace(pts=pts, dts=dts, duration=1)


def take_all(times: object, frames: list) -> list[tuple]:
    """What take() says of each frame, as source.Video asks."""
    answers = []
    for each in frames:
        answers.append(times.take(each))
        times.last = answers[-1][0]
    return answers


@pytest.mark.parametrize(
    "codec, size, first, held",
    [
        ("h264", 2, 0, True),
        ("h264", 1, 0, False),
        ("h264", 0, 0, False),
        ("mpeg4", 19, 0, False),
        ("mpeg4", 20, 0, True),  # a packet that repeats the picture before
        ("vp8", 50, 0x10, True),
        ("vp8", 50, 0x01, False),
    ],
)  # RFC 6386: show_frame is bit 4
def test_which_packets_hold_a_picture_that_is_shown(
    codec: str, size: int, first: int, held: bool
) -> None:
    assert picture_times.holds_shown_frame(Packet(0, size=size, first=first), codec) == held


def test_a_picture_that_does_not_come_is_known_by_its_time() -> None:
    # Coded I0 P3 B1 B2 P6 B4 B5; B4 never comes out.
    times = picture_times.TimedPackets("h264")
    for pts in (0, 3, 1, 2, 6, 4, 5):
        times.add_packet(Packet(pts))
    answers = take_all(times, [frame(pts) for pts in (0, 1, 2, 3, 5, 6)])
    assert answers == [(0, 0, 0), (1, 0, 0), (2, 0, 0), (3, 0, 0), (5, 0, 1), (6, 0, 0)]
    assert times.finish(6) == (0, 0)


def test_pictures_in_front_are_no_damage() -> None:
    # Cut at an open GOP: I10 B8 B9 P13 B11 B12; B8 and B9 need a picture that was cut away.
    times = picture_times.TimedPackets("hevc")
    for pts in (10, 8, 9, 13, 11, 12):
        times.add_packet(Packet(pts))
    assert take_all(times, [frame(pts) for pts in (10, 11, 12, 13)])[0] == (10, 2, 0)
    assert times.finish(4) == (0, 0)


def test_a_picture_in_front_may_have_a_time_behind_the_key_frame() -> None:
    # At a variable rate: I185 B189 P300: B189 directly follows the key frame in coding order.
    times = picture_times.TimedPackets("h264")
    times.add_packet(Packet(185))
    times.add_packet(Packet(189))
    times.note_failure(Packet(189))
    times.add_packet(Packet(300))
    assert take_all(times, [frame(185), frame(300)]) == [(185, 0, 0), (300, 1, 0)]


def test_a_failure_behind_a_picture_that_is_whole_is_damage() -> None:
    # I0 P3 B1 B2: P3 decodes, B1 fails.
    times = picture_times.TimedPackets("h264")
    times.add_packet(Packet(0))
    times.add_packet(Packet(3))
    times.add_packet(Packet(1))
    times.note_failure(Packet(1))
    times.add_packet(Packet(2))
    assert take_all(times, [frame(0), frame(2), frame(3)]) == [(0, 0, 0), (2, 0, 1), (3, 0, 0)]


def test_slots_of_divx_whose_second_chunk_holds_no_picture() -> None:
    # Chunks 0 1 2 3; the second is one byte. Pictures come with packets 2 and 3, and one at the end.
    times = picture_times.NumberedSlots("mpeg4")
    for slot, size in enumerate((100, 1, 100, 100)):
        times.add_packet(Packet(slot + 1, slot, size))
        if slot == 2:
            assert times.take(frame(1, 2)) == (0, 0, 0)
            times.last = 0
    assert take_all(times, [frame(3, 3), frame(4, None)]) == [(1, 0, 0), (2, 0, 0)]
    assert times.finish(3) == (0, 0)


def test_empty_slots_stay_empty() -> None:
    times = picture_times.NumberedSlots("mpeg4")
    answers = []
    for slot in (0, 1, 2, 4, 5, 6, 8):  # without B-frames each packet gives its own picture
        times.add_packet(Packet(slot, slot))
        answers += take_all(times, [frame(slot, slot)])
    assert [stamp for stamp, _, _ in answers] == [0, 1, 2, 4, 5, 6, 8] and times.finish(7) == (0, 0)


def test_pictures_that_the_decoder_lost_are_counted() -> None:
    times = picture_times.NumberedSlots("mpeg4")
    for slot in range(10):
        times.add_packet(Packet(slot, slot))
        if slot not in (4, 5):
            take_all(times, [frame(slot, slot)])
    assert times.finish(8) == (0, 2)


def test_times_of_the_coding_order_are_sorted() -> None:
    # MPEG-4 with B-frames copied from AVI: packets I P B B in that order have the times 0 1 2 3.
    times = picture_times.SortedTimes("mpeg4")
    for pts in (0, 1, 2, 3):
        times.add_packet(Packet(pts, pts))
    assert [stamp for stamp, _, _ in take_all(times, [frame(0), frame(2), frame(3), frame(1)])] == [
        0,
        1,
        2,
        3,
    ]


def test_a_time_that_comes_twice_in_a_program_stream_is_one_step_after_the_last() -> None:
    step = fractions.Fraction(15015, 4)  # 90 kHz at 24000/1001 frames a second
    times = picture_times.DecoderTimes("mpeg2video", step)
    given = [
        frame(0, 0),
        frame(3754, 3754),
        frame(3754, 3754),
        frame(3754, 3754),
        frame(20000, 20000),
    ]
    for each in given:
        times.add_packet(Packet(each.pts, each.dts))
    assert [stamp for stamp, _, _ in take_all(times, given)] == [0, 3754, 7508, 11262, 20000]
    again = picture_times.DecoderTimes("vp8")
    take_all(again, [frame(5, 5)])
    assert again.take(frame(5, 5)) == (5, 0, 0)  # the caller sees that it is no later than the last
