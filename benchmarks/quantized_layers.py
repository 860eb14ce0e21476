"""Whether 8 bits make a layer faster on this processor: float32 and int8 of single convolutions, one thread.

    python -m benchmarks.quantized_layers [--repeats=60]

Least milliseconds of processor time per call, as LiteRT runs the layer, ReLU fused. Above 1 in the last column int8 is the
faster one. Kernels follow the processor's instructions, so the first line names those that matter here.
"""

import contextlib
import io
import pathlib
import re
import tempfile
import time

import tfanon  # noqa: F401  before Keras, whose defaults it sets

# isort: split
import keras
import numpy as np
import tensorflow as tf
from absl import app, flags, logging

from tfanon.inference.loaders import tflite

SIZES = ((4, 224), (8, 112), (16, 112), (32, 56), (48, 56), (64, 28), (32, 14))  # channels, H = W
KINDS = {
    "3x3": lambda channels: keras.layers.Conv2D(channels, 3, padding="same", activation="relu"),
    "1x1": lambda channels: keras.layers.Conv2D(channels, 1, activation="relu"),
    "3x3 depthwise": lambda channels: keras.layers.DepthwiseConv2D(
        3, padding="same", activation="relu"
    ),
}
FLAGS = flags.FLAGS
flags.DEFINE_integer("repeats", 60, "Calls that are timed.", lower_bound=1)


def converted(model, int8):
    """The bytes of a TFLite file, silently."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if int8:
        shape = model.input_shape[1:]
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: (
            [np.random.rand(1, *shape).astype(np.float32)] for _ in range(4)
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    with contextlib.redirect_stdout(io.StringIO()):
        return converter.convert()


def milliseconds(content):
    """Least processor time of one call, on one thread."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "layer.tflite"
        path.write_bytes(content)
        runtime = tflite.make_interpreter(path, threads=1)
    runtime.allocate_tensors()
    return min(_timed(runtime.invoke) for _ in range(FLAGS.repeats)) * 1000


def _timed(call):
    start = time.process_time()
    call()
    return time.process_time() - start


def instructions():
    """What this processor has of the vector instructions that 8-bit kernels are written for."""
    listed = pathlib.Path("/proc/cpuinfo")
    found = (
        set(re.findall(r"\b(?:avx\w*|fma|asimd\w*|i8mm)\b", listed.read_text()))
        if listed.exists()
        else set()
    )
    return ", ".join(sorted(found)) or "not known"


def main(_):
    logging.set_verbosity(logging.ERROR)
    print(f"Instructions: {instructions()}\n")
    print(
        "| convolution | channels | H = W | float32 ms | int8 ms | times as fast |\n| --- |"
        + " ---: |" * 5
    )
    for kind, layer in KINDS.items():
        for channels, side in SIZES:
            frames = keras.Input((side, side, channels))
            model = keras.Model(frames, layer(channels)(frames))
            plain, quantized = (milliseconds(converted(model, int8)) for int8 in (False, True))
            print(
                f"| {kind} | {channels} | {side} | {plain:.3f} | {quantized:.3f} | {plain / quantized:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    app.run(main)
