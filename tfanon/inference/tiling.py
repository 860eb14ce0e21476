"""Runs a network on frames of any size: on whole frames, or on tiles that overlap."""

from collections.abc import Sequence

import numpy as np

from tfanon.inference.network import Network


def pad_frames(frames: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Repeat the last row and column of frames `[N, H, W, 3]` up to a size.

    Args:
        frames: Frames; a side that is long enough stays.
        size: (H, W) of the result at least.
    """
    height, width = frames.shape[1:3]
    below, right = max(0, size[0] - height), max(0, size[1] - width)
    return np.pad(frames, [(0, 0), (0, below), (0, right), (0, 0)], mode="edge")


def run_on_whole_frames(network: Network, frames: np.ndarray) -> np.ndarray:
    """Anonymize frames, uint8 `[N, H, W, 3]`, at their own size.

    They are padded to the next multiple of what the network's depth divides by, and cropped again.
    """
    height, width = frames.shape[1:3]
    size = [_round_up(side, network.multiple) for side in (height, width)]
    return network(pad_frames(frames, size))[:, :height, :width]


def _round_up(length: int, multiple: int) -> int:
    return -(-length // multiple) * multiple  # the inner division rounds up


def run_on_tiles(network: Network, frames: np.ndarray, overlap: int) -> np.ndarray:
    """Anonymize frames, uint8 `[N, H, W, 3]`, in tiles of the network's own size.

    Tiles are blended where they overlap. A frame that is smaller than a tile is padded.

    Args:
        network: A network of a known size.
        frames: The frames.
        overlap: Pixels that neighbouring tiles share at least; less than half a tile.
    """
    if network.size is None:
        raise ValueError(f"{network.name} does not record the size of its tiles.")
    tile_height, tile_width = network.size
    height, width = frames.shape[1:3]
    frames = pad_frames(frames, network.size)
    total = np.zeros(frames.shape, np.float32)
    weights = np.zeros((*frames.shape[1:3], 1), np.float32)
    column, row = _make_blend_ramp(tile_height, overlap), _make_blend_ramp(tile_width, overlap)
    ramp = (column[:, None] * row)[..., None]
    for top in compute_tile_starts(frames.shape[1], tile_height, overlap):
        for left in compute_tile_starts(frames.shape[2], tile_width, overlap):
            window = np.s_[:, top : top + tile_height, left : left + tile_width]
            total[window] += ramp * network(np.ascontiguousarray(frames[window]))
            weights[window[1:]] += ramp  # the same for all frames: no axis N
    return np.rint(total / weights).astype(np.uint8)[:, :height, :width]


def compute_tile_starts(length: int, tile: int, overlap: int) -> list[int]:
    """Return where tiles begin along one side, evenly spread from the first pixel to the last.

    Args:
        length: Length of the side in pixels, at least `tile`.
        tile: Length of a tile.
        overlap: Pixels that neighbouring tiles share at least.
    """
    # The fewest tiles that share so many pixels; the division rounds up.
    count = max(1, -(-(length - overlap) // (tile - overlap)))
    return [round(number * (length - tile) / max(1, count - 1)) for number in range(count)]


def _make_blend_ramp(length: int, overlap: int) -> np.ndarray:
    """Return weights that rise over `overlap` pixels from either end; they are never 0."""
    distance = np.minimum(np.arange(length), np.arange(length)[::-1]) + 1
    return np.minimum(distance / (overlap + 1), 1).astype(np.float32)
