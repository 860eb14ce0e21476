"""PA-HMDB51 as a TensorFlow Dataset; see `_base`."""

from tfanon.data.builders import _base
from tfanon.data.sources import pa_hmdb51


class PaHmdb51(_base.Builder):
    """Builder of PA-HMDB51."""

    source = pa_hmdb51
    licence = "non-commercial research, as its repository says; the clips are HMDB51's."
