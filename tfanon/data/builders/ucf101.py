"""UCF101 as a TensorFlow Dataset; see `_base`."""

from tfanon.data.builders import _base
from tfanon.data.sources import ucf101


class Ucf101(_base.Builder):
    """Builder of UCF101."""

    source = ucf101
    licence = "none given; the clips come from YouTube."
