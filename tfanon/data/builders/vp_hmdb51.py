"""VP-HMDB51 as a TensorFlow Dataset; see `_base`."""

from tfanon.data.builders import _base
from tfanon.data.sources import vp_hmdb51


class VpHmdb51(_base.Builder):
    """Builder of VP-HMDB51."""

    source = vp_hmdb51
    licence = "none given for the labels; the clips are HMDB51's."
