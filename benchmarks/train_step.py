"""Seconds per training step of the compact and the full networks, and how much of the machine a step uses.

    python -m benchmarks.train_step [--networks=compact,full] [--steps=3]

One step is Algorithm 1, lines 15-19, on 2 clips of 16 frames and 4 image pairs at 112 x 112 in each of its two batches.
Useful work counts what the algorithm asks for: f_A forward and backward in step 1, forward in step 2; f_T and f_B
forward and towards their input in step 1, forward and backward in step 2. Beside it stands a plain 3x3 convolution,
forward and backward, in the same process. Each configuration has a process of its own, so its peak memory is its own.
"""

import resource
import subprocess
import sys
import time

import tfanon  # noqa: F401  before Keras, whose defaults it sets

# isort: split
import keras
import numpy as np
import tensorflow as tf
from absl import app, flags

from tfanon.core import registry
from tfanon.core.config import Config
from tfanon.models import cost
from tfanon.training import trainer

NETWORKS = {"compact": (0.125, "small3d", "small_resnet"), "full": (1.0, "i3d_r50", "resnet50")}
CLIPS, FRAMES, PAIRS, SIDE, CLASSES = 2, 16, 4, 112, 51
FLAGS = flags.FLAGS
flags.DEFINE_list("networks", ["compact", "full"], "Which networks: compact, full.")
flags.DEFINE_list("precisions", ["float32", "mixed_bfloat16"], "Keras dtype policies.")
flags.DEFINE_integer("steps", 3, "Steps that are timed, after one that is not.", lower_bound=1)
flags.DEFINE_string("only", "", "Internal: one configuration, network/precision, in this process.")


def networks(name):
    width, action, privacy = NETWORKS[name]
    return (
        registry.load_module("anonymizers", "unetpp").build(width=width),
        registry.load_module("actions", action).build(classes=CLASSES),
        registry.load_module("privacy", privacy).build(embedding=128),
    )


def useful_gflop(f_A, f_T, f_B):
    """Multiply-adds of one train_step, times two, in units of 1e9."""
    frame = cost.count_multiply_adds(f_A, (1, SIDE, SIDE, 3))
    clip = cost.count_multiply_adds(f_T, (1, FRAMES, SIDE, SIDE, 3))
    image = cost.count_multiply_adds(f_B, (1, SIDE, SIDE, 3))
    frames, images = CLIPS * FRAMES + 2 * PAIRS, 2 * PAIRS
    step_1 = 3 * frames * frame + 2 * (CLIPS * clip + images * image)
    step_2 = frames * frame + 3 * (CLIPS * clip + images * image)
    return 2e-9 * (step_1 + step_2)


def batch(seed):
    rng = np.random.default_rng(seed)
    return {
        "clips": tf.constant(rng.random((CLIPS, FRAMES, SIDE, SIDE, 3), np.float32)),
        "labels": tf.constant(rng.integers(0, CLASSES, CLIPS, np.int32)),
        "pairs": tf.constant(rng.random((PAIRS, 2, SIDE, SIDE, 3), np.float32)),
    }


def seconds(function, repeats):
    """Median over calls after a first one that compiles."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def convolution_gflops(dtype):
    """What 3x3 convolutions of 64 channels reach, forward and both backward passes."""
    x = tf.cast(tf.random.normal((40, 56, 56, 64)), dtype)
    kernel = tf.cast(tf.random.normal((3, 3, 64, 64)), dtype)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            y = tf.nn.conv2d(x, kernel, 1, "SAME")
        return tape.gradient(y, [x, kernel], y)

    return 3 * 2e-9 * 40 * 56 * 56 * 9 * 64 * 64 / seconds(lambda: step()[0].numpy(), 5)


def measure(name, precision):
    """Print one row of the table."""
    keras.config.set_dtype_policy(precision)
    f_A, f_T, f_B = networks(name)
    work = useful_gflop(f_A, f_T, f_B)
    model = trainer.MinimaxModel(f_A, f_T, f_B, Config())
    model.compile(*(keras.optimizers.Adam(1e-4) for _ in range(3)))
    step, batches = tf.function(model.train_step), (batch(0), batch(1))
    peak = convolution_gflops("float32" if precision == "float32" else "bfloat16")
    took = seconds(lambda: float(step(batches)["L_A"]), FLAGS.steps)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{name:8} {precision:15} {took:8.2f} {work:8.0f} {work / took:10.1f} {peak:10.1f} "
        f"{work / took / peak:7.0%} {memory:7.2f}",
        flush=True,
    )


def main(_):
    if FLAGS.only:
        measure(*FLAGS.only.split("/"))
        return
    print(
        f"{'networks':8} {'precision':15} {'s/step':>8} {'GFLOP':>8} {'GFLOP/s':>10} {'conv 3x3':>10} "
        f"{'share':>7} {'GiB':>7}",
        flush=True,
    )
    for name in FLAGS.networks:
        for precision in FLAGS.precisions:
            subprocess.run(
                [
                    sys.executable,
                    "-m",
                    "benchmarks.train_step",
                    f"--only={name}/{precision}",
                    f"--steps={FLAGS.steps}",
                ],
                check=True,
            )


if __name__ == "__main__":
    app.run(main)
