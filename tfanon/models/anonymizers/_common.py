"""Options and output activation of the trainable anonymizers."""

import keras


def check_options(name: str, width: float, output: str) -> None:
    """Check the options that all trainable anonymizers have.

    Args:
        name: Name of the anonymizer, for the message.
        width: Channels relative to the paper's.
        output: Activation of the output.

    Raises:
        ValueError: `width` is not above 0, or `output` is neither "sigmoid" nor "linear".
    """
    if output not in ("sigmoid", "linear"):
        raise ValueError(f"{name}: output must be 'sigmoid' or 'linear', not '{output}'.")
    if not width > 0:
        raise ValueError(
            f"{name}: width must be above 0, not {width}. It is relative to the paper's channels; "
            "0.25 is a compact network."
        )


def apply_output_activation(x: keras.KerasTensor, output: str) -> keras.KerasTensor:
    """Apply the last activation, in float32 under any policy; "sigmoid" keeps pixels in [0, 1]."""
    return keras.layers.Activation(output, dtype="float32", name="output")(x)
