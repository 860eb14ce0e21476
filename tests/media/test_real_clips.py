"""Clips as HMDB51, UCF101 and Kinetics are distributed, in the folder of TFANON_REAL_CLIPS."""

import os
import pathlib

import av
import numpy as np
import pytest
import recipes

from tfanon.inference import network, video
from tfanon.inference.anonymizer import Anonymizer
from tfanon.media import frame_reader, limits, probe, video_reader, video_writer

FOLDER = os.environ.get("TFANON_REAL_CLIPS", "")
CLIPS = (
    sorted(path for path in pathlib.Path(FOLDER).iterdir() if limits.is_video_path(path))
    if FOLDER
    else []
)

pytestmark = pytest.mark.skipif(not CLIPS, reason="TFANON_REAL_CLIPS names no folder of clips")
each_clip = pytest.mark.parametrize("clip", CLIPS, ids=lambda path: path.name)


@each_clip
@pytest.mark.skipif(recipes.needs_ffmpeg, reason="ffprobe counts the frames")
def test_a_clip_has_no_problem_and_as_many_frames_as_ffprobe_counts(clip: pathlib.Path) -> None:
    told = probe.examine_file(str(clip), True)
    assert "error" not in told
    assert told["frames"] == frame_reader.count_frames(str(clip)) == recipes.probe_count(clip)


@each_clip
def test_frames_are_those_of_a_sequential_decode(clip: pathlib.Path) -> None:
    size = 32
    frames = frame_reader.read_frames(str(clip), range, size, size)
    scaler = av.video.reformatter.VideoReformatter()
    plain = []
    for frame in recipes.decode(str(clip)):
        scaled = scaler.reformat(
            frame, width=size, height=size, format="rgb24", interpolation="BILINEAR", threads=1
        )
        plain.append(scaled.to_ndarray())
    np.testing.assert_array_equal(frames, np.stack(plain))
    chance = np.random.default_rng(0)
    for _ in range(4):
        wanted = np.sort(chance.integers(len(frames), size=6))
        some = frame_reader.read_frames(str(clip), lambda count: wanted, size, size)
        np.testing.assert_array_equal(some, frames[wanted])


def anonymize(clip: pathlib.Path, target: pathlib.Path, mode: str, keep: bool) -> dict:
    with video_reader.open_video(str(clip), with_sound=keep) as opened:
        return video.anonymize_video(
            opened, target, Anonymizer.load(mode=mode), video_writer.EncodingOptions(threads=1)
        )


def check_copy(clip: pathlib.Path, target: pathlib.Path, record: dict) -> None:
    """Assert that a copy has the clip's frames, at their distances in time, and that they are not
    the clip's.
    """
    before, after = recipes.decode(str(clip)), recipes.decode(str(target))
    assert record["frames"] == len(before) == len(after)
    if clip.suffix != ".avi":  # it holds no times
        first = [float((frame.pts - before[0].pts) * frame.time_base) for frame in before]
        then = [float((frame.pts - after[0].pts) * frame.time_base) for frame in after]
        np.testing.assert_allclose(then, first, atol=0.0011)
    for number in (0, len(before) // 2, len(before) - 1):
        pixels = [
            frames[number].to_ndarray(format="rgb24").astype(int) for frames in (before, after)
        ]
        assert np.abs(pixels[0] - pixels[1]).mean() > 2


@each_clip
@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".avi"])
def test_a_clip_is_anonymized_into_every_container(
    tmp_path: pathlib.Path, clip: pathlib.Path, ending: str
) -> None:
    target = tmp_path / f"out{ending}"
    check_copy(clip, target, anonymize(clip, target, "blacken", keep=True))


@pytest.mark.large
@each_clip
@pytest.mark.parametrize("mode", network.MODES)
@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".avi"])
def test_every_mode(tmp_path: pathlib.Path, clip: pathlib.Path, ending: str, mode: str) -> None:
    target = tmp_path / f"out{ending}"
    check_copy(clip, target, anonymize(clip, target, mode, keep=False))
