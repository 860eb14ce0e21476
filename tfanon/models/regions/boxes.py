"""Boxes that stay where they are, of a JSON file: what a fixed camera must never show.

The file holds [[top, left, bottom, right], ..] as shares of the frame's height and width. An anonymizer sees pixels and
not the name of their video, so the boxes are the same for every frame; in training they lie on the random crop as they
lie on the frame. People who move are for a detector.
"""

import json
import pathlib

import numpy as np
import tensorflow as tf

BOXES_FORMAT = "[[top, left, bottom, right], ..] in shares of the frame, 0 <= top < bottom <= 1 and 0 <= left < right <= 1"


def build(file=""):
    """Function of frames [N, H, W, 3] that gives [N, H, W, 1] booleans: inside one of the boxes of a JSON file.

    A pixel is inside where its middle is.  Raises ValueError where the file is missing or holds something else.
    """
    boxes = tf.constant(_read_boxes(file), tf.float32)

    def find(frames):
        size = tf.shape(frames)
        y, x = (
            (tf.cast(tf.range(side), tf.float32) + 0.5) / tf.cast(side, tf.float32)
            for side in (size[1], size[2])
        )
        top, left, bottom, right = tf.unstack(boxes, axis=1)
        rows = (y[:, None] >= top) & (y[:, None] < bottom)  # [H, boxes]
        columns = (x[:, None] >= left) & (x[:, None] < right)
        inside = tf.reduce_any(rows[:, None] & columns[None], axis=-1)
        return tf.broadcast_to(inside[None, :, :, None], [size[0], size[1], size[2], 1])

    return find


def _read_boxes(file):
    if not file:
        raise ValueError("The regions 'boxes' need a file: regions=boxes:file=boxes.json.")
    try:
        boxes = np.array(json.loads(pathlib.Path(file).read_text()), np.float64)
    except OSError as problem:
        raise ValueError(f"{file}: {problem.strerror}.") from None
    except (ValueError, TypeError):
        boxes = np.zeros(0)
    if (
        boxes.ndim != 2
        or boxes.shape[1] != 4
        or not (np.all(boxes >= 0) and np.all(boxes <= 1) and np.all(boxes[:, :2] < boxes[:, 2:]))
    ):
        raise ValueError(f"{file} holds no boxes: write {BOXES_FORMAT}.")
    return boxes
