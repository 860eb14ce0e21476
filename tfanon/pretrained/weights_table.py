"""What a network is, in numbers: parameters, multiply-adds at the paper's input, the normalisation inside."""

import dataclasses
import math

from tfanon.core import registry
from tfanon.models import cost
from tfanon.pretrained import weights_record

ROLES = {"anonymizers": "f_A", "actions": "f_T", "privacy": "f_B"}
ARGUMENTS = {"anonymizers": {}, "actions": {"classes": 400}, "privacy": {"attributes": 1000}}
OTHER_CLASSES = {"c3d": 487}  # of Sports-1M, as its paper has it
IMAGE, CLIP = (224, 224), (16, 224, 224)
INPUTS = {  # what those were made for that are not made for 224 x 224
    "c3d": (16, 112, 112),
    "r3d_18": (16, 112, 112),
    "r2plus1d_18": (16, 112, 112),
    "small3d": (8, 64, 64),
    "small_resnet": (64, 64),
    "tubelet_vit": CLIP,
    "video_resnet50": CLIP,
}


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table."""

    network: str
    role: str
    parameters: int
    multiply_adds: int
    input: str
    normalisation: str


def trained():
    """The names of all networks that have something to train, kind by kind."""
    return [
        name
        for kind in weights_record.KINDS
        for name in registry.names(kind)
        if parameters(build(kind, name))
    ]


def row(name):
    """The Row of a network as the paper's tables would use it.  Raises ValueError where there is none of that name."""
    kind = weights_record.kind_of(name)
    model = build(kind, name)
    size = sides(kind, name)
    return Row(
        name,
        ROLES[kind],
        parameters(model),
        cost.multiply_adds(model, (1, *size, 3)),
        " x ".join(map(str, size)),
        normalisation(model),
    )


def sides(kind, name):
    """(H, W) or (T, H, W) of the input that the paper's tables use."""
    return INPUTS.get(name, CLIP if kind == "actions" else IMAGE)


def build(kind, name):
    """The network with the outputs of what it was published for."""
    arguments = dict(ARGUMENTS[kind])
    if name in OTHER_CLASSES:
        arguments["classes"] = OTHER_CLASSES[name]
    return registry.find(kind, name).build(**arguments)


def parameters(model):
    """How many numbers are trained."""
    return sum(math.prod(variable.shape) for variable in model.trainable_variables)


def normalisation(model):
    """What a network does to pixels in [0, 1] before its first weights: "(x - mean) / deviation"; "x" for nothing."""
    for layer in getattr(model, "layers", []):
        if layer.name == "normalize":
            return _formula(layer.scale, layer.offset)
        if (inner := normalisation(layer)) != "x":
            return inner
    return "x"


def table(rows):
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


def _formula(scale, offset):
    """x * scale + offset as people write it."""
    if not isinstance(scale, (list, tuple)):
        return f"{scale:g} x"
    deviations = [1 / value for value in scale]
    means = [-shift * deviation for shift, deviation in zip(offset, deviations)]
    if all(mean == 0 for mean in means) and all(deviation == 1 for deviation in deviations):
        return "x"
    if all(abs(255 * deviation - 1) < 1e-6 for deviation in deviations):
        return f"255 x - {_listed(255 * mean for mean in means)}"
    return f"(x - {_listed(means)}) / {_listed(deviations)}"


def _listed(values):
    shown = [f"{round(value, 5):g}" for value in values]
    return shown[0] if len(set(shown)) == 1 else f"({', '.join(shown)})"
