"""Thirty videos: what a copy has in common with its original, and what it has not."""

import av
import clips
import doubles
import numpy as np
import pytest
from clips import NTSC, Clip

from tfanon.inference import network, video
from tfanon.media import video_reader
from tfanon.media.limits import MediaError
from tfanon.media.video_writer import EncodingOptions

ODD = {"size": (49, 65), "pixels": "yuv444p"}
JPEG = {"codec": "mjpeg", "pixels": "yuvj420p"}
HEVC, VP9 = {"codec": "libx265"}, {"codec": "libvpx-vp9"}
FEW = {  # in every run of the tests
    "h264 with sound": Clip(sound=True),
    "uneven": Clip(rate=0),
    "turned": Clip(turns=1),
    "odd": Clip(**ODD),
    "mirrored": Clip(turns=1, mirrored=True),
    "vp9 with sound": Clip(".webm", sound=True, **VP9),
    "mpeg4 avi": Clip(".avi", "mpeg4", rate=NTSC),
    "one frame": Clip(frames=1),
    "mjpeg": Clip(".mov", rate=10, **JPEG),
}
MANY = {
    "h264 2000": Clip(frames=2000),
    "h264 ntsc sound": Clip(rate=NTSC, sound=True),
    "h264 10": Clip(rate=10, bframes=0),
    "h264 mkv uneven sound": Clip(".mkv", rate=0, sound=True, frames=100),
    "h264 avi": Clip(".avi", bframes=3),
    "h264 mov turned": Clip(".mov", turns=3),
    "h264 upside down": Clip(turns=2, sound=True),
    "h264 mkv turned uneven": Clip(".mkv", turns=1, rate=0),
    "h264 odd one": Clip(frames=1, **ODD),
    "hevc": Clip(**HEVC),
    "hevc uneven": Clip(".mkv", rate=0, **HEVC),
    "hevc turned": Clip(turns=1, sound=True, **HEVC),
    "hevc ntsc": Clip(".mov", rate=NTSC, frames=300, **HEVC),
    "vp9 uneven": Clip(".webm", rate=0, frames=100, **VP9),
    "vp9 odd": Clip(".webm", size=(49, 65), **VP9),
    "vp9 one": Clip(".webm", frames=1, **VP9),
    "vp9 mkv ntsc sound": Clip(".mkv", rate=NTSC, sound=True, **VP9),
    "mpeg4 2000": Clip(".avi", "mpeg4", frames=2000),
    "mpeg4 mp4 sound": Clip(".mp4", "mpeg4", sound=True, bframes=0),
    "mpeg4 turned": Clip(".mp4", "mpeg4", turns=3),
    "mjpeg avi": Clip(".avi", **JPEG),
    "mjpeg mkv ntsc": Clip(".mkv", rate=NTSC, **JPEG),
}


def anonymized(
    given, target, sound=False, anonymizer=None, metadata=False, encoding=EncodingOptions(threads=1)
):
    with video_reader.open_video(given, with_sound=sound) as opened:
        return video.anonymize_video(
            opened, target, anonymizer or doubles.inverting(), encoding, metadata
        )


@pytest.mark.parametrize(
    "clip",
    [pytest.param(clip, id=name) for name, clip in FEW.items()]
    + [pytest.param(clip, id=name, marks=pytest.mark.large) for name, clip in MANY.items()],
)
def test_a_copy_keeps_all_but_the_pictures(tmp_path, clip):
    given, target, again = (tmp_path / f"{name}{clip.ending}" for name in ("in", "out", "again"))
    clips.write(given, clip)
    record = anonymized(str(given), target, sound=True)
    before, after = clips.about(given), clips.about(target)
    assert record["frames"] == len(before["times"]) == len(after["times"]) == clip.frames
    assert before["rotation"] == after["rotation"] and after["size"] == even(before["size"], clip)
    assert before["sound"] == after["sound"] and bool(after["sound"]) == clip.sound
    if (
        clip.ending == ".avi"
    ):  # it holds no times: libav counts packets, from 0 or 1, in the order of decoding
        before["times"], after["times"] = (
            np.sort(times) - min(times) for times in (before["times"], after["times"])
        )
    np.testing.assert_allclose(after["times"], before["times"], atol=1e-6)
    assert after["duration"] == pytest.approx(before["duration"], abs=before["last"])
    height, width = clip.size
    compare(clips.read(given), clips.read(target)[:, :height, :width])
    anonymized(str(given), again, sound=True)
    assert target.read_bytes() == again.read_bytes()


def even(size, clip):
    """The size of a copy: H.264 and HEVC with halved colour planes have even sides."""
    return tuple(side + side % 2 for side in size) if clip.codec != "libvpx-vp9" else size


def compare(before, after):
    """Each frame is the negative of its own original, and of no neighbour's."""
    for number in {0, len(before) // 2, len(before) - 1}:
        own = np.abs(255 - before[number].astype(int) - after[number]).mean()
        others = [
            np.abs(255 - before[other].astype(int) - after[number]).mean()
            for other in (number - 1, number + 1)
            if 0 <= other < len(before)
        ]
        assert own < 25 and all(own < other / 2 for other in others)


def test_sound_and_words_are_left_behind_by_default(tmp_path):
    given = clips.write(
        tmp_path / "in.mp4",
        Clip(sound=True, metadata={"title": "my child", "location": "+48.1+11.5/"}),
    )
    assert anonymized(given, tmp_path / "out.mp4")["sound"] == "dropped"
    assert clips.about(tmp_path / "out.mp4")["tracks"] == ["video"]
    assert b"my child" not in (tmp_path / "out.mp4").read_bytes()
    assert anonymized(given, tmp_path / "kept.mp4", sound=True, metadata=True)["sound"] == "kept"
    assert clips.about(tmp_path / "kept.mp4")["metadata"]["title"] == "my child"


@pytest.mark.parametrize("ending", [".mp4", ".mkv"])
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("turns", range(4))
def test_the_network_sees_what_a_player_shows_of_the_original_and_so_it_is_shown(
    tmp_path, turns, mirrored, ending
):
    given, target, seen = tmp_path / "in.mp4", tmp_path / f"out{ending}", []
    clips.write(given, Clip(turns=turns, mirrored=mirrored, frames=3))
    anonymized(
        str(given), target, anonymizer=doubles.anonymizer(lambda x: (seen.append(x), 255 - x)[1])
    )
    upright = clips.shown(given).astype(int)
    assert seen[0].shape == upright.shape and np.abs(seen[0] - upright).mean() < 3
    assert np.abs(255 - upright - clips.shown(target)).mean() < 25
    compare(clips.read(given), clips.read(target))  # and it is stored as the original is


def test_batches_do_not_depend_on_how_fast_frames_come(tmp_path):
    sizes = []
    anonymized(
        clips.write(tmp_path / "in.mp4", Clip(frames=11)),
        tmp_path / "out.mp4",
        anonymizer=doubles.anonymizer(lambda x: (sizes.append(len(x)), 255 - x)[1], batch=4),
    )
    assert sizes == [4, 4, 3]


@pytest.mark.parametrize(
    "run, error, message",
    [
        (lambda x: np.full(x.shape, np.nan), network.UnsafeOutputError, "NaN"),
        (lambda x: x, network.UnsafeOutputError, "Frame 0 came back unchanged"),
        (lambda x: x[:, :8], network.UnsafeOutputError, r"made \(4, 8, 64, 3\) of"),
        (lambda x: 1 // 0, ZeroDivisionError, "by zero"),
    ],
)
def test_what_the_network_does_wrong_leaves_nothing(tmp_path, run, error, message):
    given = clips.write(tmp_path / "in.mp4")
    with pytest.raises(error, match=message):
        anonymized(given, tmp_path / "out.mp4", anonymizer=doubles.anonymizer(run))
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_what_is_wrong_late_leaves_nothing(tmp_path):
    given, calls = clips.write(tmp_path / "in.mp4", Clip(frames=40)), []

    def tired(frames):
        calls.append(len(frames))
        return frames if sum(calls) > 30 else 255 - frames

    with pytest.raises(network.UnsafeOutputError, match="Frame 28 came back unchanged"):
        anonymized(given, tmp_path / "out.mp4", anonymizer=doubles.anonymizer(tired))
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_a_lost_frame_is_noticed(tmp_path, monkeypatch):
    given = clips.write(tmp_path / "in.mp4")
    whole = video._anonymize_batch
    monkeypatch.setattr(
        video,
        "_anonymize_batch",
        lambda batch, first, anonymizer: whole(batch, first, anonymizer)[first == 8 :],
    )
    with pytest.raises(MediaError, match="23 of 24 frames were written"):
        anonymized(given, tmp_path / "out.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def write_tagged(path, codec, pixel_format, colour, picture):
    """A video of four equal frames.  colour: (space, range, primaries, transfer) of H.273."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = *picture.shape[:2], pixel_format
        context = stream.codec_context
        context.colorspace, context.color_range, context.color_primaries, context.color_trc = colour
        for _ in range(4):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            matrix = {"dst_colorspace": "bt2020"} if colour[0] == 9 else {}
            container.mux(stream.encode(frame.reformat(format=pixel_format, **matrix)))
        container.mux(stream.encode())
    return str(path)


def read_colour(path):
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        next(container.decode(video=0))
        return (context.colorspace, context.color_primaries, context.color_trc), context.format.name


@pytest.mark.parametrize("transfer, name", [(16, "PQ"), (18, "HLG")])
@pytest.mark.parametrize("ending", [".mp4", ".mkv"])
def test_hdr_becomes_sdr_and_says_so(tmp_path, transfer, name, ending):
    given = write_tagged(
        tmp_path / f"in{ending}",
        "libx264",
        "yuv420p10le",
        (9, 1, 9, transfer),
        clips.picture(0, (48, 64)),
    )
    record = anonymized(given, tmp_path / f"out{ending}")
    assert record["notes"] == [f"HDR ({name}) tone-mapped to SDR"]
    assert read_colour(tmp_path / f"out{ending}") == ((1, 1, 1), "yuv420p")


def test_rgb_gets_a_matrix_that_h264_allows(tmp_path):
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[...] = 200, 40, 90
    picture[::4, :24] = 0  # detail, for the guard
    given = write_tagged(tmp_path / "in.mkv", "libx264rgb", "rgb24", (0, 2, 1, 13), picture)
    anonymized(given, tmp_path / "out.mp4")
    (space, _, transfer), pixels = read_colour(tmp_path / "out.mp4")
    assert (space, transfer, pixels) == (1, 13, "yuv420p")
    np.testing.assert_allclose(
        clips.read(tmp_path / "out.mp4")[0][24, 48].astype(int), (55, 215, 165), atol=12
    )
