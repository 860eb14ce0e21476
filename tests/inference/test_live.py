"""Live sources on the loopback: bounded latency, reconnecting, and no raw frame ever."""

import io
import itertools
import os
import pathlib
import signal
import threading
import time

import clips
import doubles
import numpy as np
import pytest
import streaming

from tfanon.inference import frame_grabber, live
from tfanon.inference.network import UnsafeOutputError
from tfanon.media.limits import MediaError
from tfanon.media.video_writer import EncodingOptions, VideoWriter

FOREVER = 10**6


@pytest.fixture(autouse=True)
def short_pause(monkeypatch):
    monkeypatch.setattr(frame_grabber, "RECONNECT_PAUSE_SECONDS", 0.05)


@pytest.fixture
def camera():
    """The address of a camera of 50 frames a second that never ends."""
    with streaming.serve_stream(
        lambda send, count: streaming.send_motion_jpeg(send, FOREVER)
    ) as address:
        yield address


def make_recorder(path: pathlib.Path, **arguments) -> live.FileRecorder:
    return live.FileRecorder(path, EncodingOptions(), **arguments)


def make_slow_anonymizer(seconds: float):
    """An anonymizer that takes some seconds per frame."""

    def invert_slowly(frames):
        time.sleep(seconds)
        return 255 - frames

    return doubles.make_anonymizer(invert_slowly)


def test_recording_is_complete_and_anonymized(tmp_path, camera):
    path = tmp_path / "out.mkv"
    record = live.anonymize_live(
        camera, make_recorder(path), doubles.make_blackening_anonymizer(), max_seconds=1.0
    )
    assert record["files"] == {str(path): record["frames"]} and record["frames"] >= 5
    frames = clips.read_frames(path)
    assert len(frames) == record["frames"] and frames.max() < 8
    times = clips.probe_clip(path)["times"]
    assert times[0] == 0 and times[-1] <= 1.5 and (np.diff(times) > 0).all()
    assert os.listdir(tmp_path) == ["out.mkv"]


def test_latency_is_bounded_and_late_frames_are_dropped(camera):
    class LatencyRecorder(live.NullRecorder):
        latencies = []

        def write(self, pixels, size, arrival):
            self.latencies.append(time.monotonic() - arrival)

    slow = make_slow_anonymizer(0.08)  # 12 a second where 50 come
    record = live.anonymize_live(camera, LatencyRecorder(), slow, max_latency=0.4, max_seconds=1.5)
    assert max(LatencyRecorder.latencies) < 0.6 and record["dropped"] > record["frames"] >= 3


def test_network_too_slow_for_the_bound_shows_nothing(camera):
    pipe = io.BytesIO()
    recorder, slow = live.PipeRecorder(pipe), make_slow_anonymizer(0.1)
    with pytest.raises(MediaError, match="no frame was anonymized in time; .* --max_latency"):
        live.anonymize_live(camera, recorder, slow, max_latency=0.01, max_seconds=0.5)
    assert not pipe.getvalue()


def test_source_waits_without_a_bound():
    def send(send, count):
        streaming.send_motion_jpeg(send, 12 if count == 0 else 0, 0)

    shown = []
    with streaming.serve_stream(send) as address, pytest.raises(MediaError):
        live.anonymize_live(
            address,
            live.NullRecorder(),
            make_slow_anonymizer(0.02),
            max_latency=0,
            reconnect_seconds=0.1,
            on_frame=shown.append,
        )
    assert len(shown) == 12


def test_lost_stream_is_reconnected(tmp_path):
    path = tmp_path / "out.mkv"
    with streaming.serve_stream(
        lambda send, count: streaming.send_motion_jpeg(send, 10)
    ) as address:
        record = live.anonymize_live(
            address, make_recorder(path), doubles.make_inverting_anonymizer(), max_seconds=1.5
        )
    assert record["connections"] >= 2 and record["frames"] > 10
    assert len(clips.read_frames(path)) == record["frames"]


def test_stream_that_returns_with_a_title_in_another_encoding_is_recorded(tmp_path):
    clip = clips.Clip(".mkv", frames=10, metadata={"title": "Front door"})
    content = pathlib.Path(clips.write_clip(tmp_path / "a.mkv", clip)).read_bytes()
    data = b"Content-Type: video/x-matroska\r\n\r\n" + content
    answers = [data, data.replace(b"Front door", b"Haust\xfcr   ")]  # Latin-1
    path = tmp_path / "out/out.mkv"
    path.parent.mkdir()
    with streaming.serve_stream(lambda send, count: send(answers[min(count, 1)])) as address:
        record = live.anonymize_live(
            address,
            make_recorder(path),
            doubles.make_blackening_anonymizer(),
            max_latency=0,
            max_seconds=1.5,
        )
    assert record["connections"] >= 2
    assert len(clips.read_frames(path)) == record["frames"] > 10


def test_stream_that_stays_lost_is_an_error_and_its_recording_is_kept(tmp_path):
    def send(send, count):
        streaming.send_motion_jpeg(send, 0 if count else 10)

    with (
        streaming.serve_stream(send) as address,
        pytest.raises(frame_grabber.ConnectionLostError, match="127.0.0.1"),
    ):
        live.anonymize_live(
            address,
            make_recorder(tmp_path / "out.mkv"),
            doubles.make_blackening_anonymizer(),
            reconnect_seconds=0.3,
        )
    assert clips.read_frames(tmp_path / "out.mkv").max() < 8
    assert os.listdir(tmp_path) == ["out.mkv"]


def test_stream_may_return_with_another_size(tmp_path):
    def send(send, count):
        streaming.send_motion_jpeg(send, 10, size=(48, 64) if count == 0 else (64, 96))

    path = tmp_path / "out.mkv"
    with streaming.serve_stream(send) as address:
        live.anonymize_live(
            address, make_recorder(path), doubles.make_blackening_anonymizer(), max_seconds=1.2
        )
    assert clips.read_frames(path).shape[1:3] == (48, 64)


def test_address_that_never_answered_is_an_error_at_once(tmp_path):
    start = time.monotonic()
    recorder = make_recorder(tmp_path / "out.mkv")
    with pytest.raises(MediaError, match="127.0.0.1:9"):
        live.anonymize_live("http://127.0.0.1:9/a", recorder, doubles.make_inverting_anonymizer())
    assert time.monotonic() - start < 5 and not os.listdir(tmp_path)


def test_file_from_a_server_ends_the_recording(tmp_path):
    clip = clips.write_clip(tmp_path / "a.mkv", clips.Clip(".mkv", frames=30))
    data = pathlib.Path(clip).read_bytes()
    path = tmp_path / "out/out.mkv"
    path.parent.mkdir()
    with streaming.serve_stream(
        lambda send, count: streaming.send_file(send, data, "video/webm")
    ) as address:
        record = live.anonymize_live(
            address, make_recorder(path), doubles.make_inverting_anonymizer(), max_latency=0
        )
    assert record["frames"] == len(clips.read_frames(path)) == 30
    assert record["connections"] == 1


def test_recording_in_segments(tmp_path, camera):
    record = live.anonymize_live(
        camera,
        make_recorder(tmp_path / "out.mkv", segment_seconds=0.4),
        doubles.make_inverting_anonymizer(),
        max_seconds=1.5,
    )
    names = sorted(os.listdir(tmp_path))
    assert names[:2] == ["out-00001.mkv", "out-00002.mkv"]
    frame_count = sum(len(clips.read_frames(tmp_path / name)) for name in names)
    assert frame_count == record["frames"] == sum(record["files"].values())


@pytest.mark.parametrize(
    "spoil, error",
    [
        (lambda x: x, UnsafeOutputError),
        (lambda x: np.full(x.shape, np.nan), UnsafeOutputError),
        (lambda x: 1 // 0, ZeroDivisionError),
    ],
)
def test_unsafe_frame_ends_the_recording_without_a_file(tmp_path, camera, spoil, error):
    count = itertools.count()
    anonymizer = doubles.make_anonymizer(
        lambda x: spoil(x) if next(count) >= 5 else np.zeros_like(x)
    )
    with pytest.raises(error):
        live.anonymize_live(camera, make_recorder(tmp_path / "out.mkv"), anonymizer)
    assert not os.listdir(tmp_path) and next(count) > 5


def test_failing_encoder_leaves_no_file(tmp_path, camera, monkeypatch):
    count = itertools.count()
    write = VideoWriter.write

    def fail_later(self, *arguments):
        if next(count) > 5:
            raise OSError(28, "No space left on device")
        write(self, *arguments)

    monkeypatch.setattr(VideoWriter, "write", fail_later)
    recorder = make_recorder(tmp_path / "out.mkv")
    with pytest.raises(OSError, match="No space"):
        live.anonymize_live(camera, recorder, doubles.make_blackening_anonymizer())
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_the_recording_with_a_complete_file(tmp_path, camera, number):
    path = tmp_path / "out.mkv"
    threading.Timer(0.7, os.kill, (os.getpid(), number)).start()
    handler = signal.getsignal(number)
    record = live.anonymize_live(camera, make_recorder(path), doubles.make_blackening_anonymizer())
    assert len(clips.read_frames(path)) == record["frames"] > 0
    assert signal.getsignal(number) is handler


def test_frames_on_a_pipe_are_upright_and_anonymized(camera):
    pipe = io.BytesIO()
    record = live.anonymize_live(
        camera, live.PipeRecorder(pipe), doubles.make_blackening_anonymizer(), max_seconds=0.7
    )
    assert len(pipe.getvalue()) == record["frames"] * 48 * 64 * 3 and not any(pipe.getvalue())


def test_existing_file_is_left_alone(tmp_path):
    (tmp_path / "out.mkv").write_bytes(b"old")
    with pytest.raises(ValueError, match="out.mkv exists; give --overwrite"):
        make_recorder(tmp_path / "out.mkv")
    (tmp_path / "out-00002.mkv").write_bytes(b"old")
    make_recorder(tmp_path / "out.mkv", segment_seconds=1.0)
    for name, message in (("out.txt", "ends in '.txt'"), ("out.avi", "an .mkv file can")):
        with pytest.raises(ValueError, match=message):
            make_recorder(tmp_path / name)


def test_file_that_appears_during_the_recording_is_left_alone(tmp_path, camera):
    path = tmp_path / "out.mkv"
    with pytest.raises(ValueError, match="out.mkv was created meanwhile"):
        live.anonymize_live(
            camera,
            make_recorder(path),
            doubles.make_blackening_anonymizer(),
            max_seconds=0.5,
            on_frame=lambda pixels: path.write_bytes(b"another's"),
        )
    assert path.read_bytes() == b"another's" and os.listdir(tmp_path) == ["out.mkv"]
