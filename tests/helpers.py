"""Tiny networks and batches whose steps can be worked out by hand."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfanon.core import registry
from tfanon.core.config import Config
from tfanon.models import ensemble
from tfanon.training import trainer

ATTRIBUTE_NAMES = ("hat", "glasses", "beard")  # private attributes

# Code for child processes, where the files of tests/tiny can be chosen as networks too: tracing the
# real networks takes a minute.
TINY_NETWORKS_CODE = """
import sys
from tfanon.models import actions, anonymizers, privacy
for package in (actions, anonymizers, privacy):
    package.__path__.append("tests/tiny/" + package.__name__.rpartition(".")[2])
"""
BASELINE_WORKER_CODE = (
    TINY_NETWORKS_CODE
    + """
from tfanon import baseline_worker
sys.exit(baseline_worker.main(sys.argv))
"""
)
TRAIN_CODE = (
    TINY_NETWORKS_CODE
    + f"""
from tfanon import experiment, train
experiment.WORKER_COMMAND = ("-c", {BASELINE_WORKER_CODE!r})
train.run()
"""
)
RUN_TRIAL_CODE = (
    TINY_NETWORKS_CODE
    + """
from tfanon import run_trial
run_trial.run()
"""
)


@keras.saving.register_keras_serializable("tests")
class Scale(keras.Model):
    """f_A(x) = a x."""

    def __init__(self, a: float) -> None:
        super().__init__()
        self.a = self.add_weight(name="a", initializer=keras.initializers.Constant(a))
        self.built = True

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self.a * x


def make_pixels(*shape: int) -> np.ndarray:
    """Noise in [0, 1), float32, the same in every test."""
    return np.random.default_rng(0).random(shape, "float32")


def count_trainable_values(model: keras.Model) -> int:
    return int(sum(np.prod(variable.shape) for variable in model.trainable_variables))


def make_frame_network(dtype: str = "float32") -> keras.Model:
    """An f_A for frames, with batch statistics."""
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


def make_adversary(dimensions: int, outputs: int, dropout: float = 0.0) -> keras.Model:
    """An f_T (3 dimensions) or f_B (2), with batch statistics and dropout."""
    synchronized = tf.distribute.get_strategy().num_replicas_in_sync > 1
    if dimensions == 2:
        conv, pool = keras.layers.Conv2D, keras.layers.GlobalAveragePooling2D
    else:
        conv, pool = keras.layers.Conv3D, keras.layers.GlobalAveragePooling3D
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


def make_batch(seed: int, n: int = 4) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "clips": rng.random((n, 2, 8, 8, 3), np.float32),
        "labels": rng.integers(0, 5, n).astype(np.int32),
        "pairs": rng.random((n, 2, 8, 8, 3), np.float32),
    }


def make_full_batch(seed: int, n: int = 4) -> dict[str, np.ndarray]:
    """A batch with every key that some objective needs."""
    rng = np.random.default_rng(seed + 1000)
    return {
        **make_batch(seed, n),
        "attributes": rng.integers(0, 2, (n, len(ATTRIBUTE_NAMES))).astype(np.float32),
        "clip_attributes": rng.integers(0, 2, (n, len(ATTRIBUTE_NAMES))).astype(np.float32),
        "others": rng.random((n, 2, 2, 8, 8, 3), np.float32),
    }


def make_minimax(
    f_A: keras.Model | None = None,
    f_T: keras.Model | None = None,
    f_B: keras.Model | None = None,
    optimizer: Callable[[], keras.Optimizer] = lambda: keras.optimizers.SGD(0.1),
    jit_compile: bool = False,
    **flags: Any,
) -> trainer.MinimaxModel:
    """A compiled model of tiny networks with a fixed seed, and of the objective of the flags."""
    keras.utils.set_random_seed(1)
    config = Config(**flags)
    objective = registry.load_module("objectives", config.objective).build(config, ATTRIBUTE_NAMES)
    f_A = f_A or make_frame_network()
    f_T = objective.extend_action_network(f_T or make_adversary(3, 5))
    outputs = objective.privacy_head_arguments().get("attributes", 6)
    members = []
    for _ in range(1 + len(config.ensemble)):
        members.append(f_B or make_adversary(2, outputs))
    f_B = members[0] if len(members) == 1 else ensemble.Ensemble(members)
    model = trainer.MinimaxModel(f_A, f_T, f_B, config, objective)
    model.compile(optimizer(), optimizer(), optimizer(), jit_compile=jit_compile)
    return model


def fit_minimax(
    steps: int = 2,
    make: Callable[[int], dict[str, np.ndarray]] = make_batch,
    **arguments: Any,
) -> tuple[trainer.MinimaxModel, dict[str, float]]:
    """Train a model for some steps.

    Args:
        steps: Number of steps.
        make: Function of a seed that returns a batch.
        **arguments: Those of make_minimax.

    Returns:
        The trained model and its logs of the last step.
    """
    model = make_minimax(**arguments)
    data = [(make(2 * step), make(2 * step + 1)) for step in range(steps)]
    stacked = tf.nest.map_structure(lambda *arrays: np.stack(arrays), *data)
    dataset = tf.data.Dataset.from_tensor_slices(stacked)
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    logs = model.fit(dataset.with_options(options), epochs=1, verbose=0).history
    return model, {name: value[-1] for name, value in logs.items()}


def read_values(model: keras.Model) -> list[np.ndarray]:
    """Every variable of a model, batch statistics too."""
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in model.variables]


def are_equal(before: list[np.ndarray], after: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
