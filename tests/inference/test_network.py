"""The contract of a Network: what it makes of the output of any function of frames."""

import numpy as np
import pytest

from tfanon.inference.network import Network, UnsafeOutputError

FRAMES = np.random.default_rng(0).integers(0, 256, (2, 32, 48, 3), np.uint8)


@pytest.mark.parametrize(
    "output, message",
    [
        (np.full(FRAMES.shape, np.inf, np.float32), "NaN or an infinite"),
        (
            FRAMES[:1],
            r"returned shape \(1, 32, 48, 3\) for frames of shape \(2, 32, 48, 3\)",
        ),
    ],
)
def test_unsafe_output_is_refused(output, message):
    with pytest.raises(UnsafeOutputError, match=message):
        Network("n", "0", lambda frames: output)(FRAMES)


def test_floats_are_clipped_and_rounded():
    # Half a grey level is 0.00196.
    values = np.array([-1, 0.0019, 0.0021, 0.5, 2.0, 1.0], np.float32).reshape(1, 1, 2, 3)
    output = Network("n", "0", lambda frames: values)(np.zeros((1, 1, 2, 3), np.uint8))
    assert output.ravel().tolist() == [0, 0, 1, 128, 255, 255]
