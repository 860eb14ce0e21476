"""One pass over a video: every frame once, at its time, or an error."""

import fractions
import pathlib

import av
import clips
import numpy as np
import pytest
import recipes
from clips import Clip
from PIL import Image

from tfanon.media import scaling, video_reader
from tfanon.media.limits import MediaError

CLIPS = {
    "h264": Clip(),
    "b-frames": Clip(bframes=3, frames=40),
    "uneven": Clip(rate=0),
    "one": Clip(frames=1),
    "mpeg4-avi": Clip(".avi", "mpeg4"),
    "h264-avi": Clip(".avi", bframes=3),
    "vp9": Clip(".webm", "libvpx-vp9"),
    "mpeg-ps": Clip(".mpg", "mpeg2video"),
}
EXIF_ORIENTATION, EXIF_MAKER = 0x0112, 0x010F
TRANSPOSED = 5  # value of the Exif orientation


def read_all(path, **options):
    """Every item of a video, and its reader."""
    with video_reader.open_video(str(path), **options) as video:
        return list(video), video


def assert_refused(path, match, **options):
    with pytest.raises(MediaError, match=match):
        read_all(path, **options)


def is_frame(item):
    return isinstance(item, video_reader.TimedFrame)


def write_jpeg_frames(path, jpegs):
    """A video of the given JPEG files, as they are."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuvj420p"
        stream.encode(av.VideoFrame(64, 48, "yuvj420p"))  # sets the stream up
        for number, jpeg in enumerate(jpegs):
            packet = av.Packet(jpeg)
            packet.stream = stream
            packet.pts = packet.dts = number
            packet.time_base = fractions.Fraction(1, 25)
            container.mux(packet)


@pytest.mark.parametrize("name", CLIPS)
def test_frames_and_times_are_those_of_plain_decoding(tmp_path, name):
    clip = CLIPS[name]
    path = clips.write_clip(tmp_path / f"a{clip.ending}", clip)
    with video_reader.open_video(path) as video:
        frames = list(video)
        expected = video.expected_frames
    if clip.ending != ".mpg":
        assert len(frames) == clip.frames and expected in (clip.frames, None)
    scaler = scaling.Scaler()
    pixels = [scaler.to_pixels(frame.frame, *clip.size) for frame in frames]
    assert np.array_equal(np.stack(pixels), clips.read_frames(path))
    times = np.array([frame.timestamp for frame in frames]) * float(video.info.time_base)
    if clip.rate:
        expected_times = np.arange(clip.frames) / float(clip.rate)
    else:
        expected_times = clips.make_uneven_times(clip.frames) / 1000
    first = times[0] if clip.ending in (".avi", ".mpg") else 0  # their clocks start at any value
    np.testing.assert_allclose(times - first, expected_times, atol=1e-3)


@pytest.mark.parametrize(
    "turns, mirrored, rotation",
    [
        (1, False, 1),
        (2, False, 2),
        (3, False, 3),
        (2, True, 4),
        (1, True, 5),
        (0, True, 6),
        (3, True, 7),
    ],
)
def test_info_says_how_frames_are_rotated(tmp_path, turns, mirrored, rotation):
    path = clips.write_clip(tmp_path / "a.mp4", Clip(turns=turns, mirrored=mirrored, frames=2))
    _, video = read_all(path)
    assert video.info.rotation == rotation and video.info.matrix is not None
    assert (video.info.height, video.info.width) == (48, 64)
    assert video.info.rate == fractions.Fraction(25)


def test_photographs_as_frames_say_how_they_are_rotated(tmp_path):
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = TRANSPOSED
    exif[EXIF_MAKER] = "a camera"  # in side data that PyAV 18 has no name for
    jpeg = clips.encode_jpeg(clips.make_texture(0, (48, 64)), exif=exif)
    write_jpeg_frames(tmp_path / "a.mov", [jpeg] * 3)
    frames, video = read_all(tmp_path / "a.mov")
    assert len(frames) == 3
    assert video.info.rotation == 7 and video.info.matrix


def test_sound_is_dropped_by_default(tmp_path):
    path = clips.write_clip(tmp_path / "a.mp4", Clip(sound=True))
    items, video = read_all(path)
    assert all(map(is_frame, items))
    assert video.sound_status == "dropped"


def test_sound_is_yielded_on_request(tmp_path):
    path = clips.write_clip(tmp_path / "a.mp4", Clip(sound=True))
    items, video = read_all(path, with_sound=True)
    packets = [bytes(item) for item in items if not is_frame(item)]
    assert packets == [packet for packet in clips.probe_clip(path)["sound"] if packet]
    assert video.sound_status == "kept"


def test_silent_video_has_no_sound_to_keep(tmp_path):
    path = clips.write_clip(tmp_path / "b.mp4", Clip())
    _, video = read_all(path, with_sound=True)
    assert video.sound_status == "none"


LONG_CLIPS = [Clip(frames=60), Clip(".avi", "mpeg4", frames=60), Clip(".mkv", frames=60)]
each_long_clip = pytest.mark.parametrize("clip", LONG_CLIPS, ids=lambda clip: clip.ending)


def write_damaged_clip(folder, clip, length):
    """A clip with ``length`` zero bytes in the middle."""
    path = pathlib.Path(clips.write_clip(folder / f"a{clip.ending}", clip))
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(content[:middle] + b"\x00" * length + content[middle + length :])
    return path


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


@each_long_clip
def test_damage_in_the_middle_is_an_error(tmp_path, clip):
    path = write_damaged_clip(tmp_path, clip, length=3000)
    assert_refused(path, path.name)


@pytest.mark.parametrize(
    "ending, codec", [(".mp4", "libx264"), (".mkv", "libx264"), (".webm", "libvpx-vp9")]
)
def test_truncated_file_is_an_error(tmp_path, ending, codec):
    path = tmp_path / f"a{ending}"
    clips.write_clip(path, Clip(ending, codec, frames=60))
    truncate(path)
    assert_refused(path, path.name)


# movflags that put an index, or parts of one, in front of the frames -> options of the encoder
FRONT_INDEX_FLAGS = {
    "faststart": {},
    "frag_keyframe+empty_moov+default_base_moof": {"g": "10"},
    "dash+global_sidx": {"g": "10"},
}


def write_front_indexed(path, flags="faststart", stamps=range(60), edit_list="auto", sound=0.0):
    """An .mp4 file that begins with its index.

    stamps: times of its frames, in 1/25 s.  edit_list: whether it has one.  sound: its seconds.
    Returns the ends of the samples of its video track, in bytes.
    """
    options = {"movflags": flags, "use_editlist": edit_list}
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream("libx264", rate=25, options=FRONT_INDEX_FLAGS[flags])
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        tone = container.add_stream("aac", rate=48000) if sound else None
        for number, stamp in enumerate(stamps):
            pixels = clips.make_texture(number, (48, 64))
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts = stamp
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if tone:
            clips.add_tone(container, tone, sound)
    with av.open(str(path)) as container:
        packets = container.demux(video=0)
        return sorted(packet.pos + packet.size for packet in packets if packet.size)


@pytest.mark.parametrize(
    "flags, sound", [("faststart", 0.0), ("faststart", 2.4), ("dash+global_sidx", 0.0)]
)
def test_file_that_begins_with_its_index_is_an_error_wherever_it_is_cut(tmp_path, flags, sound):
    path = tmp_path / "a.mp4"
    ends = write_front_indexed(path, flags, sound=sound)
    content = path.read_bytes()
    inside_samples = []
    for first, second in zip(ends[9::15], ends[10::15], strict=False):
        inside_samples.append((first + second) // 2)
    for cut in [*ends[9:-1:7], ends[-2], *inside_samples, len(content) // 2]:
        path.write_bytes(content[:cut])
        assert_refused(path, "a.mp4: (it ends|damaged) after")


def test_truncated_sound_matters_only_if_it_is_kept(tmp_path):
    path = tmp_path / "a.mp4"
    last = write_front_indexed(path, sound=4.0)[-1]  # 1.6 s of it lie after the last frame
    path.write_bytes(path.read_bytes()[:last])
    items, _ = read_all(path)
    assert len(items) == 60
    assert_refused(path, "a.mp4: it ends after", with_sound=True)


@pytest.mark.parametrize(
    "options",
    [
        {"flags": "frag_keyframe+empty_moov+default_base_moof"},
        {"flags": "dash+global_sidx"},
        {"edit_list": "0"},
        {"stamps": range(-10, 50)},
        {"stamps": range(-10, 50), "edit_list": "0"},
        {"stamps": range(100, 160)},
        {"stamps": range(100, 160), "sound": 8.0},
        {"sound": 8.0},
        {"sound": 0.3},
        {"stamps": [0, 1, 10, 11, 50, 200]},
        {"stamps": [0, 1, 2, 3, 25, 26, 75]},
        {"stamps": [0]},
    ],
    ids=str,
)
def test_complete_file_is_not_taken_as_truncated_whatever_its_edit_list_leaves_out(
    tmp_path, options
):
    path = tmp_path / "a.mp4"
    write_front_indexed(path, **options)
    items, _ = read_all(path, with_sound=True)
    assert sum(map(is_frame, items)) == len(clips.read_frames(path))


def test_frames_of_another_size_are_counted(tmp_path):
    # As in a video call, where a browser sends smaller frames over a slow line.
    sizes = [(48, 64)] * 8 + [(64, 96)] * 4
    jpegs = [clips.encode_jpeg(clips.make_texture(n, size)) for n, size in enumerate(sizes)]
    write_jpeg_frames(tmp_path / "a.mkv", jpegs)
    frames, video = read_all(tmp_path / "a.mkv")
    assert [(frame.frame.height, frame.frame.width) for frame in frames] == sizes
    assert (video.info.height, video.info.width) == (48, 64)
    assert video.notes == ["4 frames of another size scaled to the size of the first"]


@each_long_clip
def test_damage_is_concealed_and_counted_on_request(tmp_path, clip):
    path = write_damaged_clip(tmp_path, clip, length=300)
    assert_refused(path, "--on_damage=conceal")
    frames, video = read_all(path, on_damage="conceal")
    timestamps = [frame.timestamp for frame in frames]
    assert 10 < len(timestamps) <= 60
    assert timestamps == sorted(set(timestamps))
    assert video.concealed_frames and "damaged frames concealed" in "".join(video.notes)


@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".avi"])
def test_truncated_file_is_read_to_its_end_on_request(tmp_path, ending):
    path = tmp_path / f"a{ending}"
    if ending == ".mp4":
        write_front_indexed(path)
    else:
        clips.write_clip(path, Clip(ending, "mpeg4", frames=60))
    truncate(path)
    assert_refused(path, f"a{ending}: .*ends after|a{ending}: damaged")
    frames, video = read_all(path, on_damage="conceal")
    assert 10 < len(frames) < 60
    assert video.frame_count == len(recipes.decode(str(path)))  # by a decoder that conceals
    assert "it ends after" in video.truncation and video.truncation in video.notes


def write_riff_length(path, length):
    content = path.read_bytes()
    path.write_bytes(content[:4] + length.to_bytes(4, "little") + content[8:])


@pytest.mark.parametrize("length", [0, 2**32 - 1, None], ids=["not written", "unknown", "right"])
def test_complete_avi_file_is_read_whatever_its_own_length_says(tmp_path, length):
    path = pathlib.Path(clips.write_clip(tmp_path / "a.avi", Clip(".avi", "mpeg4")))
    if length is not None:
        write_riff_length(path, length)
    frames, _ = read_all(path)
    assert len(frames) == 24


def test_avi_file_shorter_than_its_own_length_is_an_error(tmp_path):
    path = pathlib.Path(clips.write_clip(tmp_path / "a.avi", Clip(".avi", "mpeg4")))
    write_riff_length(path, 10**6)
    assert_refused(path, "it ends after")


def test_sound_track_in_an_unknown_format_costs_itself_alone(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        tones = [container.add_stream("aac", rate=48000) for _ in range(2)]
        for number in range(10):
            pixels = clips.make_texture(number, (48, 64))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
        for tone in tones:
            clips.add_tone(container, tone, 0.4)
    content = path.read_bytes()
    second = content.index(b"A_AAC", content.index(b"A_AAC") + 1)
    path.write_bytes(content[:second] + b"A_XYZ" + content[second + 5 :])
    with video_reader.open_video(str(path), with_sound=True) as video:
        # Within the block: the streams of packets go with their file.
        tracks = [item.stream.index for item in video if not is_frame(item)]
    assert video.sound_status == "kept, 1 of 2 tracks" and len(video.sound_tracks) == 1
    assert len(tracks) > 10 and set(tracks) == {1}
