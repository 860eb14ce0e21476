"""A written video holds the given frames, and is complete or absent."""

import os
import platform
import subprocess
import sys

import av
import numpy as np
import pytest
import tensorflow as tf

from tfanon.media import array_writer

RED, BLUE = (200, 40, 40), (20, 60, 220)


def draw_moving_square(frames=20, height=32, width=48):
    video = np.full((frames, height, width, 3), RED, np.uint8)
    for t in range(frames):
        video[t, 8:24, t : t + 16] = BLUE
    return video


def test_larger_crf_gives_a_smaller_file(tmp_path):
    video = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), np.uint8)
    sizes = []
    for crf in (5, None, 40):  # None is 20
        path = tmp_path / f"{crf}.mp4"
        array_writer.write_video(path, video, crf=crf)
        sizes.append(path.stat().st_size)
    assert sizes[0] > sizes[1] > sizes[2]


@pytest.mark.parametrize(
    "name, codec", [("a.mp4", "libx264"), ("a.avi", "mpeg4"), ("a.avi", "libx264")]
)
def test_frames_are_read_back_in_order_and_colour(tmp_path, name, codec):
    video = draw_moving_square()
    array_writer.write_video(tmp_path / name, video, codec=codec, gop=8)
    with av.open(str(tmp_path / name)) as container:
        assert container.streams.video[0].average_rate == 25
        decoded = list(container.decode(video=0))
    assert len(decoded) == 20
    key_frames = [t for t, frame in enumerate(decoded) if frame.key_frame]
    assert key_frames[:2] == [0, 8]
    read = np.stack([frame.to_ndarray(format="rgb24") for frame in decoded]).astype(int)
    assert np.abs(read - video).mean() < 6  # colour planes at half size blur the square's edge
    assert np.abs(read[:, :4, :4] - RED).max() < 12  # RGB, not BGR


def test_same_frames_give_the_same_bytes(tmp_path):
    for name in ("a.mp4", "b.mp4"):
        array_writer.write_video(tmp_path / name, draw_moving_square())
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


SOME_CLIPS = """
import pathlib, sys
from tfanon.data.sources import synthetic
size = synthetic.DatasetSize()
for index, row in enumerate(synthetic._make_clip_rows(size)):
    path = pathlib.Path(sys.argv[1], row["path"])
    if path.name[2:-8] in ("ArmsFastLegFast_g17", "ArmsFastLegFast_g18", "ArmsSlowLegFast_g27"):
        synthetic._write_clip(path, row["action"], index, size)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="MALLOC_PERTURB_ is glibc's")
def test_bytes_do_not_depend_on_uninitialized_memory(tmp_path):
    # The macroblock tree of libx264 reads such memory: of the synthetic clips it coded a few
    # differently each time.
    written = []
    for filling in ("85", "200"):
        folder = tmp_path / filling
        subprocess.run(
            [sys.executable, "-c", SOME_CLIPS, folder],
            check=True,
            env={**os.environ, "MALLOC_PERTURB_": filling},
        )
        written.append({path.name: path.read_bytes() for path in folder.rglob("*.*")})
    assert {name[-4:] for name in written[0]} == {".mp4", ".avi"}
    assert written[0] == written[1]


def test_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    def yield_and_fail():
        yield draw_moving_square()[0]
        raise RuntimeError("camera unplugged")

    (tmp_path / "a.mp4").write_bytes(b"old")
    with pytest.raises(RuntimeError):
        array_writer.write_video(tmp_path / "a.mp4", yield_and_fail())
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
    assert (tmp_path / "a.mp4").read_bytes() == b"old"


@pytest.mark.parametrize(
    "name, codec, frames, match",
    [
        ("a.mkv", "libx264", draw_moving_square(), "must end in .mp4 or .avi"),
        ("a.mp4", "h266", draw_moving_square(), "'h266': choose libx264 or mpeg4"),
        ("a.mp4", "libx264", [], "no frames"),
        (
            "a.mp4",
            "libx264",
            draw_moving_square(height=33),
            r"even H and W; got uint8 \[33, 48, 3\]",
        ),
        ("a.mp4", "libx264", draw_moving_square() / 255.0, "got float64"),
        (
            "a.mp4",
            "libx264",
            [*draw_moving_square(1), *draw_moving_square(1, 34)],
            "differ in size",
        ),
    ],
)
def test_frames_that_cannot_be_written_are_refused(tmp_path, name, codec, frames, match):
    with pytest.raises(ValueError, match=match):
        array_writer.write_video(tmp_path / name, frames, codec=codec)
    assert not list(tmp_path.iterdir())


def test_jpeg_holds_the_image(tmp_path):
    image = np.full((32, 48, 3), RED, np.uint8)
    array_writer.write_jpeg(tmp_path / "a.jpg", image)
    read = tf.io.decode_jpeg((tmp_path / "a.jpg").read_bytes()).numpy()
    assert read.shape == image.shape
    assert np.abs(read.astype(int) - image).max() < 6
    assert [path.name for path in tmp_path.iterdir()] == ["a.jpg"]
