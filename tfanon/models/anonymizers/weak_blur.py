"""Obf-WeakBlur, on the whole frame or in regions: `blur` with 13 pixels at 224 x 224."""

from typing import Any

import keras

from tfanon.models.anonymizers import _fixed, blur


def build(regions: str = "whole", **_: Any) -> keras.Model:
    """Build a weak blur of frames and clips.

    Args:
        regions: Spec of `tfanon.models.regions`; pixels outside the regions stay as they are.
        **_: Options of other anonymizers, ignored.

    Returns:
        The anonymizer.

    Raises:
        ValueError: The regions cannot be built.
    """
    return _fixed.build_fixed("weak_blur", blur.Blur(13, 10.0, dtype="float32"), regions)
