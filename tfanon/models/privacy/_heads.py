"""Heads of the privacy networks: logits of attributes for f_B', an embedding for f_B."""

import keras

from tfanon.models import layers


def build_head(
    x: keras.KerasTensor,
    attributes: int | None = None,
    embedding: int | None = None,
    hidden: int = 2048,
) -> keras.KerasTensor:
    """Apply a head to pooled features.

    The projection to an embedding is that of the paper's code: Linear, ReLU, Linear, L2 norm.
    Eq. 6 compares the directions of embeddings only.

    Args:
        x: Features ``[N, F]``.
        attributes: Number of private attributes, P.
        embedding: Size of the embedding, D.
        hidden: Units of the projection's first layer.

    Returns:
        Logits ``[N, P]`` or unit vectors ``[N, D]``, float32.

    Raises:
        ValueError: Not exactly one of `attributes` and `embedding` is given.
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


def _pytorch_linear(units: int | None, name: str, dtype: str | None = None) -> keras.layers.Layer:
    """A dense layer that starts like PyTorch's Linear."""
    return keras.layers.Dense(
        units, kernel_initializer=layers.pytorch_uniform(), name=name, dtype=dtype
    )
