"""People standing upright, by OpenCV's HOG detector with its own weights (Dalal and Triggs, CVPR 2005)."""

from tfanon.models.regions import _opencv


def build():
    """Function of frames that gives a mask, as _opencv.masks.  Raises ValueError without OpenCV."""
    cv2 = _opencv.import_opencv("hog")
    detector = cv2.HOGDescriptor()
    detector.setSVMDetector(cv2.HOGDescriptor_getDefaultPeopleDetector())
    return _opencv.make_mask_function(
        cv2, lambda grey: detector.detectMultiScale(grey, winStride=(8, 8), padding=(8, 8))[0]
    )
