"""Which frames of a video make a clip. Pure numpy."""

import numpy as np


def frame_indices(num_frames, frames, stride, position):
    """Numbers of the frames of one clip.

    num_frames: length of the video, at least 1.  frames: T.  stride: frames from one to the next.
    position: in [0, 1], 0 the first possible start, 1 the last; random in training, evenly spread in evaluation.
    Returns int64 [T], ascending.  A video too short for T frames at this stride gets half the stride, down to 1; one
    shorter than T frames is shown whole and its last frame held. The released code drops such videos (SPAct) or fails.
    """
    while stride > 1 and _span(frames, stride) > num_frames:
        stride //= 2
    starts = max(1, num_frames - _span(frames, stride) + 1)
    start = min(int(position * starts), starts - 1)
    return np.minimum(start + stride * np.arange(frames), num_frames - 1)


def spread(clips):
    """Positions float32 [clips] of evaluation's clips: evenly over [0, 1]; a single clip lies in the middle."""
    return (
        np.linspace(0.0, 1.0, clips, dtype=np.float32) if clips > 1 else np.array([0.5], np.float32)
    )


def _span(frames, stride):
    return (frames - 1) * stride + 1
