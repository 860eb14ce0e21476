import pathlib

import pytest

import tfanon.models.anonymizers as anonymizers
from tools import benchmark_tflite


def test_a_line_per_size_and_way(monkeypatch, capsys):
    tiny = pathlib.Path(__file__).parents[1] / "tiny" / "anonymizers"
    monkeypatch.setattr(anonymizers, "__path__", [*anonymizers.__path__, str(tiny)])
    assert (
        benchmark_tflite.benchmark(
            benchmark_tflite.Settings(("tiny:1",), ("16",), ("none",), repeats=2)
        )
        == 0
    )
    head, _, line = capsys.readouterr().out.splitlines()
    names, values = ([cell.strip() for cell in row.split("|")[1:-1]] for row in (head, line))
    cells = dict(zip(names, values))
    # 16 * 16 pixels, 3 -> 4 channels over 3 x 3 and 4 -> 3 over 1 x 1: 256 * (9 * 3 * 4 + 4 * 3) = 30,720.
    assert (cells["network"], cells["numbers"], cells["MMAC"]) == ("tiny:1", "none", "0")
    assert float(cells["ms, 1 thread"]) > 0 and 10 < float(cells["peak MiB"]) < 300
    assert (
        benchmark_tflite.cost.multiply_adds(benchmark_tflite.build("tiny"), [1, 16, 16, 3]) == 30720
    )


@pytest.mark.parametrize(
    "name, said", [("unetpp:wide", "NAME:WIDTH, such as"), ("nothing:1", "No anonymizers called")]
)
def test_what_is_no_network(name, said, capsys):
    assert benchmark_tflite.benchmark(benchmark_tflite.Settings((name,), ("16",), ("none",))) == 1
    assert said in capsys.readouterr().err


def test_what_is_no_way_of_holding_numbers(capsys):
    assert (
        benchmark_tflite.benchmark(benchmark_tflite.Settings(("unetpp:1",), ("16",), ("int4",)))
        == 1
    )
    told = capsys.readouterr()
    assert (
        "--quantize is a list of none, float16, dynamic, int8, not 'int4'" in told.err
        and not told.out
    )
