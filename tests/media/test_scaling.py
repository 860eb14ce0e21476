"""Colours and sizes on the way through."""

import av
import numpy as np
import pytest

from tfanon.media import scaling

COLOURS = [(1, 1), (1, 2), (5, 1), (6, 2), (9, 1), (2, 0)]  # H.273: space, range


def patches():
    """[48, 64, 3] of flat patches, so that halved colour planes lose nothing inside them."""
    return (
        np.random.default_rng(1)
        .integers(40, 216, (3, 4, 3))
        .repeat(16, 0)
        .repeat(16, 1)
        .astype(np.uint8)
    )


@pytest.mark.parametrize("space, reach", COLOURS)
def test_a_frame_is_decoded_to_the_colours_it_was_made_of(space, reach):
    frame = scaling.Scaler().to_frame(patches(), 48, 64, "yuv420p", (space, reach, 2, 2))
    back = scaling.Scaler().to_pixels(frame, 48, 64).astype(int)
    inside = np.s_[4:12, 4:12]  # of the first patch; bilinear colour planes blend at the edges
    assert np.abs(back[inside] - patches()[inside]).max() <= 4


def test_bt709_is_not_bt601():
    # Y of pure green: 0.587 under BT.601, 0.7152 under BT.709; limited range: 16 + 219 Y.
    green = np.full((16, 16, 3), (0, 255, 0), np.uint8)
    for space, luma in ((5, 145), (1, 173)):
        frame = scaling.Scaler().to_frame(green, 16, 16, "yuv420p", (space, 1, 2, 2))
        assert np.frombuffer(frame.planes[0], np.uint8)[0] == pytest.approx(luma, abs=1)


def test_resized_leaves_alone_what_fits_and_stretches_the_rest():
    frames = patches()[None]
    assert scaling.resize_frames(frames, 48, 64) is frames
    small = scaling.resize_frames(frames, 24, 32)
    assert small.shape == (1, 24, 32, 3) and small.dtype == np.uint8
    assert np.abs(small[0, 3:5, 3:5].astype(int) - patches()[8, 8]).max() <= 2


@pytest.mark.parametrize("turn", range(8))
def test_a_turn_and_its_opposite(turn):
    pixels = patches()
    assert np.array_equal(
        scaling.make_upright(scaling.make_upright(pixels, turn), scaling.invert_orientation(turn)),
        pixels,
    )
    assert scaling.make_upright(pixels, turn).shape == ((64, 48, 3) if turn % 2 else (48, 64, 3))


def test_lines_with_padding_become_an_array_of_their_own():
    frame = av.VideoFrame.from_ndarray(np.zeros((5, 7, 3), np.uint8), format="rgb24")
    pixels = scaling.Scaler().to_pixels(frame, 5, 7)
    assert pixels.shape == (5, 7, 3) and pixels.flags.owndata
