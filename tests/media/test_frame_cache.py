"""Frames from the cache are those of the file, whatever was read before."""

import concurrent.futures

import numpy as np
import pytest

from tfanon.media import array_writer, frame_reader, image_io
from tfanon.media.frame_cache import FRAME_CACHE

SIDE, COUNT = 32, 20
VIDEO_BYTES = COUNT * SIDE * SIDE * 3 // 2  # decoded, in yuv420p


@pytest.fixture(autouse=True)
def empty_cache():
    yield
    FRAME_CACHE.set_limit(0)


@pytest.fixture(params=["a.mp4", "a.avi", "a.jpg"])
def noise_file(request, tmp_path):
    return write_noise(tmp_path / request.param, seed=0)


def write_noise(path, seed):
    frames = np.random.default_rng(seed).integers(0, 255, (COUNT, SIDE, SIDE, 3)).astype(np.uint8)
    if path.suffix == ".jpg":
        array_writer.write_jpeg(path, frames[0])
    else:
        codec = "libx264" if path.suffix == ".mp4" else "mpeg4"
        array_writer.write_video(path, list(frames), codec=codec)
    return str(path)


def read(path, first=3):
    """Four frames of a video under a window, or an image under two."""
    window = (0.7, 0.2, 0.9)
    if path.endswith(".jpg"):
        return image_io.read_image(path, 16, 16, [window, (1.0, 0.0, 0.0)])
    return frame_reader.read_frames(path, lambda count: range(first, first + 8, 2), 16, 16, window)


def test_cached_frames_are_those_of_the_file(noise_file):
    uncached = read(noise_file)
    FRAME_CACHE.set_limit(1 << 20)
    for _ in range(3):
        np.testing.assert_array_equal(read(noise_file), uncached)
    assert len(FRAME_CACHE.files) == 1
    assert 0 < FRAME_CACHE.used <= VIDEO_BYTES


def test_file_is_decoded_once(noise_file, monkeypatch):
    FRAME_CACHE.set_limit(1 << 20)
    first = read(noise_file)
    monkeypatch.setattr(frame_reader, "open_container", None)  # calling it would fail
    np.testing.assert_array_equal(read(noise_file), first)


def test_limit_is_kept(tmp_path):
    paths = [write_noise(tmp_path / f"{seed}.mp4", seed) for seed in range(4)]
    uncached = [read(path) for path in paths]
    FRAME_CACHE.set_limit(2 * VIDEO_BYTES)
    for path, frames in zip(paths * 2, uncached * 2, strict=True):
        np.testing.assert_array_equal(read(path), frames)
    assert [file[0] for file in FRAME_CACHE.files] == paths[:2]
    assert FRAME_CACHE.used == 2 * VIDEO_BYTES


def test_changed_file_is_read_again(tmp_path):
    FRAME_CACHE.set_limit(1 << 20)
    before = read(write_noise(tmp_path / "a.mp4", seed=0))
    path = write_noise(tmp_path / "a.mp4", seed=1)
    after = read(path)
    assert (before != after).any()
    FRAME_CACHE.set_limit(0)
    np.testing.assert_array_equal(after, read(path))


def test_damaged_file_is_not_kept(tmp_path, monkeypatch):
    path = write_noise(tmp_path / "a.mp4", seed=0)
    decode = frame_reader._decode_frames

    def fail_at_last_frame(path, index, wanted, convert):
        if COUNT - 1 in wanted:
            raise frame_reader.MediaError(
                f"{path}: frame {COUNT - 1} of {COUNT} could not be decoded."
            )
        return decode(path, index, wanted, convert)

    monkeypatch.setattr(frame_reader, "_decode_frames", fail_at_last_frame)
    uncached = read(path)
    FRAME_CACHE.set_limit(1 << 20)
    for _ in range(2):
        np.testing.assert_array_equal(read(path), uncached)
    with pytest.raises(frame_reader.MediaError, match="frame 19 of 20"):
        read(path, first=13)
    assert FRAME_CACHE.used == 0


def test_threads_share_frames(tmp_path):
    path = write_noise(tmp_path / "a.mp4", seed=0)
    starts = list(range(12)) * 20
    uncached = [read(path, first) for first in range(12)]
    FRAME_CACHE.set_limit(1 << 20)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = pool.map(lambda first: read(path, first), starts)
        for frames, expected in zip(results, uncached * 20, strict=True):
            np.testing.assert_array_equal(frames, expected)
    assert FRAME_CACHE.used == VIDEO_BYTES
