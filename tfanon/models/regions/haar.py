"""Faces seen from the front, by OpenCV's Haar cascade (Viola and Jones, CVPR 2001)."""

import os

from tfanon.models.regions import _opencv

CASCADE = "haarcascade_frontalface_default.xml"  # comes with OpenCV's wheel


def build():
    """Function of frames that gives a mask, as _opencv.masks.  Raises ValueError without OpenCV."""
    cv2 = _opencv.load("haar")
    detector = cv2.CascadeClassifier(os.path.join(cv2.data.haarcascades, CASCADE))
    return _opencv.masks(
        cv2, lambda grey: detector.detectMultiScale(grey, scaleFactor=1.1, minNeighbors=3)
    )
