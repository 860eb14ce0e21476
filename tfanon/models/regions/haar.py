"""Faces seen from the front, by OpenCV's Haar cascade (Viola and Jones, CVPR 2001)."""

import os

from tfanon.models.regions import _opencv

CASCADE_FILE = "haarcascade_frontalface_default.xml"  # comes with OpenCV's wheel


def build():
    """Function of frames that gives a mask, as _opencv.masks.  Raises ValueError without OpenCV."""
    cv2 = _opencv.import_opencv("haar")
    detector = cv2.CascadeClassifier(os.path.join(cv2.data.haarcascades, CASCADE_FILE))
    return _opencv.make_mask_function(
        cv2, lambda grey: detector.detectMultiScale(grey, scaleFactor=1.1, minNeighbors=3)
    )
