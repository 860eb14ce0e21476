"""The reader against plain decoding from the first frame, for the containers in which time stamps mislead."""

import av
import numpy as np
import pytest
import tensorflow as tf
from av.video.frame import PictureType

from tfanon.media import array_writer, frame_reader, image_io

SIDE = 64
VIDEOS = [  # name, codec, frames between key frames
    ("h264.mp4", "libx264", 24),
    ("mpeg4.avi", "mpeg4", 24),  # the first time stamp is 1
    ("h264.avi", "libx264", 24),  # the time stamps are those of the packets, not of the frames
]


def moving(number, count=60):
    """Frame `number` of `count`: its brightness tells its number, a bar moves so that B-frames pay."""
    frame = np.full((SIDE, SIDE, 3), number * 250 // count, np.uint8)
    frame[:, number % SIDE : number % SIDE + 6] = 255
    return frame


@pytest.fixture(scope="module", params=VIDEOS, ids=[name for name, *_ in VIDEOS])
def video(request, tmp_path_factory):
    """Path of 60 frames with B-frames."""
    name, codec, gop = request.param
    path = str(tmp_path_factory.mktemp("reader") / name)
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=25, options={"bf": "2", "g": str(gop)})
        stream.width = stream.height = SIDE
        stream.pix_fmt, stream.bit_rate = "yuv420p", 4_000_000
        stream.codec_context.max_b_frames = 2
        for number in range(60):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(moving(number), format="rgb24")))
        container.mux(stream.encode())
    return path


def test_every_frame_is_that_of_sequential_decoding(video):
    with av.open(video) as container:
        decoded = list(container.decode(video=0))
        assert PictureType.B in {frame.pict_type for frame in decoded}
        frames = np.stack([frame.to_ndarray(format="rgb24") for frame in decoded])
    assert frame_reader.count_frames(video) == len(frames) == 60
    for start in range(0, 52, 5):
        wanted = np.arange(start, start + 8, 2)
        np.testing.assert_array_equal(
            frame_reader.read_frames(video, lambda count: wanted, SIDE, SIDE), frames[wanted]
        )


def test_frames_come_in_order(video):
    frames = frame_reader.read_frames(video, lambda count: np.arange(count), SIDE, SIDE)
    assert (
        np.diff(np.median(frames.astype(int), axis=(1, 2, 3))) >= 2
    ).all()  # 250 / 60 = 4.2 from frame to frame


def test_a_frame_can_be_held(video):
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


def test_the_window_lies_where_it_was_asked(tmp_path):
    # Left half black, right half white; 64 rows of which the lower half is darker. Half a window, at its four corners.
    image = np.zeros((64, 128, 3), np.uint8)
    image[:32, 64:], image[32:, 64:] = 250, 125
    array_writer.write_jpeg(tmp_path / "a.jpg", image, quality=100)
    corners = [(0.5, 0, 0), (0.5, 0, 1), (0.5, 1, 1), (1.0, 0, 0)]
    views = image_io.read_image(str(tmp_path / "a.jpg"), 32, 32, corners).astype(int)
    assert views.shape == (4, 32, 32, 3)
    for view, grey in zip(views, (0, 250, 125)):
        np.testing.assert_allclose(view[2:-2, 2:-2], grey, atol=3)
    np.testing.assert_allclose(
        views[3][2:14, 18:30], 250, atol=3
    )  # the whole image, squeezed into the square


def test_a_greyscale_file_has_three_equal_channels(tmp_path):
    path = tmp_path / "grey.jpg"
    path.write_bytes(
        tf.io.encode_jpeg(np.full((16, 16, 1), 90, np.uint8), format="grayscale").numpy()
    )
    np.testing.assert_allclose(image_io.read_image(str(path), 8, 8)[0].astype(int), 90, atol=2)


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "an empty file"),
        (b"#EXTM3U\nhttp://127.0.0.1/secret.ts\n", "no video or image that is read here"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "no video or image that is read here"),
    ],
)
def test_what_is_no_video_is_refused_by_its_content(tmp_path, content, message):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(frame_reader.MediaError, match=f"a.mp4: .*{message}"):
        frame_reader.count_frames(str(path))


def test_a_truncated_file_is_named(tmp_path):
    array_writer.write_video(tmp_path / "whole.mp4", [moving(i) for i in range(10)])
    array_writer.write_jpeg(
        tmp_path / "whole.jpg",
        np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8),
    )
    for name, read in (
        ("cut.mp4", frame_reader.count_frames),
        ("cut.jpg", lambda path: image_io.read_image(path, 8, 8)),
    ):
        whole = (tmp_path / name.replace("cut", "whole")).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
        with pytest.raises(frame_reader.MediaError, match=name):
            read(str(tmp_path / name))


def test_a_missing_file_and_a_foreign_ending_are_named(tmp_path):
    with pytest.raises(frame_reader.MediaError, match="gone.mp4: No such file"):
        frame_reader.count_frames(str(tmp_path / "gone.mp4"))
    (tmp_path / "list.m3u8").write_text("#EXTM3U")
    with pytest.raises(frame_reader.MediaError, match=r"ending '.m3u8'. Allowed: .* .avi"):
        frame_reader.count_frames(str(tmp_path / "list.m3u8"))


def test_a_rewritten_file_is_counted_again(tmp_path):
    path = tmp_path / "a.mp4"
    for count in (5, 8):
        array_writer.write_video(path, [moving(i) for i in range(count)])
        assert frame_reader.count_frames(str(path)) == count


def test_time_stamps_of_what_is_no_file_are_read_once_too(tmp_path):
    class Stored:
        reads = 0

        def __str__(self):
            return "stored.mp4"

        def read(self):
            self.reads += 1
            return (tmp_path / "a.mp4").read_bytes()

    array_writer.write_video(tmp_path / "a.mp4", [moving(i) for i in range(8)])
    stored = Stored()
    for reads in (
        2,
        3,
        4,
    ):  # the first time for the time stamps and for the frames, then for the frames
        frame_reader.read_frames(stored, lambda count: [1], 16, 16)
        assert stored.reads == reads
