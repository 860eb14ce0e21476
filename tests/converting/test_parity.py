"""Converted networks against PyTorch's own: what they answer, and what a batch in training makes of the statistics."""

import json

import keras
import numpy as np
import pytest

import seeded
from references import cases
from tfanon.converting import convert, starting

SLOW = ("resnet34", "resnet101", "resnet152", "r3d_18_dilated", "r2plus1d_18", "i3d_r50_pytorchvideo")
NAMES = [pytest.param(name, marks=pytest.mark.large) if name in SLOW else name for name in cases.CASES]


def assert_close(ours, theirs, tolerance=cases.TOLERANCE):
    difference, scale = np.abs(ours - theirs).max(), np.abs(theirs).max()
    assert difference < tolerance * scale, f"{difference:.3g} of {scale:.3g}"


@pytest.mark.parametrize("name", NAMES)
def test_seeded_weights_give_the_golden_answers(name):
    case, golden = cases.CASES[name], json.loads((cases.GOLDEN / f"{name}.json").read_text())
    model, x = cases.ours(case), seeded.pixels(*case.given)
    output = keras.ops.convert_to_numpy(model(x)).ravel()
    assert_close(output[::max(1, output.size // 64)], np.array(golden["output"]))
    if golden["statistics"]:
        model(x, training=True)
        probes = [cases.probe(value) for _, value in sorted(cases.our_statistics(model, case).items())]
        np.testing.assert_allclose(probes, golden["statistics"], rtol=cases.TOLERANCE)


@pytest.mark.large
@pytest.mark.parametrize("name", cases.CASES)
def test_a_converted_file_computes_what_pytorch_does(name, tmp_path):
    torch = pytest.importorskip("torch")
    case = cases.CASES[name]
    network, x = cases.reference(case), seeded.pixels(*case.given)
    torch.save({"epoch": 3, "model_state": network.state_dict()}, tmp_path / "theirs.pth")
    convert.convert(tmp_path / "theirs.pth", case.network, tmp_path / "ours.weights.h5", dilated="dilated" in name)
    model = starting.load(tmp_path / "ours.weights.h5")
    assert_close(keras.ops.convert_to_numpy(model(x)), cases.answer(network, x, case.normal))
    network.train()
    cases.answer(network, x, case.normal)
    model(x, training=True)
    theirs, ours = cases.statistics(network), cases.our_statistics(model, case)
    for key, value in theirs.items():
        if key in ours:  # PyTorch's UNet++ carries a stage that it does not use
            assert_close(ours[key], value)
    assert len(ours) == len([key for key in theirs if not key.startswith("encoder.layer4")])


@pytest.mark.large
def test_mvit_at_the_papers_size():
    # 16 x 224 x 224: no table of positions is read in between.
    pytest.importorskip("torch")
    case = cases.CASES["mvit_v2_s"]
    x = seeded.pixels(1, 16, 224, 224, 3)
    assert_close(keras.ops.convert_to_numpy(cases.ours(case)(x)), cases.answer(cases.reference(case), x, case.normal))
