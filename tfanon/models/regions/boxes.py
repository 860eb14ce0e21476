"""Fixed boxes from a JSON file: what a fixed camera must never show.

The file holds [[top, left, bottom, right], ..] relative to the frame's height and width. An
anonymizer sees pixels and not the name of their video, so the boxes are the same for all frames; in
training they are applied to the random crop as to the whole frame. For people who move, use a
detector.
"""

import json
import pathlib
from collections.abc import Callable

import numpy as np
import tensorflow as tf

BOXES_FORMAT = (
    "[[top, left, bottom, right], ..] relative to the frame, "
    "0 <= top < bottom <= 1 and 0 <= left < right <= 1"
)


def build(file: str = "") -> Callable[[tf.Tensor], tf.Tensor]:
    """Build the regions.

    Args:
        file: Path of the JSON file.

    Returns:
        Function of frames ``[N, H, W, 3]`` to masks ``[N, H, W, 1]``, True where the center of a
        pixel is inside a box.

    Raises:
        ValueError: The file is missing or holds something else.
    """
    boxes = tf.constant(_read_boxes(file), tf.float32)

    def find_regions(frames: tf.Tensor) -> tf.Tensor:
        size = tf.shape(frames)
        y, x = _pixel_centers(size[1]), _pixel_centers(size[2])
        top, left, bottom, right = tf.unstack(boxes, axis=1)
        rows = (y[:, None] >= top) & (y[:, None] < bottom)  # [H, boxes]
        columns = (x[:, None] >= left) & (x[:, None] < right)  # [W, boxes]
        inside = tf.reduce_any(rows[:, None] & columns[None], axis=-1)
        return tf.broadcast_to(inside[None, :, :, None], [size[0], size[1], size[2], 1])

    return find_regions


def _pixel_centers(length: tf.Tensor) -> tf.Tensor:
    """Centers of `length` pixels along an axis, relative to its length."""
    return (tf.cast(tf.range(length), tf.float32) + 0.5) / tf.cast(length, tf.float32)


def _read_boxes(file: str) -> np.ndarray:
    """Read and check the boxes, ``[boxes, 4]``."""
    if not file:
        raise ValueError("The regions 'boxes' need a file: regions=boxes:file=boxes.json.")
    try:
        boxes = np.array(json.loads(pathlib.Path(file).read_text()), np.float64)
    except OSError as error:
        raise ValueError(f"{file}: {error.strerror}.") from None
    except (ValueError, TypeError):
        boxes = np.zeros(0)
    if not _are_boxes(boxes):
        raise ValueError(f"{file} holds no boxes. Write {BOXES_FORMAT}.")
    return boxes


def _are_boxes(boxes: np.ndarray) -> bool:
    """Whether an array has the format; comparisons with NaN are False."""
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        return False
    in_range = np.all(boxes >= 0) and np.all(boxes <= 1)
    return bool(in_range and np.all(boxes[:, :2] < boxes[:, 2:]))
