"""Obf-WeakBlur, on the whole frame or inside regions: blur.py with a kernel of 13 pixels at 224 x 224."""

from tfanon.models.anonymizers import _fixed, blur


def build(regions="whole", **_):
    """A weak blur of frames and clips; settings of other anonymizers are ignored.

    regions: a spec of tfanon/models/regions.  Raises ValueError where they cannot be had.
    """
    return _fixed.build_fixed("weak_blur", blur.Blur(13, 10.0, dtype="float32"), regions)
