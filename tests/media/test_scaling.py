"""Frames keep their colours when they are converted and scaled."""

import av
import numpy as np
import pytest

from tfanon.media import scaling

COLOURS = [(1, 1), (1, 2), (5, 1), (6, 2), (9, 1), (2, 0)]  # H.273: matrix, range


def make_patches() -> np.ndarray:
    """[48, 64, 3] of flat patches, so that halved colour planes lose nothing inside them."""
    colours = np.random.default_rng(1).integers(40, 216, (3, 4, 3))
    return colours.repeat(16, 0).repeat(16, 1).astype(np.uint8)


@pytest.mark.parametrize("matrix, colour_range", COLOURS)
def test_frame_is_decoded_to_its_original_colours(matrix, colour_range):
    tags = (matrix, colour_range, 2, 2)
    frame = scaling.Scaler().to_frame(make_patches(), 48, 64, "yuv420p", tags)
    back = scaling.Scaler().to_pixels(frame, 48, 64).astype(int)
    inside = np.s_[4:12, 4:12]  # of the first patch; bilinear colour planes blend at the edges
    assert np.abs(back[inside] - make_patches()[inside]).max() <= 4


def test_bt709_is_not_bt601():
    # Y of pure green: 0.587 under BT.601, 0.7152 under BT.709; limited range: 16 + 219 Y.
    green = np.full((16, 16, 3), (0, 255, 0), np.uint8)
    for matrix, luma in ((5, 145), (1, 173)):
        frame = scaling.Scaler().to_frame(green, 16, 16, "yuv420p", (matrix, 1, 2, 2))
        assert np.frombuffer(frame.planes[0], np.uint8)[0] == pytest.approx(luma, abs=1)


def test_resize_frames_scales_only_other_sizes():
    frames = make_patches()[None]
    assert scaling.resize_frames(frames, 48, 64) is frames
    small = scaling.resize_frames(frames, 24, 32)
    assert small.shape == (1, 24, 32, 3) and small.dtype == np.uint8
    assert np.abs(small[0, 3:5, 3:5].astype(int) - make_patches()[8, 8]).max() <= 2


@pytest.mark.parametrize("orientation", range(8))
def test_orientation_is_undone_by_its_inverse(orientation):
    pixels = make_patches()
    upright = scaling.make_upright(pixels, orientation)
    assert upright.shape == ((64, 48, 3) if orientation % 2 else (48, 64, 3))
    inverse = scaling.invert_orientation(orientation)
    assert np.array_equal(scaling.make_upright(upright, inverse), pixels)


def test_padded_lines_become_a_new_array():
    frame = av.VideoFrame.from_ndarray(np.zeros((5, 7, 3), np.uint8), format="rgb24")
    pixels = scaling.Scaler().to_pixels(frame, 5, 7)
    assert pixels.shape == (5, 7, 3) and pixels.flags.owndata
