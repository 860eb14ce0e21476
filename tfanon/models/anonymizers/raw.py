"""No anonymization: the upper end of both the action's accuracy and the leakage."""

import keras

from tfanon.models import per_frame


def build(**_):
    """The identity on frames and clips; settings of other anonymizers are ignored."""
    frames = keras.Input((None, None, 3))
    network = keras.Model(frames, keras.layers.Identity(dtype="float32")(frames), name="raw", dtype="float32")
    return per_frame.PerFrame(network)
