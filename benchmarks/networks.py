"""Measure each network: forward pass and training step, as a graph and compiled by XLA.

    python -m benchmarks.networks [--networks=unetpp,r3d_18] [--precision=float32] [--repeats=3]

One example at the size that the paper's tables use, which `python -m tfanon.weights inspect`
prints. A training step is forward, backward and Adam, and counts as three times the multiply-adds
of the forward pass. `share` compares the multiply-adds per second with `peak`: what a product of
two square matrices reaches just before the network is measured, because a shared machine is not
always equally fast. "-": XLA cannot compile it here.
"""

from collections.abc import Callable, Sequence
from typing import Any

import tfanon  # noqa: F401  before Keras, whose defaults it sets

# isort: split
import keras
import numpy as np
import tensorflow as tf
from absl import app, flags

from benchmarks import timing
from tfanon.pretrained import weights_record, weights_table
from tfanon.training import losses, trainer

MATRIX_SIDE = 2048
ATTRIBUTES = 1000
STEP_COST = 3  # multiply-adds of a training step per multiply-add of the forward pass
LOSSES = {
    "anonymizers": losses.reconstruction,
    "actions": losses.action_cross_entropy,
    "privacy": losses.attribute_cross_entropy,
}
FLAGS = flags.FLAGS
flags.DEFINE_list("networks", [], "Networks to measure; empty: all that have weights.")
flags.DEFINE_enum("precision", "float32", ["float32", "mixed_bfloat16"], "Keras dtype policy.")
flags.DEFINE_integer("repeats", 3, "Calls that are timed, after one that is not.", lower_bound=1)


def measure_peak() -> float:
    """Return the multiply-adds per second of a matrix product, in units of 1e9."""
    dtype = "float32" if FLAGS.precision == "float32" else "bfloat16"
    matrix = tf.cast(tf.random.normal((MATRIX_SIDE, MATRIX_SIDE)), dtype)
    multiply = tf.function(lambda: tf.matmul(matrix, matrix))

    def multiply_and_wait() -> np.ndarray:
        return multiply()[0, 0].numpy()

    return MATRIX_SIDE**3 / timing.measure_seconds(multiply_and_wait, FLAGS.repeats) / 1e9


def make_example(kind: str, name: str) -> tuple[tf.Tensor, tf.Tensor]:
    """Return (x, y) of one example for a network."""
    x = tf.random.uniform((1, *weights_table.find_input_size(kind, name), 3))
    targets = {
        "anonymizers": x,
        "actions": tf.zeros([1], tf.int32),
        "privacy": tf.ones([1, ATTRIBUTES]),
    }
    return x, targets[kind]


def measure_network(kind: str, name: str, compiled: bool) -> tuple[float | None, float | None]:
    """Return the seconds of a forward pass and of a training step; None if XLA cannot compile it.

    Args:
        kind: A key of LOSSES.
        name: Name of the network.
        compiled: Compile with XLA.
    """
    network = weights_table.build_published_network(kind, name)
    model = trainer.SupervisedModel(network, LOSSES[kind])
    model.compile(keras.optimizers.Adam(1e-4))
    x, y = make_example(kind, name)
    forward = tf.function(lambda x: network(x, training=False), jit_compile=compiled)
    step = tf.function(model.train_step, jit_compile=compiled)
    forward_seconds = measure_if_compiled(lambda: np.sum(forward(x)))
    step_seconds = measure_if_compiled(lambda: float(step((x, y))["loss"]))
    return forward_seconds, step_seconds


def measure_if_compiled(function: Callable[[], Any]) -> float | None:
    try:
        return timing.measure_seconds(function, FLAGS.repeats)
    except (tf.errors.OpError, ValueError):
        return None


def format_cells(seconds: float | None, work: float, peak: float) -> str:
    """Format a duration.

    Args:
        seconds: The duration; None: there is none.
        work: Multiply-adds that were done, in units of 1e9.
        peak: Multiply-adds per second to compare with, in units of 1e9.
    """
    if seconds is None:
        return f"{'-':>8} {'-':>7} {'-':>5}"
    return f"{seconds:8.3f} {work / seconds:7.1f} {work / seconds / peak:5.0%}"


def main(_: Sequence[str]) -> None:
    keras.config.set_dtype_policy(FLAGS.precision)
    print(
        f"{FLAGS.precision}; peak: 1e9 multiply-adds per second of a product of {MATRIX_SIDE} x "
        f"{MATRIX_SIDE} matrices"
    )
    titles = ("forward, graph", "forward, XLA", "step, graph", "step, XLA")
    print(f"{'':23}" + "".join(f"  {title:^22}" for title in titles))
    headings = f"  {'s':>8} {'GMAC/s':>7} {'share':>5}" * len(titles)
    print(f"{'network':16} {'peak':>6}{headings}", flush=True)
    for name in FLAGS.networks or weights_table.list_trainable_networks():
        peak = measure_peak()
        work = weights_table.summarize_network(name).multiply_adds / 1e9
        kind = weights_record.find_network_kind(name)
        forward_graph, step_graph = measure_network(kind, name, compiled=False)
        forward_xla, step_xla = measure_network(kind, name, compiled=True)
        cells = [
            f"{name:16} {peak:6.1f}",
            format_cells(forward_graph, work, peak),
            format_cells(forward_xla, work, peak),
            format_cells(step_graph, STEP_COST * work, peak),
            format_cells(step_xla, STEP_COST * work, peak),
        ]
        print("  ".join(cells), flush=True)
        keras.backend.clear_session()


if __name__ == "__main__":
    app.run(main)
