"""Sources that can be read once: cameras, addresses on this machine, raw frames on a pipe."""

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

SIZE = (48, 64)
MATROSKA = "video/x-matroska"


def write_file(path, clip):
    """The bytes of a clip."""
    return pathlib.Path(clips.write_clip(path, clip)).read_bytes()


@contextlib.contextmanager
def serve_file(data, kind):
    with streaming.serve_stream(
        lambda send, count: streaming.send_file(send, data, kind)
    ) as address:
        yield address


@contextlib.contextmanager
def serve_motion_jpeg(frames, pause=0.02, certificate=None):
    with streaming.serve_stream(
        lambda send, count: streaming.send_motion_jpeg(send, frames, pause),
        certificate=certificate,
    ) as address:
        yield address


def read_until_lost(address, match):
    """The pixels of the frames that come before the connection is lost."""
    pixels = []
    with (
        pytest.raises(MediaError, match=match),
        live_source.open_live_source(address) as frames,
    ):
        for frame in frames:
            pixels.append(frame.to_ndarray(format="rgb24"))
    return pixels


def assert_textures(pixels, numbers):
    for number in numbers:
        difference = pixels[number].astype(int) - clips.make_texture(number, SIZE)
        assert np.abs(difference).mean() < 20


def assert_refused(address, match, **options):
    with pytest.raises(MediaError, match=match), live_source.open_live_source(address, **options):
        pass


@pytest.mark.parametrize("text", ["0", 0, "rtsp://camera/1", "file:///etc/passwd"])
def test_camera_numbers_and_addresses_are_live_inputs(text):
    assert live_source.is_live_input(text)


@pytest.mark.parametrize("text", ["a.mp4", "folder/0", "-"])
def test_files_are_no_live_inputs(text):
    assert not live_source.is_live_input(text)


def test_camera_that_sends_jpegs():
    with serve_motion_jpeg(5, pause=0) as address:
        pixels = read_until_lost(address, "127.0.0.1")
    assert_textures(pixels, (0, 4))


@pytest.mark.parametrize("ending, kind", [(".ts", "video/mp2t"), (".mkv", MATROSKA)])
def test_file_on_a_server_has_an_end(tmp_path, ending, kind):
    data = write_file(tmp_path / f"a{ending}", Clip(ending))
    with serve_file(data, kind) as address, live_source.open_live_source(address) as frames:
        assert len(list(frames)) == 24


def test_title_that_is_not_utf8(tmp_path):
    data = write_file(tmp_path / "a.mkv", Clip(".mkv", metadata={"title": "Front door"}))
    data = data.replace(b"Front door", b"Haust\xfcr   ")  # Latin-1
    with serve_file(data, MATROSKA) as address, live_source.open_live_source(address) as frames:
        assert len(list(frames)) == 24


def test_duration_of_live_sources_is_not_limited(tmp_path, monkeypatch):
    data = write_file(tmp_path / "a.mkv", Clip(".mkv", frames=30, sound=True))
    monkeypatch.setattr(limits, "MAX_VIDEO_SECONDS", 1)
    with serve_file(data, MATROSKA) as address, live_source.open_live_source(address) as frames:
        assert len(list(frames)) == 30


@pytest.mark.parametrize(
    "name, limit, message",
    [("MAX_STREAMS", 1, "2 streams; the limit is 1"), ("MAX_FRAME_PIXELS", 3071, "64x48 ")],
)
def test_other_limits_hold_for_live_sources(tmp_path, monkeypatch, name, limit, message):
    data = write_file(tmp_path / "a.mkv", Clip(".mkv", frames=30, sound=True))
    monkeypatch.setattr(limits, name, limit)
    with (
        serve_file(data, MATROSKA) as address,
        pytest.raises(MediaError, match=f"{address}: .*{message}"),
        live_source.open_live_source(address) as frames,
    ):
        next(frames)


def test_transport_stream_without_length(tmp_path):
    data = write_file(tmp_path / "a.ts", Clip(".ts", frames=50))
    answer = b"Content-Type: video/mp2t\r\n\r\n" + data
    with streaming.serve_stream(lambda send, count: send(answer)) as address:
        pixels = read_until_lost(address, "127.0.0.1")
    assert 45 <= len(pixels) <= 50  # a decoder keeps what it holds when the stream breaks


def test_playlist_is_not_followed():
    playlist = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n"
    with (
        serve_file(playlist, "application/vnd.apple.mpegurl") as address,
        pytest.raises(MediaError),
        live_source.open_live_source(f"{address}.m3u8") as frames,
    ):
        next(frames)


@pytest.mark.parametrize(
    "address", ["file:///etc/passwd", "ftp://host/a.mp4", "concat://a|b", "data://x"]
)
def test_other_addresses_are_refused(address):
    assert_refused(address, "begins with rtsp://, rtsps://, http://, https://")


def test_password_stays_out_of_messages():
    address = "http://user:secret@127.0.0.1:9/a?key=secret"
    with (
        pytest.raises(MediaError) as caught,
        live_source.open_live_source(address, timeout=1.0),
    ):
        pass
    assert "127.0.0.1:9/a:" in str(caught.value) and "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "address, redacted",
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
def test_secrets_are_removed_from_addresses(address, redacted):
    assert live_source.redact_address(address) == redacted


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return streaming.make_certificate(tmp_path_factory.mktemp("tls") / "ours.pem")


@pytest.fixture(scope="module")
def other_certificate(tmp_path_factory):
    return streaming.make_certificate(tmp_path_factory.mktemp("tls") / "others.pem")


@contextlib.contextmanager
def serve_https(certificate):
    with serve_motion_jpeg(50, certificate=certificate) as address:
        yield address


@contextlib.contextmanager
def serve_rtsps(certificate):
    packets = rtsp_server.make_rtp_packets(12)
    is_over = threading.Event()

    def play(send, count):
        for packet in packets:
            send(packet)
        is_over.wait(10)

    with rtsp_server.serve_rtsp(play, certificate) as address:
        yield address
        is_over.set()


def read_first_frame(address, **options):
    with live_source.open_live_source(address, timeout=3.0, **options) as frames:
        return next(frames).to_ndarray(format="rgb24")


@pytest.mark.parametrize("serve", [serve_https, serve_rtsps])
def test_certificate_is_checked(certificate, other_certificate, monkeypatch, serve):
    with serve(certificate) as address:
        assert read_first_frame(address, ca_file=str(certificate)).shape == (*SIZE, 3)
        for options, authority in (
            ({}, "authorit|/etc"),
            ({"ca_file": str(other_certificate)}, "others.pem"),
        ):
            message = f"{address}: no encrypted .* by .*({authority}).* --ca_file names"
            with pytest.raises(MediaError, match=message):
                read_first_frame(address, **options)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))  # as the system's own
        assert read_first_frame(address).shape == (*SIZE, 3)


@pytest.mark.parametrize("scheme", ["https", "rtsps"])
def test_missing_certificate_file_is_named(scheme):
    message = "^--ca_file=gone.pem: no such file; give a PEM file"
    assert_refused(f"{scheme}://127.0.0.1:9/stream", message, ca_file="gone.pem")


@pytest.mark.parametrize("serve", [serve_https, serve_rtsps])
def test_certificate_of_another_name_is_refused(tmp_path, serve):
    elsewhere = streaming.make_certificate(tmp_path / "elsewhere.pem", "DNS:elsewhere.invalid")
    with serve(elsewhere) as address, pytest.raises(MediaError, match="must be for this name"):
        read_first_frame(address, ca_file=str(elsewhere))


def test_encrypted_address_does_not_redirect_to_an_unencrypted_one(certificate):
    requests = []

    def answer(send, count):
        requests.append(count)
        streaming.send_motion_jpeg(send, 5)

    with streaming.serve_stream(answer) as plain:
        location = b"Location: %s\r\n\r\n" % plain.encode()
        with (
            streaming.serve_stream(
                lambda send, count: send(location),
                certificate=certificate,
                status=b"302 Found",
            ) as address,
            pytest.raises(MediaError, match=address),
        ):
            read_first_frame(address, ca_file=str(certificate))
    assert not requests


def test_certificate_authorities_are_found_in_the_usual_places(tmp_path, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "gone.pem"))
    missing, existing = str(tmp_path / "missing.pem"), str(tmp_path / "existing.pem")
    pathlib.Path(existing).touch()
    monkeypatch.setattr(live_source, "CA_BUNDLES", (missing, existing))
    options = live_source._make_open_arguments("https://a/b")["options"]
    assert options["ca_file"] == existing


def test_certificates_are_checked_without_known_authorities(tmp_path, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "gone.pem"))
    monkeypatch.setattr(live_source, "CA_BUNDLES", ())
    options = live_source._make_open_arguments("rtsps://a/b")["options"]
    assert "ca_file" not in options and options["tls_verify"] == "1"
    assert "tls_verify" not in live_source._make_open_arguments("rtsp://a/b")["options"]


def test_missing_camera_is_named():
    assert_refused("97", "^97: ")


def test_camera_number_names_its_device(monkeypatch):
    # libav's own source of one colour, 25 frames
    pattern = "color=0x{}:size=64x48:rate=25:duration=1,format=rgb24"
    monkeypatch.setattr(live_source, "CAMERA_DEVICES", {sys.platform: ("lavfi", pattern)})
    pixels = read_until_lost("204080", "^204080: the stream ended")
    colour = np.uint8([0x20, 0x40, 0x80])
    assert np.array_equal(pixels, np.broadcast_to(colour, (25, *SIZE, 3)))


def test_rtsp_camera():
    packets = rtsp_server.make_rtp_packets(12)
    with rtsp_server.serve_rtsp(lambda send, count: list(map(send, packets))) as address:
        pixels = read_until_lost(address, "rtsp://127.0.0.1:.*: the stream ended")
    assert len(pixels) == 12
    assert_textures(pixels, (0, 11))


def test_rtsp_camera_that_hangs_up_is_called_again(monkeypatch):
    monkeypatch.setattr(frame_grabber, "RECONNECT_PAUSE_SECONDS", 0.05)
    packets = rtsp_server.make_rtp_packets(12)

    def play(send, count):
        if count < 2:  # later calls are answered, without a frame
            for packet in packets:
                send(packet)

    count = 0
    with (
        rtsp_server.serve_rtsp(play) as address,
        pytest.raises(frame_grabber.ConnectionLostError, match="rtsp://"),
        frame_grabber.FrameGrabber(address, 0.3, keep_all=True) as grabber,
    ):
        for _ in grabber:
            count += 1
    assert grabber.connections >= 2 and count == 24


@pytest.fixture
def stalling_camera():
    """The address of a camera that sends 30 black frames, then nothing without hanging up.

    Its later connections send white frames.
    """
    is_over = threading.Event()

    def answer(send, count):
        level = 255 if count else 0
        streaming.send_motion_jpeg(
            send, 30, 0, make=lambda number, size: np.full((*size, 3), level, np.uint8)
        )
        is_over.wait(20)

    with streaming.serve_stream(answer) as address:
        yield address
        is_over.set()


def test_stalled_stream_is_lost(stalling_camera):
    last = None
    with (
        pytest.raises(MediaError, match="127.0.0.1.*: nothing came for 1.5 s"),
        live_source.open_live_source(stalling_camera, timeout=1.5) as frames,
    ):
        for _ in frames:
            last = time.monotonic()
    assert last and 1.2 < time.monotonic() - last < 8


def test_stalled_stream_is_connected_again(monkeypatch, stalling_camera):
    monkeypatch.setattr(frame_grabber, "RECONNECT_PAUSE_SECONDS", 0.05)
    impatient = functools.partial(live_source.open_live_source, timeout=1.5)
    monkeypatch.setattr(live_source, "open_live_source", impatient)
    levels = []
    with frame_grabber.FrameGrabber(stalling_camera, keep_all=True, max_seconds=20.0) as grabber:
        for _, frame in grabber:
            levels.append(frame.to_ndarray(format="rgb24").mean())
            if levels[-1] > 250:
                break
    assert grabber.connections >= 2 and levels[0] < 5 and levels[-1] > 250


def test_raw_frames_are_read_as_they_are():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 5, 7, 3), np.uint8)
    reader = live_source.RawVideoReader(io.BytesIO(pixels.tobytes()), 5, 7, 29.97)
    frames = list(reader)
    assert np.array_equal([frame.frame.to_ndarray() for frame in frames], pixels)
    assert [frame.timestamp for frame in frames] == [0, 1, 2]
    assert float(reader.info.rate) == pytest.approx(29.97, abs=1e-4)


@pytest.mark.parametrize(
    "data, message", [(b"", "held no frame"), (bytes(105 + 40), "inside frame 1: 40 of 105 bytes")]
)
def test_incomplete_raw_frames_are_refused(data, message):
    with pytest.raises(MediaError, match=message):
        list(live_source.RawVideoReader(io.BytesIO(data), 5, 7, 25))


def test_raw_frames_are_written_at_the_size_of_the_original():
    reader = live_source.RawVideoReader(io.BytesIO(bytes(4 * 6 * 3)), 4, 6, 25)
    pipe = io.BytesIO()
    writer = live_source.RawVideoWriter(pipe, reader.info)
    writer.write(np.full((2, 3, 3), 9, np.uint8), 0, 1)
    writer.finish()
    assert pipe.getvalue() == bytes([9]) * (4 * 6 * 3)
