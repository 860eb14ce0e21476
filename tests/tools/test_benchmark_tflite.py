import finished_runs
import pytest

from tfanon.models import cost
from tools import benchmark_tflite
from tools.benchmark_tflite import TFLiteBenchmarkOptions


def test_one_row_per_size_and_quantization(monkeypatch, capsys):
    finished_runs.add_tiny_networks(monkeypatch)
    options = TFLiteBenchmarkOptions(("tiny:1",), ("16",), ("none",), repeats=2)
    assert benchmark_tflite.print_table(options) == 0
    heading_row, _, row = capsys.readouterr().out.splitlines()
    headings, values = (
        [cell.strip() for cell in line.split("|")[1:-1]] for line in (heading_row, row)
    )
    cells = dict(zip(headings, values))
    assert (cells["network"], cells["quantize"], cells["MMAC"]) == ("tiny:1", "none", "0")
    assert float(cells["ms, 1 thread"]) > 0 and 10 < float(cells["peak MiB"]) < 300
    # 16 * 16 pixels, 3 -> 4 channels over 3 x 3 and 4 -> 3 over 1 x 1:
    # 256 * (9 * 3 * 4 + 4 * 3) = 30,720.
    f_A = benchmark_tflite.build_network("tiny")
    assert cost.count_multiply_adds(f_A, [1, 16, 16, 3]) == 30720


@pytest.mark.parametrize(
    "network, message",
    [("unetpp:wide", "NAME:WIDTH, such as"), ("nothing:1", "No anonymizers called")],
)
def test_invalid_network_is_refused(network, message, capsys):
    options = TFLiteBenchmarkOptions((network,), ("16",), ("none",))
    assert benchmark_tflite.print_table(options) == 1
    assert message in capsys.readouterr().err


def test_invalid_quantization_is_refused_before_the_table(capsys):
    options = TFLiteBenchmarkOptions(("unetpp:1",), ("16",), ("int4",))
    assert benchmark_tflite.print_table(options) == 1
    printed = capsys.readouterr()
    assert "--quantize is a list of none, float16, dynamic, int8, not 'int4'" in printed.err
    assert not printed.out
