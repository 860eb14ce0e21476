"""What .avi can hold of a video, by its times."""

import fractions

import clips
import pytest

from tfanon.media import avi_check, video_reader

MILLISECOND = fractions.Fraction(1, 1000)
RATES = [10, 15, 25, 60, *(fractions.Fraction(1000 * rate, 1001) for rate in (24, 30, 60))]


@pytest.mark.parametrize("rate", RATES, ids=str)
@pytest.mark.parametrize("units", [1000, 12800, 15360, 90000])
def test_the_rate_of_slots_is_found_in_rounded_times(rate, units):
    stamps = [round(5 + number * units / rate) for number in range(300)]
    nominal = fractions.Fraction(
        round(10_000 * rate), 10_000
    )  # as containers derive it from rounded times
    given = video_reader.VideoInfo(48, 64, fractions.Fraction(1, units), nominal)
    assert avi_check.choose_even_rate(given, stamps).rate == rate


def test_slots_may_be_empty_and_times_may_not_be_uneven():
    given = video_reader.VideoInfo(48, 64, MILLISECOND, fractions.Fraction(25))
    assert avi_check.choose_even_rate(given, [0, 40, 200, 240]).rate == 25
    assert avi_check.choose_even_rate(given, None) is given
    with pytest.raises(
        ValueError, match="an .avi file cannot hold uneven times; .mkv, .mp4 and .mov files can."
    ):
        avi_check.choose_even_rate(given, clips.uneven(20).tolist())


@pytest.mark.parametrize(
    "start, gap, message",
    [
        (0.0, 0.0, ""),
        (0.02, 0.03, ""),
        (0.5, 0.0, r"begins \+0.500 s from the first frame"),
        (0.0, 0.477, "has a gap of 0.477 s"),
    ],
)
def test_sound_that_avi_cannot_hold(start, gap, message):
    if not message:
        avi_check.check_sound_alignment(
            video_reader.VideoInfo(48, 64, MILLISECOND, fractions.Fraction(25)), 0.0, [(start, gap)]
        )
        return
    with pytest.raises(
        ValueError,
        match=f"The sound {message}, .*; .mkv, .mp4 and .mov files can. --audio=drop leaves",
    ):
        avi_check.check_sound_alignment(
            video_reader.VideoInfo(48, 64, MILLISECOND, fractions.Fraction(25)), 0.0, [(start, gap)]
        )
