"""tfanon.Anonymizer: frames of any size in, the same size out; videos and streams by frames."""

import clips
import doubles
import numpy as np
import pytest
import streaming
from clips import Clip

import tfanon
from tfanon.inference.network import UnsafeOutputError
from tfanon.media.limits import MediaError

FRAME = clips.make_texture(0, (48, 64))


def test_one_frame_and_many():
    anonymize = doubles.make_inverting_anonymizer(batch=2)
    frames = np.stack([clips.make_texture(number, (48, 64)) for number in range(5)])
    assert np.array_equal(anonymize(frames), 255 - frames)
    assert np.array_equal(anonymize(FRAME), 255 - FRAME)
    assert anonymize(frames[:0]).shape == (0, 48, 64, 3)


def test_frames_are_squeezed_and_stretched_back():
    shapes = []

    def invert(frames):
        shapes.append(frames.shape)
        return 255 - frames

    anonymize = doubles.make_anonymizer(invert, (24, 24), "squeeze")
    gradient = 2 * np.arange(64, dtype=np.uint8)[:, None]
    anonymized = anonymize(np.full((3, 48, 64, 3), 10, np.uint8) + gradient)
    assert shapes == [(3, 24, 24, 3)] and anonymized.shape == (3, 48, 64, 3)
    assert np.abs(anonymized[0, :, :, 0] - (245.0 - 2 * np.arange(64))).max() <= 4


@pytest.mark.parametrize(
    "frames",
    [
        FRAME / 255,
        FRAME[..., 0],
        FRAME[..., :2],
        np.zeros((1, 2, 3, 4, 3), np.uint8),
        [[1, 2]],
    ],
)
def test_arrays_that_are_not_frames_are_refused(frames):
    with pytest.raises(ValueError, match=r"Frames are uint8 \[N, H, W, 3\]"):
        doubles.make_inverting_anonymizer()(frames)


def test_mode_is_loaded_through_the_public_class():
    anonymize = tfanon.Anonymizer.load(mode="blacken")
    assert not anonymize(FRAME).any()


def test_unsafe_frame_is_named():
    frames = np.stack([FRAME] * 5)
    anonymize = doubles.make_anonymizer(lambda x: 255 - x if len(x) > 1 else x, batch=2)
    with pytest.raises(UnsafeOutputError, match="Frame 4 "):
        anonymize(frames)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"layout": "tiles"}, "layout is squeeze, tile or whole, not 'tiles'"),
        ({"layout": "squeeze"}, "does not record at which size it works"),
        ({"size": (40, 48), "multiple": 16, "layout": "squeeze"}, "multiples of 16, not at 40x48"),
        ({"size": (32, 32), "fixed_size": True, "layout": "whole"}, "takes frames of 32x32 only"),
        (
            {"size": (32, 48), "layout": "tile", "overlap": 16},
            "tiles of 32x48 pixels is between 0 and 15 pixels, not 16",
        ),
    ],
)
def test_arguments_that_do_not_fit_the_network_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        doubles.make_inverting_anonymizer(**arguments)


@pytest.mark.parametrize("turns, mirrored", [(0, False), (1, False), (1, True), (0, True)])
def test_video_is_streamed_upright(tmp_path, turns, mirrored):
    clip = Clip(".mkv", turns=turns, mirrored=mirrored, frames=9)
    path = clips.write_clip(tmp_path / "in.mkv", clip)
    with open(path, "rb") as file:
        data = file.read()
    expected = 255 - clips.read_displayed_frames(path).astype(int)
    with streaming.serve_stream(
        lambda send, count: streaming.send_file(send, data, "video/webm")
    ) as address:
        for source in (path, address):
            frames = np.array(list(doubles.make_inverting_anonymizer().stream(source)))
            assert frames.shape == expected.shape and np.abs(frames - expected).mean() < 3


def test_leaving_a_stream_early_closes_the_file(tmp_path):
    path = clips.write_clip(tmp_path / "in.mp4", Clip(frames=200))
    frames = doubles.make_inverting_anonymizer().stream(tmp_path / path)
    assert next(frames).shape == (48, 64, 3)
    frames.close()


def test_iterable_of_frames_is_streamed():
    frames = [clips.make_texture(number, (48, 64)) for number in range(3)]
    anonymized = list(doubles.make_inverting_anonymizer().stream(iter(frames)))
    assert np.array_equal(anonymized, 255 - np.array(frames))


def test_address_is_streamed_until_it_ends():
    with streaming.serve_stream(
        lambda send, count: streaming.send_motion_jpeg(send, 4, 0)
    ) as address:
        frames = doubles.make_inverting_anonymizer().stream(address)
        first = [next(frames) for _ in range(4)]
        with pytest.raises(MediaError):
            next(frames)
    for number, frame in enumerate(first):
        original = clips.make_texture(number, (48, 64))
        assert np.abs(255 - frame.astype(int) - original).mean() < 20


def test_encrypted_address_needs_its_certificate(tmp_path):
    certificate = streaming.make_certificate(tmp_path / "camera.pem")
    anonymizer = doubles.make_inverting_anonymizer()
    with streaming.serve_stream(
        lambda send, count: streaming.send_motion_jpeg(send, 4, 0), certificate=certificate
    ) as address:
        frame = next(anonymizer.stream(address, ca_file=str(certificate)))
        assert frame.shape == (48, 64, 3)
        with pytest.raises(MediaError, match="no encrypted connection"):
            next(anonymizer.stream(address))


def test_broken_video_is_an_error(tmp_path):
    (tmp_path / "in.mp4").write_bytes(b"\x00\x00\x00\x18ftypisom" + bytes(99))
    with pytest.raises(MediaError, match="in.mp4"):
        next(doubles.make_inverting_anonymizer().stream(tmp_path / "in.mp4"))
