"""No anonymization, the upper bound: all information about action and privacy."""

from typing import Any

import keras

from tfanon.models.anonymizers import _fixed


def build(**_: Any) -> keras.Model:
    """Build the identity on frames and clips.

    Args:
        **_: Options of other anonymizers, ignored.

    Returns:
        The anonymizer.
    """
    return _fixed.build_fixed("raw", keras.layers.Identity(dtype="float32"))
