"""Measure a training step of the compact and the full networks, and how well it uses the machine.

    python -m benchmarks.train_step [--networks=compact,full] [--steps=3]

One step is lines 15 to 19 of Algorithm 1, on 2 clips of 16 frames and 4 image pairs at 112 x 112 in
each of its two batches. Useful work counts what the algorithm requires: in step 1, f_A forward and
backward, f_T and f_B forward and back to their input; in step 2, f_A forward, f_T and f_B forward
and backward. It is compared with a plain 3x3 convolution, forward and backward, in the same
process.
Each configuration has a process of its own, so that its peak memory is its own.
"""

import resource
import subprocess
import sys
from collections.abc import Sequence

import tfanon  # noqa: F401  before Keras, whose defaults it sets

# isort: split
import keras
import numpy as np
import tensorflow as tf
from absl import app, flags

from benchmarks import timing
from tfanon.core import registry
from tfanon.core.config import Config
from tfanon.models import cost
from tfanon.training import trainer

# Width of f_A, action network, privacy network.
NETWORKS = {"compact": (0.125, "small3d", "small_resnet"), "full": (1.0, "i3d_r50", "resnet50")}
CLIPS, FRAMES, PAIRS, SIDE, CLASSES = 2, 16, 4, 112, 51
EMBEDDING = 128
# The plain convolution: batch size, H = W, and channels in and out.
CONVOLUTION_BATCH, CONVOLUTION_SIDE, CONVOLUTION_CHANNELS = 40, 56, 64
CONVOLUTION_REPEATS = 5
FLAGS = flags.FLAGS
flags.DEFINE_list("networks", ["compact", "full"], "Any of compact and full.")
flags.DEFINE_list("precisions", ["float32", "mixed_bfloat16"], "Keras dtype policies.")
flags.DEFINE_integer("steps", 3, "Steps that are timed, after one that is not.", lower_bound=1)
flags.DEFINE_string(
    "only", "", "Internal: measure one configuration, NETWORK/PRECISION, in this process."
)


def build_networks(name: str) -> tuple[keras.Model, keras.Model, keras.Model]:
    """Build f_A, f_T and f_B."""
    width, action, privacy = NETWORKS[name]
    return (
        registry.load_module("anonymizers", "unetpp").build(width=width),
        registry.load_module("actions", action).build(classes=CLASSES),
        registry.load_module("privacy", privacy).build(embedding=EMBEDDING),
    )


def count_useful_gflop(f_A: keras.Model, f_T: keras.Model, f_B: keras.Model) -> float:
    """Return twice the multiply-adds of one train_step, in units of 1e9."""
    frame_cost = cost.count_multiply_adds(f_A, (1, SIDE, SIDE, 3))
    clip_cost = cost.count_multiply_adds(f_T, (1, FRAMES, SIDE, SIDE, 3))
    image_cost = cost.count_multiply_adds(f_B, (1, SIDE, SIDE, 3))
    images = 2 * PAIRS
    anonymize_cost = (CLIPS * FRAMES + images) * frame_cost
    adversary_cost = CLIPS * clip_cost + images * image_cost
    # A backward pass costs twice the forward pass; back to the input alone, as much as it.
    step_1 = 3 * anonymize_cost + 2 * adversary_cost
    step_2 = anonymize_cost + 3 * adversary_cost
    return 2e-9 * (step_1 + step_2)


def make_batch(seed: int) -> dict[str, tf.Tensor]:
    rng = np.random.default_rng(seed)
    return {
        "clips": tf.constant(rng.random((CLIPS, FRAMES, SIDE, SIDE, 3), np.float32)),
        "labels": tf.constant(rng.integers(0, CLASSES, CLIPS, np.int32)),
        "pairs": tf.constant(rng.random((PAIRS, 2, SIDE, SIDE, 3), np.float32)),
    }


def measure_convolution(dtype: str) -> float:
    """Return the GFLOP/s of a 3x3 convolution of 64 channels, forward and both backward passes."""
    batch, side, channels = CONVOLUTION_BATCH, CONVOLUTION_SIDE, CONVOLUTION_CHANNELS
    x = tf.cast(tf.random.normal((batch, side, side, channels)), dtype)
    kernel = tf.cast(tf.random.normal((3, 3, channels, channels)), dtype)

    @tf.function
    def step() -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            y = tf.nn.conv2d(x, kernel, 1, "SAME")
        return tape.gradient(y, [x, kernel], y)

    def step_and_wait() -> np.ndarray:
        return step()[0].numpy()

    gflop = 3 * 2e-9 * batch * side * side * 9 * channels * channels
    return gflop / timing.measure_seconds(step_and_wait, CONVOLUTION_REPEATS)


def print_row(name: str, precision: str) -> None:
    """Measure one configuration in this process and print its row of the table."""
    keras.config.set_dtype_policy(precision)
    f_A, f_T, f_B = build_networks(name)
    work = count_useful_gflop(f_A, f_T, f_B)
    model = trainer.MinimaxModel(f_A, f_T, f_B, Config())
    model.compile(*(keras.optimizers.Adam(1e-4) for _ in range(3)))
    step, batches = tf.function(model.train_step), (make_batch(0), make_batch(1))
    peak = measure_convolution("float32" if precision == "float32" else "bfloat16")
    seconds = timing.measure_seconds(lambda: float(step(batches)["L_A"]), FLAGS.steps)
    memory_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{name:8} {precision:15} {seconds:8.2f} {work:8.0f} {work / seconds:10.1f} {peak:10.1f} "
        f"{work / seconds / peak:7.0%} {memory_gib:7.2f}",
        flush=True,
    )


def main(_: Sequence[str]) -> None:
    if FLAGS.only:
        print_row(*FLAGS.only.split("/"))
        return
    print(
        f"{'networks':8} {'precision':15} {'s/step':>8} {'GFLOP':>8} {'GFLOP/s':>10} "
        f"{'conv 3x3':>10} {'share':>7} {'GiB':>7}",
        flush=True,
    )
    command = [sys.executable, "-m", "benchmarks.train_step", f"--steps={FLAGS.steps}"]
    for name in FLAGS.networks:
        for precision in FLAGS.precisions:
            subprocess.run([*command, f"--only={name}/{precision}"], check=True)


if __name__ == "__main__":
    app.run(main)
