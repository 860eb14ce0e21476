"""Seconds of each network, forward and in a training step, as a graph and compiled by XLA, and its share of the machine.

    python -m benchmarks.networks [--networks=unetpp,r3d_18] [--precision=float32] [--repeats=3]

One example at the size that the paper's tables use, as `python -m tfanon.weights inspect` prints it. A training step is
forward, backward and Adam, and counts as three times the forward pass' multiply-adds. Beside it stands what a product of
two square matrices reaches right before the network, since a machine that others share is not always as fast: the peak
that the share is of. A dash: XLA cannot compile it here.
"""

import time

import tfanon  # noqa: F401  before Keras, whose defaults it sets

# isort: split
import keras
import numpy as np
import tensorflow as tf
from absl import app, flags

from tfanon.pretrained import weights_record, weights_table
from tfanon.training import losses, trainer

SIDE = 2048  # of the matrices
LOSSES = {
    "anonymizers": losses.reconstruction,
    "actions": losses.action_cross_entropy,
    "privacy": losses.attribute_cross_entropy,
}
FLAGS = flags.FLAGS
flags.DEFINE_list("networks", [], "Which; empty: all that have something to train.")
flags.DEFINE_enum("precision", "float32", ["float32", "mixed_bfloat16"], "Keras dtype policy.")
flags.DEFINE_integer("repeats", 3, "Calls that are timed, after one that is not.", lower_bound=1)


def seconds(function):
    """Median over calls after a first one that compiles."""
    function()
    times = []
    for _ in range(FLAGS.repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def peak():
    """Multiply-adds per second of a matrix product, in units of 1e9."""
    dtype = "float32" if FLAGS.precision == "float32" else "bfloat16"
    a = tf.cast(tf.random.normal((SIDE, SIDE)), dtype)
    product = tf.function(lambda: tf.matmul(a, a))
    return SIDE**3 / seconds(lambda: product()[0, 0].numpy()) / 1e9


def example(kind, name):
    """(x, y) of one example, both random."""
    x = tf.random.uniform((1, *weights_table.find_input_size(kind, name), 3))
    targets = {"anonymizers": x, "actions": tf.zeros([1], tf.int32), "privacy": tf.ones([1, 1000])}
    return x, targets[kind]


def measure(kind, name):
    """name -> seconds of forward pass and training step, None where XLA cannot."""
    found = {}
    for compiled in (False, True):
        network = weights_table.build_published_network(kind, name)
        learner = trainer.SupervisedModel(network, LOSSES[kind])
        learner.compile(keras.optimizers.Adam(1e-4))
        x, y = example(kind, name)
        forward = tf.function(
            lambda x, network=network: network(x, training=False), jit_compile=compiled
        )
        step = tf.function(learner.train_step, jit_compile=compiled)
        for what, call in (
            ("forward", lambda: np.sum(forward(x))),
            ("step", lambda: float(step((x, y))["loss"])),
        ):
            try:
                found[what, compiled] = seconds(call)
            except (tf.errors.OpError, ValueError):
                found[what, compiled] = None
    return found


def cells(took, work, top):
    """Seconds, 1e9 multiply-adds per second, and the share of the peak."""
    if took is None:
        return f"{'-':>8} {'-':>7} {'-':>5}"
    return f"{took:8.3f} {work / took:7.1f} {work / took / top:5.0%}"


def main(_):
    keras.config.set_dtype_policy(FLAGS.precision)
    print(
        f"{FLAGS.precision}; peak: 1e9 multiply-adds per second of a product of {SIDE} x {SIDE} matrices"
    )
    head = f"{'s':>8} {'GMAC/s':>7} {'share':>5}"
    titles = ("forward, graph", "forward, XLA", "step, graph", "step, XLA")
    print(f"{'':23}" + "".join(f"  {title:^22}" for title in titles))
    print(f"{'network':16} {'peak':>6}" + f"  {head}" * 4, flush=True)
    for name in FLAGS.networks or weights_table.list_trainable_networks():
        top = peak()
        work = weights_table.summarize_network(name).multiply_adds / 1e9
        found = measure(weights_record.find_network_kind(name), name)
        order = (("forward", False, 1), ("forward", True, 1), ("step", False, 3), ("step", True, 3))
        shown = (cells(found[what, how], factor * work, top) for what, how, factor in order)
        print("  ".join((f"{name:16} {top:6.1f}", *shown)), flush=True)
        keras.backend.clear_session()


if __name__ == "__main__":
    app.run(main)
