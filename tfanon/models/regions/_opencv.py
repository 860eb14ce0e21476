"""OpenCV's detectors as regions, called inside TensorFlow graphs, on a CPU, frame by frame.

They cannot run under XLA (--jit_compile). What they miss stays as it is: a frame without a
detection is the raw frame.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

# Pixels of the shorter side that small frames are enlarged to; the smallest window of a detector is
# 24 or 128 pixels high.
MIN_DETECTION_SIDE = 256

Boxes = Iterable[Sequence[int]]  # of (x, y, width, height) in pixels


def import_opencv(name: str) -> Any:
    """Import cv2.

    Args:
        name: Name of the regions, for the message.

    Returns:
        The module.

    Raises:
        ValueError: It is not installed, or lacks the classical detectors.
    """
    try:
        import cv2

        _ = cv2.HOGDescriptor, cv2.CascadeClassifier
    except (ImportError, AttributeError):
        raise ValueError(
            f"The regions '{name}' need OpenCV below version 5, with its detectors: "
            "pip install 'tfanon[regions]'."
        ) from None
    # Its threads find the same boxes in changing order, and how they are joined depends on it.
    cv2.setNumThreads(1)
    return cv2


def make_mask_function(
    cv2: Any, detect: Callable[[np.ndarray], Boxes]
) -> Callable[[tf.Tensor], tf.Tensor]:
    """Make a function of frames to masks from a detector.

    Args:
        cv2: The module.
        detect: Function of a grey image, uint8 ``[h, w]``, to boxes in its pixels.

    Returns:
        Function of frames ``[N, H, W, 3]`` in [0, 1] to masks ``[N, H, W, 1]``, True inside a box.
    """
    lock = threading.Lock()  # a detector keeps state while it works

    def detect_masks(frames: np.ndarray) -> np.ndarray:
        with lock:
            masks = [_detect_mask(cv2, detect, frame) for frame in frames]
        return np.array(masks, bool).reshape([*frames.shape[:3], 1])

    def find_regions(frames: tf.Tensor) -> tf.Tensor:
        pixels = tf.cast(tf.round(tf.clip_by_value(frames, 0.0, 1.0) * 255), tf.uint8)
        masks = tf.numpy_function(detect_masks, [pixels], tf.bool, stateful=False)
        return tf.ensure_shape(masks, [*frames.shape[:3], 1])

    return find_regions


def _detect_mask(cv2: Any, detect: Callable[[np.ndarray], Boxes], frame: np.ndarray) -> np.ndarray:
    """Mask ``[H, W]`` of one frame, uint8 ``[H, W, 3]``."""
    height, width = frame.shape[:2]
    scale = max(1.0, MIN_DETECTION_SIDE / min(height, width))
    size = (round(width * scale), round(height * scale))
    large = cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR)
    mask = np.zeros((height, width), bool)
    for x, y, w, h in detect(cv2.cvtColor(large, cv2.COLOR_RGB2GRAY)):
        # Boxes are rounded outwards; a detector may return starts below 0.
        left, top = max(0, int(np.floor(x / scale))), max(0, int(np.floor(y / scale)))
        right, bottom = int(np.ceil((x + w) / scale)), int(np.ceil((y + h) / scale))
        mask[top:bottom, left:right] = True
    return mask
