"""UCF101 as a TensorFlow Dataset; _building.py says how."""

from tfanon.data.builders import _base
from tfanon.data.sources import ucf101


class Ucf101(_base.Builder):
    """UCF101."""

    source = ucf101
    licence = "none given; the clips come from YouTube."
