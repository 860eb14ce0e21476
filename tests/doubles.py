"""Anonymizers without TensorFlow, whose output a test can work out."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tfanon.inference.anonymizer import Anonymizer
from tfanon.inference.network import Network


def make_anonymizer(
    run: Callable[[np.ndarray], np.ndarray],
    size: tuple[int, int] | None = None,
    layout: str = "whole",
    overlap: int = 16,
    **network: Any,
) -> Anonymizer:
    """An Anonymizer around a function of uint8 [T, H, W, 3] that returns the same shape."""
    return Anonymizer(
        Network("double", "0" * 64, run, size, **network), layout=layout, overlap=overlap
    )


def make_inverting_anonymizer(**arguments: Any) -> Anonymizer:
    """Frames that differ still do after it."""
    return make_anonymizer(lambda frames: 255 - frames, **arguments)


def make_blackening_anonymizer(**arguments: Any) -> Anonymizer:
    """A pixel that is not black was never anonymized."""
    return make_anonymizer(np.zeros_like, **arguments)
