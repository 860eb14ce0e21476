"""One case per convertible network: the network in Keras and in PyTorch, file layout and input.

    PYTHONPATH=tests python -m references.cases

writes tests/golden/ again from PyTorch's side: the outputs of each network for seeded weights, and
its batch statistics after one batch in training. The suite compares with these numbers where
PyTorch is not installed.
"""

import dataclasses
import importlib
import json
import pathlib
from typing import Any

import keras
import numpy as np
import seeded

from tfanon.core import registry
from tfanon.pretrained import convert, layouts, weights_record

GOLDEN = pathlib.Path(__file__).parent.parent / "golden"
TOLERANCE = 1e-4  # relative to the scale of the compared values
OUTPUTS = 5
# Mean and standard deviation.
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
KINETICS = (0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989)
LEVELS = (0.45,) * 3, (0.225,) * 3


@dataclasses.dataclass(frozen=True)
class Case:
    """One convertible network.

    Attributes:
        network: Name of the network in tfanon.
        layout: Name of the file layout.
        input_shape: Shape of the input.
        normalization: Mean and standard deviation of the input's channels.
        reference: "module.Class" of the network in tests/references.
        arguments: Arguments of that class.
        keras_arguments: Arguments of the network's build().
    """

    network: str
    layout: str
    input_shape: tuple[int, ...]
    normalization: tuple[tuple[float, ...], tuple[float, ...]]
    reference: str
    arguments: dict[str, Any] = dataclasses.field(default_factory=dict)
    keras_arguments: dict[str, Any] = dataclasses.field(default_factory=dict)


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


def find_layout(case: Case) -> Any:
    """Return the file layout of a case."""
    return layouts.find_layouts(case.network)[case.layout]


def build_keras_network(case: Case) -> keras.Model:
    """Build the network in Keras with seeded weights, assigned by the layout as from a file."""
    kind, layout = weights_record.find_network_kind(case.network), find_layout(case)
    outputs = {} if kind == "anonymizers" else {convert.OUTPUT_ARGUMENTS[kind]: OUTPUTS}
    arguments = {**layout.arguments, **case.keras_arguments, **outputs}
    model = registry.load_module(kind, case.network).build(**arguments)
    tensors = {}
    for path, variable in weights_record.get_weights(model).items():
        name = layout.get_tensor_name(path, case.network)
        shape = get_shape_in_file(path, variable.shape, layout)
        tensors[name] = seeded.make_seeded_tensor(name, shape)
    convert.assign_tensors(model, tensors, layout, case.network, "seeded")
    return model


def get_shape_in_file(path: str, shape: tuple[int, ...], layout: Any) -> tuple[int, ...]:
    """Return a Keras variable's shape in the file: the inverse of Layout.transpose_to_keras."""
    if not (layout.is_pytorch and path.endswith("/kernel")):
        return tuple(shape)
    return (shape[-1], shape[-2], *shape[:-2])


def build_pytorch_network(case: Case) -> Any:
    """Build the network in PyTorch with the same weights."""
    import torch

    module_name, class_name = case.reference.split(".")
    module = importlib.import_module(f"references.{module_name}")
    network = getattr(module, class_name)(**case.arguments)
    state = {}
    for name, tensor in network.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            tensor = torch.from_numpy(seeded.make_seeded_tensor(name, tuple(tensor.shape)))
        state[name] = tensor
    network.load_state_dict(state)
    return network.eval()


def predict_with_pytorch(network: Any, x: np.ndarray, normalization: Any) -> np.ndarray:
    """Apply PyTorch's network to pixels x; both x and the result have channels last."""
    import torch

    mean, stddev = (np.array(values, np.float32) for values in normalization)
    with torch.no_grad():
        normalized = torch.from_numpy(np.moveaxis((x - mean) / stddev, -1, 1))
        y = network(normalized.to(next(network.parameters()).dtype)).numpy()
    return np.moveaxis(y, 1, -1) if y.ndim == 4 else y


def read_pytorch_statistics(network: Any, case: Case) -> dict[str, np.ndarray]:
    """Return the moving averages of PyTorch's network that are in use, by name."""
    layout = find_layout(case)
    return {
        name: value.numpy()
        for name, value in network.state_dict().items()
        if "running_" in name and not layout.is_ignored(name)
    }


def read_keras_statistics(model: keras.Model, case: Case) -> dict[str, np.ndarray]:
    """Return the moving averages of the Keras network, by PyTorch's names."""
    layout = find_layout(case)
    return {
        layout.get_tensor_name(path, case.network): variable.numpy()
        for path, variable in weights_record.get_weights(model).items()
        if "/moving_" in path
    }


def compute_fingerprint(values: np.ndarray) -> float:
    """Return one number that distinguishes a vector from others and from its permutations."""
    return float(np.mean(np.abs(values) * (1 + 0.5 * np.cos(np.arange(len(values))))))


def write_golden_file(name: str, case: Case) -> None:
    """Write tests/golden/NAME.json from PyTorch."""
    network, x = build_pytorch_network(case), seeded.make_seeded_pixels(*case.input_shape)
    output = predict_with_pytorch(network, x, case.normalization)
    network.train()
    predict_with_pytorch(network, x, case.normalization)
    sample = output.ravel()[:: max(1, output.size // 64)]
    statistics = sorted(read_pytorch_statistics(network, case).items())
    golden = {
        "output": [_round(value) for value in sample],
        "statistics": [_round(compute_fingerprint(value)) for _, value in statistics],
    }
    (GOLDEN / f"{name}.json").write_text(json.dumps(golden) + "\n")


def _round(value: float) -> float:
    """Round to seven digits, the precision of float32."""
    return float(f"{value:.7g}")


if __name__ == "__main__":
    for name, case in CASES.items():
        write_golden_file(name, case)
