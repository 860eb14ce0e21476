"""One pass over a video: every frame once, at its time, or an error."""

import fractions
import io
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


@pytest.mark.parametrize("name", CLIPS)
def test_pictures_are_those_of_plain_decoding(tmp_path, name):
    clip = CLIPS[name]
    path = clips.write(tmp_path / f"a{clip.ending}", clip)
    with video_reader.open_video(path) as opened:
        pictures = list(opened)
        expected = opened.expected
    assert len(pictures) == clip.frames and expected in (clip.frames, None) or clip.ending == ".mpg"
    scaler = scaling.Scaler()
    read = np.stack([scaler.to_pixels(picture.frame, *clip.size) for picture in pictures])
    assert np.array_equal(read, clips.read(path))
    times = np.array([picture.stamp for picture in pictures]) * float(opened.form.time_base)
    wanted = (
        clips.uneven(clip.frames) / 1000
        if not clip.rate
        else np.arange(clip.frames) / float(clip.rate)
    )
    first = times[0] if clip.ending in (".avi", ".mpg") else 0  # their clocks start anywhere
    np.testing.assert_allclose(times - first, wanted, atol=1e-3)


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
def test_the_form_says_how_frames_are_turned(tmp_path, turns, mirrored, rotation):
    path = clips.write(tmp_path / "a.mp4", Clip(turns=turns, mirrored=mirrored, frames=2))
    with video_reader.open_video(path) as opened:
        list(opened)
    assert opened.form.rotation == rotation and opened.form.matrix is not None
    assert (opened.form.height, opened.form.width) == (
        48,
        64,
    ) and opened.form.rate == fractions.Fraction(25)


def test_photographs_as_frames_say_how_they_are_turned(tmp_path):
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112], exif[0x010F] = (
        5,
        "a camera",
    )  # transposed; its maker, in side data that PyAV 18 has no name for
    Image.fromarray(clips.picture(0, (48, 64))).save(file, "JPEG", exif=exif)
    with av.open(str(tmp_path / "a.mov"), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuvj420p"
        stream.encode(av.VideoFrame(64, 48, "yuvj420p"))  # sets the stream up
        for number in range(3):
            packet = av.Packet(file.getvalue())
            packet.stream, packet.pts, packet.dts, packet.time_base = (
                stream,
                number,
                number,
                fractions.Fraction(1, 25),
            )
            container.mux(packet)
    with video_reader.open_video(str(tmp_path / "a.mov")) as opened:
        assert len(list(opened)) == 3 and opened.form.rotation == 7 and opened.form.matrix


def test_sound_comes_along_only_where_it_is_asked_for(tmp_path):
    path = clips.write(tmp_path / "a.mp4", Clip(sound=True))
    with video_reader.open_video(path) as opened:
        assert (
            all(isinstance(item, video_reader.TimedFrame) for item in opened)
            and opened.sound == "dropped"
        )
    with video_reader.open_video(path, with_sound=True) as opened:
        packets = [bytes(item) for item in opened if not isinstance(item, video_reader.TimedFrame)]
    assert (
        packets == [packet for packet in clips.about(path)["sound"] if packet]
        and opened.sound == "kept"
    )
    silent = clips.write(tmp_path / "b.mp4", Clip())
    with video_reader.open_video(silent, with_sound=True) as opened:
        assert opened.sound == "none"


@pytest.mark.parametrize(
    "clip",
    [Clip(frames=60), Clip(".avi", "mpeg4", frames=60), Clip(".mkv", frames=60)],
    ids=lambda clip: clip.ending,
)
def test_a_hole_in_the_middle_is_an_error(tmp_path, clip):
    path = pathlib.Path(clips.write(tmp_path / f"a{clip.ending}", clip))
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes(whole[:middle] + b"\x00" * 3000 + whole[middle + 3000 :])
    with pytest.raises(MediaError, match=path.name), video_reader.open_video(str(path)) as opened:
        list(opened)


def test_a_cut_file_is_an_error(tmp_path):
    for ending in (".mp4", ".mkv", ".webm"):
        clip = Clip(ending, "libvpx-vp9" if ending == ".webm" else "libx264", frames=60)
        path = pathlib.Path(clips.write(tmp_path / f"a{ending}", clip))
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
        with (
            pytest.raises(MediaError, match=path.name),
            video_reader.open_video(str(path)) as opened,
        ):
            list(opened)


FRONT = {
    "faststart": {},
    "frag_keyframe+empty_moov+default_base_moof": {"g": "10"},
    "dash+global_sidx": {"g": "10"},
}  # movflags that put an index, or parts of one, before frames; the encoder's


def indexed(path, flags="faststart", stamps=range(60), edits="auto", sound=0.0):
    """An .mp4 file of frames at `stamps`, in 1/25 s.  edits: whether it has an edit list.  Returns the ends of its
    samples of video, in bytes.
    """
    with av.open(str(path), "w", options={"movflags": flags, "use_editlist": edits}) as container:
        stream = container.add_stream("libx264", rate=25, options=FRONT[flags])
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        tone = container.add_stream("aac", rate=48000) if sound else None
        for number, stamp in enumerate(stamps):
            frame = av.VideoFrame.from_ndarray(clips.picture(number, (48, 64)), format="rgb24")
            frame.pts = stamp
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if tone:
            clips.add_tone(container, tone, sound)
    with av.open(str(path)) as container:
        return sorted(
            packet.pos + packet.size for packet in container.demux(video=0) if packet.size
        )


@pytest.mark.parametrize(
    "flags, sound", [("faststart", 0.0), ("faststart", 2.4), ("dash+global_sidx", 0.0)]
)
def test_a_file_that_begins_with_its_index_is_an_error_wherever_it_is_cut(tmp_path, flags, sound):
    path = tmp_path / "a.mp4"
    ends = indexed(path, flags, sound=sound)
    whole = path.read_bytes()
    inside = [(first + second) // 2 for first, second in zip(ends[9::15], ends[10::15])]
    for cut in [*ends[9:-1:7], ends[-2], *inside, len(whole) // 2]:
        path.write_bytes(whole[:cut])
        with (
            pytest.raises(MediaError, match="a.mp4: (it ends|damaged) after"),
            video_reader.open_video(str(path)) as opened,
        ):
            list(opened)


def test_sound_that_is_cut_matters_where_it_is_kept(tmp_path):
    path = tmp_path / "a.mp4"
    last = indexed(path, sound=4.0)[-1]  # 1.6 s of it lie behind the last frame
    path.write_bytes(path.read_bytes()[:last])
    with video_reader.open_video(str(path)) as opened:
        assert len(list(opened)) == 60
    with (
        pytest.raises(MediaError, match="a.mp4: it ends after"),
        video_reader.open_video(str(path), with_sound=True) as opened,
    ):
        list(opened)


@pytest.mark.parametrize(
    "more",
    [
        {"flags": "frag_keyframe+empty_moov+default_base_moof"},
        {"flags": "dash+global_sidx"},
        {"edits": "0"},
        {"stamps": range(-10, 50)},
        {"stamps": range(-10, 50), "edits": "0"},
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
def test_a_whole_file_is_none_that_was_cut_whatever_its_edit_list_leaves_out(tmp_path, more):
    indexed(tmp_path / "a.mp4", **more)
    plain = clips.read(tmp_path / "a.mp4")
    with video_reader.open_video(str(tmp_path / "a.mp4"), with_sound=True) as opened:
        assert sum(isinstance(item, video_reader.TimedFrame) for item in opened) == len(plain)


def test_frames_of_another_size_are_brought_to_the_first(tmp_path):
    """As of a call in a browser, which sends smaller pictures where the line is slow."""
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuvj420p"
        stream.encode(av.VideoFrame(64, 48, "yuvj420p"))  # sets the stream up
        for number, size in enumerate([(48, 64)] * 8 + [(64, 96)] * 4):
            file = io.BytesIO()
            Image.fromarray(clips.picture(number, size)).save(file, "JPEG")
            packet = av.Packet(file.getvalue())
            packet.stream, packet.pts, packet.dts, packet.time_base = (
                stream,
                number,
                number,
                fractions.Fraction(1, 25),
            )
            container.mux(packet)
    with video_reader.open_video(str(tmp_path / "a.mkv")) as opened:
        sizes = [(picture.frame.height, picture.frame.width) for picture in opened]
    assert sizes == [(48, 64)] * 8 + [(64, 96)] * 4 and (opened.form.height, opened.form.width) == (
        48,
        64,
    )
    assert opened.notes == ["4 frames of another size scaled to that of the first"]


@pytest.mark.parametrize(
    "clip",
    [Clip(frames=60), Clip(".avi", "mpeg4", frames=60), Clip(".mkv", frames=60)],
    ids=lambda clip: clip.ending,
)
def test_a_hole_is_concealed_and_counted_if_asked(tmp_path, clip):
    path = pathlib.Path(clips.write(tmp_path / f"a{clip.ending}", clip))
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes(whole[:middle] + b"\x00" * 300 + whole[middle + 300 :])
    with (
        pytest.raises(MediaError, match="--on_damage=conceal"),
        video_reader.open_video(str(path)) as opened,
    ):
        list(opened)
    with video_reader.open_video(str(path), on_damage="conceal") as opened:
        stamps = [picture.stamp for picture in opened]
    assert 10 < len(stamps) <= 60 and stamps == sorted(set(stamps))
    assert opened.concealed and "damaged frames concealed" in "".join(opened.notes)


@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".avi"])
def test_a_cut_file_is_read_to_its_end_if_asked(tmp_path, ending):
    path = tmp_path / f"a{ending}"
    if ending == ".mp4":
        indexed(path)
    else:
        clips.write(path, Clip(ending, "mpeg4", frames=60))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with (
        pytest.raises(MediaError, match=f"a{ending}: .*ends after|a{ending}: damaged"),
        video_reader.open_video(str(path)) as opened,
    ):
        list(opened)
    with video_reader.open_video(str(path), on_damage="conceal") as opened:
        assert 10 < len(list(opened)) < 60
        assert opened.count == len(
            recipes.decode(str(path))
        )  # all that a decoder returns that conceals
    assert "it ends after" in opened.truncation and opened.truncation in opened.notes


@pytest.mark.parametrize(
    "length, cut", [(0, False), (2**32 - 1, False), (None, False), (10**6, True)]
)
def test_an_avi_file_is_cut_where_its_own_length_says_so(tmp_path, length, cut):
    """RIFF's length: not written yet, unknown, right, and beyond the end."""
    path = pathlib.Path(clips.write(tmp_path / "a.avi", Clip(".avi", "mpeg4")))
    if length is not None:
        content = path.read_bytes()
        path.write_bytes(content[:4] + length.to_bytes(4, "little") + content[8:])
    if cut:
        with (
            pytest.raises(MediaError, match="it ends after"),
            video_reader.open_video(str(path)) as opened,
        ):
            list(opened)
        return
    with video_reader.open_video(str(path)) as opened:
        assert len(list(opened)) == 24


def test_a_sound_track_in_an_unknown_format_costs_itself_alone(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        tones = [container.add_stream("aac", rate=48000) for _ in range(2)]
        for number in range(10):
            container.mux(
                stream.encode(
                    av.VideoFrame.from_ndarray(clips.picture(number, (48, 64)), format="rgb24")
                )
            )
        container.mux(stream.encode())
        for tone in tones:
            clips.add_tone(container, tone, 0.4)
    content = path.read_bytes()
    second = content.index(b"A_AAC", content.index(b"A_AAC") + 1)
    path.write_bytes(content[:second] + b"A_XYZ" + content[second + 5 :])
    with video_reader.open_video(str(path), with_sound=True) as opened:
        tracks = [
            item.stream.index for item in opened if not isinstance(item, video_reader.TimedFrame)
        ]
    assert opened.sound == "kept, 1 of 2 tracks" and len(opened.sounds) == 1
    assert len(tracks) > 10 and set(tracks) == {1}
