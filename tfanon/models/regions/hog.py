"""Upright people that OpenCV's HOG detector finds (Dalal and Triggs, CVPR 2005)."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfanon.models.regions import _opencv


def build() -> Callable[[tf.Tensor], tf.Tensor]:
    """Build the regions.

    Returns:
        Function of frames ``[N, H, W, 3]`` in [0, 1] to masks ``[N, H, W, 1]``.

    Raises:
        ValueError: OpenCV is not installed.
    """
    cv2 = _opencv.import_opencv("hog")
    detector = cv2.HOGDescriptor()
    detector.setSVMDetector(cv2.HOGDescriptor_getDefaultPeopleDetector())

    def detect(grey: np.ndarray) -> _opencv.Boxes:
        boxes, _ = detector.detectMultiScale(grey, winStride=(8, 8), padding=(8, 8))
        return boxes

    return _opencv.make_mask_function(cv2, detect)
