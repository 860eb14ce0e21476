"""Clips as HMDB51, UCF101 and Kinetics are distributed, in the folder of TFANON_REAL_CLIPS."""

import os
import pathlib

import av
import numpy as np
import pytest
import recipes

from tfanon.inference import video
from tfanon.inference.anonymizer import Anonymizer
from tfanon.inference.loaders.keras_model import MODES
from tfanon.media import frame_reader, limits, probe, video_reader
from tfanon.media.encoding_options import EncodingOptions

FOLDER = os.environ.get("TFANON_REAL_CLIPS", "")
SIDE = 32  # of frames as training reads them
TIME_TOLERANCE_SECONDS = 0.0011


def list_clips() -> list[pathlib.Path]:
    if not FOLDER:
        return []
    return sorted(path for path in pathlib.Path(FOLDER).iterdir() if limits.is_video_path(path))


CLIPS = list_clips()

pytestmark = pytest.mark.skipif(not CLIPS, reason="TFANON_REAL_CLIPS names no folder of clips")
each_clip = pytest.mark.parametrize("clip", CLIPS, ids=lambda path: path.name)


@each_clip
@pytest.mark.skipif(recipes.ffmpeg_is_missing, reason="ffprobe counts the frames")
def test_clip_has_no_problem_and_as_many_frames_as_ffprobe_counts(clip: pathlib.Path) -> None:
    answer = probe.examine_file(str(clip), True)
    assert "error" not in answer
    count = recipes.count_frames_with_ffprobe(clip)
    assert answer["frames"] == frame_reader.count_frames(str(clip)) == count


@each_clip
def test_frames_are_those_of_a_sequential_decode(clip: pathlib.Path) -> None:
    frames = frame_reader.read_frames(str(clip), range, SIDE, SIDE)
    scaler = av.video.reformatter.VideoReformatter()
    expected = []
    for frame in recipes.decode(str(clip)):
        scaled = scaler.reformat(
            frame, width=SIDE, height=SIDE, format="rgb24", interpolation="BILINEAR", threads=1
        )
        expected.append(scaled.to_ndarray())
    np.testing.assert_array_equal(frames, np.stack(expected))
    rng = np.random.default_rng(0)
    for _ in range(4):
        numbers = np.sort(rng.integers(len(frames), size=6))
        some = frame_reader.read_frames(
            str(clip), lambda count, numbers=numbers: numbers, SIDE, SIDE
        )
        np.testing.assert_array_equal(some, frames[numbers])


def anonymize(clip: pathlib.Path, target: pathlib.Path, mode: str, with_sound: bool) -> dict:
    encoding = EncodingOptions(threads=1)
    with video_reader.open_video(str(clip), with_sound=with_sound) as opened:
        return video.anonymize_video(opened, target, Anonymizer.load(mode=mode), encoding)


def list_times(frames: list[av.VideoFrame]) -> list[float]:
    """Seconds of each frame after the first."""
    return [float((frame.pts - frames[0].pts) * frame.time_base) for frame in frames]


def check_copy(clip: pathlib.Path, target: pathlib.Path, record: dict) -> None:
    """Assert that a copy has as many frames as the clip, at the same distances in time, and that
    their pixels are not the clip's.
    """
    originals, copies = recipes.decode(str(clip)), recipes.decode(str(target))
    assert record["frames"] == len(originals) == len(copies)
    if clip.suffix != ".avi":  # it holds no times
        np.testing.assert_allclose(
            list_times(copies), list_times(originals), atol=TIME_TOLERANCE_SECONDS
        )
    for number in (0, len(originals) // 2, len(originals) - 1):
        original = originals[number].to_ndarray(format="rgb24").astype(int)
        copy = copies[number].to_ndarray(format="rgb24").astype(int)
        assert np.abs(original - copy).mean() > 2


@each_clip
@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".avi"])
def test_clip_is_anonymized_into_every_container(
    tmp_path: pathlib.Path, clip: pathlib.Path, ending: str
) -> None:
    target = tmp_path / f"out{ending}"
    check_copy(clip, target, anonymize(clip, target, "blacken", with_sound=True))


@pytest.mark.large
@each_clip
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".avi"])
def test_clip_is_anonymized_in_every_mode(
    tmp_path: pathlib.Path, clip: pathlib.Path, ending: str, mode: str
) -> None:
    target = tmp_path / f"out{ending}"
    check_copy(clip, target, anonymize(clip, target, mode, with_sound=False))
