"""Nothing is left: the lower end of both the action's accuracy and the leakage; with regions, Obf-Blackening."""

import keras

from tfanon.models.anonymizers import _fixed


def build(regions="whole", **_):
    """Black frames and clips of the same size; settings of other anonymizers are ignored.

    regions: a spec of tfanon/models/regions; outside them pixels stay.  Raises ValueError where they cannot be had.
    """
    return _fixed.build_fixed("blacken", keras.layers.Rescaling(0.0, dtype="float32"), regions)
