"""VISPR as a TensorFlow Dataset; _building.py says how."""

from tfanon.data.builders import _base
from tfanon.data.sources import vispr


class Vispr(_base.Builder):
    """VISPR."""

    source = vispr
    licence = "CC BY-NC 4.0; each image keeps its own licence, which its annotation names."
