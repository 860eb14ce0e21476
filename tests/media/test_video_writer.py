"""A written video holds what it was given, and verify_video_times() sees where it does not."""

import fractions

import av
import clips
import numpy as np
import pytest
from clips import Clip

from tfanon.core import processes
from tfanon.media import frame_reader, scaling, video_reader, video_writer
from tfanon.media.encoding_options import EncodingOptions
from tfanon.media.limits import MediaError

MILLISECOND = fractions.Fraction(1, 1000)
DEFAULT = EncodingOptions()
ONE_THREAD = EncodingOptions(threads=1)
NTSC_RATES = [fractions.Fraction(1000 * rate, 1001) for rate in (24, 30, 60)]
RATES = [10, 15, 25, 60, *NTSC_RATES]


def make_info(size=(48, 64), time_base=MILLISECOND, **properties):
    return video_reader.VideoInfo(*size, time_base, fractions.Fraction(25), **properties)


def write_textures(path, info, timestamps, encoding=DEFAULT, duration=40, **options):
    """Write a texture at each of the timestamps; returns the path."""
    writer = video_writer.VideoWriter(path, info, encoding, **options)
    for number, timestamp in enumerate(timestamps):
        pixels = clips.make_texture(number, (info.height, info.width))
        writer.write(pixels, int(timestamp), duration)
    writer.finish()
    return path


def assert_textures(path, count):
    """Assert that a file holds ``count`` textures."""
    frames = clips.read_frames(path).astype(int)
    assert len(frames) == count
    # Halved colour planes blur detail in colour alone; neighbouring frames differ by 50 and more.
    for number in (0, 7, count - 1):
        assert np.abs(frames[number] - clips.make_texture(number, (48, 64))).mean() < 20


@pytest.mark.parametrize(
    "ending, codec",
    [
        (".mp4", ""),
        (".mov", "libx265"),
        (".m4v", "mpeg4"),
        (".mkv", "ffv1"),
        (".mkv", "libvpx-vp9"),
        (".webm", ""),
        (".mov", "mjpeg"),
        (".mp4", "libvpx-vp9"),
    ],
)
def test_frames_at_uneven_times_are_read_back(tmp_path, ending, codec):
    timestamps = clips.make_uneven_times(20)
    encoding = EncodingOptions(codec)
    path = write_textures(tmp_path / f"a{ending}", make_info(), timestamps, encoding)
    video_writer.verify_video_times(path, timestamps, MILLISECOND)
    assert_textures(path, 20)
    np.testing.assert_allclose(clips.probe_clip(path)["times"], timestamps / 1000, atol=5e-4)


@pytest.mark.parametrize("codec", ["mjpeg", "mpeg4", "libx264"])
def test_frames_at_even_times_are_read_back_from_avi(tmp_path, codec):
    time_base = fractions.Fraction(1, 25)
    info, encoding = make_info(time_base=time_base), EncodingOptions(codec)
    path = write_textures(tmp_path / "a.avi", info, np.arange(20), encoding, duration=1)
    video_writer.verify_video_times(path, np.arange(20), time_base)
    assert_textures(path, 20)


def test_avi_file_has_one_slot_per_frame(tmp_path):
    path = write_textures(tmp_path / "a.avi", make_info(), range(0, 400, 40))
    video_writer.verify_video_times(path, range(0, 400, 40), MILLISECOND)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == 25 and stream.frames == 10


def test_avi_file_holds_no_uneven_times(tmp_path):
    message = "Frame 2 comes at 0.095 s: an .avi file cannot hold uneven times"
    with pytest.raises(MediaError, match=message):
        write_textures(tmp_path / "b.avi", make_info(), [0, 40, 95, 120])


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
def test_odd_sides_are_padded_if_phones_would_not_play_them(tmp_path, ending, codec, size):
    path = tmp_path / f"a{ending}"
    writer = video_writer.VideoWriter(path, make_info((31, 45)), EncodingOptions(codec))
    pixels = clips.make_texture(0, (31, 45))
    for timestamp in (0, 40):
        writer.write(pixels, timestamp, 40)
    writer.finish()
    assert clips.probe_clip(path)["size"] == size
    is_padded = size != (31, 45)
    assert writer.notes == (["padded from 45x31 to 46x32"] if is_padded else [])
    with av.open(str(path)) as container:
        pixel_format = container.streams.video[0].format.name
    assert pixel_format == ("yuv444p" if codec == "ffv1" else "yuv420p")
    frame = clips.read_frames(path)[0].astype(int)
    assert np.abs(frame[:31, :45] - pixels).mean() < 30  # halved colour planes
    assert np.abs(frame[-1, :45] - frame[30, :45]).mean() < 20  # the last row is repeated


def test_last_frame_keeps_its_duration_wherever_it_lies_in_the_file(tmp_path):
    # Ends at 3500; with B-frames the last packet holds an earlier frame.
    timestamps = [0, 40, 80, 120, 1000, 1040, 3000]
    path = write_textures(tmp_path / "a.mp4", make_info(), timestamps, duration=500)
    assert clips.probe_clip(path)["duration"] == pytest.approx(3.5, abs=2e-3)


@pytest.fixture
def rotated(tmp_path):
    """Path of a video that players rotate, and its VideoInfo."""
    path = clips.write_clip(tmp_path / "in.mp4", Clip(turns=1, frames=3))
    with video_reader.open_video(path) as video:
        list(video)
    return path, video.info


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv", ".webm"])
def test_rotated_video_stays_rotated(tmp_path, rotated, ending):
    original, info = rotated
    path = write_textures(tmp_path / f"a{ending}", info, [0, 640, 1280])
    assert clips.probe_clip(path)["rotation"] == clips.probe_clip(original)["rotation"] == 90


def test_avi_file_holds_no_rotation(tmp_path, rotated):
    with pytest.raises(ValueError, match="an .mkv file can"):
        video_writer.VideoWriter(tmp_path / "a.avi", rotated[1], EncodingOptions())


def test_metadata_is_written_only_on_request(tmp_path):
    path = write_textures(tmp_path / "a.mp4", make_info(), [0, 40], metadata={"title": "at home"})
    assert clips.probe_clip(path)["metadata"]["title"] == "at home"
    path = write_textures(tmp_path / "b.mp4", make_info(), [0, 40])
    keys = {key.split(":")[-1] for key in clips.probe_clip(path)["metadata"]}
    assert not keys & {"title", "encoder", "creation_time", "location"}


@pytest.mark.parametrize("ending", [".mp4", ".m4v", ".mov", ".mkv"])
def test_all_metadata_of_the_original_is_kept_on_request(tmp_path, ending):
    metadata = {
        "com.apple.quicktime.location.ISO6709": "+48.1+011.5/",
        "com.apple.quicktime.make": "Apple",
        "creation_time": "2024-05-01T10:00:00.000000Z",
        "title": "at home",
        "location": "+48.1000+011.5000/",
    }
    path = write_textures(tmp_path / f"a{ending}", make_info(), [0, 40], metadata=metadata)
    written = clips.probe_clip(path)["metadata"]
    written = {key.lower(): value for key, value in written.items()}
    expected = {key.lower(): value for key, value in metadata.items()}
    assert expected.items() <= written.items()


@pytest.mark.parametrize("ending", [".mkv", ".mp4"])
def test_one_thread_gives_the_same_bytes(tmp_path, ending):
    written = []
    for name in ("a", "b"):
        path = tmp_path / f"{name}{ending}"
        write_textures(path, make_info(), clips.make_uneven_times(20), ONE_THREAD)
        written.append(path.read_bytes())
    assert written[0] == written[1]


@pytest.mark.parametrize("cores, threads, expected", [(2, 0, 1), (8, 0, 4), (1, 0, 1), (8, 3, 3)])
def test_encoder_leaves_half_of_the_cores_to_the_other_stages(
    tmp_path, monkeypatch, cores, threads, expected
):
    monkeypatch.setattr(processes, "count_cores", lambda: cores)
    encoding = EncodingOptions(threads=threads)
    writer = video_writer.VideoWriter(tmp_path / "a.mkv", make_info(), encoding)
    assert writer.stream.codec_context.thread_count == expected
    writer.close()


def test_quality_and_preset_reach_the_encoder(tmp_path):
    sizes = []
    for number, (quality, preset) in enumerate([(10, ""), (40, ""), (10, "slow")]):
        encoding = EncodingOptions(quality=quality, preset=preset)
        path = tmp_path / f"{number}.mp4"
        write_textures(path, make_info(), range(0, 800, 40), encoding)
        sizes.append(path.stat().st_size)
    assert sizes[1] < 0.8 * sizes[0] and sizes[2] != sizes[0]


@pytest.mark.parametrize(
    "ending, encoding, message",
    [
        (".gif", EncodingOptions(), "ends in '.gif': choose .avi .m4v"),
        (".mp4", EncodingOptions("h266"), "No codec called 'h266': choose"),
        (".webm", EncodingOptions("libx264"), "holds libvpx-vp9, not libx264"),
        (
            ".mov",
            EncodingOptions("libvpx-vp9"),
            "An .mov file cannot hold libvpx-vp9; an .mkv file",
        ),
        (".avi", EncodingOptions("libx265"), "An .avi file cannot hold libx265; an .mkv file"),
        (".mp4", EncodingOptions(quality=52), "quality of libx264 goes from 0 to 51, not 52"),
        (".mkv", EncodingOptions("mpeg4", 32), "quality of mpeg4 goes from 0 to 31, not 32"),
    ],
)
def test_impossible_encoding_is_refused(ending, encoding, message):
    with pytest.raises(ValueError, match=message):
        encoding.choose_encoder(ending)


@pytest.mark.parametrize(
    "timestamps, message",
    [
        ([0, 40, 80], "Too many frames were written; frame 3"),
        ([0, 40, 80, 120, 160], "Too few frames were written; frame 4"),
        ([0, 40, 90, 120], "Frame 2 was written at 0.080000 s instead of 0.090000 s"),
    ],
)
def test_verification_names_the_first_difference(tmp_path, timestamps, message):
    path = write_textures(tmp_path / "a.mp4", make_info(), [0, 40, 80, 120])
    with pytest.raises(MediaError, match=message):
        video_writer.verify_video_times(path, timestamps, MILLISECOND)


@pytest.mark.parametrize("ending, codec", [(".mp4", ""), (".mkv", ""), (".avi", "mjpeg")])
def test_verification_sees_a_truncated_file(tmp_path, ending, codec):
    timestamps = range(0, 2400, 40)
    path = tmp_path / f"a{ending}"
    write_textures(path, make_info(), timestamps, EncodingOptions(codec))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(MediaError), frame_reader.name_file_in_errors(path):
        video_writer.verify_video_times(path, timestamps, MILLISECOND)


@pytest.mark.parametrize(
    "name", ["12:00.mp4", "file:a.mkv", "2024-01-01T12:00:00.avi", "a:b/c:d.mov"]
)
def test_name_with_a_colon(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a:b").mkdir()
    time_base = fractions.Fraction(1, 25)
    write_textures(name, make_info(time_base=time_base), range(5), duration=1)
    video_writer.verify_video_times(name, range(5), time_base)
    assert len(clips.read_frames(tmp_path / name)) == 5


@pytest.mark.parametrize("ending", [".mp4", ".mov"])
@pytest.mark.parametrize("rate", RATES, ids=str)
def test_late_start_is_kept_to_the_tick(tmp_path, ending, rate):
    # Starts are stored in the unit of the whole file, 1/1000 s unless it is set.
    time_base = 1 / fractions.Fraction(rate)
    path = tmp_path / f"a{ending}"
    write_textures(path, make_info(time_base=time_base), range(2, 8), duration=1)
    video_writer.verify_video_times(path, range(2, 8), time_base)
    expected = [float(number * time_base) for number in range(2, 8)]
    assert clips.probe_clip(path)["times"] == pytest.approx(expected, abs=1e-6)


def test_unsuitable_sound_track_is_refused_before_a_frame_is_written(tmp_path):
    path = clips.write_clip(tmp_path / "in.mp4", Clip(sound=True))
    message = r"An .webm file cannot hold sound in the format aac; these can: .*\.mkv.*--audio=drop"
    with (
        video_reader.open_video(path, with_sound=True) as video,
        pytest.raises(ValueError, match=message),
    ):
        video_writer.VideoWriter(
            tmp_path / "a.webm",
            video.info,
            EncodingOptions(),
            sound_tracks=video.sound_tracks,
        )


@pytest.mark.parametrize(
    "original, expected",
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
def test_colour_tags_are_those_that_8_bit_h264_can_hold(original, expected):
    assert scaling.choose_output_colour(original) == expected


@pytest.mark.parametrize("count", [1, 2, 3])
def test_short_hevc_videos_have_decoding_times(tmp_path, count):
    # x265 leaves them unwritten for one and two frames: they would be whatever the memory held.
    path = tmp_path / f"{count}.mkv"
    encoding = EncodingOptions("libx265")
    write_textures(path, make_info(), range(0, 40 * count, 40), encoding)
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    times = [(packet.dts, packet.pts) for packet in packets if packet.dts is not None]
    assert all(-200 <= decoded <= shown for decoded, shown in times)
