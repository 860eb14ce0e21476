import numpy as np
import pytest

from tfanon.data.sampling import choose_frame_indices, spread_clip_positions


@pytest.mark.parametrize(
    "num_frames, frames, stride, position, expected",
    [
        (20, 4, 4, 0.0, [0, 4, 8, 12]),  # spans 13 frames: 8 possible starts, 0..7
        (20, 4, 4, 1.0, [7, 11, 15, 19]),
        (20, 4, 4, 0.5, [4, 8, 12, 16]),  # floor(0.5 * 8)
        (13, 4, 4, 0.9, [0, 4, 8, 12]),  # a single start
        (12, 4, 4, 1.0, [5, 7, 9, 11]),  # stride 2 spans 7
        (6, 4, 4, 0.0, [0, 1, 2, 3]),  # stride 1
        (4, 4, 3, 0.0, [0, 1, 2, 3]),  # 3 halves to 1
        (2, 4, 4, 1.0, [0, 1, 1, 1]),  # the last frame is held
        (1, 3, 4, 0.7, [0, 0, 0]),
        (5, 1, 4, 1.0, [4]),
    ],
)
def test_frames_of_a_clip(num_frames, frames, stride, position, expected):
    indices = choose_frame_indices(num_frames, frames, stride, position)
    assert indices.dtype == np.int64
    assert indices.tolist() == expected


def test_all_starts_are_equally_likely():
    starts = [choose_frame_indices(20, 4, 4, u)[0] for u in np.linspace(0, 1, 800, endpoint=False)]
    assert np.bincount(starts).tolist() == [100] * 8


def test_evaluation_clips_are_spread_evenly():
    assert spread_clip_positions(5).tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert spread_clip_positions(1).tolist() == [0.5]
