"""One case per convertible network: our network, its file's layout, the input, and the same network in PyTorch.

    PYTHONPATH=tests python -m references.cases

writes tests/golden/ again from the PyTorch side: what each network answers to seeded weights, and what one batch in
training makes of its batch statistics. The suite compares with these numbers where PyTorch is not installed.
"""

import dataclasses
import importlib
import json
import pathlib

import numpy as np
import seeded

from tfanon.core import registry
from tfanon.pretrained import convert, layouts, weights_record

GOLDEN = pathlib.Path(__file__).parent.parent / "golden"
TOLERANCE = 1e-4  # of the scale of what is compared
OUTPUTS = 5
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
KINETICS = (0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989)
LEVELS = (0.45,) * 3, (0.225,) * 3


@dataclasses.dataclass(frozen=True)
class Case:
    """module, arguments: a class of tests/references.  given: shape of the input.  normal: its mean and deviation."""

    network: str
    layout: str
    given: tuple
    normal: tuple
    module: str
    arguments: dict = dataclasses.field(default_factory=dict)
    ours: dict = dataclasses.field(default_factory=dict)


IMAGES, CLIPS, LONG_CLIPS = (4, 64, 64, 3), (2, 8, 32, 48, 3), (2, 16, 64, 64, 3)
CASES = {
    **{
        f"resnet{depth}": Case(
            f"resnet{depth}",
            "torchvision_resnet",
            IMAGES,
            IMAGENET,
            "residual.ResNet",
            {"depth": depth, "outputs": OUTPUTS},
        )
        for depth in (18, 34, 50, 101, 152)
    },
    "unetpp": Case("unetpp", "smp_unetpp", (2, 32, 48, 3), IMAGENET, "unetpp.UnetPlusPlus"),
    "r3d_18": Case(
        "r3d_18", "torchvision_video", CLIPS, KINETICS, "video.VideoResNet", {"outputs": OUTPUTS}
    ),
    "r3d_18_dilated": Case(
        "r3d_18",
        "torchvision_video",
        CLIPS,
        KINETICS,
        "video.VideoResNet",
        {"outputs": OUTPUTS, "dilated": True},
        {"dilated": True},
    ),
    "r2plus1d_18": Case(
        "r2plus1d_18",
        "torchvision_video",
        CLIPS,
        KINETICS,
        "video.VideoResNet",
        {"outputs": OUTPUTS, "split": True},
    ),
    "i3d_r50": Case(
        "i3d_r50", "nonlocal_i3d", LONG_CLIPS, LEVELS, "i3d.NonLocalBaseline", {"outputs": OUTPUTS}
    ),
    "i3d_r50_pytorchvideo": Case(
        "i3d_r50", "pytorchvideo_i3d", CLIPS, LEVELS, "i3d.Pytorchvideo", {"outputs": OUTPUTS}
    ),
    "mvit_v2_s": Case(
        "mvit_v2_s",
        "torchvision_mvit",
        (2, 4, 64, 96, 3),
        LEVELS,
        "mvit.MViT",
        {"outputs": OUTPUTS},
    ),
}


def layout_of(case):
    return layouts.find_layouts(case.network)[case.layout]


def ours(case):
    """Our network with seeded weights, put there by the layout as from a file."""
    kind, layout = weights_record.find_network_kind(case.network), layout_of(case)
    outputs = {} if kind == "anonymizers" else {convert.OUTPUT_ARGUMENTS[kind]: OUTPUTS}
    model = registry.load_module(kind, case.network).build(
        **{**layout.arguments, **case.ours, **outputs}
    )
    names = {
        path: layout.get_tensor_name(path, case.network)
        for path in weights_record.get_weights(model)
    }
    tensors = {
        names[path]: seeded.make_seeded_tensor(names[path], theirs(path, variable.shape, layout))
        for path, variable in weights_record.get_weights(model).items()
    }
    convert.assign_tensors(model, tensors, layout, case.network, "seeded")
    return model


def theirs(path, shape, layout):
    """The shape of a variable of ours in the file: the inverse of Layout.turned."""
    if not (layout.is_pytorch and path.endswith("/kernel")):
        return tuple(shape)
    return tuple(shape[i] for i in (-1, -2, *range(len(shape) - 2)))


def reference(case):
    """The network in PyTorch with the same weights."""
    import torch

    module, name = case.module.split(".")
    network = getattr(importlib.import_module(f"references.{module}"), name)(**case.arguments)
    state = {
        name: tensor
        if name.endswith("num_batches_tracked")
        else torch.from_numpy(seeded.make_seeded_tensor(name, tuple(tensor.shape)))
        for name, tensor in network.state_dict().items()
    }
    network.load_state_dict(state)
    return network.eval()


def answer(network, x, normal):
    """What PyTorch's network says of pixels x, channels last as ours."""
    import torch

    mean, deviation = (np.array(values, np.float32) for values in normal)
    with torch.no_grad():
        given = torch.from_numpy(np.moveaxis((x - mean) / deviation, -1, 1))
        y = network(given.to(next(network.parameters()).dtype))
    return np.moveaxis(y.numpy(), 1, -1) if y.ndim == 4 else y.numpy()


def statistics(network, case):
    """name -> moving averages of PyTorch's network, of what is in use."""
    return {
        name: value.numpy()
        for name, value in network.state_dict().items()
        if "running_" in name and not layout_of(case).is_ignored(name)
    }


def our_statistics(model, case):
    """The same of ours, under PyTorch's names."""
    layout = layout_of(case)
    return {
        layout.get_tensor_name(path, case.network): variable.numpy()
        for path, variable in weights_record.get_weights(model).items()
        if "/moving_" in path
    }


def probe(values):
    """One number that tells a vector from another and from its permutations."""
    return float(np.mean(np.abs(values) * (1 + 0.5 * np.cos(np.arange(len(values))))))


def write(name, case):
    """tests/golden/NAME.json from PyTorch."""
    network, x = reference(case), seeded.make_seeded_pixels(*case.given)
    output = answer(network, x, case.normal)
    network.train()
    answer(network, x, case.normal)
    probes = [probe(value) for _, value in sorted(statistics(network, case).items())]
    kept = {
        "output": [float(f"{value:.7g}") for value in output.ravel()[:: max(1, output.size // 64)]],
        "statistics": [float(f"{value:.7g}") for value in probes],
    }
    (GOLDEN / f"{name}.json").write_text(json.dumps(kept) + "\n")


if __name__ == "__main__":
    for name, case in CASES.items():
        write(name, case)
