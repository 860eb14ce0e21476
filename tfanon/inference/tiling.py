"""How a frame of any size meets a network of one: squeezed to its size, as a whole at full size, or in tiles."""

import numpy as np


def pad_frames(frames, size):
    """[n, H, W, 3] with the last row and column repeated up to `size`."""
    missing = [max(0, wanted - have) for wanted, have in zip(size, frames.shape[1:3])]
    return np.pad(frames, [(0, 0), (0, missing[0]), (0, missing[1]), (0, 0)], mode="edge")


def run_on_whole_frames(network, frames):
    """The network on frames at their own size, padded to what its depth divides."""
    height, width = frames.shape[1:3]
    size = [-(-side // network.multiple) * network.multiple for side in (height, width)]
    return network(pad_frames(frames, size))[:, :height, :width]


def run_on_tiles(network, frames, overlap):
    """The network on tiles of its own size that overlap, blended where they do.

    overlap: pixels, less than half a tile.  A frame smaller than a tile is padded.
    """
    tall, wide = network.size
    height, width = frames.shape[1:3]
    frames = pad_frames(frames, (tall, wide))
    answer = np.zeros(frames.shape, np.float32)
    weights = np.zeros((*frames.shape[1:3], 1), np.float32)
    ramp = (_make_blend_ramp(tall, overlap)[:, None] * _make_blend_ramp(wide, overlap))[..., None]
    for top in compute_tile_starts(frames.shape[1], tall, overlap):
        for left in compute_tile_starts(frames.shape[2], wide, overlap):
            window = np.s_[:, top : top + tall, left : left + wide]
            answer[window] += ramp * network(np.ascontiguousarray(frames[window]))
            weights[window[1:]] += ramp
    return np.rint(answer / weights).astype(np.uint8)[:, :height, :width]


def compute_tile_starts(length, tile, overlap):
    """Where tiles begin: evenly spread, the first at 0, the last at the end, at least `overlap` pixels shared."""
    count = max(1, -(-(length - overlap) // (tile - overlap)))
    return [round(number * (length - tile) / max(1, count - 1)) for number in range(count)]


def _make_blend_ramp(length, overlap):
    """Weights that rise over `overlap` pixels from either end; never 0."""
    distance = np.minimum(np.arange(length), np.arange(length)[::-1]) + 1
    return np.minimum(distance / (overlap + 1), 1).astype(np.float32)
