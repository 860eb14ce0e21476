"""What a privacy network ends in: attributes for f_B', an embedding on the unit sphere for f_B."""

import keras

from tfanon.models import layers


def build_head(x, attributes=None, embedding=None, hidden=2048):
    """Pooled features [N, F] -> logits [N, attributes] or unit vectors [N, embedding], float32.

    The projection is the authors': Linear, ReLU, Linear, L2 norm; Eq. 6 compares its directions only.
    Raises ValueError unless exactly one of `attributes` and `embedding` is given.
    """
    if (attributes is None) == (embedding is None):
        raise ValueError(
            "A privacy network has one head: give attributes=P for f_B' or embedding=D for f_B, "
            f"not attributes={attributes} and embedding={embedding}."
        )
    if attributes is not None:
        return _pytorch_linear(attributes, "logits", dtype="float32")(x)
    x = keras.layers.ReLU()(_pytorch_linear(hidden, "projection_0")(x))
    x = _pytorch_linear(embedding, "projection_1", dtype="float32")(x)
    return keras.layers.UnitNormalization(dtype="float32", name="embedding")(x)


def _pytorch_linear(units, name, dtype=None):
    """PyTorch's Linear."""
    return keras.layers.Dense(
        units, kernel_initializer=layers.pytorch_uniform(), name=name, dtype=dtype
    )
