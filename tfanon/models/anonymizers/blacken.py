"""Black frames, the lower bound: no information about anything; Obf-Blackening in regions."""

from typing import Any

import keras

from tfanon.models.anonymizers import _fixed


def build(regions: str = "whole", **_: Any) -> keras.Model:
    """Build an anonymizer that blackens frames and clips.

    Args:
        regions: Spec of `tfanon.models.regions`; pixels outside the regions stay as they are.
        **_: Options of other anonymizers, ignored.

    Returns:
        The anonymizer.

    Raises:
        ValueError: The regions cannot be built.
    """
    return _fixed.build_fixed("blacken", keras.layers.Rescaling(0.0, dtype="float32"), regions)
