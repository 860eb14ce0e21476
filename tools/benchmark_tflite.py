"""What anonymizers cost as TFLite files, side by side: time, frames per second, memory, and multiply-adds:

    python -m tools.benchmark_tflite
    python -m tools.benchmark_tflite --networks=unetpp:0.125,unetpp_mobile:1 --sizes=224 --quantize=none,int8

A network is NAME:WIDTH. Weights are drawn by a seed, which changes no time. Each file is run in processes of its own.
Multiply-adds are what energy follows on one chip; time is that of this machine.
"""

import dataclasses
import pathlib
import sys
import tempfile

import tfanon  # noqa: F401  before Keras, whose defaults it sets

# isort: split
import keras
import numpy as np
from absl import app

from tfanon.core import config, exit_status, registry
from tfanon.exporting import exporter, measure, tflite
from tfanon.models import cost

HEAD = [
    "network",
    "H = W",
    "numbers",
    "MMAC",
    "MB",
    "CPU ms",
    "ms, 1 thread",
    "fps",
    "ms, 2 threads",
    "fps",
    "peak MiB",
]


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is measured."""

    networks: tuple = config.flag(
        ("unetpp:0.125", "unetpp_mobile:1", "unetpp:1"), "NAME:WIDTH of each network."
    )
    sizes: tuple = config.flag(("112", "224", "320"), "H and W of the frames, in pixels.")
    quantize: tuple = config.flag(("none", "float16", "int8"), "Of none, float16, dynamic, int8.")
    repeats: int = config.flag(20, "Frames that are timed.", low=1, high=10000)


def main(arguments):
    exit_status.reject_positional_arguments(arguments[1:])
    return benchmark(config.from_flags(Settings))


def benchmark(settings):
    """The exit status; the table goes to standard output, line by line, as Markdown."""
    try:
        exporter.check_formats(("tflite",), settings.quantize)
        print(f"| {' | '.join(HEAD)} |\n| --- |{' ---: |' * (len(HEAD) - 1)}", flush=True)
        for name in settings.networks:
            for side in map(int, settings.sizes):
                for line in lines(name, side, settings):
                    print(f"| {' | '.join(line)} |", flush=True)
    except (ValueError, OSError) as problem:
        print(f"tools.benchmark_tflite: {problem}", file=sys.stderr)
        return 1
    return 0


def lines(name, side, settings):
    """Cells of the table for one network at one size, a line per way of holding its numbers."""
    f_A = build(name)
    work = cost.count_multiply_adds(f_A, [1, side, side, 3]) / 1e6
    frames = noise(side)
    with tempfile.TemporaryDirectory() as folder:
        for kind in settings.quantize:
            path = pathlib.Path(folder) / tflite.TFLITE_FILES[kind]
            path.write_bytes(tflite.convert_to_tflite(f_A, (side, side), kind, frames))
            found = measure.measure_costs(path, (side, side), repeats=settings.repeats)
            times = [cell for threads in "12" for cell in timed(found["milliseconds"][threads])]
            yield [
                name,
                str(side),
                kind,
                f"{work:.0f}",
                f"{measure.count_bytes(path) / 1e6:.2f}",
                f"{found['cpu_milliseconds']:.3g}",
                *times,
                f"{found['peak_mib'] or float('nan'):.0f}",
            ]


def build(name):
    """f_A of NAME:WIDTH, with seeded weights.  Raises ValueError for another form and as registry.load_module does."""
    network, _, width = name.partition(":")
    try:
        width = float(width or 1)
    except ValueError:
        raise ValueError(
            f"--networks is a list of NAME:WIDTH, such as unetpp:0.125, not '{name}'."
        ) from None
    keras.utils.set_random_seed(0)
    return registry.load_module("anonymizers", network).build(width=width)


def noise(side):
    """Two frames that calibrate int8."""
    return np.random.default_rng(0).random((2, side, side, 3), np.float32)


def timed(milliseconds):
    return f"{milliseconds:.3g}", f"{1000 / milliseconds:.3g}"


if __name__ == "__main__":
    config.define_flags(Settings)
    app.run(main)
