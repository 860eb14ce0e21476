"""Anonymizers whose answers a test can work out, without TensorFlow."""

import numpy as np

from tfanon.inference.anonymizer import Anonymizer
from tfanon.inference.network import Network


def anonymizer(run, size=None, layout="whole", overlap=16, **more):
    """An Anonymizer around run(uint8 [n, H, W, 3]) -> the same shape."""
    return Anonymizer(
        Network("double", "0" * 64, run, size, **more), layout=layout, overlap=overlap
    )


def inverting(**more):
    """Every frame is told from every other after it, as before it."""
    return anonymizer(lambda frames: 255 - frames, **more)


def blackening(**more):
    """Whatever is not black was never anonymized."""
    return anonymizer(np.zeros_like, **more)
