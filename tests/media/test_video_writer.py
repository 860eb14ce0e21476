"""What a sink writes is what it was given, and `check` sees where it is not."""

import fractions

import av
import clips
import numpy as np
import pytest
from clips import Clip

from tfanon.core import processes
from tfanon.media import frame_reader, scaling, video_reader, video_writer
from tfanon.media.limits import MediaError
from tfanon.media.video_writer import EncodingOptions

MILLISECOND = fractions.Fraction(1, 1000)
WAYS = [  # ending, codec, whether times may be uneven
    (".mp4", "", True),
    (".mov", "libx265", True),
    (".m4v", "mpeg4", True),
    (".mkv", "ffv1", True),
    (".mkv", "libvpx-vp9", True),
    (".webm", "", True),
    (".mov", "mjpeg", True),
    (".avi", "mjpeg", False),
    (".avi", "mpeg4", False),
    (".avi", "libx264", False),
    (".mp4", "libvpx-vp9", True),
]


def form(size=(48, 64), time_base=MILLISECOND, **more):
    return video_reader.VideoInfo(*size, time_base, fractions.Fraction(25), **more)


def write(path, form, stamps, encoding=EncodingOptions(), duration=40, **more):
    written = video_writer.VideoWriter(path, form, encoding, **more)
    for number, stamp in enumerate(stamps):
        written.write(clips.picture(number, (form.height, form.width)), int(stamp), duration)
    written.finish()
    return path


@pytest.mark.parametrize("ending, codec, uneven", WAYS)
def test_frames_come_back_at_their_times(tmp_path, ending, codec, uneven):
    time_base, stamps = (
        (MILLISECOND, clips.uneven(20)) if uneven else (fractions.Fraction(1, 25), np.arange(20))
    )
    path = write(
        tmp_path / f"a{ending}",
        form(time_base=time_base),
        stamps,
        EncodingOptions(codec),
        40 if uneven else 1,
    )
    video_writer.verify_video_times(path, stamps, time_base)
    read = clips.read(path).astype(int)
    assert len(read) == 20
    # halved colour planes blur what has detail in colour alone; neighbouring frames differ by 50 levels and more
    for number in (0, 7, 19):
        assert np.abs(read[number] - clips.picture(number, (48, 64))).mean() < 20
    if uneven:
        np.testing.assert_allclose(clips.about(path)["times"], stamps / 1000, atol=5e-4)


def test_an_avi_file_has_one_slot_per_frame_and_no_other_times(tmp_path):
    path = write(tmp_path / "a.avi", form(), range(0, 400, 40))
    video_writer.verify_video_times(path, range(0, 400, 40), MILLISECOND)
    with av.open(str(path)) as container:
        assert (
            container.streams.video[0].average_rate == 25
            and container.streams.video[0].frames == 10
        )
    with pytest.raises(
        MediaError, match="Frame 2 comes at 0.095 s: an .avi file cannot hold uneven times"
    ):
        write(tmp_path / "b.avi", form(), [0, 40, 95, 120])


@pytest.mark.parametrize(
    "ending, codec, size",
    [
        (".mp4", "libx264", (32, 46)),
        (".mkv", "libx265", (32, 46)),
        (".webm", "libvpx-vp9", (31, 45)),
        (".mkv", "ffv1", (31, 45)),
        (".avi", "mpeg4", (31, 45)),
    ],
)
def test_odd_sides_are_padded_where_phones_would_not_play_them(tmp_path, ending, codec, size):
    output = video_writer.VideoWriter(tmp_path / f"a{ending}", form((31, 45)), EncodingOptions(codec))
    pixels = clips.picture(0, (31, 45))
    for stamp in (0, 40):
        output.write(pixels, stamp, 40)
    output.finish()
    assert clips.about(tmp_path / f"a{ending}")["size"] == size
    assert output.notes == ([] if size == (31, 45) else ["padded from 45x31 to 46x32"])
    with av.open(str(tmp_path / f"a{ending}")) as container:
        assert container.streams.video[0].format.name == (
            "yuv444p" if codec == "ffv1" else "yuv420p"
        )
    read = clips.read(tmp_path / f"a{ending}")[0].astype(int)
    assert np.abs(read[:31, :45] - pixels).mean() < 30  # halved colour planes
    assert np.abs(read[-1, :45] - read[30, :45]).mean() < 20  # the last row once more


def test_the_last_frame_lasts_as_long_as_it_should_whatever_its_place_in_the_file(tmp_path):
    stamps = [
        0,
        40,
        80,
        120,
        1000,
        1040,
        3000,
    ]  # ends at 3500; with B-frames the last packet holds an earlier frame
    path = write(tmp_path / "a.mp4", form(), stamps, duration=500)
    assert clips.about(path)["duration"] == pytest.approx(3.5, abs=2e-3)


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv", ".webm"])
def test_a_turned_video_stays_turned(tmp_path, ending):
    original = clips.write(tmp_path / "in.mp4", Clip(turns=1, frames=3))
    with video_reader.open_video(original) as opened:
        list(opened)
    path = write(tmp_path / f"a{ending}", opened.form, [0, 640, 1280])
    assert clips.about(path)["rotation"] == clips.about(original)["rotation"] == 90
    with pytest.raises(ValueError, match="an .mkv file can"):
        video_writer.VideoWriter(tmp_path / "a.avi", opened.form, EncodingOptions())


def test_nothing_is_said_of_the_original_unless_asked(tmp_path):
    path = write(tmp_path / "a.mp4", form(), [0, 40], metadata={"title": "at home"})
    assert clips.about(path)["metadata"]["title"] == "at home"
    path = write(tmp_path / "b.mp4", form(), [0, 40])
    assert not {"title", "encoder", "creation_time", "location"} & {
        key.split(":")[-1] for key in clips.about(path)["metadata"]
    }


@pytest.mark.parametrize("ending", [".mp4", ".m4v", ".mov", ".mkv"])
def test_every_word_of_the_original_is_kept_where_asked(tmp_path, ending):
    said = {
        "com.apple.quicktime.location.ISO6709": "+48.1+011.5/",
        "com.apple.quicktime.make": "Apple",
        "creation_time": "2024-05-01T10:00:00.000000Z",
        "title": "at home",
        "location": "+48.1000+011.5000/",
    }
    path = write(tmp_path / f"a{ending}", form(), [0, 40], metadata=said)
    found = {key.lower(): value for key, value in clips.about(path)["metadata"].items()}
    assert {key.lower(): value for key, value in said.items()}.items() <= found.items()


def test_one_thread_gives_the_same_bytes(tmp_path):
    for name in ("a.mkv", "b.mkv", "a.mp4", "b.mp4"):
        write(tmp_path / name, form(), clips.uneven(20), EncodingOptions(threads=1))
    for ending in (".mkv", ".mp4"):
        assert (tmp_path / f"a{ending}").read_bytes() == (tmp_path / f"b{ending}").read_bytes()


@pytest.mark.parametrize("cores, given, used", [(2, 0, 1), (8, 0, 4), (1, 0, 1), (8, 3, 3)])
def test_the_encoder_leaves_half_of_the_cores_to_the_other_stages(
    tmp_path, monkeypatch, cores, given, used
):
    monkeypatch.setattr(processes, "count_cores", lambda: cores)
    output = video_writer.VideoWriter(tmp_path / "a.mkv", form(), EncodingOptions(threads=given))
    assert output.stream.codec_context.thread_count == used
    output.close()


def test_quality_and_preset_reach_the_encoder(tmp_path):
    sizes = [
        write(
            tmp_path / f"{number}.mp4",
            form(),
            range(0, 800, 40),
            EncodingOptions(quality=quality, preset=preset),
        )
        .stat()
        .st_size
        for number, (quality, preset) in enumerate([(10, ""), (40, ""), (10, "slow")])
    ]
    assert sizes[1] < 0.8 * sizes[0] and sizes[2] != sizes[0]


@pytest.mark.parametrize(
    "ending, encoding, message",
    [
        (".gif", EncodingOptions(), "ends in '.gif': choose .avi .m4v"),
        (".mp4", EncodingOptions("h266"), "No codec called 'h266': choose"),
        (".webm", EncodingOptions("libx264"), "holds libvpx-vp9, not libx264"),
        (".mov", EncodingOptions("libvpx-vp9"), "An .mov file cannot hold libvpx-vp9; an .mkv file"),
        (".avi", EncodingOptions("libx265"), "An .avi file cannot hold libx265; an .mkv file"),
        (".mp4", EncodingOptions(quality=52), "quality of libx264 goes from 0 to 51, not 52"),
        (".mkv", EncodingOptions("mpeg4", 32), "quality of mpeg4 goes from 0 to 31, not 32"),
    ],
)
def test_what_cannot_be_written_is_refused(ending, encoding, message):
    with pytest.raises(ValueError, match=message):
        encoding.choose_encoder(ending)


@pytest.mark.parametrize(
    "stamps, message",
    [
        ([0, 40, 80], "Too many frames were written; frame 3"),
        ([0, 40, 80, 120, 160], "Too few frames were written; frame 4"),
        ([0, 40, 90, 120], "Frame 2 was written at 0.080000 s instead of 0.090000 s"),
    ],
)
def test_check_sees_what_differs(tmp_path, stamps, message):
    path = write(tmp_path / "a.mp4", form(), [0, 40, 80, 120])
    with pytest.raises(MediaError, match=message):
        video_writer.verify_video_times(path, stamps, MILLISECOND)


@pytest.mark.parametrize(
    "name", ["12:00.mp4", "file:a.mkv", "2024-01-01T12:00:00.avi", "a:b/c:d.mov"]
)
def test_a_colon_in_a_name(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a:b").mkdir()
    write(name, form(time_base=fractions.Fraction(1, 25)), range(5), duration=1)
    video_writer.verify_video_times(name, range(5), fractions.Fraction(1, 25))
    assert len(clips.read(tmp_path / name)) == 5


def test_check_sees_a_file_that_was_cut(tmp_path):
    for ending in (".mp4", ".mkv", ".avi"):
        path = write(
            tmp_path / f"a{ending}",
            form(),
            range(0, 2400, 40),
            EncodingOptions("mjpeg" if ending == ".avi" else ""),
        )
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(MediaError), frame_reader.name_file_in_errors(path):
            video_writer.verify_video_times(path, range(0, 2400, 40), MILLISECOND)


RATES = [10, 15, 25, 60, *(fractions.Fraction(1000 * rate, 1001) for rate in (24, 30, 60))]


@pytest.mark.parametrize("ending", [".mp4", ".mov"])
@pytest.mark.parametrize("rate", RATES, ids=str)
def test_a_late_start_is_kept_to_the_tick(tmp_path, ending, rate):
    """Starts are stored in the unit of the whole file, 1/1000 s where nothing else is said."""
    time_base = 1 / fractions.Fraction(rate)
    path = write(tmp_path / f"a{ending}", form(time_base=time_base), range(2, 8), duration=1)
    video_writer.verify_video_times(path, range(2, 8), time_base)
    assert clips.about(path)["times"] == pytest.approx(
        [float(number * time_base) for number in range(2, 8)], abs=1e-6
    )


def test_a_sound_track_that_the_container_cannot_hold_is_said_before_a_frame_is_written(tmp_path):
    given = clips.write(tmp_path / "in.mp4", Clip(sound=True))
    with (
        video_reader.open_video(given, with_sound=True) as opened,
        pytest.raises(
            ValueError,
            match=r"An .webm file cannot hold sound in the format aac; these can: .*\.mkv.*--audio=drop",
        ),
    ):
        video_writer.VideoWriter(tmp_path / "a.webm", opened.form, EncodingOptions(), sounds=opened.sounds)


@pytest.mark.parametrize(
    "given, said",
    [
        ((0, 2, 1, 13), (1, 2, 1, 13)),
        ((9, 1, 9, 16), (1, 1, 1, 1)),
        ((9, 1, 9, 18), (1, 1, 1, 1)),
        ((9, 1, 9, 14), (9, 1, 9, 14)),
        ((2, 0, 2, 2), (2, 0, 2, 2)),
        ((6, 1, 6, 6), (6, 1, 6, 6)),
        ((8, 1, 2, 2), (1, 1, 2, 2)),
    ],
)
def test_colours_are_said_to_be_what_eight_bits_of_h264_can_hold(given, said):
    assert scaling.choose_output_colour(given) == said


def test_one_and_two_frames_of_hevc_have_decoding_times(tmp_path):
    """x265 leaves them unwritten, so that what they are depends on what the memory held before."""
    for count in (1, 2, 3):
        path = write(
            tmp_path / f"{count}.mkv", form(), range(0, 40 * count, 40), EncodingOptions("libx265")
        )
        with av.open(str(path)) as container:
            packets = [packet for packet in container.demux(video=0) if packet.size]
            times = [(packet.dts, packet.pts) for packet in packets if packet.dts is not None]
            assert all(-200 <= decoded <= shown for decoded, shown in times)
