"""Sources that come once: addresses on the loopback, and raw frames on a pipe."""

import io
import pathlib

import clips
import numpy as np
import pytest
import streaming
from clips import Clip

from tfanon.media import live
from tfanon.media.limits import MediaError


def test_which_inputs_are_live():
    assert all(map(live.is_live, ("0", 0, "rtsp://camera/1", "file:///etc/passwd")))
    assert not any(map(live.is_live, ("a.mp4", "folder/0", "-")))


def test_a_camera_that_sends_jpegs():
    pictures = []
    with streaming.served(lambda send, count: streaming.motion_jpeg(send, 5, 0)) as address, (
            pytest.raises(MediaError, match="127.0.0.1")), live.opened(address) as frames:
        pictures.extend(frame.to_ndarray(format="rgb24") for frame in frames)
    for number in (0, 4):
        assert np.abs(pictures[number].astype(int) - clips.picture(number, (48, 64))).mean() < 20


def test_a_file_on_a_server_has_an_end(tmp_path):
    for ending, kind in ((".ts", "video/mp2t"), (".mkv", "video/x-matroska")):
        data = pathlib.Path(clips.write(tmp_path / f"a{ending}", Clip(ending))).read_bytes()
        with streaming.served(lambda send, count: streaming.whole(send, data, kind)) as address, (
                live.opened(address)) as frames:
            assert len(list(frames)) == 24


def test_a_transport_stream_without_length(tmp_path):
    data, received = pathlib.Path(clips.write(tmp_path / "a.ts", Clip(".ts", frames=50))).read_bytes(), []
    with streaming.served(lambda send, count: send(b"Content-Type: video/mp2t\r\n\r\n" + data)) as address, (
            pytest.raises(MediaError, match="127.0.0.1")), live.opened(address) as frames:
        received.extend(frame.pts for frame in frames)
    assert 45 <= len(received) <= 50  # the decoder of a stream that breaks keeps what it holds


def test_a_play_list_is_not_followed(tmp_path):
    asked = []

    def answer(send, count):
        asked.append(count)
        streaming.whole(send, b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n",
                        "application/vnd.apple.mpegurl")

    with streaming.served(answer) as address, pytest.raises(MediaError), live.opened(f"{address}.m3u8") as frames:
        next(frames)


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://host/a.mp4", "concat://a|b", "data://x"])
def test_other_addresses_are_refused(address):
    with pytest.raises(MediaError, match="begins with rtsp://, rtsps://, http://, https://"), live.opened(address):
        pass


def test_a_password_stays_out_of_messages():
    assert live.shown("rtsp://user:secret@camera:554/1") == "rtsp://camera:554/1"
    with pytest.raises(MediaError) as caught, live.opened("http://user:secret@127.0.0.1:9/a", patience=1.0):
        pass
    assert "127.0.0.1:9" in str(caught.value) and "secret" not in str(caught.value)


def test_a_camera_that_is_not_there():
    with pytest.raises(MediaError, match="^97: "), live.opened("97"):
        pass


def test_raw_frames_come_as_they_are():
    frames = np.random.default_rng(0).integers(0, 256, (3, 5, 7, 3), np.uint8)
    raw = live.RawVideo(io.BytesIO(frames.tobytes()), 5, 7, 29.97)
    pictures = list(raw)
    assert np.array_equal([picture.frame.to_ndarray() for picture in pictures], frames)
    assert [picture.stamp for picture in pictures] == [0, 1, 2] and float(raw.form.rate) == pytest.approx(29.97, abs=1e-4)


@pytest.mark.parametrize("data, message", [(b"", "held no frame"), (bytes(105 + 40), "inside frame 1: 40 of 105 bytes")])
def test_a_pipe_that_breaks(data, message):
    with pytest.raises(MediaError, match=message):
        list(live.RawVideo(io.BytesIO(data), 5, 7, 25))


def test_raw_frames_are_written_at_the_size_of_the_original():
    raw = live.RawVideo(io.BytesIO(bytes(4 * 6 * 3)), 4, 6, 25)
    pipe = io.BytesIO()
    written = live.RawSink(pipe, raw.form)
    written.write(np.full((2, 3, 3), 9, np.uint8), 0, 1)
    written.finish()
    assert pipe.getvalue() == bytes([9]) * (4 * 6 * 3)
