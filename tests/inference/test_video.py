"""Thirty videos: what an anonymized copy shares with its original, and what it does not."""

import pathlib

import av
import clips
import doubles
import numpy as np
import pytest
from clips import NTSC, Clip

from tfanon.inference import video
from tfanon.inference.anonymizer import Anonymizer
from tfanon.inference.network import UnsafeOutputError
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


def anonymize(
    path: str | pathlib.Path,
    target: pathlib.Path,
    with_sound: bool = False,
    anonymizer: Anonymizer | None = None,
    keep_metadata: bool = False,
) -> dict:
    """Anonymize a file; return the record."""
    anonymizer = anonymizer or doubles.make_inverting_anonymizer()
    encoding = EncodingOptions(threads=1)
    with video_reader.open_video(str(path), with_sound=with_sound) as opened:
        return video.anonymize_video(opened, target, anonymizer, encoding, keep_metadata)


@pytest.mark.parametrize(
    "clip",
    [pytest.param(clip, id=name) for name, clip in FEW.items()]
    + [pytest.param(clip, id=name, marks=pytest.mark.large) for name, clip in MANY.items()],
)
def test_copy_keeps_all_but_the_pictures(tmp_path, clip):
    source, target, again = (tmp_path / f"{name}{clip.ending}" for name in ("in", "out", "again"))
    clips.write_clip(source, clip)
    record = anonymize(source, target, with_sound=True)
    before, after = clips.probe_clip(source), clips.probe_clip(target)
    assert record["frames"] == len(before["times"]) == len(after["times"]) == clip.frames
    assert before["rotation"] == after["rotation"]
    assert after["size"] == round_to_even(before["size"], clip)
    # Matroska cannot say that the packet before time 0 only warms up the decoder: it is left out.
    warm_up = len(before["sound"]) - len(after["sound"])
    assert warm_up in ((0, 1) if clip.ending == ".mkv" else (0,))
    assert before["sound"][warm_up:] == after["sound"] and bool(after["sound"]) == clip.sound
    # .avi holds no times: libav counts packets, from 0 or 1, in the order of decoding.
    if clip.ending == ".avi":
        for probed in (before, after):
            probed["times"] = np.sort(probed["times"]) - min(probed["times"])
    np.testing.assert_allclose(after["times"], before["times"], atol=1e-6)
    assert after["duration"] == pytest.approx(before["duration"], abs=before["last"])
    height, width = clip.size
    cropped = clips.read_frames(target)[:, :height, :width]
    assert_each_frame_is_its_negative(clips.read_frames(source), cropped)
    anonymize(source, again, with_sound=True)
    assert target.read_bytes() == again.read_bytes()


def round_to_even(size, clip) -> tuple[int, int]:
    """Return the size of a copy: H.264 and HEVC with halved colour planes have even sides."""
    if clip.codec == "libvpx-vp9":
        return size
    return tuple(side + side % 2 for side in size)


def assert_each_frame_is_its_negative(before, after) -> None:
    """Check that frames are negatives of their own originals, and not of the neighbours'."""
    for number in {0, len(before) // 2, len(before) - 1}:
        own_distance = measure_distance(before[number], after[number])
        neighbours = [number - 1, number + 1]
        distances = [
            measure_distance(before[neighbour], after[number])
            for neighbour in neighbours
            if 0 <= neighbour < len(before)
        ]
        assert own_distance < 25
        assert all(own_distance < distance / 2 for distance in distances)


def measure_distance(frame, negative) -> float:
    """Return the mean difference of a frame's negative from another frame, in grey levels."""
    return np.abs(255 - frame.astype(int) - negative).mean()


def test_sound_and_metadata_are_dropped_by_default(tmp_path):
    clip = Clip(sound=True, metadata={"title": "my child", "location": "+48.1+11.5/"})
    source = clips.write_clip(tmp_path / "in.mp4", clip)
    assert anonymize(source, tmp_path / "out.mp4")["sound"] == "dropped"
    assert clips.probe_clip(tmp_path / "out.mp4")["tracks"] == ["video"]
    assert b"my child" not in (tmp_path / "out.mp4").read_bytes()
    record = anonymize(source, tmp_path / "kept.mp4", with_sound=True, keep_metadata=True)
    assert record["sound"] == "kept"
    assert clips.probe_clip(tmp_path / "kept.mp4")["metadata"]["title"] == "my child"


@pytest.mark.parametrize("ending", [".mp4", ".mkv"])
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("turns", range(4))
def test_network_sees_frames_as_players_show_them(tmp_path, turns, mirrored, ending):
    source, target = tmp_path / "in.mp4", tmp_path / f"out{ending}"
    clips.write_clip(source, Clip(turns=turns, mirrored=mirrored, frames=3))
    batches = []

    def invert(frames):
        batches.append(frames)
        return 255 - frames

    anonymize(source, target, anonymizer=doubles.make_anonymizer(invert))
    upright = clips.read_displayed_frames(source).astype(int)
    assert batches[0].shape == upright.shape and np.abs(batches[0] - upright).mean() < 3
    assert measure_distance(upright, clips.read_displayed_frames(target)) < 25
    # The copy is stored as the original is.
    assert_each_frame_is_its_negative(clips.read_frames(source), clips.read_frames(target))


def test_batches_do_not_depend_on_how_fast_frames_arrive(tmp_path):
    sizes = []

    def invert(frames):
        sizes.append(len(frames))
        return 255 - frames

    source = clips.write_clip(tmp_path / "in.mp4", Clip(frames=11))
    anonymize(source, tmp_path / "out.mp4", anonymizer=doubles.make_anonymizer(invert, batch=4))
    assert sizes == [4, 4, 3]


@pytest.mark.parametrize(
    "run, error, message",
    [
        (lambda x: np.full(x.shape, np.nan), UnsafeOutputError, "NaN"),
        (lambda x: x, UnsafeOutputError, "Frame 0 came back unchanged"),
        (lambda x: x[:, :8], UnsafeOutputError, r"returned shape \(4, 8, 64, 3\) for"),
        (lambda x: 1 // 0, ZeroDivisionError, "by zero"),
    ],
)
def test_failing_network_leaves_nothing(tmp_path, run, error, message):
    source = clips.write_clip(tmp_path / "in.mp4")
    with pytest.raises(error, match=message):
        anonymize(source, tmp_path / "out.mp4", anonymizer=doubles.make_anonymizer(run))
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_network_that_fails_late_leaves_nothing(tmp_path):
    source = clips.write_clip(tmp_path / "in.mp4", Clip(frames=40))
    batch_sizes = []

    def return_late_frames(frames):
        batch_sizes.append(len(frames))
        return frames if sum(batch_sizes) > 30 else 255 - frames

    anonymizer = doubles.make_anonymizer(return_late_frames)
    with pytest.raises(UnsafeOutputError, match="Frame 28 came back unchanged"):
        anonymize(source, tmp_path / "out.mp4", anonymizer=anonymizer)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_lost_frame_is_noticed(tmp_path, monkeypatch):
    source = clips.write_clip(tmp_path / "in.mp4")
    anonymize_batch = video._anonymize_batch

    def lose_frame_8(batch, first_number, anonymizer):
        return anonymize_batch(batch, first_number, anonymizer)[first_number == 8 :]

    monkeypatch.setattr(video, "_anonymize_batch", lose_frame_8)
    with pytest.raises(MediaError, match="23 of 24 frames were written"):
        anonymize(source, tmp_path / "out.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def write_tagged(path, codec, pixel_format, colour, picture) -> str:
    """Write a video of four equal frames; colour: (space, range, primaries, transfer) of H.273."""
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


def read_colour(path) -> tuple[tuple[int, int, int], str]:
    """Return (space, primaries, transfer) of H.273, and the format of the pixels."""
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        next(container.decode(video=0))
        return (context.colorspace, context.color_primaries, context.color_trc), context.format.name


@pytest.mark.parametrize("transfer, name", [(16, "PQ"), (18, "HLG")])
@pytest.mark.parametrize("ending", [".mp4", ".mkv"])
def test_hdr_is_tone_mapped_and_noted(tmp_path, transfer, name, ending):
    picture = clips.make_texture(0, (48, 64))
    colour = (9, 1, 9, transfer)
    source = write_tagged(tmp_path / f"in{ending}", "libx264", "yuv420p10le", colour, picture)
    record = anonymize(source, tmp_path / f"out{ending}")
    assert record["notes"] == [f"HDR ({name}) tone-mapped to SDR"]
    assert read_colour(tmp_path / f"out{ending}") == ((1, 1, 1), "yuv420p")


def test_rgb_gets_a_matrix_that_h264_allows(tmp_path):
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[...] = 200, 40, 90
    picture[::4, :24] = 0  # detail, for the check of the output
    source = write_tagged(tmp_path / "in.mkv", "libx264rgb", "rgb24", (0, 2, 1, 13), picture)
    anonymize(source, tmp_path / "out.mp4")
    (space, _, transfer), pixel_format = read_colour(tmp_path / "out.mp4")
    assert (space, transfer, pixel_format) == (1, 13, "yuv420p")
    pixel = clips.read_frames(tmp_path / "out.mp4")[0][24, 48].astype(int)
    np.testing.assert_allclose(pixel, (55, 215, 165), atol=12)
