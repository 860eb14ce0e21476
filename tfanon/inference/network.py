"""The interface of every anonymizer: a function of frames, and what is known about it.

`loaders` loads one from a run, a SavedModel, a TFLite file or an ONNX file.
"""

import dataclasses
from collections.abc import Callable

import numpy as np


class UnsafeOutputError(ValueError):
    """The output of a network must not be shown; the message says why."""


@dataclasses.dataclass(frozen=True)
class Network:
    """An anonymizer of frames, whatever runs it.

    Attributes:
        name: Name for records and messages.
        sha256: Digest of the weights or the file; of the name where there are neither.
        run: Function from frames, uint8 `[N, H, W, 3]`, to anonymized frames of the same shape,
            uint8 or floating point in [0, 1].
        size: (H, W) in pixels at which it was trained, exported or measured; None if unknown.
        fixed_size: Whether it accepts frames of `size` only.
        multiple: Number that H and W must be divisible by.
        batch: Number of frames that it takes at once.
        tested_size: (H, W) of the frames on which its privacy was measured; None if unknown or
            irrelevant.
        scale_invariant: Whether it hides as much in whole frames of any size.
    """

    name: str
    sha256: str
    run: Callable[[np.ndarray], np.ndarray]
    size: tuple[int, int] | None = None
    fixed_size: bool = False
    multiple: int = 1
    batch: int = 4
    tested_size: tuple[int, int] | None = None
    scale_invariant: bool = False

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """Anonymize frames.

        Args:
            frames: uint8 `[N, H, W, 3]`.

        Returns:
            Anonymized frames, uint8, of the same shape.

        Raises:
            UnsafeOutputError: The output has another shape, or contains NaN or infinite values.
        """
        output = np.asarray(self.run(frames))
        if output.shape != frames.shape:
            raise UnsafeOutputError(
                f"{self.name} returned shape {output.shape} for frames of shape {frames.shape}."
            )
        if output.dtype == np.uint8:
            return output
        # Before clipping, which would turn an infinite value into a valid one.
        if not np.isfinite(output).all():
            raise UnsafeOutputError(f"{self.name} returned NaN or an infinite value.")
        return np.rint(np.clip(output, 0, 1) * 255).astype(np.uint8)
