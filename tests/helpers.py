"""Tiny networks and batches whose steps can be worked out by hand."""

import keras
import numpy as np
import tensorflow as tf

from tfanon.core import registry
from tfanon.core.config import Config
from tfanon.models import ensemble
from tfanon.training import trainer

NAMES = ("hat", "glasses", "beard")  # private attributes

# The files of tests/tiny are choices too: tracing the real networks takes a minute.
WITH_TINY = """
import sys
import tfanon.models.actions as actions, tfanon.models.anonymizers as anonymizers, tfanon.models.privacy as privacy
for kind in (actions, anonymizers, privacy):
    kind.__path__.append("tests/tiny/" + kind.__name__.rpartition(".")[2])
"""
JUDGE = (
    WITH_TINY
    + """
from tfanon import baseline_worker
sys.exit(baseline_worker.main(sys.argv))
"""
)
TRAIN = (
    WITH_TINY
    + f"""
from tfanon import experiment, train
experiment.JUDGE = ("-c", {JUDGE!r})
train.run()
"""
)
POINT = (
    WITH_TINY
    + """
from tfanon import run_trial
run_trial.run()
"""
)


@keras.saving.register_keras_serializable("tests")
class Scale(keras.Model):
    """f_A(x) = a x."""

    def __init__(self, a):
        super().__init__()
        self.a = self.add_weight(name="a", initializer=keras.initializers.Constant(a))
        self.built = True

    def call(self, x, training=False):
        return self.a * x


def frame_network(dtype="float32"):
    """f_A with batch statistics, for frames."""
    synchronized = tf.distribute.get_strategy().num_replicas_in_sync > 1
    return keras.Sequential(
        [
            keras.Input((None, None, 3)),
            keras.layers.Conv2D(4, 3, padding="same"),
            keras.layers.BatchNormalization(synchronized=synchronized),
            keras.layers.ReLU(),
            keras.layers.Conv2D(3, 1, activation="sigmoid", dtype=dtype),
        ]
    )


def judge(dimensions, outputs, dropout=0.0):
    """f_T (3 dimensions) or f_B (2), with batch statistics and dropout."""
    synchronized = tf.distribute.get_strategy().num_replicas_in_sync > 1
    conv = {2: keras.layers.Conv2D, 3: keras.layers.Conv3D}[dimensions]
    pool = {2: keras.layers.GlobalAveragePooling2D, 3: keras.layers.GlobalAveragePooling3D}[
        dimensions
    ]
    return keras.Sequential(
        [
            keras.Input((*[None] * dimensions, 3)),
            conv(4, 2),
            keras.layers.BatchNormalization(synchronized=synchronized),
            keras.layers.ReLU(),
            pool(),
            keras.layers.Dropout(dropout),
            keras.layers.Dense(outputs, dtype="float32"),
        ]
    )


def batch(seed, n=4):
    rng = np.random.default_rng(seed)
    return {
        "clips": rng.random((n, 2, 8, 8, 3), np.float32),
        "labels": rng.integers(0, 5, n).astype(np.int32),
        "pairs": rng.random((n, 2, 8, 8, 3), np.float32),
    }


def full_batch(seed, n=4):
    """A batch with all that any objective asks for."""
    rng = np.random.default_rng(seed + 1000)
    return {
        **batch(seed, n),
        "attributes": rng.integers(0, 2, (n, len(NAMES))).astype(np.float32),
        "clip_attributes": rng.integers(0, 2, (n, len(NAMES))).astype(np.float32),
        "others": rng.random((n, 2, 2, 8, 8, 3), np.float32),
    }


def minimax(
    f_A=None,
    f_T=None,
    f_B=None,
    optimizer=lambda: keras.optimizers.SGD(0.1),
    jit_compile=False,
    **settings,
):
    """A compiled Minimax of seeded tiny networks and of the objective that the settings name."""
    keras.utils.set_random_seed(1)
    config = Config(**settings)
    objective = registry.load_module("objectives", config.objective).build(config, NAMES)
    f_A, f_T = f_A or frame_network(), objective.extend_action_network(f_T or judge(3, 5))
    judges = [
        f_B or judge(2, objective.privacy_head_arguments().get("attributes", 6))
        for _ in range(1 + len(config.ensemble))
    ]
    f_B = judges[0] if len(judges) == 1 else ensemble.Ensemble(judges)
    model = trainer.MinimaxModel(f_A, f_T, f_B, config, objective)
    model.compile(optimizer(), optimizer(), optimizer(), jit_compile=jit_compile)
    return model


def fit(steps=2, make=batch, **arguments):
    """(a Minimax that took these steps, what it logged at the last).  make: function of a seed that gives a batch."""
    model = minimax(**arguments)
    data = [(make(2 * s), make(2 * s + 1)) for s in range(steps)]
    stacked = tf.nest.map_structure(lambda *a: np.stack(a), *data)
    dataset = tf.data.Dataset.from_tensor_slices(stacked)
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    logs = model.fit(dataset.with_options(options), epochs=1, verbose=0).history
    return model, {name: value[-1] for name, value in logs.items()}


def values(model):
    """Every variable of a model, batch statistics too, as numpy arrays."""
    return [np.array(keras.ops.convert_to_numpy(v)) for v in model.variables]


def same(before, after):
    return all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
