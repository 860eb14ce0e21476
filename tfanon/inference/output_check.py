"""A frame that came back as it went in is not anonymized, whatever the network was meant to do."""

import numpy as np

from tfanon.inference.network import UnsafeOutputError

BLOCK_PIXELS = 8  # pixels
MIN_DETAIL_LEVELS = 4.0  # grey levels of mean deviation inside a block, above which there is something to be recognised
MIN_RELATIVE_CHANGE = 0.1  # of its detail by which a block must have changed to count as changed
MAX_UNCHANGED_FRACTION = 0.5  # share of detailed blocks that may look unchanged
MIN_FAINT_DETAIL_LEVELS = (
    1.0  # as DETAIL, in frames that did not change in a single pixel: darkness can be brightened
)


def check_frames_changed(before, after, first=0):
    """Raise Unsafe where a frame is unchanged: more than half of its detailed blocks differ by less than a tenth of
    their own detail, or nothing differs at all. A frame without detail, such as a black one, has nothing to hide.

    before, after: uint8 [n, H, W, 3].  first: number of the first frame, for the message.
    """
    for number, (x, y) in enumerate(zip(before, after), start=first):
        share = measure_unchanged_fraction(x, y)
        if share > MAX_UNCHANGED_FRACTION:
            raise UnsafeOutputError(
                f"Frame {number} came back unchanged from the network ({share:.0%} of its detail)."
            )


def measure_unchanged_fraction(x, y):
    """Share of the detailed blocks of x that y leaves as they are; 0 where there is no detail, 1 where x is y.

    x, y: uint8 [H, W, 3].  Green alone is looked at: it carries most of the brightness.
    """
    same = np.array_equal(x, y)
    x, y = _split_into_blocks(x), _split_into_blocks(y)
    detail = np.abs(x - x.mean(axis=(1, 3), keepdims=True)).mean(axis=(1, 3))
    if same:
        return float((detail >= MIN_FAINT_DETAIL_LEVELS).any())
    change = np.abs(x - y).mean(axis=(1, 3))
    detailed = detail >= MIN_DETAIL_LEVELS
    return (
        float(np.mean(change[detailed] < MIN_RELATIVE_CHANGE * detail[detailed]))
        if detailed.any()
        else 0.0
    )


def _split_into_blocks(x):
    """float32 [H / b, b, W / b, b]; rows and columns that fill no block are left out."""
    side = min(BLOCK_PIXELS, *x.shape[:2])
    height, width = x.shape[0] // side, x.shape[1] // side
    return (
        x[: height * side, : width * side, 1].reshape(height, side, width, side).astype(np.float32)
    )
