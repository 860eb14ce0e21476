"""Compare what anonymizers cost as TFLite files: time, frames per second, memory, multiply-adds.

    python -m tools.benchmark_tflite
    python -m tools.benchmark_tflite --networks=unetpp:0.125,unetpp_mobile:1 --quantize=none,int8

Prints a Markdown table. A network is NAME:WIDTH, with random weights, which do not change the time.
Each file is measured in processes of its own. Times hold for this machine only; the energy that a
chip needs follows the multiply-adds.
"""

import dataclasses
import pathlib
import sys
import tempfile
from collections.abc import Iterator, Sequence

import tfanon  # noqa: F401  before Keras, whose defaults it sets

# isort: split
import keras
import numpy as np

from tfanon.core import command_line, config, exit_status, registry
from tfanon.exporting import exporter, measure, tflite
from tfanon.models import cost

HEADINGS = (
    "network",
    "H = W",
    "quantize",
    "MMAC",
    "MB",
    "CPU ms",
    "ms, 1 thread",
    "fps",
    "ms, 2 threads",
    "fps",
    "peak MiB",
)
THREADS = (1, 2)
CALIBRATION_FRAMES = 2  # noise suffices: the ranges found change no time


@dataclasses.dataclass(frozen=True)
class TFLiteBenchmarkOptions:
    """Which networks are measured, and how."""

    networks: tuple[str, ...] = config.flag(
        ("unetpp:0.125", "unetpp_mobile:1", "unetpp:1"), "NAME:WIDTH of each network."
    )
    sizes: tuple[str, ...] = config.flag(
        ("112", "224", "320"), "Height and width of the frames, in pixels."
    )
    quantize: tuple[str, ...] = config.flag(
        ("none", "float16", "int8"), "Any of none, float16, dynamic and int8."
    )
    repeats: int = config.flag(20, "Frames that are timed.", low=1, high=10000)


def main(arguments: Sequence[str]) -> int:
    """Run the command; return the exit status."""
    exit_status.reject_positional_arguments(arguments[1:])
    return print_table(config.from_flags(TFLiteBenchmarkOptions))


def print_table(options: TFLiteBenchmarkOptions) -> int:
    """Measure all networks and print the table, row by row; return the exit status."""
    try:
        exporter.check_formats(("tflite",), options.quantize)
        alignments = ["---"] + ["---:"] * (len(HEADINGS) - 1)
        print(_format_row(HEADINGS))
        print(_format_row(alignments), flush=True)
        for network in options.networks:
            for side in map(int, options.sizes):
                for cells in measure_network(network, side, options):
                    print(_format_row(cells), flush=True)
    except (ValueError, OSError) as error:
        print(f"tools.benchmark_tflite: {error}", file=sys.stderr)
        return 1
    return 0


def measure_network(
    network: str, side: int, options: TFLiteBenchmarkOptions
) -> Iterator[list[str]]:
    """Measure one network at one size.

    Args:
        network: NAME:WIDTH.
        side: Height and width of the frames in pixels.
        options: Which files are made of it.

    Yields:
        The cells of one row, per value of `--quantize`.
    """
    f_A = build_network(network)
    million_multiply_adds = cost.count_multiply_adds(f_A, [1, side, side, 3]) / 1e6
    frames = make_calibration_frames(side)
    with tempfile.TemporaryDirectory() as folder:
        for quantize in options.quantize:
            path = pathlib.Path(folder) / tflite.TFLITE_FILES[quantize]
            path.write_bytes(tflite.convert_to_tflite(f_A, (side, side), quantize, frames))
            costs = measure.measure_costs(path, (side, side), THREADS, options.repeats)
            times: list[str] = []
            for threads in THREADS:
                times += format_time(costs["milliseconds"][str(threads)])
            yield [
                network,
                str(side),
                quantize,
                f"{million_multiply_adds:.0f}",
                f"{measure.count_bytes(path) / 1e6:.2f}",
                f"{costs['cpu_milliseconds']:.3g}",
                *times,
                f"{costs['peak_mib'] or float('nan'):.0f}",
            ]


def build_network(network: str) -> keras.Model:
    """Build f_A with random weights from a fixed seed.

    Args:
        network: NAME:WIDTH.

    Raises:
        ValueError: The text has another form, or there is no such anonymizer.
    """
    name, _, width_text = network.partition(":")
    try:
        width = float(width_text or 1)
    except ValueError:
        raise ValueError(
            f"--networks is a list of NAME:WIDTH, such as unetpp:0.125, not '{network}'."
        ) from None
    keras.utils.set_random_seed(0)
    return registry.load_module("anonymizers", name).build(width=width)


def make_calibration_frames(side: int) -> np.ndarray:
    """Return noise that calibrates int8, float32 `[n, side, side, 3]` in [0, 1]."""
    return np.random.default_rng(0).random((CALIBRATION_FRAMES, side, side, 3), np.float32)


def format_time(milliseconds: float) -> tuple[str, str]:
    """Return the cells of a time per frame and of the frames per second."""
    return f"{milliseconds:.3g}", f"{1000 / milliseconds:.3g}"


def _format_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    command_line.run_entry_point(main, [TFLiteBenchmarkOptions], __doc__, needs_arguments=False)
