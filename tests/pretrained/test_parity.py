"""Converted networks against PyTorch's own: what they answer, and what a batch in training makes of the statistics."""

import json

import keras
import numpy as np
import pytest
import seeded
from references import cases

from tfanon.pretrained import convert, load_pretrained

SLOW = (
    "resnet34",
    "resnet101",
    "resnet152",
    "r3d_18_dilated",
    "i3d_r50_pytorchvideo",
)  # their parts are in the others
NAMES = [
    pytest.param(name, marks=pytest.mark.large) if name in SLOW else name for name in cases.CASES
]


def difference(ours, theirs):
    """The largest one, as a share of the scale."""
    return np.abs(ours - theirs).max() / np.abs(theirs).max()


def rounding(name):
    """How far float32 takes PyTorch's own statistics from those of float64, twice: what an order of sums may do."""
    found = []
    for network in (
        cases.reference(cases.CASES[name]),
        cases.reference(cases.CASES[name]).double(),
    ):
        cases.answer(
            network.train(), seeded.pixels(*cases.CASES[name].given), cases.CASES[name].normal
        )
        found.append(cases.statistics(network, cases.CASES[name]))
    return 2 * max(difference(found[0][key], value) for key, value in found[1].items())


@pytest.mark.parametrize("name", NAMES)
def test_seeded_weights_give_the_golden_answers(name):
    case, golden = cases.CASES[name], json.loads((cases.GOLDEN / f"{name}.json").read_text())
    model, x = cases.ours(case), seeded.pixels(*case.given)
    output = keras.ops.convert_to_numpy(model(x)).ravel()
    assert (
        difference(output[:: max(1, output.size // 64)], np.array(golden["output"]))
        < cases.TOLERANCE
    )
    if golden["statistics"]:
        model(x, training=True)
        probes = [
            cases.probe(value) for _, value in sorted(cases.our_statistics(model, case).items())
        ]
        np.testing.assert_allclose(probes, golden["statistics"], rtol=cases.TOLERANCE)


@pytest.mark.large
@pytest.mark.parametrize("name", cases.CASES)
def test_a_converted_file_computes_what_pytorch_does(name, tmp_path):
    torch = pytest.importorskip("torch")
    case = cases.CASES[name]
    network, x = cases.reference(case), seeded.pixels(*case.given)
    torch.save({"epoch": 3, "model_state": network.state_dict()}, tmp_path / "theirs.pth")
    convert.convert_checkpoint(
        tmp_path / "theirs.pth",
        case.network,
        tmp_path / "ours.weights.h5",
        dilated="dilated" in name,
    )
    model = load_pretrained.load_pretrained_network(tmp_path / "ours.weights.h5")
    assert (
        difference(keras.ops.convert_to_numpy(model(x)), cases.answer(network, x, case.normal))
        < cases.TOLERANCE
    )
    cases.answer(network.train(), x, case.normal)
    model(x, training=True)
    theirs, ours = cases.statistics(network, case), cases.our_statistics(model, case)
    allowed = (
        rounding(name) if name == "resnet152" else cases.TOLERANCE
    )  # in training its rounding alone passes 1e-4
    assert set(ours) == set(theirs)
    assert max([difference(ours[key], value) for key, value in theirs.items()], default=0) < allowed


@pytest.mark.large
def test_mvit_at_the_papers_size():
    # 16 x 224 x 224: no table of positions is read in between.
    pytest.importorskip("torch")
    case = cases.CASES["mvit_v2_s"]
    x = seeded.pixels(1, 16, 224, 224, 3)
    theirs = cases.answer(cases.reference(case), x, case.normal)
    assert difference(keras.ops.convert_to_numpy(cases.ours(case)(x)), theirs) < cases.TOLERANCE
