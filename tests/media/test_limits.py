import numpy as np
import pytest

from tfanon.media import limits, reader, writer


@pytest.fixture
def video(tmp_path):
    writer.write_video(tmp_path / "a.mp4", [np.zeros((32, 64, 3), np.uint8)] * 50)
    return str(tmp_path / "a.mp4")


@pytest.mark.parametrize("limit, value, message", [
    ("MAX_PIXELS", 2047, "a.mp4: frames of 64x32 pixels; the limit is 2047"),
    ("MAX_SECONDS", 1, "a.mp4: 2 seconds; the limit is 1"),
    ("MAX_FRAMES", 49, "a.mp4: more than 49 frames"),
    ("MAX_STREAMS", 0, "a.mp4: 1 streams; the limit is 0"),
])
def test_limits_are_kept_and_named(video, monkeypatch, limit, value, message):
    assert reader.count_frames(video) == 50
    reader._read_time_stamps.cache_clear()
    monkeypatch.setattr(limits, limit, value)
    with pytest.raises(reader.MediaError, match=message):
        reader.count_frames(video)


def test_a_large_image_is_refused(tmp_path, monkeypatch):
    writer.write_jpeg(tmp_path / "a.jpg", np.zeros((32, 64, 3), np.uint8))
    monkeypatch.setattr(limits, "MAX_PIXELS", 2047)
    with pytest.raises(reader.MediaError, match="a.jpg: frames of 64x32 pixels"):
        reader.read_image(str(tmp_path / "a.jpg"), 8, 8)


def test_the_content_decides_not_the_ending(video, tmp_path):
    renamed = tmp_path / "b.avi"
    renamed.write_bytes(open(video, "rb").read())
    assert limits.container_format(str(renamed)) == "mov"
    assert reader.count_frames(str(renamed)) == 50
    assert limits.is_video("A.MP4") and not limits.is_video("a.jpg")
