"""Measure whether 8 bits make a layer faster on this processor: float32 and int8 convolutions.

    python -m benchmarks.quantized_layers [--repeats=60]

Prints the smallest processor time per call in milliseconds, as LiteRT runs the layer on one thread,
with a fused ReLU. int8 is faster where the last column is above 1. Which kernel runs depends on the
processor's instructions, so the first line names those that matter here.
"""

import contextlib
import io
import pathlib
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tfanon  # noqa: F401  before Keras, whose defaults it sets

# isort: split
import keras
import numpy as np
import tensorflow as tf
from absl import app, flags, logging

from tfanon.inference.loaders import tflite

SIZES = ((4, 224), (8, 112), (16, 112), (32, 56), (48, 56), (64, 28), (32, 14))  # channels, H = W
KINDS: dict[str, Callable[[int], keras.layers.Layer]] = {
    "3x3": lambda channels: keras.layers.Conv2D(channels, 3, padding="same", activation="relu"),
    "1x1": lambda channels: keras.layers.Conv2D(channels, 1, activation="relu"),
    "3x3 depthwise": lambda channels: keras.layers.DepthwiseConv2D(
        3, padding="same", activation="relu"
    ),
}
HEADINGS = ("convolution", "channels", "H = W", "float32 ms", "int8 ms", "times as fast")
CALIBRATION_EXAMPLES = 4
# Vector instructions that 8-bit kernels are written for, as /proc/cpuinfo names them.
INSTRUCTIONS = re.compile(r"\b(?:avx\w*|fma|asimd\w*|i8mm)\b")
FLAGS = flags.FLAGS
flags.DEFINE_integer("repeats", 60, "Calls that are timed.", lower_bound=1)


def convert(model: keras.Model, int8: bool) -> bytes:
    """Convert a model to TFLite without printing anything.

    Args:
        model: The model.
        int8: Whether to quantize it fully.
    """
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if int8:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: yield_examples(model.input_shape[1:])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    with contextlib.redirect_stdout(io.StringIO()):
        return converter.convert()


def yield_examples(shape: Sequence[int]) -> Iterator[list[np.ndarray]]:
    for _ in range(CALIBRATION_EXAMPLES):
        yield [np.random.rand(1, *shape).astype(np.float32)]


def measure_milliseconds(content: bytes) -> float:
    """Return the smallest processor time of one call of a TFLite file, on one thread."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "layer.tflite"
        path.write_bytes(content)
        interpreter = tflite.make_interpreter(path, threads=1)
    interpreter.allocate_tensors()
    seconds = [measure_processor_seconds(interpreter.invoke) for _ in range(FLAGS.repeats)]
    return min(seconds) * 1000


def measure_processor_seconds(function: Callable[[], Any]) -> float:
    start = time.process_time()
    function()
    return time.process_time() - start


def list_instructions() -> str:
    """Name the vector instructions of this processor that matter to 8-bit kernels."""
    cpu_info = pathlib.Path("/proc/cpuinfo")
    if not cpu_info.exists():
        return "unknown"
    return ", ".join(sorted(set(INSTRUCTIONS.findall(cpu_info.read_text())))) or "none"


def main(_: Sequence[str]) -> None:
    logging.set_verbosity(logging.ERROR)
    print(f"Instructions: {list_instructions()}\n")
    print(f"| {' | '.join(HEADINGS)} |\n| --- |" + " ---: |" * (len(HEADINGS) - 1))
    for kind, make_layer in KINDS.items():
        for channels, side in SIZES:
            frames = keras.Input((side, side, channels))
            model = keras.Model(frames, make_layer(channels)(frames))
            float32 = measure_milliseconds(convert(model, int8=False))
            int8 = measure_milliseconds(convert(model, int8=True))
            print(
                f"| {kind} | {channels} | {side} | {float32:.3f} | {int8:.3f} | "
                f"{float32 / int8:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    app.run(main)
