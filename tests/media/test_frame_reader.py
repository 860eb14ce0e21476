"""Frames by number against plain decoding from the first, where timestamps mislead."""

import av
import numpy as np
import pytest
import tensorflow as tf
from av.video.frame import PictureType

from tfanon.media import array_writer, frame_reader, image_io

SIDE = 64
COUNT = 60
VIDEOS = [  # name, codec, frames between key frames
    ("h264.mp4", "libx264", 24),
    ("mpeg4.avi", "mpeg4", 24),  # the first timestamp is 1
    ("h264.avi", "libx264", 24),  # the timestamps are those of the packets, not of the frames
]


def draw_frame(number, count=COUNT):
    """Frame ``number`` of ``count``: its brightness gives the number, a bar moves for B-frames."""
    frame = np.full((SIDE, SIDE, 3), number * 250 // count, np.uint8)
    frame[:, number % SIDE : number % SIDE + 6] = 255
    return frame


@pytest.fixture(scope="module", params=VIDEOS, ids=[name for name, *_ in VIDEOS])
def video(request, tmp_path_factory):
    """Path of a video with B-frames."""
    name, codec, gop = request.param
    path = str(tmp_path_factory.mktemp("frame_reader") / name)
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=25, options={"bf": "2", "g": str(gop)})
        stream.width = stream.height = SIDE
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = 4_000_000
        stream.codec_context.max_b_frames = 2
        for number in range(COUNT):
            frame = av.VideoFrame.from_ndarray(draw_frame(number), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def test_every_frame_is_that_of_sequential_decoding(video):
    with av.open(video) as container:
        decoded = list(container.decode(video=0))
        assert PictureType.B in {frame.pict_type for frame in decoded}
        frames = np.stack([frame.to_ndarray(format="rgb24") for frame in decoded])
    assert frame_reader.count_frames(video) == len(frames) == COUNT
    for start in range(0, 52, 5):
        numbers = np.arange(start, start + 8, 2)
        read = frame_reader.read_frames(video, lambda count, numbers=numbers: numbers, SIDE, SIDE)
        np.testing.assert_array_equal(read, frames[numbers])


def test_frames_come_in_order(video):
    frames = frame_reader.read_frames(video, np.arange, SIDE, SIDE)
    brightness = np.median(frames.astype(int), axis=(1, 2, 3))
    assert (np.diff(brightness) >= 2).all()  # 250 / 60 = 4.2 from frame to frame


def test_frame_can_be_repeated(video):
    frames = frame_reader.read_frames(video, lambda count: [count - 1] * 3, SIDE, SIDE)
    np.testing.assert_array_equal(frames[0], frames[2])


def test_red_is_red(tmp_path):
    red = np.zeros((32, 32, 3), np.uint8)
    red[..., 0] = 255
    array_writer.write_video(tmp_path / "red.mp4", [red] * 3)
    array_writer.write_video(tmp_path / "red.avi", [red] * 3, codec="mpeg4")
    array_writer.write_jpeg(tmp_path / "red.jpg", red)
    for name in ("red.mp4", "red.avi"):
        pixels = frame_reader.read_frames(str(tmp_path / name), lambda count: [1], 16, 16)[0]
        np.testing.assert_allclose(pixels.astype(int), red[:16, :16], atol=6)
    pixels = image_io.read_image(str(tmp_path / "red.jpg"), 16, 16)[0]
    np.testing.assert_allclose(pixels.astype(int), red[:16, :16], atol=3)


def test_window_lies_where_the_crop_says(tmp_path):
    # The left half is black, the right half white in the upper 32 rows and grey below. Windows of
    # half the size at three corners, then the whole image.
    image = np.zeros((64, 128, 3), np.uint8)
    image[:32, 64:] = 250
    image[32:, 64:] = 125
    array_writer.write_jpeg(tmp_path / "a.jpg", image, quality=100)
    crops = [(0.5, 0, 0), (0.5, 0, 1), (0.5, 1, 1), (1.0, 0, 0)]
    views = image_io.read_image(str(tmp_path / "a.jpg"), 32, 32, crops).astype(int)
    assert views.shape == (4, 32, 32, 3)
    for view, grey in zip(views[:3], (0, 250, 125), strict=True):
        np.testing.assert_allclose(view[2:-2, 2:-2], grey, atol=3)
    np.testing.assert_allclose(views[3][2:14, 18:30], 250, atol=3)  # squeezed into the square


def test_greyscale_image_has_three_equal_channels(tmp_path):
    path = tmp_path / "grey.jpg"
    pixels = np.full((16, 16, 1), 90, np.uint8)
    path.write_bytes(tf.io.encode_jpeg(pixels, format="grayscale").numpy())
    np.testing.assert_allclose(image_io.read_image(str(path), 8, 8)[0].astype(int), 90, atol=2)


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "the file is empty"),
        (b"#EXTM3U\nhttp://127.0.0.1/secret.ts\n", "the content is not in a supported"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "the content is not in a supported"),
    ],
)
def test_file_that_is_no_video_is_refused_by_its_content(tmp_path, content, message):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(frame_reader.MediaError, match=f"a.mp4: .*{message}"):
        frame_reader.count_frames(str(path))


def truncate(source, target):
    content = source.read_bytes()
    target.write_bytes(content[: len(content) // 2])


def test_truncated_video_is_named(tmp_path):
    frames = [draw_frame(number) for number in range(10)]
    array_writer.write_video(tmp_path / "whole.mp4", frames)
    truncate(tmp_path / "whole.mp4", tmp_path / "cut.mp4")
    with pytest.raises(frame_reader.MediaError, match="cut.mp4"):
        frame_reader.count_frames(str(tmp_path / "cut.mp4"))


def test_truncated_image_is_named(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    array_writer.write_jpeg(tmp_path / "whole.jpg", noise)
    truncate(tmp_path / "whole.jpg", tmp_path / "cut.jpg")
    with pytest.raises(frame_reader.MediaError, match="cut.jpg"):
        image_io.read_image(str(tmp_path / "cut.jpg"), 8, 8)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(frame_reader.MediaError, match="gone.mp4: No such file"):
        frame_reader.count_frames(str(tmp_path / "gone.mp4"))


def test_unknown_ending_is_named(tmp_path):
    (tmp_path / "list.m3u8").write_text("#EXTM3U")
    with pytest.raises(frame_reader.MediaError, match=r"'.m3u8' is not the extension .* \.avi"):
        frame_reader.count_frames(str(tmp_path / "list.m3u8"))


def test_rewritten_file_is_counted_again(tmp_path):
    path = tmp_path / "a.mp4"
    for count in (5, 8):
        array_writer.write_video(path, [draw_frame(number) for number in range(count)])
        assert frame_reader.count_frames(str(path)) == count


def test_stored_file_is_indexed_once(tmp_path):
    class StoredFile:
        reads = 0

        def __str__(self):
            return "stored.mp4"

        def read(self):
            self.reads += 1
            return (tmp_path / "a.mp4").read_bytes()

    array_writer.write_video(tmp_path / "a.mp4", [draw_frame(number) for number in range(8)])
    stored = StoredFile()
    for reads in (2, 3, 4):  # the first time for the index and for the frames, then for the frames
        frame_reader.read_frames(stored, lambda count: [1], 16, 16)
        assert stored.reads == reads
