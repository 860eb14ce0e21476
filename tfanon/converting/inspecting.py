"""What a network is, in numbers: parameters, multiply-adds at the paper's input, the normalisation inside."""

import dataclasses
import math

import keras

from tfanon import registry
from tfanon.converting import record
from tfanon.models import cost

ROLES = {"anonymizers": "f_A", "actions": "f_T", "privacy": "f_B"}
ARGUMENTS = {"anonymizers": {}, "actions": {"classes": 400}, "privacy": {"attributes": 1000}}
OTHER_CLASSES = {"c3d": 487}  # of Sports-1M, as its paper has it
FRAMES, SIDE = 16, 224
OTHER_SIDES = {"c3d": 112, "r3d_18": 112, "r2plus1d_18": 112, "small3d": 64, "small_resnet": 64}  # what they were made for


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
    return [name for kind in record.KINDS for name in registry.names(kind) if parameters(_build(kind, name))]


def row(name):
    """The Row of a network as the paper's tables would use it.  Raises ValueError where there is none of that name."""
    kind = record.kind_of(name)
    model = _build(kind, name)
    side = OTHER_SIDES.get(name, SIDE)
    clip = kind == "actions" or name == "tubelet_vit"
    shape = (1, FRAMES, side, side, 3) if clip else (1, side, side, 3)
    return Row(name, ROLES[kind], parameters(model), cost.multiply_adds(model, shape),
               " x ".join(str(length) for length in shape[1:-1]), normalisation(model))


def parameters(model):
    """How many numbers are trained."""
    return sum(math.prod(variable.shape) for variable in model.trainable_variables)


def normalisation(model):
    """What a network does to pixels in [0, 1] before its first weights: "(x - mean) / deviation"; "x" for nothing."""
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Rescaling):
            return _formula(layer.scale, layer.offset)
    return "x"


def table(rows):
    """Markdown."""
    lines = ["| network | role | parameters | multiply-adds | at | pixels x in [0, 1] become |", "| --- " * 6 + "|"]
    lines += [f"| `{row.network}` | {row.role} | {row.parameters:,} | {row.multiply_adds / 1e9:.2f} G | {row.input} | "
              f"{row.normalisation} |" for row in rows]
    return "\n".join(lines)


def _build(kind, name):
    arguments = dict(ARGUMENTS[kind])
    if name in OTHER_CLASSES:
        arguments["classes"] = OTHER_CLASSES[name]
    return registry.find(kind, name).build(**arguments)


def _formula(scale, offset):
    """x * scale + offset as people write it."""
    if not isinstance(scale, (list, tuple)):
        return f"{scale:g} x"
    deviations = [1 / value for value in scale]
    means = [-shift * deviation for shift, deviation in zip(offset, deviations)]
    if all(mean == 0 for mean in means) and all(deviation == 1 for deviation in deviations):
        return "x"
    return f"(x - {_listed(means)}) / {_listed(deviations)}"


def _listed(values):
    shown = [f"{round(value, 5):g}" for value in values]
    return shown[0] if len(set(shown)) == 1 else f"({', '.join(shown)})"
