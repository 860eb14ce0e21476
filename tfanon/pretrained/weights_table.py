"""What a network is, in numbers: parameters, multiply-adds at the paper's input, the normalisation inside."""

import dataclasses
import math

from tfanon.core import registry
from tfanon.models import cost
from tfanon.pretrained import weights_record

PAPER_SYMBOLS = {"anonymizers": "f_A", "actions": "f_T", "privacy": "f_B"}
PUBLISHED_ARGUMENTS = {
    "anonymizers": {},
    "actions": {"classes": 400},
    "privacy": {"attributes": 1000},
}
PUBLISHED_CLASSES = {"c3d": 487}  # of Sports-1M, as its paper has it
IMAGE_SIZE, CLIP_SIZE = (224, 224), (16, 224, 224)
INPUT_SIZES = {  # what those were made for that are not made for 224 x 224
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
    """One line of the table."""

    network: str
    role: str
    parameters: int
    multiply_adds: int
    input: str
    normalisation: str


def list_trainable_networks():
    """The names of all networks that have something to train, kind by kind."""
    return [
        name
        for kind in weights_record.NETWORK_KINDS
        for name in registry.list_names(kind)
        if count_parameters(build_published_network(kind, name))
    ]


def summarize_network(name):
    """The Row of a network as the paper's tables would use it.  Raises ValueError where there is none of that name."""
    kind = weights_record.find_network_kind(name)
    model = build_published_network(kind, name)
    size = find_input_size(kind, name)
    return NetworkSummary(
        name,
        PAPER_SYMBOLS[kind],
        count_parameters(model),
        cost.count_multiply_adds(model, (1, *size, 3)),
        " x ".join(map(str, size)),
        describe_normalisation(model),
    )


def find_input_size(kind, name):
    """(H, W) or (T, H, W) of the input that the paper's tables use."""
    return INPUT_SIZES.get(name, CLIP_SIZE if kind == "actions" else IMAGE_SIZE)


def build_published_network(kind, name):
    """The network with the outputs of what it was published for."""
    arguments = dict(PUBLISHED_ARGUMENTS[kind])
    if name in PUBLISHED_CLASSES:
        arguments["classes"] = PUBLISHED_CLASSES[name]
    return registry.load_module(kind, name).build(**arguments)


def count_parameters(model):
    """How many numbers are trained."""
    return sum(math.prod(variable.shape) for variable in model.trainable_variables)


def describe_normalisation(model):
    """What a network does to pixels in [0, 1] before its first weights: "(x - mean) / deviation"; "x" for nothing."""
    for layer in getattr(model, "layers", []):
        if layer.name == "normalize":
            return _format_normalisation(layer.scale, layer.offset)
        if (inner := describe_normalisation(layer)) != "x":
            return inner
    return "x"


def format_network_table(rows):
    """Markdown."""
    lines = [
        "| network | role | parameters | multiply-adds | at | pixels x in [0, 1] become |",
        "| --- " * 6 + "|",
    ]
    lines += [
        f"| `{row.network}` | {row.role} | {row.parameters:,} | {row.multiply_adds / 1e9:.2f} G | {row.input} | "
        f"{row.normalisation} |"
        for row in rows
    ]
    return "\n".join(lines)


def _format_normalisation(scale, offset):
    """x * scale + offset as people write it."""
    if not isinstance(scale, (list, tuple)):
        return f"{scale:g} x"
    deviations = [1 / value for value in scale]
    means = [-shift * deviation for shift, deviation in zip(offset, deviations)]
    if all(mean == 0 for mean in means) and all(deviation == 1 for deviation in deviations):
        return "x"
    if all(abs(255 * deviation - 1) < 1e-6 for deviation in deviations):
        return f"255 x - {_format_values(255 * mean for mean in means)}"
    return f"(x - {_format_values(means)}) / {_format_values(deviations)}"


def _format_values(values):
    shown = [f"{round(value, 5):g}" for value in values]
    return shown[0] if len(set(shown)) == 1 else f"({', '.join(shown)})"
