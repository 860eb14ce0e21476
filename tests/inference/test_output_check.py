"""Frames that came back unchanged are refused; the output of every fixed anonymizer is not."""

import clips
import numpy as np
import pytest

from tfanon.inference import loaders
from tfanon.inference.loaders.keras_model import MODE_SIZE, MODES
from tfanon.inference.network import UnsafeOutputError
from tfanon.inference.output_check import check_frames_changed

TEXTURE = clips.make_texture(0, MODE_SIZE)[None]
GRADIENT = np.tile(np.linspace(0, 255, 224), (224, 1))
RAMP = GRADIENT[None, ..., None].repeat(3, -1).astype(np.uint8)
DARK = TEXTURE // 64  # 0 to 3 of 255: a block's mean deviation is near 1


@pytest.fixture(scope="module")
def networks():
    """Networks by the name of their mode."""
    return {name: loaders.load_network(mode=name) for name in MODES}


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
    with pytest.raises(UnsafeOutputError, match="Frame 5 came back unchanged"):
        check_frames_changed(TEXTURE, change(TEXTURE), 5)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "frames",
    [TEXTURE, RAMP, 0 * TEXTURE, 0 * TEXTURE + 255, DARK, np.roll(TEXTURE, 50, 1)],
    ids=["texture", "ramp", "black", "white", "dark", "rolled"],
)
def test_output_of_a_mode_is_safe(networks, mode, frames):
    check_frames_changed(frames, networks[mode](frames))


def test_untouched_dark_frame_is_unsafe():
    with pytest.raises(UnsafeOutputError, match="100%"):
        check_frames_changed(DARK, DARK.copy())


def test_second_frame_of_a_batch_is_named():
    before = np.concatenate([TEXTURE, TEXTURE])
    after = np.concatenate([255 - TEXTURE, TEXTURE])
    with pytest.raises(UnsafeOutputError, match="Frame 1 "):
        check_frames_changed(before, after)


def test_frames_smaller_than_a_block_are_checked():
    frames = np.random.default_rng(0).integers(0, 256, (1, 3, 5, 3), np.uint8)
    check_frames_changed(frames, 255 - frames)
    with pytest.raises(UnsafeOutputError):
        check_frames_changed(frames, frames)
