"""Weights that need no file: each tensor is a function of its name and shape, alike on every machine."""

import zlib

import numpy as np


def tensor(name, shape):
    """Numbers under which deep networks keep their activations near 1; RandomState's streams never change."""
    uniform = (
        np.random.RandomState(zlib.crc32(name.encode())).random_sample(shape).astype(np.float32)
    )
    if name.endswith(("running_var", "moving_variance")):
        return 0.5 + uniform
    if name.endswith(("gamma", "weight")) and len(shape) == 1:
        return 0.5 + uniform / 2
    if len(shape) < 2:
        return uniform / 5 - np.float32(0.1)
    if "rel_pos" in name:
        return uniform - np.float32(0.5)
    fan_in = np.prod(shape[:-1] if name.endswith("kernel") else shape[1:])
    return ((2 * uniform - 1) * np.sqrt(6 / fan_in)).astype(np.float32)


def pixels(*shape):
    """Images or clips in [0, 1]."""
    return tensor("pixels/running_var", shape) - np.float32(0.5)
