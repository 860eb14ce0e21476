"""Detectors of OpenCV as regions: called inside TensorFlow's graphs, on a CPU, frame by frame.

They run outside XLA (--jit_compile), and what they miss stays as it is: a frame without a find is the raw frame.
"""

import threading

import numpy as np
import tensorflow as tf

MIN_DETECTION_SIDE = 256  # pixels of the shorter side that a frame is enlarged to; a detector's smallest window is 24 or 128 high


def import_opencv(name):
    """The module cv2.  Raises ValueError where there is none with OpenCV's classical detectors."""
    try:
        import cv2

        cv2.HOGDescriptor, cv2.CascadeClassifier
    except (ImportError, AttributeError):
        raise ValueError(
            f"The regions '{name}' need OpenCV below version 5, with its detectors: "
            "pip install 'tfanon[regions]'."
        ) from None
    cv2.setNumThreads(
        1
    )  # its threads find the same in changing order, and what they join depends on the order
    return cv2


def make_mask_function(cv2, detect):
    """Function of frames [N, H, W, 3] in [0, 1] that gives [N, H, W, 1] booleans: inside a box that `detect` finds.

    detect: uint8 [h, w] -> [[x, y, width, height], ..] in its pixels.
    """
    alone = threading.Lock()  # a detector keeps state while it works

    def look(frames):
        with alone:
            found = [_detect_mask(cv2, detect, frame) for frame in frames]
        return np.array(found, bool).reshape([*frames.shape[:3], 1])

    def find(frames):
        pixels = tf.cast(tf.round(tf.clip_by_value(frames, 0.0, 1.0) * 255), tf.uint8)
        return tf.ensure_shape(
            tf.numpy_function(look, [pixels], tf.bool, stateful=False), [*frames.shape[:3], 1]
        )

    return find


def _detect_mask(cv2, detect, frame):
    height, width = frame.shape[:2]
    scale = max(1.0, MIN_DETECTION_SIDE / min(height, width))
    large = cv2.resize(
        frame, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_LINEAR
    )
    mask = np.zeros((height, width), bool)
    for x, y, w, h in detect(cv2.cvtColor(large, cv2.COLOR_RGB2GRAY)):
        left, top = (max(0, int(np.floor(start / scale))) for start in (x, y))
        mask[top : int(np.ceil((y + h) / scale)), left : int(np.ceil((x + w) / scale))] = True
    return mask
