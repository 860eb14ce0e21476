"""What .avi can hold of a video, judged by its times."""

import fractions

import clips
import pytest

from tfanon.media import avi_check, video_reader

MILLISECOND = fractions.Fraction(1, 1000)
NTSC_RATES = [fractions.Fraction(1000 * rate, 1001) for rate in (24, 30, 60)]
RATES = [10, 15, 25, 60, *NTSC_RATES]


@pytest.fixture
def info() -> video_reader.VideoInfo:
    return video_reader.VideoInfo(48, 64, MILLISECOND, fractions.Fraction(25))


@pytest.mark.parametrize("rate", RATES, ids=str)
@pytest.mark.parametrize("units", [1000, 12800, 15360, 90000])
def test_rate_of_the_slots_is_found_in_rounded_times(rate, units):
    timestamps = [round(5 + number * units / rate) for number in range(300)]
    # as containers derive it from rounded times
    nominal = fractions.Fraction(round(10_000 * rate), 10_000)
    info = video_reader.VideoInfo(48, 64, fractions.Fraction(1, units), nominal)
    assert avi_check.choose_even_rate(info, timestamps).rate == rate


def test_slots_may_be_empty(info):
    assert avi_check.choose_even_rate(info, [0, 40, 200, 240]).rate == 25


def test_times_that_are_slots_already_need_no_rate(info):
    assert avi_check.choose_even_rate(info, None) is info


def test_uneven_times_are_refused(info):
    message = "an .avi file cannot hold uneven times; .mkv, .mp4 and .mov files can."
    with pytest.raises(ValueError, match=message):
        avi_check.choose_even_rate(info, clips.make_uneven_times(20).tolist())


@pytest.mark.parametrize("start, gap", [(0.0, 0.0), (0.02, 0.03)])
def test_sound_within_one_slot_of_the_frames_is_accepted(info, start, gap):
    avi_check.check_sound_alignment(info, 0.0, [(start, gap)])


@pytest.mark.parametrize(
    "start, gap, problem",
    [
        (0.5, 0.0, r"begins \+0.500 s from the first frame"),
        (0.0, 0.477, "has a gap of 0.477 s"),
    ],
)
def test_sound_that_avi_cannot_hold_is_refused(info, start, gap, problem):
    message = f"The sound {problem}, .*; .mkv, .mp4 and .mov files can. --audio=drop leaves"
    with pytest.raises(ValueError, match=message):
        avi_check.check_sound_alignment(info, 0.0, [(start, gap)])
