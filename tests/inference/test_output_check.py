"""A frame that came back as it went in is refused; what an anonymizer does is not."""

import clips
import numpy as np
import pytest

from tfanon.inference import network, output_check

X = clips.picture(0, network.MODE_SIZE)[None]
RAMP = np.tile(np.linspace(0, 255, 224), (224, 1))[None, ..., None].repeat(3, -1).astype(np.uint8)


@pytest.fixture(scope="module")
def modes():
    return {name: network.load_network(mode=name) for name in network.MODES}


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x,
        lambda x: np.clip(x.astype(int) + 3, 0, 255).astype(np.uint8),
        lambda x: np.concatenate([x[:, :140], 0 * x[:, 140:]], 1),
    ],
    ids=["the same", "3 levels brighter", "most of it"],
)
def test_unchanged_frames_are_unsafe(change):
    with pytest.raises(network.UnsafeOutputError, match="Frame 5 came back unchanged"):
        output_check.check_frames_changed(X, change(X), 5)


@pytest.mark.parametrize("mode", network.MODES)
@pytest.mark.parametrize(
    "x",
    [X, RAMP, 0 * X, 0 * X + 255, X // 64, np.roll(X, 50, 1)],
    ids=["texture", "ramp", "black", "white", "dark", "rolled"],
)
def test_what_a_mode_makes_is_safe(modes, mode, x):
    output_check.check_frames_changed(x, modes[mode](x))


def test_a_dark_frame_is_not_let_through_untouched():
    dark = X // 64  # 0 to 3 of 255: a block's mean deviation is near 1
    with pytest.raises(network.UnsafeOutputError, match="100%"):
        output_check.check_frames_changed(dark, dark.copy())


def test_the_second_frame_of_a_batch_is_named():
    with pytest.raises(network.UnsafeOutputError, match="Frame 1 "):
        output_check.check_frames_changed(np.concatenate([X, X]), np.concatenate([255 - X, X]))


def test_frames_smaller_than_a_block():
    x = np.random.default_rng(0).integers(0, 256, (1, 3, 5, 3), np.uint8)
    output_check.check_frames_changed(x, 255 - x)
    with pytest.raises(network.UnsafeOutputError):
        output_check.check_frames_changed(x, x)
