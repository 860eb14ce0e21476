import functools
import http.server
import pathlib
import subprocess
import sys
import threading

import pytest
from references import cases

from tfanon import weights
from tfanon.core import files, registry
from tfanon.pretrained import catalog, layouts, weights_record, weights_table
from tfanon.pretrained.options import WeightsOptions

ROOT = pathlib.Path(__file__).parent.parent


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "tfanon.weights", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def test_inspect_prints_a_table(capsys):
    weights.print_networks(["unetpp_mobile", "small_resnet"], WeightsOptions())
    assert capsys.readouterr().out.splitlines()[2:] == [
        "| `unetpp_mobile` | f_A | 141,083 | 0.48 G | 224 x 224 | (x - 0.5) / 0.5 |",
        "| `small_resnet` | f_B | 267,672 | 0.01 G | 64 x 64 | (x - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225) |",
    ]


def test_a_wrong_name_is_one_line_and_status_1(capsys, monkeypatch):
    monkeypatch.setattr(
        weights.config, "from_flags", lambda settings: settings()
    )  # no command line here
    assert weights.main(["", "inspect", "unet3"]) == 1
    told = capsys.readouterr()
    assert told.out == "" and told.err.startswith(
        "tfanon.weights: No network called 'unet3': there are blacken"
    )
    assert told.err.count("\n") == 1


@pytest.mark.large
def test_one_command_fetches_converts_and_the_next_inspects(tmp_path):
    torch = pytest.importorskip("torch")
    published = tmp_path / "mirror" / "I3D_8x8_R50.pyth"
    published.parent.mkdir()
    torch.save(
        {"model_state": cases.reference(cases.CASES["i3d_r50_pytorchvideo"]).state_dict()},
        published,
    )
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=published.parent)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        done = command(
            "fetch",
            "i3d_r50",
            f"--mirror=http://127.0.0.1:{server.server_port}",
            f"--cache={tmp_path / 'cache'}",
            f"--sha256={files.compute_sha256(published)}",
            "-o",
            str(tmp_path / "i3d.weights.h5"),
        )
        server.shutdown()
    assert done.returncode == 0, done.stderr
    assert "i3d_r50 {'variant': 'pytorchvideo', 'classes': 5}" in done.stdout
    assert "without a place here: blocks.0.norm.num_batches_tracked" in done.stdout
    done = command("inspect", str(tmp_path / "i3d.weights.h5"))
    assert (
        "whole; i3d_r50, 27,234,117 parameters, pixels become (x - 0.45) / 0.225" in done.stdout
    )  # 395 * 2049 fewer


@pytest.mark.parametrize(
    "given, settings, message",
    [
        (
            ["r3d_18", "resnet18"],
            WeightsOptions(output="a.weights.h5"),
            "One -o is for one name, not for 2",
        ),
        (
            ["i3d_r50"],
            WeightsOptions(),
            "Nobody published a digest of i3d_r50: give the one you trust as --sha256",
        ),
        (
            ["resnet18"],
            WeightsOptions(sha256="0" * 64),
            "begins with f37072fd.*, that of --sha256 does not",
        ),
    ],
)
def test_fetch_wants_one_output_and_a_digest(given, settings, message):
    with pytest.raises(ValueError, match=message):
        weights.fetch_weights(given, settings)


def test_fetch_without_a_name_lists_what_is_known(capsys):
    weights.fetch_weights([], WeightsOptions())
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(catalog.PUBLISHED_WEIGHTS)
    assert lines[0] == (
        "r3d_18: r3d_18, Kinetics-400; SHA-256 b3b3357e...; "
        "https://download.pytorch.org/models/r3d_18-b3b3357e.pth"
    )


def test_convert_wants_a_file_a_network_and_an_output():
    with pytest.raises(ValueError, match="convert needs one file, its --network, and -o"):
        weights.convert_file(["a.pth"], WeightsOptions(output="a.weights.h5"))


def test_what_is_known_has_a_layout_and_a_network():
    for entry in catalog.PUBLISHED_WEIGHTS.values():
        assert entry.layout in layouts.find_layouts(entry.network)
        assert weights_record.find_network_kind(entry.network)


@pytest.fixture(scope="module")
def rows():
    """Name -> Row of every network; a minute."""
    return {
        name: weights_table.summarize_network(name)
        for name in weights_table.list_trainable_networks()
    }


@pytest.mark.large
def test_every_network_is_as_large_as_published(rows):
    # torchvision's documentation; SPAct's, VITA's and the paper's code, counted; C3D with the classes of Sports-1M.
    published = {
        "unetpp": 5_505_059,
        "unet": 17_267_523,
        "r3d_18": 33_371_472,
        "r2plus1d_18": 31_505_325,
        "mvit_v2_s": 34_537_744,
        "i3d_r50": 28_043_472,
        "i3d": 12_697_264,
        "c3d": 79_991_015,
        "resnet18": 11_689_512,
        "resnet34": 21_797_672,
        "resnet50": 25_557_032,
        "resnet101": 44_549_160,
        "resnet152": 60_192_808,
    }
    giga = {
        "r3d_18": 40.697,
        "r2plus1d_18": 40.519,
        "mvit_v2_s": 64.224,
        "resnet18": 1.814,
        "resnet34": 3.664,
        "resnet50": 4.089,
        "resnet101": 7.801,
        "resnet152": 11.514,
    }  # torchvision's documentation
    assert {name: rows[name].parameters for name in published} == published
    for name, expected in giga.items():
        assert rows[name].multiply_adds / 1e9 == pytest.approx(expected, rel=2e-3), name


@pytest.mark.large
def test_the_readmes_table_is_what_inspect_prints(rows):
    assert weights_table.format_network_table(rows.values()) in (ROOT / "README.md").read_text()


@pytest.mark.large
def test_c3d_with_the_classes_of_ucf101():
    # 78.4 M, as it is usually given: with 101 classes; 487 of Sports-1M add 386 * 4097.
    assert (
        weights_table.count_parameters(registry.load_module("actions", "c3d").build(classes=101))
        == 79_991_015 - 386 * 4097
    )
