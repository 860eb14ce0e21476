import functools
import http.server
import pathlib
import subprocess
import sys

import pytest
import streaming
from references import cases

from tfanon import weights
from tfanon.core import files, registry
from tfanon.pretrained import catalog, layouts, weights_record, weights_table
from tfanon.pretrained.options import WeightsOptions

ROOT = pathlib.Path(__file__).parent.parent


def run_command(*arguments: str) -> subprocess.CompletedProcess[str]:
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
        "| `small_resnet` | f_B | 267,672 | 0.01 G | 64 x 64 "
        "| (x - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225) |",
    ]


def test_a_wrong_name_is_one_line_and_status_1(capsys, monkeypatch):
    # There is no command line here.
    monkeypatch.setattr(weights.config, "from_flags", lambda options: options())
    assert weights.main(["", "inspect", "unet3"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    message = "tfanon.weights: There is no network called 'unet3'; available: blacken"
    assert printed.err.startswith(message)
    assert printed.err.count("\n") == 1


@pytest.mark.large
def test_fetch_converts_and_inspect_describes(tmp_path):
    torch = pytest.importorskip("torch")
    published = tmp_path / "mirror" / "I3D_8x8_R50.pyth"
    published.parent.mkdir()
    torch.save(
        {
            "model_state": cases.build_pytorch_network(
                cases.CASES["i3d_r50_pytorchvideo"]
            ).state_dict()
        },
        published,
    )
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=published.parent)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    with streaming.run_server(server) as location:
        done = run_command(
            "fetch",
            "i3d_r50",
            f"--mirror=http://{location}",
            f"--cache={tmp_path / 'cache'}",
            f"--sha256={files.compute_sha256(published)}",
            "-o",
            str(tmp_path / "i3d.weights.h5"),
        )
    assert done.returncode == 0, done.stderr
    assert "i3d_r50 {'variant': 'pytorchvideo', 'classes': 5}" in done.stdout
    assert "tensors of the source are not used: blocks.0.norm.num_batches_tracked" in done.stdout
    done = run_command("inspect", str(tmp_path / "i3d.weights.h5"))
    # 395 * 2049 parameters fewer than with the classes of Kinetics-400.
    described = "complete; i3d_r50, 27,234,117 parameters, pixels become (x - 0.45) / 0.225"
    assert described in done.stdout


@pytest.mark.parametrize(
    "names, options, message",
    [
        (
            ["r3d_18", "resnet18"],
            WeightsOptions(output="a.weights.h5"),
            "-o can be used with one name only, not with 2",
        ),
        (
            ["i3d_r50"],
            WeightsOptions(),
            "No digest of i3d_r50 is published: set --sha256 to one that you trust",
        ),
        (
            ["resnet18"],
            WeightsOptions(sha256="0" * 64),
            "begins with f37072fd.*, but --sha256 does not",
        ),
    ],
)
def test_fetch_needs_one_output_per_name_and_a_digest(names, options, message):
    with pytest.raises(ValueError, match=message):
        weights.fetch_weights(names, options)


def test_fetch_without_a_name_lists_all_names(capsys):
    weights.fetch_weights([], WeightsOptions())
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(catalog.PUBLISHED_WEIGHTS)
    assert lines[0] == (
        "r3d_18: r3d_18, Kinetics-400; SHA-256 b3b3357e...; "
        "https://download.pytorch.org/models/r3d_18-b3b3357e.pth"
    )


def test_convert_needs_a_file_a_network_and_an_output():
    with pytest.raises(ValueError, match="convert needs one file, its --network, and -o"):
        weights.convert_file(["a.pth"], WeightsOptions(output="a.weights.h5"))


def test_published_weights_have_a_layout_and_a_network():
    for entry in catalog.PUBLISHED_WEIGHTS.values():
        assert entry.layout in layouts.find_layouts(entry.network)
        assert weights_record.find_network_kind(entry.network)


@pytest.fixture(scope="module")
def rows() -> dict[str, weights_table.NetworkSummary]:
    """A summary of every network by name; takes a minute."""
    return {
        name: weights_table.summarize_network(name)
        for name in weights_table.list_trainable_networks()
    }


@pytest.mark.large
def test_networks_have_the_published_sizes(rows):
    # From torchvision's documentation, and counted in the code of SPAct, VITA and the paper. C3D
    # has the classes of Sports-1M.
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
    # From torchvision's documentation.
    giga_multiply_adds = {
        "r3d_18": 40.697,
        "r2plus1d_18": 40.519,
        "mvit_v2_s": 64.224,
        "resnet18": 1.814,
        "resnet34": 3.664,
        "resnet50": 4.089,
        "resnet101": 7.801,
        "resnet152": 11.514,
    }
    assert {name: rows[name].parameters for name in published} == published
    for name, expected in giga_multiply_adds.items():
        assert rows[name].multiply_adds / 1e9 == pytest.approx(expected, rel=2e-3), name


@pytest.mark.large
def test_inspect_prints_the_table_of_the_readme(rows):
    assert weights_table.format_network_table(rows.values()) in (ROOT / "README.md").read_text()


@pytest.mark.large
def test_c3d_with_the_classes_of_ucf101():
    # The usual 78.4 M are with 101 classes; the 487 of Sports-1M add 386 * 4097.
    model = registry.load_module("actions", "c3d").build(classes=101)
    assert weights_table.count_parameters(model) == 79_991_015 - 386 * 4097
