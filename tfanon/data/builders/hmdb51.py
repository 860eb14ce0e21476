"""HMDB51 as a TensorFlow Dataset; see `_base`."""

from tfanon.data.builders import _base
from tfanon.data.sources import hmdb51


class Hmdb51(_base.Builder):
    """Builder of HMDB51."""

    source = hmdb51
    licence = "CC BY 4.0 as its authors give it; the clips come from films and from YouTube."
