"""HMDB51 as a TensorFlow Dataset; _building.py says how."""

from tfanon.data.builders import _base
from tfanon.data.sources import hmdb51


class Hmdb51(_base.Builder):
    """HMDB51."""

    source = hmdb51
    licence = "CC BY 4.0 as its authors give it; the clips come from films and from YouTube."
