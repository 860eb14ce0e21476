"""Tiles cover every pixel and blend to the same picture; a whole frame is padded and cropped."""

import doubles
import numpy as np
import pytest

from tfanon.inference import tiling
from tfanon.inference.network import UnsafeOutputError


def make_frames(height, width, count=2) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), np.uint8)


@pytest.mark.parametrize(
    "length, tile, overlap, expected",
    [
        (32, 32, 8, [0]),
        (33, 32, 8, [0, 1]),
        (56, 32, 8, [0, 24]),
        (57, 32, 8, [0, 12, 25]),
        (20, 32, 8, [0]),
        (96, 32, 0, [0, 32, 64]),
    ],
)
def test_tiles_start_evenly(length, tile, overlap, expected):
    # 56 = 32 + 32 - 8: two tiles share exactly 8.  57 needs a third: (57 - 32) / 2 = 12.5 -> 12.
    assert tiling.compute_tile_starts(max(length, tile), tile, overlap) == expected


@pytest.mark.parametrize("height, width", [(32, 32), (75, 101), (20, 64), (7, 9)])
@pytest.mark.parametrize("overlap", [0, 7])
def test_tiles_of_a_pixelwise_network_give_the_whole_picture(height, width, overlap):
    anonymize = doubles.make_inverting_anonymizer(
        size=(32, 32), layout="tile", overlap=overlap, fixed_size=True
    )
    frames = make_frames(height, width)
    assert np.array_equal(anonymize(frames), 255 - frames)


def test_tiles_blend_where_they_overlap():
    # Tiles of 8 in a width of 12 begin at 0 and 4 and share 4 pixels. The network returns 0 for the
    # first and 100 for the second, with weights 4/4 3/4 2/4 1/4 and 1/4 2/4 3/4 4/4 there
    # (overlap 3): 100 * (1/4) / (5/4), 100 * (2/4) / (5/4), ...
    levels = iter([0, 100])
    network = doubles.make_anonymizer(
        lambda x: np.full(x.shape, next(levels), np.uint8), (8, 8)
    ).network
    line = tiling.run_on_tiles(network, make_frames(8, 12, 1), 3)[0, 0, :, 0]
    assert line.tolist() == [0, 0, 0, 0, 20, 40, 60, 80, 100, 100, 100, 100]


def test_whole_frame_is_padded_to_a_multiple():
    batches = []

    def invert(frames):
        batches.append(frames)
        return 255 - frames

    frames = make_frames(20, 33)
    anonymized = doubles.make_anonymizer(invert, multiple=16)(frames)
    assert np.array_equal(anonymized, 255 - frames)
    assert batches[0].shape == (2, 32, 48, 3)
    assert np.array_equal(batches[0][:, 20:, :33], frames[:, 19:].repeat(12, 1))


@pytest.mark.parametrize("layout", ["tile", "whole", "squeeze"])
def test_nan_in_one_tile_is_unsafe(layout):
    def return_one_nan(frames):
        output = np.zeros(frames.shape, np.float32)
        output[0, 0, 0, 0] = np.nan
        return output

    with pytest.raises(UnsafeOutputError, match="NaN"):
        doubles.make_anonymizer(return_one_nan, (32, 32), layout, 8)(make_frames(40, 70))
