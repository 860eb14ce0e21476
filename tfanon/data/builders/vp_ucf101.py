"""VP-UCF101 as a TensorFlow Dataset; see `_base`."""

from tfanon.data.builders import _base
from tfanon.data.sources import vp_ucf101


class VpUcf101(_base.Builder):
    """Builder of VP-UCF101."""

    source = vp_ucf101
    licence = "none given for the labels; the clips are UCF101's."
