"""tfanon.Anonymizer: frames of any size in, the same size out; videos and streams frame by frame."""

import clips
import doubles
import numpy as np
import pytest
import streaming
from clips import Clip

import tfanon
from tfanon.inference.network import UnsafeOutputError
from tfanon.media.limits import MediaError

X = clips.picture(0, (48, 64))


def test_one_frame_and_many():
    anonymize = doubles.inverting(batch=2)
    frames = np.stack([clips.picture(number, (48, 64)) for number in range(5)])
    assert np.array_equal(anonymize(frames), 255 - frames) and np.array_equal(anonymize(X), 255 - X)
    assert anonymize(frames[:0]).shape == (0, 48, 64, 3)


def test_frames_are_squeezed_and_stretched_back():
    seen = []
    anonymize = doubles.anonymizer(
        lambda x: (seen.append(x.shape), 255 - x)[1], (24, 24), "squeeze"
    )
    answer = anonymize(
        np.full((3, 48, 64, 3), 10, np.uint8) + np.arange(64, dtype=np.uint8)[:, None] * 2
    )
    assert seen == [(3, 24, 24, 3)] and answer.shape == (3, 48, 64, 3)
    assert np.abs(answer[0, :, :, 0] - (245.0 - 2 * np.arange(64))).max() <= 4


@pytest.mark.parametrize(
    "frames", [X / 255, X[..., 0], X[..., :2], np.zeros((1, 2, 3, 4, 3), np.uint8), [[1, 2]]]
)
def test_what_are_no_frames(frames):
    with pytest.raises(ValueError, match=r"Frames are uint8 \[n, H, W, 3\]"):
        doubles.inverting()(frames)


def test_a_mode_through_the_front_door():
    anonymize = tfanon.Anonymizer.load(mode="blacken")
    assert not anonymize(X).any()


def test_the_frame_that_is_unsafe_is_named():
    frames = np.stack([X] * 5)
    with pytest.raises(UnsafeOutputError, match="Frame 4 "):
        doubles.anonymizer(lambda x: 255 - x if len(x) > 1 else x, batch=2)(frames)


@pytest.mark.parametrize(
    "more, message",
    [
        ({"layout": "tiles"}, "layout is squeeze, tile or whole, not 'tiles'"),
        ({"layout": "squeeze"}, "does not say at which size it works"),
        ({"size": (40, 48), "multiple": 16, "layout": "squeeze"}, "multiples of 16, not at 40x48"),
        ({"size": (32, 32), "fixed": True, "layout": "whole"}, "takes frames of 32x32 only"),
        ({"size": (32, 48), "layout": "tile", "overlap": 16}, r"is 0 to 15 pixels, not 16"),
    ],
)
def test_what_does_not_fit_the_network(more, message):
    with pytest.raises(ValueError, match=message):
        doubles.inverting(**more)


@pytest.mark.parametrize("turns, mirrored", [(0, False), (1, False), (1, True), (0, True)])
def test_a_video_frame_by_frame_upright(tmp_path, turns, mirrored):
    path = clips.write(tmp_path / "in.mkv", Clip(".mkv", turns=turns, mirrored=mirrored, frames=9))
    expected = 255 - clips.shown(path).astype(int)
    with streaming.served(
        lambda send, count: streaming.whole(send, open(path, "rb").read(), "video/webm")
    ) as address:
        for given in (path, address):
            frames = np.array(list(doubles.inverting().stream(given)))
            assert frames.shape == expected.shape and np.abs(frames - expected).mean() < 3


def test_leaving_a_stream_early_closes_the_file(tmp_path):
    frames = doubles.inverting().stream(
        tmp_path / clips.write(tmp_path / "in.mp4", Clip(frames=200))
    )
    assert next(frames).shape == (48, 64, 3)
    frames.close()


def test_an_iterable_of_frames():
    frames = [clips.picture(number, (48, 64)) for number in range(3)]
    assert np.array_equal(list(doubles.inverting().stream(iter(frames))), 255 - np.array(frames))


def test_an_address():
    with streaming.served(lambda send, count: streaming.motion_jpeg(send, 4, 0)) as address:
        frames = doubles.inverting().stream(address)
        first = [next(frames) for _ in range(4)]
        with pytest.raises(MediaError):
            next(frames)
    assert all(
        np.abs(255 - frame.astype(int) - clips.picture(number, (48, 64))).mean() < 20
        for number, frame in enumerate(first)
    )


def test_an_encrypted_address(tmp_path):
    certificate = streaming.make_certificate(tmp_path / "camera.pem")
    with streaming.served(
        lambda send, count: streaming.motion_jpeg(send, 4, 0), certificate=certificate
    ) as address:
        assert next(doubles.inverting().stream(address, ca_file=str(certificate))).shape == (
            48,
            64,
            3,
        )
        with pytest.raises(MediaError, match="no encrypted connection"):
            next(doubles.inverting().stream(address))


def test_a_broken_video_is_an_error(tmp_path):
    (tmp_path / "in.mp4").write_bytes(b"\x00\x00\x00\x18ftypisom" + bytes(99))
    with pytest.raises(MediaError, match="in.mp4"):
        next(doubles.inverting().stream(tmp_path / "in.mp4"))
