import pathlib
import sys
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import pytest
import seeded
import tensorflow as tf
from references import cases

from tfanon.core import registry
from tfanon.models import resnet
from tfanon.pretrained import (
    convert,
    layout,
    layouts,
    load_pretrained,
    weight_files,
    weights_record,
)

LAYOUT = layouts.find_layouts("resnet18")["torchvision_resnet"]


@pytest.fixture(scope="module")
def resnet18() -> tuple[keras.Model, dict[str, np.ndarray]]:
    """Our ResNet-18 of five outputs, and seeded tensors as torchvision's file has them."""
    model = registry.load_module("privacy", "resnet18").build(attributes=5)
    tensors = {}
    for path, variable in weights_record.get_weights(model).items():
        name = LAYOUT.get_tensor_name(path, "resnet18")
        shape = cases.get_shape_in_file(path, variable.shape, LAYOUT)
        tensors[name] = seeded.make_seeded_tensor(name, shape)
    return model, tensors


def assign_changed(
    resnet18: tuple[keras.Model, dict[str, np.ndarray]], **changed: Any
) -> tuple[list[str], list[str]]:
    """Assign the tensors with some of them changed, or removed by None."""
    model, tensors = resnet18
    changed_tensors = {**tensors, **changed}
    kept = {name: value for name, value in changed_tensors.items() if value is not None}
    return convert.assign_tensors(model, kept, LAYOUT, "resnet18", "theirs.pth")


def test_kernels_are_transposed_and_vectors_are_not():
    # PyTorch's Conv2d [out, in, h, w] -> [h, w, in, out]; its Linear [out, in] -> [in, out].
    assert LAYOUT.transpose_to_keras("stem/kernel", np.zeros((2, 3, 5, 7))).shape == (5, 7, 3, 2)
    dense = LAYOUT.transpose_to_keras("logits/kernel", np.arange(6).reshape(2, 3))
    assert dense.tolist() == [[0, 3], [1, 4], [2, 5]]
    positions = LAYOUT.transpose_to_keras("block0/positions/rel_pos_t", np.zeros((15, 96)))
    assert positions.shape == (15, 96)


def test_every_tensor_is_assigned(resnet18):
    unused, initial = assign_changed(resnet18, **{"bn1.num_batches_tracked": np.array(7)})
    assert (unused, initial) == (["bn1.num_batches_tracked"], [])
    model, tensors = resnet18
    variable = weights_record.get_weights(model)["stage4_1_b_bn/moving_variance"]
    np.testing.assert_array_equal(variable, tensors["layer4.1.bn2.running_var"])


@pytest.mark.parametrize(
    "changed, message",
    [
        (
            {"layer3.0.downsample.0.weight": None},
            r"theirs.pth lacks tensors of resnet18: layer3.0.downsample.0.weight\.",
        ),
        (
            {"layer5.0.conv1.weight": np.zeros((1,)), "extra.bias": np.zeros((1,))},
            r"theirs.pth has tensors that resnet18 does not use: extra.bias, "
            r"layer5.0.conv1.weight\.",
        ),
        (
            {"conv1.weight": np.zeros((64, 3, 3, 3))},
            r"other shapes than expected: conv1.weight \(stem/kernel has \(7, 7, 3, 64\), the "
            r"file's would be \(3, 3, 3, 64\)\)",
        ),
        ({"fc.bias": np.full(5, np.nan, "float32")}, r"not finite: fc.bias\."),
    ],
)
def test_tensors_that_do_not_fit_are_named_and_nothing_changes(resnet18, changed, message):
    before = [variable.numpy() for variable in resnet18[0].variables]
    with pytest.raises(ValueError, match=message):
        assign_changed(resnet18, **changed)
    for old, new in zip(before, resnet18[0].variables, strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_part_is_chosen_by_its_names():
    candidates = {"torchvision_resnet": LAYOUT}
    groups = {"model": {"conv1.weight": 1}, "optimizer": {"0.weight": 2}}
    assert convert.choose_layout(candidates, groups, "file")[2] == {"conv1.weight": 1}
    both = {"student": {"conv1.weight": 1}, "teacher": {"conv1.weight": 2}}
    message = "several parts that fit: student, teacher. Choose one by --part"
    with pytest.raises(ValueError, match=message):
        convert.choose_layout(candidates, both, "file")
    teacher = convert.choose_layout(candidates, both, "file", part="teacher")
    assert teacher[2] == {"conv1.weight": 2}
    message = r"has none of conv1.weight \(torchvision_resnet\); it has: a.weight"
    with pytest.raises(ValueError, match=message):
        convert.choose_layout(candidates, {"": {"a.weight": 1}}, "file")


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            ("resnet19", "o.weights.h5"),
            "No layout of published weights fits the network 'resnet19'; supported networks: "
            "i3d_r50",
        ),
        (("resnet18", "o.h5"), r"must end in .weights.h5; o.h5 does not"),
        (
            ("resnet18", "o.weights.h5", "smp"),
            "This network has no layout 'smp'; available: torchvision_resnet",
        ),
        (
            ("resnet18", "o.weights.h5", "", "", True),
            "Only r3d_18 has a dilated variant, not resnet18",
        ),
    ],
)
def test_wrong_arguments_are_named(arguments, message, tmp_path):
    tf.train.Checkpoint(v=tf.Variable(1.0)).write(str(tmp_path / "c"))
    with pytest.raises(ValueError, match=message):
        convert.convert_checkpoint(tmp_path / "c", *arguments)


def test_a_layout_without_a_rule_is_an_error():
    with pytest.raises(ValueError, match="no rule for neck of resnet18"):
        layout.map_by_rules((r"stem", "conv1"))("neck", "resnet18")


def test_vissl_adds_a_prefix_to_the_names_of_torchvision():
    vissl = layouts.find_layouts("resnet50")["vissl"]
    assert (
        vissl.get_tensor_name("stage3_0_c_bn/gamma", "resnet50")
        == "_feature_blocks.layer3.0.bn3.weight"
    )
    assert (
        vissl.get_tensor_name("stage3_0_shortcut/kernel", "resnet50")
        == "_feature_blocks.layer3.0.downsample.0.weight"
    )
    assert vissl.get_tensor_name("projection_0/kernel", "resnet50") is None


def test_an_image_network_fills_only_the_encoder(resnet18):
    encoder = layouts.find_layouts("unetpp")["torchvision_encoder"]
    f_A = registry.load_module("anonymizers", "unetpp").build()
    unused, initial = convert.assign_tensors(f_A, resnet18[1], encoder, "unetpp", "theirs.pth")
    assert {name.split(".")[0] for name in unused} == {"layer4", "fc"}
    assert {path[:3] for path in initial} == {
        "x00",
        "x01",
        "x02",
        "x03",
        "x11",
        "x12",
        "x22",
        "hea",
    }
    np.testing.assert_array_equal(
        weights_record.get_weights(f_A)["E4_1_b_bn/beta"], resnet18[1]["layer3.1.bn2.bias"]
    )


def compute_simclr_features(
    weights: Mapping[str, np.ndarray], x: np.ndarray, depth: int = 50
) -> tf.Tensor:
    """SimCLR's ResNet (arXiv 2002.05709) on its own variables: features [N, 2048]."""
    numbers = iter(range(1000))

    def conv_bn(x: tf.Tensor, kernel: int, stride: int, relu: bool = True) -> tf.Tensor:
        number = next(numbers)
        suffix = f"_{number}" if number else ""
        filters = weights[f"base_model/conv2d{suffix}/kernel"]
        if stride > 1:
            x = tf.pad(x, [[0, 0], [kernel // 2] * 2, [kernel // 2] * 2, [0, 0]])
        x = tf.nn.conv2d(x, filters, stride, "SAME" if stride == 1 else "VALID")
        gamma, beta, mean, variance = (
            weights[f"base_model/batch_normalization{suffix}/{name}"]
            for name in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        x = tf.nn.batch_normalization(x, mean, variance, beta, gamma, 1e-5)
        return tf.nn.relu(x) if relu else x

    x = tf.nn.max_pool2d(conv_bn(x, 7, 2), 3, 2, "SAME")
    for stage, repeats in enumerate(resnet.BLOCKS_BY_DEPTH[depth][1]):
        for place in range(repeats):
            stride = 2 if stage and not place else 1
            shortcut = x if place else conv_bn(x, 1, stride, relu=False)
            x = conv_bn(conv_bn(conv_bn(x, 1, 1), 3, stride), 1, 1, relu=False)
            x = tf.nn.relu(x + shortcut)
    return tf.reduce_mean(x, [1, 2])


def test_a_simclr_checkpoint_gives_its_features(tmp_path):
    simclr = layouts.find_layouts("resnet50")["simclr"]
    model = registry.load_module("privacy", "resnet50").build(embedding=128, variant="simclr")
    names = {
        simclr.get_tensor_name(path, "resnet50"): variable.shape
        for path, variable in weights_record.get_weights(model).items()
    }
    tensors = {
        name: seeded.make_seeded_tensor(name, tuple(shape)) for name, shape in names.items() if name
    }
    extra = {
        "global_step": np.int64(250228),
        "head_contrastive/nl_0/dense/kernel": np.zeros((2, 2), "float32"),
        "base_model/conv2d/kernel/Momentum": np.zeros((2, 2), "float32"),
    }
    everything = {**tensors, **extra}
    tf.raw_ops.SaveV2(
        prefix=str(tmp_path / "model.ckpt-250228"),
        tensor_names=list(everything),
        shape_and_slices=[""] * len(everything),
        tensors=list(everything.values()),
    )
    record = convert.convert_checkpoint(
        tmp_path / "model.ckpt-250228", "resnet50", tmp_path / "simclr.weights.h5"
    )
    assert record["left_out"] == sorted(extra) and record["layout"] == "simclr"
    assert record["fresh"] == [f"projection_{n}/{v}" for n in (0, 1) for v in ("bias", "kernel")]
    assert set(record["source"]["files"]) == {
        "model.ckpt-250228.index",
        "model.ckpt-250228.data-00000-of-00001",
    }
    f_B = load_pretrained.build_pretrained_network(
        "privacy", "resnet50", tmp_path / "simclr.weights.h5", embedding=32
    )
    x = seeded.make_seeded_pixels(2, 64, 48, 3)
    features = tf.keras.Model(f_B.input, f_B.get_layer("projection_0").input)(x)
    expected = compute_simclr_features(tensors, x)
    assert np.abs(features - expected).max() < 1e-4 * np.abs(expected).max()


def test_missing_and_too_large_files_are_refused(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="is not a file, and there is no TensorFlow checkpoint"):
        weight_files.read_tensors(tmp_path / "none.pth")
    (tmp_path / "large.pth").write_bytes(b"12345")
    monkeypatch.setattr(weight_files, "MAX_WEIGHT_FILE_BYTES", 4)
    with pytest.raises(ValueError, match="has 5 bytes; weights may have at most 4"):
        weight_files.read_tensors(tmp_path / "large.pth")


def test_reading_pytorch_needs_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    (tmp_path / "file.pth").write_bytes(b"1")
    with pytest.raises(ValueError, match=r"pip install 'tfanon\[convert\]'"):
        weight_files.read_tensors(tmp_path / "file.pth")


def test_a_file_that_would_execute_code_is_not_read(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save(
        {"conv1.weight": torch.zeros(2), "hook": WritesFile(tmp_path / "ran")},
        tmp_path / "evil.pth",
    )
    with pytest.raises(
        ValueError, match="contains more than tensors and plain values, so it was not read"
    ):
        weight_files.read_tensors(tmp_path / "evil.pth")
    assert not (tmp_path / "ran").exists()


class WritesFile:
    """Unpickled by `pickle.load`, it writes a file."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (str(self.path), "w"))


def test_damaged_files_and_names_of_data_parallel(tmp_path):
    torch = pytest.importorskip("torch")
    (tmp_path / "broken.pth").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(ValueError, match="is not a complete PyTorch file|was not read"):
        weight_files.read_tensors(tmp_path / "broken.pth")
    torch.save(
        {"net": {"module.conv1.weight": torch.ones(2, dtype=torch.float16)}},
        tmp_path / "parallel.pth",
    )
    tensors = weight_files.read_tensors(tmp_path / "parallel.pth")["net"]
    assert tensors["conv1.weight"].tolist() == [1.0, 1.0]
