"""Sources that come once: cameras, addresses on the loopback, and raw frames on a pipe."""

import contextlib
import functools
import io
import pathlib
import sys
import threading
import time

import clips
import numpy as np
import pytest
import rtsp_server
import streaming
from clips import Clip

from tfanon.inference import frame_grabber
from tfanon.media import limits, live_source
from tfanon.media.limits import MediaError


def test_which_inputs_are_live():
    assert all(map(live_source.is_live_input, ("0", 0, "rtsp://camera/1", "file:///etc/passwd")))
    assert not any(map(live_source.is_live_input, ("a.mp4", "folder/0", "-")))


def test_a_camera_that_sends_jpegs():
    pictures = []
    with (
        streaming.served(lambda send, count: streaming.motion_jpeg(send, 5, 0)) as address,
        pytest.raises(MediaError, match="127.0.0.1"),
        live_source.open_live_source(address) as frames,
    ):
        pictures.extend(frame.to_ndarray(format="rgb24") for frame in frames)
    for number in (0, 4):
        assert np.abs(pictures[number].astype(int) - clips.picture(number, (48, 64))).mean() < 20


def test_a_file_on_a_server_has_an_end(tmp_path):
    for ending, kind in ((".ts", "video/mp2t"), (".mkv", "video/x-matroska")):
        data = pathlib.Path(clips.write(tmp_path / f"a{ending}", Clip(ending))).read_bytes()
        with (
            streaming.served(lambda send, count: streaming.whole(send, data, kind)) as address,
            live_source.open_live_source(address) as frames,
        ):
            assert len(list(frames)) == 24


def test_a_title_in_another_alphabet(tmp_path):
    path = clips.write(tmp_path / "a.mkv", Clip(".mkv", metadata={"title": "Front door"}))
    data = pathlib.Path(path).read_bytes().replace(b"Front door", b"Haust\xfcr   ")  # Latin-1
    with (
        streaming.served(
            lambda send, count: streaming.whole(send, data, "video/x-matroska")
        ) as address,
        live_source.open_live_source(address) as frames,
    ):
        assert len(list(frames)) == 24


def test_limits_hold_for_live_sources_too_but_that_of_length(tmp_path, monkeypatch):
    data = pathlib.Path(
        clips.write(tmp_path / "a.mkv", Clip(".mkv", frames=30, sound=True))
    ).read_bytes()
    monkeypatch.setattr(limits, "MAX_VIDEO_SECONDS", 1)
    with streaming.served(
        lambda send, count: streaming.whole(send, data, "video/x-matroska")
    ) as address:
        with live_source.open_live_source(address) as frames:
            assert len(list(frames)) == 30
        for name, limit, message in (
            ("MAX_STREAMS", 1, "2 streams; the limit is 1"),
            ("MAX_FRAME_PIXELS", 3071, "64x48 "),
        ):
            with (
                monkeypatch.context() as patched,
                pytest.raises(MediaError, match=f"{address}: .*{message}"),
            ):
                patched.setattr(limits, name, limit)
                with live_source.open_live_source(address) as frames:
                    next(frames)


def test_a_transport_stream_without_length(tmp_path):
    data, received = (
        pathlib.Path(clips.write(tmp_path / "a.ts", Clip(".ts", frames=50))).read_bytes(),
        [],
    )
    with (
        streaming.served(
            lambda send, count: send(b"Content-Type: video/mp2t\r\n\r\n" + data)
        ) as address,
        pytest.raises(MediaError, match="127.0.0.1"),
        live_source.open_live_source(address) as frames,
    ):
        received.extend(frame.pts for frame in frames)
    assert 45 <= len(received) <= 50  # the decoder of a stream that breaks keeps what it holds


def test_a_play_list_is_not_followed(tmp_path):
    asked = []

    def answer(send, count):
        asked.append(count)
        streaming.whole(
            send,
            b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n",
            "application/vnd.apple.mpegurl",
        )

    with (
        streaming.served(answer) as address,
        pytest.raises(MediaError),
        live_source.open_live_source(f"{address}.m3u8") as frames,
    ):
        next(frames)


@pytest.mark.parametrize(
    "address", ["file:///etc/passwd", "ftp://host/a.mp4", "concat://a|b", "data://x"]
)
def test_other_addresses_are_refused(address):
    with (
        pytest.raises(MediaError, match="begins with rtsp://, rtsps://, http://, https://"),
        live_source.open_live_source(address),
    ):
        pass


def test_a_password_stays_out_of_messages():
    with (
        pytest.raises(MediaError) as caught,
        live_source.open_live_source("http://user:secret@127.0.0.1:9/a?key=secret", timeout=1.0),
    ):
        pass
    assert "127.0.0.1:9/a:" in str(caught.value) and "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "given, shown",
    [
        ("rtsp://user:secret@camera:554/1", "rtsp://camera:554/1"),
        ("rtsp://10.0.0.5/cam?user=admin&password=secret", "rtsp://10.0.0.5/cam"),
        ("rtsp://user:secret@camera/1?password=sec@ret#part", "rtsp://camera/1"),
        ("rtsp://camera?password=sec@ret", "rtsp://"),
        ("rtsp://user:sec?ret@camera/1", "rtsp://"),
        ("rtsp://camera/a@b", "rtsp://camera/a@b"),
        (0, "0"),
        ("-", "-"),
        ("who?#1@home.mkv", "who?#1@home.mkv"),
    ],
)
def test_what_is_shown_of_an_address(given, shown):
    assert live_source.redact_address(given) == shown


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return streaming.make_certificate(tmp_path_factory.mktemp("tls") / "ours.pem")


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    return streaming.make_certificate(tmp_path_factory.mktemp("tls") / "others.pem")


@contextlib.contextmanager
def over_http(certificate):
    with streaming.served(
        lambda send, count: streaming.motion_jpeg(send, 50), certificate=certificate
    ) as address:
        yield address


@contextlib.contextmanager
def over_rtsp(certificate):
    sent, over = rtsp_server.packets(12), threading.Event()
    with rtsp_server.served(
        lambda send, count: (list(map(send, sent)), over.wait(10)), certificate
    ) as address:
        yield address
        over.set()


def first(address, **more):
    with live_source.open_live_source(address, timeout=3.0, **more) as frames:
        return next(frames).to_ndarray(format="rgb24")


@pytest.mark.parametrize("served", [over_http, over_rtsp])
def test_a_certificate_is_checked(certificate, others, monkeypatch, served):
    with served(certificate) as address:
        assert first(address, authority=str(certificate)).shape == (48, 64, 3)
        for more, named in (({}, "authorit|/etc"), ({"authority": str(others)}, "others.pem")):
            with pytest.raises(
                MediaError, match=f"{address}: no encrypted .* by .*({named}).* --ca_file names"
            ):
                first(address, **more)
        with pytest.raises(MediaError, match="^--ca_file=gone.pem: no such file; a PEM file"):
            first(address, authority="gone.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))  # as the system's own
        assert first(address).shape == (48, 64, 3)


@pytest.mark.parametrize("served", [over_http, over_rtsp])
def test_a_certificate_of_another_name_is_refused(tmp_path, served):
    elsewhere = streaming.make_certificate(tmp_path / "elsewhere.pem", "DNS:elsewhere.invalid")
    with served(elsewhere) as address, pytest.raises(MediaError, match="must be for this name"):
        first(address, authority=str(elsewhere))


def test_an_encrypted_address_does_not_lead_to_one_that_is_not(certificate):
    asked = []
    with (
        streaming.served(
            lambda send, count: (asked.append(count), streaming.motion_jpeg(send, 5))
        ) as plain,
        (
            streaming.served(
                lambda send, count: send(b"Location: %s\r\n\r\n" % plain.encode()),
                certificate=certificate,
                status=b"302 Found",
            )
        ) as address,
        pytest.raises(MediaError, match=address),
    ):
        first(address, authority=str(certificate))
    assert not asked


def test_where_the_systems_authorities_are_looked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "gone.pem"))
    (tmp_path / "found.pem").touch()
    monkeypatch.setattr(
        live_source, "CA_BUNDLES", (str(tmp_path / "missing.pem"), str(tmp_path / "found.pem"))
    )
    assert live_source._make_open_arguments("https://a/b")["options"]["ca_file"] == str(
        tmp_path / "found.pem"
    )
    monkeypatch.setattr(live_source, "CA_BUNDLES", ())
    options = live_source._make_open_arguments("rtsps://a/b")["options"]
    assert "ca_file" not in options and options["tls_verify"] == "1"
    assert "tls_verify" not in live_source._make_open_arguments("rtsp://a/b")["options"]


def test_a_camera_that_is_not_there():
    with pytest.raises(MediaError, match="^97: "), live_source.open_live_source("97"):
        pass


def test_a_camera_with_a_number(monkeypatch):
    asked = "color=0x{}:size=64x48:rate=25:duration=1,format=rgb24"  # libav's own picture of one colour, 25 times
    monkeypatch.setattr(live_source, "CAMERA_DEVICES", {sys.platform: ("lavfi", asked)})
    pictures = []
    with (
        pytest.raises(MediaError, match="^204080: the stream ended"),
        live_source.open_live_source("204080") as frames,
    ):
        pictures.extend(frame.to_ndarray(format="rgb24") for frame in frames)
    assert np.array_equal(pictures, np.broadcast_to(np.uint8([0x20, 0x40, 0x80]), (25, 48, 64, 3)))


def test_an_rtsp_camera():
    sent, pictures = rtsp_server.packets(12), []
    with (
        rtsp_server.served(lambda send, count: list(map(send, sent))) as address,
        pytest.raises(MediaError, match="rtsp://127.0.0.1:.*: the stream ended"),
        live_source.open_live_source(address) as frames,
    ):
        pictures.extend(frame.to_ndarray(format="rgb24") for frame in frames)
    assert len(pictures) == 12
    for number in (0, 11):
        assert np.abs(pictures[number].astype(int) - clips.picture(number, (48, 64))).mean() < 20


def test_an_rtsp_camera_that_hangs_up_is_called_again(monkeypatch):
    monkeypatch.setattr(frame_grabber, "RECONNECT_PAUSE_SECONDS", 0.05)
    sent, count = rtsp_server.packets(12), 0
    with (
        rtsp_server.served(lambda send, call: call < 2 and list(map(send, sent))) as address,
        pytest.raises(frame_grabber.ConnectionLostError, match="rtsp://"),
        frame_grabber.FrameGrabber(address, 0.3, keep_all=True) as grabbed,
    ):
        for count, _ in enumerate(grabbed, 1):
            pass
    assert grabbed.connections >= 2 and count == 24  # later calls are answered, without a frame


@pytest.fixture
def stalling():
    """The address of a camera that sends 30 black frames and then nothing, without hanging up; asked again, white."""
    over = threading.Event()

    def answer(send, count):
        streaming.motion_jpeg(
            send,
            30,
            0,
            make=lambda number, size: np.full((*size, 3), 255 if count else 0, np.uint8),
        )
        over.wait(20)

    with streaming.served(answer) as address:
        yield address
        over.set()


def test_a_stream_that_stalls_is_lost(stalling):
    count = 0
    with (
        pytest.raises(MediaError, match="127.0.0.1.*: nothing came for 1.5 s"),
        live_source.open_live_source(stalling, timeout=1.5) as frames,
    ):
        for count, _ in enumerate(frames, 1):
            last = time.monotonic()
    assert count and 1.2 < time.monotonic() - last < 8


def test_a_stream_that_stalls_is_asked_for_again(monkeypatch, stalling):
    monkeypatch.setattr(frame_grabber, "RECONNECT_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(live_source, "open_live_source", functools.partial(live_source.open_live_source, timeout=1.5))
    levels = []
    with frame_grabber.FrameGrabber(stalling, keep_all=True, max_seconds=20.0) as grabbed:
        for _, frame in grabbed:
            levels.append(frame.to_ndarray(format="rgb24").mean())
            if levels[-1] > 250:
                break
    assert grabbed.connections >= 2 and levels[0] < 5 and levels[-1] > 250


def test_raw_frames_come_as_they_are():
    frames = np.random.default_rng(0).integers(0, 256, (3, 5, 7, 3), np.uint8)
    raw = live_source.RawVideoReader(io.BytesIO(frames.tobytes()), 5, 7, 29.97)
    pictures = list(raw)
    assert np.array_equal([picture.frame.to_ndarray() for picture in pictures], frames)
    assert [picture.stamp for picture in pictures] == [0, 1, 2] and float(
        raw.form.rate
    ) == pytest.approx(29.97, abs=1e-4)


@pytest.mark.parametrize(
    "data, message", [(b"", "held no frame"), (bytes(105 + 40), "inside frame 1: 40 of 105 bytes")]
)
def test_a_pipe_that_breaks(data, message):
    with pytest.raises(MediaError, match=message):
        list(live_source.RawVideoReader(io.BytesIO(data), 5, 7, 25))


def test_raw_frames_are_written_at_the_size_of_the_original():
    raw = live_source.RawVideoReader(io.BytesIO(bytes(4 * 6 * 3)), 4, 6, 25)
    pipe = io.BytesIO()
    written = live_source.RawVideoWriter(pipe, raw.form)
    written.write(np.full((2, 3, 3), 9, np.uint8), 0, 1)
    written.finish()
    assert pipe.getvalue() == bytes([9]) * (4 * 6 * 3)
