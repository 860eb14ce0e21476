"""A check for frames that a network returned unchanged: they are not anonymized."""

import numpy as np

from tfanon.inference.network import UnsafeOutputError

BLOCK_PIXELS = 8
# Mean absolute deviation inside a block, in grey levels, above which something may be recognised.
MIN_DETAIL_LEVELS = 4.0
# A block counts as changed where it changed by more than this fraction of its own detail.
MIN_RELATIVE_CHANGE = 0.1
# Fraction of the detailed blocks of a frame that may look unchanged.
MAX_UNCHANGED_FRACTION = 0.5
# As MIN_DETAIL_LEVELS, in frames in which no pixel changed: a dark frame can be brightened.
MIN_FAINT_DETAIL_LEVELS = 1.0


def check_frames_changed(before: np.ndarray, after: np.ndarray, first_number: int = 0) -> None:
    """Refuse a batch with a frame that came back unchanged.

    A frame is unchanged where more than half of its detailed blocks differ by less than a tenth of
    their own detail, or where no pixel differs. A frame without detail, such as a black one, has
    nothing to hide.

    Args:
        before: Frames, uint8 `[N, H, W, 3]`.
        after: The same frames, anonymized.
        first_number: Number of the first frame, for the message.

    Raises:
        UnsafeOutputError: A frame is unchanged.
    """
    pairs = zip(before, after, strict=True)
    for number, (frame, anonymized) in enumerate(pairs, start=first_number):
        fraction = measure_unchanged_fraction(frame, anonymized)
        if fraction > MAX_UNCHANGED_FRACTION:
            raise UnsafeOutputError(
                f"Frame {number} came back unchanged from the network ({fraction:.0%} of its "
                "detail)."
            )


def measure_unchanged_fraction(frame: np.ndarray, anonymized: np.ndarray) -> float:
    """Return the fraction of the detailed blocks of a frame that anonymization left unchanged.

    Only green is compared: it carries most of the brightness.

    Args:
        frame: uint8 `[H, W, 3]`.
        anonymized: The same frame, anonymized.

    Returns:
        A number in [0, 1]: 0 where there is no detail, 1 where no pixel changed.
    """
    blocks, anonymized_blocks = _split_into_blocks(frame), _split_into_blocks(anonymized)
    deviation = np.abs(blocks - blocks.mean(axis=(1, 3), keepdims=True))
    detail = deviation.mean(axis=(1, 3))
    if np.array_equal(frame, anonymized):
        return float((detail >= MIN_FAINT_DETAIL_LEVELS).any())
    detailed = detail >= MIN_DETAIL_LEVELS
    if not detailed.any():
        return 0.0
    change = np.abs(blocks - anonymized_blocks).mean(axis=(1, 3))
    unchanged = change[detailed] < MIN_RELATIVE_CHANGE * detail[detailed]
    return float(np.mean(unchanged))


def _split_into_blocks(frame: np.ndarray) -> np.ndarray:
    """Return the green of a frame as float32 `[rows, B, columns, B]` in blocks of B x B pixels.

    Pixels at the right and lower edge that fill no block are left out.
    """
    side = min(BLOCK_PIXELS, *frame.shape[:2])
    rows, columns = frame.shape[0] // side, frame.shape[1] // side
    green = frame[: rows * side, : columns * side, 1]
    return green.reshape(rows, side, columns, side).astype(np.float32)
