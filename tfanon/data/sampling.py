"""Which frames of a video make a clip (numpy only)."""

import numpy as np


def choose_frame_indices(num_frames: int, frames: int, stride: int, position: float) -> np.ndarray:
    """Choose the frames of one clip.

    A video too short for `frames` frames at this stride is sampled at half the stride, and so on
    down to 1; one with fewer than `frames` frames is used whole and its last frame repeated. (The
    released code drops such videos or fails.)

    Args:
        num_frames: Length of the video, at least 1.
        frames: T, length of the clip.
        stride: Distance between two frames of the clip, in frames of the video.
        position: Start of the clip, from 0 (the first possible start) to 1 (the last one): random
            in training, evenly spread in evaluation.

    Returns:
        Frame numbers, int64 ``[T]``, ascending.
    """
    while stride > 1 and _get_span(frames, stride) > num_frames:
        stride //= 2
    num_starts = max(1, num_frames - _get_span(frames, stride) + 1)
    # Every start gets an equal share of [0, 1); position 1 belongs to the last one.
    start = min(int(position * num_starts), num_starts - 1)
    return np.minimum(start + stride * np.arange(frames), num_frames - 1)


def spread_clip_positions(clips: int) -> np.ndarray:
    """Return the positions of the clips that evaluation takes of a video.

    Args:
        clips: Number of clips.

    Returns:
        float32 ``[clips]``, evenly spaced over [0, 1]; a single clip lies in the middle.
    """
    if clips <= 1:
        return np.array([0.5], np.float32)
    return np.linspace(0.0, 1.0, clips, dtype=np.float32)


def _get_span(frames: int, stride: int) -> int:
    """Return the number of frames from a clip's first frame to its last."""
    return (frames - 1) * stride + 1
