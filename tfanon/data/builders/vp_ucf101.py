"""VP-UCF101 as a TensorFlow Dataset; _building.py says how."""

from tfanon.data.builders import _base
from tfanon.data.sources import vp_ucf101


class VpUcf101(_base.Builder):
    """VP-UCF101."""

    source = vp_ucf101
    licence = "none given for the labels; the clips are UCF101's."
