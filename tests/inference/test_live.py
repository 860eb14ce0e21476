"""Live sources on the loopback: late frames are dropped, lost streams asked for again, raw frames never shown."""

import functools
import io
import itertools
import os
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
from tfanon.media.video_writer import EncodingOptions

FOREVER = 10**6


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(frame_grabber, "RECONNECT_PAUSE_SECONDS", 0.05)


@pytest.fixture
def camera():
    """The address of a camera of 50 frames a second that never ends."""
    with streaming.served(lambda send, count: streaming.motion_jpeg(send, FOREVER)) as address:
        yield address


def recorder(path, **more):
    return live.FileRecorder(path, EncodingOptions(), **more)


def test_a_recording_is_whole_and_anonymized(tmp_path, camera):
    record = live.anonymize_live(
        camera, recorder(tmp_path / "out.mkv"), doubles.blackening(), max_seconds=1.0
    )
    assert (
        record["files"] == {str(tmp_path / "out.mkv"): record["frames"]} and record["frames"] >= 5
    )
    frames = clips.read(tmp_path / "out.mkv")
    assert len(frames) == record["frames"] and frames.max() < 8
    times = clips.about(tmp_path / "out.mkv")["times"]
    assert times[0] == 0 and times[-1] <= 1.5 and (np.diff(times) > 0).all()
    assert os.listdir(tmp_path) == ["out.mkv"]


def test_latency_is_bounded_and_late_frames_are_dropped(camera):
    class Watching(live.NullRecorder):
        waits = []

        def write(self, pixels, size, arrival):
            self.waits.append(time.monotonic() - arrival)

    def slow(frames):  # 12 a second where 50 come
        time.sleep(0.08)
        return 255 - frames

    record = live.anonymize_live(
        camera, Watching(), doubles.anonymizer(slow), max_latency=0.4, max_seconds=1.5
    )
    assert max(Watching.waits) < 0.6 and record["dropped"] > record["frames"] >= 3


def test_a_network_too_slow_for_the_bound_shows_nothing(camera):
    def slow(frames):
        time.sleep(0.1)
        return 255 - frames

    pipe = io.BytesIO()
    with pytest.raises(MediaError, match="no frame was anonymized in time; .* --max_latency"):
        live.anonymize_live(
            camera,
            live.PipeRecorder(pipe),
            doubles.anonymizer(slow),
            max_latency=0.01,
            max_seconds=0.5,
        )
    assert not pipe.getvalue()


def test_without_a_bound_the_source_waits():
    def slow(frames):
        time.sleep(0.02)
        return 255 - frames

    with (
        streaming.served(
            lambda send, count: streaming.motion_jpeg(send, 12 if count == 0 else 0, 0)
        ) as address,
        pytest.raises(MediaError),
    ):
        shown = []
        live.anonymize_live(
            address,
            live.NullRecorder(),
            doubles.anonymizer(slow),
            max_latency=0,
            reconnect_seconds=0.1,
            on_frame=shown.append,
        )
    assert len(shown) == 12


def test_a_lost_stream_is_asked_for_again(tmp_path):
    with streaming.served(lambda send, count: streaming.motion_jpeg(send, 10)) as address:
        record = live.anonymize_live(
            address, recorder(tmp_path / "out.mkv"), doubles.inverting(), max_seconds=1.5
        )
    assert record["connections"] >= 2 and record["frames"] > 10
    assert len(clips.read(tmp_path / "out.mkv")) == record["frames"]


def test_a_stream_that_comes_back_with_a_title_in_another_alphabet_is_recorded_on(tmp_path):
    clip = clips.Clip(".mkv", frames=10, metadata={"title": "Front door"})
    data = (
        b"Content-Type: video/x-matroska\r\n\r\n"
        + open(clips.write(tmp_path / "a.mkv", clip), "rb").read()
    )
    answers = [data, data.replace(b"Front door", b"Haust\xfcr   ")]  # Latin-1
    (tmp_path / "out").mkdir()
    with streaming.served(lambda send, count: send(answers[min(count, 1)])) as address:
        record = live.anonymize_live(
            address,
            recorder(tmp_path / "out/out.mkv"),
            doubles.blackening(),
            max_latency=0,
            max_seconds=1.5,
        )
    assert (
        record["connections"] >= 2
        and len(clips.read(tmp_path / "out/out.mkv")) == record["frames"] > 10
    )


def test_a_stream_that_stays_lost_is_an_error_and_the_recording_is_kept(tmp_path):
    with (
        streaming.served(
            lambda send, count: streaming.motion_jpeg(send, 0 if count else 10)
        ) as address,
        pytest.raises(frame_grabber.ConnectionLostError, match="127.0.0.1"),
    ):
        live.anonymize_live(
            address, recorder(tmp_path / "out.mkv"), doubles.blackening(), reconnect_seconds=0.3
        )
    assert clips.read(tmp_path / "out.mkv").max() < 8 and os.listdir(tmp_path) == ["out.mkv"]


def test_a_stream_of_another_size_after_it_was_lost(tmp_path):
    def answer(send, count):
        streaming.motion_jpeg(send, 10, size=(48, 64) if count == 0 else (64, 96))

    with streaming.served(answer) as address:
        live.anonymize_live(
            address, recorder(tmp_path / "out.mkv"), doubles.blackening(), max_seconds=1.2
        )
    assert clips.read(tmp_path / "out.mkv").shape[1:3] == (48, 64)


def test_an_address_that_never_answered_is_an_error_at_once(tmp_path):
    begin = time.monotonic()
    with pytest.raises(MediaError, match="127.0.0.1:9"):
        live.anonymize_live(
            "http://127.0.0.1:9/a", recorder(tmp_path / "out.mkv"), doubles.inverting()
        )
    assert time.monotonic() - begin < 5 and not os.listdir(tmp_path)


def test_a_file_from_a_server_ends_the_recording(tmp_path):
    data = open(clips.write(tmp_path / "a.mkv", clips.Clip(".mkv", frames=30)), "rb").read()
    (tmp_path / "out").mkdir()
    with streaming.served(
        functools.partial(lambda send, count: streaming.whole(send, data, "video/webm"))
    ) as address:
        record = live.anonymize_live(
            address, recorder(tmp_path / "out/out.mkv"), doubles.inverting(), max_latency=0
        )
    assert (
        record["frames"] == len(clips.read(tmp_path / "out/out.mkv")) == 30
        and record["connections"] == 1
    )


def test_a_recording_in_pieces(tmp_path, camera):
    record = live.anonymize_live(
        camera, recorder(tmp_path / "out.mkv", segment=0.4), doubles.inverting(), max_seconds=1.5
    )
    names = sorted(os.listdir(tmp_path))
    assert names[:2] == ["out-00001.mkv", "out-00002.mkv"]
    assert (
        sum(len(clips.read(tmp_path / name)) for name in names)
        == record["frames"]
        == sum(record["files"].values())
    )


@pytest.mark.parametrize(
    "spoil, error",
    [
        (lambda x: x, UnsafeOutputError),
        (lambda x: np.full(x.shape, np.nan), UnsafeOutputError),
        (lambda x: 1 // 0, ZeroDivisionError),
    ],
)
def test_a_frame_that_must_not_be_shown_ends_it_without_a_file(tmp_path, camera, spoil, error):
    count = itertools.count()
    with pytest.raises(error):
        live.anonymize_live(
            camera,
            recorder(tmp_path / "out.mkv"),
            doubles.anonymizer(lambda x: spoil(x) if next(count) >= 5 else np.zeros_like(x)),
        )
    assert not os.listdir(tmp_path) and next(count) > 5


def test_an_encoder_that_fails_leaves_no_file(tmp_path, camera, monkeypatch):
    count = itertools.count()
    whole = live.sink.Sink.write

    def failing(self, *more):
        if next(count) > 5:
            raise OSError(28, "No space left on device")
        whole(self, *more)

    monkeypatch.setattr(live.sink.Sink, "write", failing)
    with pytest.raises(OSError, match="No space"):
        live.anonymize_live(camera, recorder(tmp_path / "out.mkv"), doubles.blackening())
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_a_whole_file(tmp_path, camera, number):
    threading.Timer(0.7, os.kill, (os.getpid(), number)).start()
    before = signal.getsignal(number)
    record = live.anonymize_live(camera, recorder(tmp_path / "out.mkv"), doubles.blackening())
    assert (
        len(clips.read(tmp_path / "out.mkv")) == record["frames"] > 0
        and signal.getsignal(number) is before
    )


def test_frames_on_a_pipe_are_upright_and_anonymized(camera):
    pipe = io.BytesIO()
    record = live.anonymize_live(
        camera, live.PipeRecorder(pipe), doubles.blackening(), max_seconds=0.7
    )
    assert len(pipe.getvalue()) == record["frames"] * 48 * 64 * 3 and not any(pipe.getvalue())


def test_an_existing_file_is_left_alone(tmp_path):
    (tmp_path / "out.mkv").write_bytes(b"old")
    with pytest.raises(ValueError, match="out.mkv exists; give --overwrite"):
        recorder(tmp_path / "out.mkv")
    (tmp_path / "out-00002.mkv").write_bytes(b"old")
    recorder(tmp_path / "out.mkv", segment=1.0)
    for name, message in (("out.txt", "ends in '.txt'"), ("out.avi", "an .mkv file can")):
        with pytest.raises(ValueError, match=message):
            recorder(tmp_path / name)


def test_a_file_that_appears_during_the_recording_is_left_alone(tmp_path, camera):
    with pytest.raises(ValueError, match="out.mkv has appeared meanwhile"):
        live.anonymize_live(
            camera,
            recorder(tmp_path / "out.mkv"),
            doubles.blackening(),
            max_seconds=0.5,
            on_frame=lambda pixels: (tmp_path / "out.mkv").write_bytes(b"another's"),
        )
    assert (tmp_path / "out.mkv").read_bytes() == b"another's" and os.listdir(tmp_path) == [
        "out.mkv"
    ]
