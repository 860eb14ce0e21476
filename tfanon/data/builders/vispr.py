"""VISPR as a TensorFlow Dataset; see `_base`."""

from tfanon.data.builders import _base
from tfanon.data.sources import vispr


class Vispr(_base.Builder):
    """Builder of VISPR."""

    source = vispr
    licence = "CC BY-NC 4.0; each image keeps its own licence, which its annotation names."
