"""Networks in numbers: parameters, multiply-adds at the paper's input, normalisation of pixels."""

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import Any

import keras

from tfanon.core import registry
from tfanon.models import cost
from tfanon.pretrained import weights_record

PAPER_SYMBOLS = {"anonymizers": "f_A", "actions": "f_T", "privacy": "f_B"}
PUBLISHED_ARGUMENTS: dict[str, dict[str, int]] = {
    "anonymizers": {},
    "actions": {"classes": 400},  # Kinetics-400
    "privacy": {"attributes": 1000},  # ImageNet-1k
}
PUBLISHED_CLASSES = {"c3d": 487}  # Sports-1M, as in the paper of C3D
IMAGE_SIZE = (224, 224)
CLIP_SIZE = (16, 224, 224)
# Networks that were made for other inputs than their kind's.
INPUT_SIZES: dict[str, tuple[int, ...]] = {
    "c3d": (16, 112, 112),
    "r3d_18": (16, 112, 112),
    "r2plus1d_18": (16, 112, 112),
    "small3d": (8, 64, 64),
    "small_resnet": (64, 64),
    "tubelet_vit": CLIP_SIZE,
    "video_resnet50": CLIP_SIZE,
}


@dataclasses.dataclass(frozen=True)
class NetworkSummary:
    """One row of the table.

    Attributes:
        network: Name of the network.
        symbol: Its symbol in the paper.
        parameters: Number of trained parameters.
        multiply_adds: Number of multiply-adds for one input.
        input: Size of the input, "T x H x W" or "H x W".
        normalisation: What becomes of pixels x in [0, 1].
    """

    network: str
    symbol: str
    parameters: int
    multiply_adds: int
    input: str
    normalisation: str


def list_trainable_networks() -> list[str]:
    """List all networks that have parameters, kind by kind."""
    trainable = []
    for kind in weights_record.NETWORK_KINDS:
        for name in registry.list_names(kind):
            # Fixed anonymizers, such as blur, have none.
            if count_parameters(build_published_network(kind, name)):
                trainable.append(name)
    return trainable


def summarize_network(name: str) -> NetworkSummary:
    """Describe a network as the paper's tables use it.

    Args:
        name: Name of the network.

    Raises:
        ValueError: There is no network of that name.
    """
    kind = weights_record.find_network_kind(name)
    model = build_published_network(kind, name)
    size = find_input_size(kind, name)
    return NetworkSummary(
        name,
        PAPER_SYMBOLS[kind],
        count_parameters(model),
        cost.count_multiply_adds(model, (1, *size, 3)),
        " x ".join(str(side) for side in size),
        describe_normalisation(model),
    )


def find_input_size(kind: str, name: str) -> tuple[int, ...]:
    """Return the size of the input that the paper's tables use, (H, W) or (T, H, W).

    Args:
        kind: One of `weights_record.NETWORK_KINDS`.
        name: Name of the network.
    """
    default = CLIP_SIZE if kind == "actions" else IMAGE_SIZE
    return INPUT_SIZES.get(name, default)


def build_published_network(kind: str, name: str) -> keras.Model:
    """Build a network with the outputs that it was published with.

    Args:
        kind: One of `weights_record.NETWORK_KINDS`.
        name: Name of the network.
    """
    arguments = dict(PUBLISHED_ARGUMENTS[kind])
    if name in PUBLISHED_CLASSES:
        arguments["classes"] = PUBLISHED_CLASSES[name]
    return registry.load_module(kind, name).build(**arguments)


def count_parameters(model: keras.Model) -> int:
    """Return the number of trained parameters of a built model."""
    return sum(math.prod(variable.shape) for variable in model.trainable_variables)


def describe_normalisation(model: Any) -> str:
    """Describe what a network does to pixels in [0, 1] before its first weights.

    Args:
        model: A model, or a layer inside of one.

    Returns:
        Such as "(x - mean) / deviation"; "x" for nothing.
    """
    for layer in getattr(model, "layers", []):
        if layer.name == "normalize":
            return _format_normalisation(layer.scale, layer.offset)
        # The layer may lie in a network inside of this one, such as f_A for clips.
        inner = describe_normalisation(layer)
        if inner != "x":
            return inner
    return "x"


def format_network_table(rows: Iterable[NetworkSummary]) -> str:
    """Format summaries as a table in Markdown."""
    lines = [
        "| network | role | parameters | multiply-adds | at | pixels x in [0, 1] become |",
        "| --- " * 6 + "|",
    ]
    for row in rows:
        cells = (
            f"`{row.network}`",
            row.symbol,
            f"{row.parameters:,}",
            f"{row.multiply_adds / 1e9:.2f} G",
            row.input,
            row.normalisation,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _format_normalisation(scale: float | Sequence[float], offset: Sequence[float]) -> str:
    """Write x * scale + offset as papers do."""
    # One number for all channels has no offset.
    if not isinstance(scale, (list, tuple)):
        return f"{scale:g} x"
    deviations = [1 / value for value in scale]
    means = [-shift * deviation for shift, deviation in zip(offset, deviations, strict=True)]
    # The network takes pixels as they are.
    if all(mean == 0 for mean in means) and all(deviation == 1 for deviation in deviations):
        return "x"
    # A deviation of 1 / 255 turns pixels back into 8-bit values.
    if all(abs(255 * deviation - 1) < 1e-6 for deviation in deviations):
        return f"255 x - {_format_values([255 * mean for mean in means])}"
    return f"(x - {_format_values(means)}) / {_format_values(deviations)}"


def _format_values(values: Sequence[float]) -> str:
    """Write one value per channel, or the value that all channels share."""
    # Means and deviations come back from 1 / scale with rounding errors.
    texts = [f"{round(value, 5):g}" for value in values]
    return texts[0] if len(set(texts)) == 1 else f"({', '.join(texts)})"
