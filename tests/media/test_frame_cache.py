"""Frames from memory are those from the file, whatever was read before."""

import concurrent.futures

import numpy as np
import pytest

from tfanon.media import array_writer, frame_cache, frame_reader, image_io

SIDE, COUNT = 32, 20
BYTES = COUNT * SIDE * SIDE * 3 // 2  # of a video in yuv420p


@pytest.fixture(autouse=True)
def closed():
    yield
    frame_cache.FRAME_CACHE.set_limit(0)


@pytest.fixture(params=["a.mp4", "a.avi", "a.jpg"])
def file(request, tmp_path):
    return written(tmp_path / request.param, seed=0)


def written(path, seed):
    """A file of noise."""
    frames = np.random.default_rng(seed).integers(0, 255, (COUNT, SIDE, SIDE, 3)).astype(np.uint8)
    if path.suffix == ".jpg":
        array_writer.write_jpeg(path, frames[0])
    else:
        array_writer.write_video(
            path, list(frames), codec="libx264" if path.suffix == ".mp4" else "mpeg4"
        )
    return str(path)


def read(path, first=3):
    """Four frames of a video under a window, or an image under two."""
    window = (0.7, 0.2, 0.9)
    if path.endswith(".jpg"):
        return image_io.read_image(path, 16, 16, [window, (1.0, 0.0, 0.0)])
    return frame_reader.read_frames(path, lambda count: range(first, first + 8, 2), 16, 16, window)


def test_frames_are_those_of_the_file(file):
    alone = read(file)
    frame_cache.FRAME_CACHE.set_limit(1 << 20)
    for _ in range(3):
        np.testing.assert_array_equal(read(file), alone)
    assert len(frame_cache.FRAME_CACHE.files) == 1 and 0 < frame_cache.FRAME_CACHE.used <= BYTES


def test_a_file_is_decoded_once(file, monkeypatch):
    frame_cache.FRAME_CACHE.set_limit(1 << 20)
    alone = read(file)
    monkeypatch.setattr(frame_reader, "open_container", None)  # it would be called
    np.testing.assert_array_equal(read(file), alone)


def test_the_limit_holds(tmp_path):
    paths = [written(tmp_path / f"{seed}.mp4", seed) for seed in range(4)]
    alone = [read(path) for path in paths]
    frame_cache.FRAME_CACHE.set_limit(2 * BYTES)
    for path, frames in zip(paths * 2, alone * 2):
        np.testing.assert_array_equal(read(path), frames)
    assert [file[0] for file in frame_cache.FRAME_CACHE.files] == paths[
        :2
    ] and frame_cache.FRAME_CACHE.used == 2 * BYTES


def test_a_file_that_changes_is_read_again(tmp_path):
    frame_cache.FRAME_CACHE.set_limit(1 << 20)
    before = read(written(tmp_path / "a.mp4", seed=0))
    path = written(tmp_path / "a.mp4", seed=1)
    after = read(path)
    assert (before != after).any()
    frame_cache.FRAME_CACHE.set_limit(0)
    np.testing.assert_array_equal(after, read(path))


def test_a_damaged_file_is_not_kept(tmp_path, monkeypatch):
    path, decode = written(tmp_path / "a.mp4", seed=0), frame_reader._decode_frames

    def damaged(path, index, wanted, convert):
        if COUNT - 1 in wanted:
            raise frame_reader.MediaError(
                f"{path}: frame {COUNT - 1} of {COUNT} could not be decoded."
            )
        return decode(path, index, wanted, convert)

    monkeypatch.setattr(frame_reader, "_decode_frames", damaged)
    alone = read(path)
    frame_cache.FRAME_CACHE.set_limit(1 << 20)
    for _ in range(2):
        np.testing.assert_array_equal(read(path), alone)
    with pytest.raises(frame_reader.MediaError, match="frame 19 of 20"):
        read(path, first=13)
    assert frame_cache.FRAME_CACHE.used == 0


def test_threads_share_frames(tmp_path):
    path = written(tmp_path / "a.mp4", seed=0)
    alone = [read(path, first) for first in range(12)]
    frame_cache.FRAME_CACHE.set_limit(1 << 20)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for frames, expected in zip(
            pool.map(lambda first: read(path, first), list(range(12)) * 20), alone * 20
        ):
            np.testing.assert_array_equal(frames, expected)
    assert frame_cache.FRAME_CACHE.used == BYTES
