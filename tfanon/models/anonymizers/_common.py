"""What the trainable anonymizers share: their settings, and how they end."""

import keras


def check_options(name, width, output):
    """Raises ValueError for settings that no anonymizer has."""
    if output not in ("sigmoid", "linear"):
        raise ValueError(f"{name}'s output is 'sigmoid' or 'linear', not '{output}'.")
    if not width > 0:
        raise ValueError(
            f"{name}'s width is a share of the paper's channels, above 0, not {width}; 0.25 is compact."
        )


def apply_output_activation(x, output):
    """The last activation: "sigmoid" keeps pixels in [0, 1]; float32 whatever the policy."""
    return keras.layers.Activation(output, dtype="float32", name="output")(x)
