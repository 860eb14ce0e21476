"""Frontal faces that OpenCV's Haar cascade finds (Viola and Jones, CVPR 2001)."""

import os
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfanon.models.regions import _opencv

CASCADE_FILE = "haarcascade_frontalface_default.xml"  # part of OpenCV's wheel


def build() -> Callable[[tf.Tensor], tf.Tensor]:
    """Build the regions.

    Returns:
        Function of frames ``[N, H, W, 3]`` in [0, 1] to masks ``[N, H, W, 1]``.

    Raises:
        ValueError: OpenCV is not installed.
    """
    cv2 = _opencv.import_opencv("haar")
    detector = cv2.CascadeClassifier(os.path.join(cv2.data.haarcascades, CASCADE_FILE))

    def detect(grey: np.ndarray) -> _opencv.Boxes:
        return detector.detectMultiScale(grey, scaleFactor=1.1, minNeighbors=3)

    return _opencv.make_mask_function(cv2, detect)
