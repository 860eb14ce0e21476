"""Anonymizers that are built in Keras: those of finished runs, and the fixed ones."""

import hashlib
import json
import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from absl import logging

from tfanon.core import keras_setup, registry
from tfanon.inference.loaders._tensorflow import limit_tensorflow_threads
from tfanon.inference.network import Network

if TYPE_CHECKING:
    import keras

MODES = ("blacken", "blur", "downsample", "pixelate")
# (H, W) at which the fixed anonymizers are defined and were measured.
MODE_SIZE = (224, 224)
# Modes whose strength follows the size of the frame.
SCALE_INVARIANT_MODES = ("blur", "pixelate")


def load_mode(mode: str, threads: int = 0) -> Network:
    """Build a fixed anonymizer, which has no weights.

    Args:
        mode: One of `MODES`.
        threads: Threads of one TensorFlow operation; 0 keeps TensorFlow's choice.

    Returns:
        The network.

    Raises:
        ValueError: There is no such mode.
    """
    limit_tensorflow_threads(threads)
    if mode not in MODES:
        raise ValueError(f"No mode called '{mode}': choose one of {', '.join(MODES)}.")
    with keras_setup.keras_settings():
        run = _compile_network(registry.load_module("anonymizers", mode).build())
    return Network(
        name=mode,
        sha256=hashlib.sha256(mode.encode()).hexdigest(),
        run=run,
        size=MODE_SIZE,
        tested_size=None if mode == "blacken" else MODE_SIZE,  # black is black at any size
        scale_invariant=mode in SCALE_INVARIANT_MODES,
    )


def load_run(folder: pathlib.Path, threads: int = 0) -> Network:
    """Load f_A of a finished run, in float32.

    The network receives frames one by one. A network of clips sees each frame as a clip in which
    nothing moves, which is not what was evaluated in its run; a warning says so.

    Args:
        folder: The run's folder.
        threads: Threads of one TensorFlow operation; 0 keeps TensorFlow's choice.

    Returns:
        The network.

    Raises:
        ValueError: f_A is not trained yet, or its weights do not match their digest.
    """
    limit_tensorflow_threads(threads)
    with keras_setup.keras_settings():
        return _build_run(folder)


def _build_run(folder: pathlib.Path) -> Network:
    """Build f_A of a run and read its weights, under the current settings of Keras."""
    # Imported on use: they import Keras, which other formats do not need.
    from tfanon.core import checkpoint, config

    run_config = config.from_flagfile(folder / "run.flags")
    phase_folder = folder / "phases" / "anonymize"
    result_file = phase_folder / "done.json"
    if not result_file.is_file():
        raise ValueError(
            f"{folder} contains no trained anonymizer yet: {result_file} is missing. "
            f"python -m tfanon.train --flagfile={folder / 'run.flags'} continues the run."
        )
    digest = json.loads(result_file.read_text())["sha256"]
    f_A = registry.load_module("anonymizers", run_config.anonymizer).build(
        width=run_config.anonymizer_width, output=run_config.anonymizer_output
    )
    checkpoint.load_weights(f_A, phase_folder / "network.weights.h5", digest)
    if getattr(f_A, "takes_clips", False):
        logging.warning(
            "%s: %s was evaluated on clips, but receives single frames here, each as a clip in "
            "which nothing moves: the results of the run do not hold for this output. "
            "python -m tfanon.export evaluates it frame by frame.",
            folder,
            run_config.anonymizer,
        )
    size = (run_config.resolution, run_config.resolution)
    return Network(
        name=run_config.anonymizer,
        sha256=digest,
        run=_compile_network(f_A),
        size=size,
        multiple=getattr(f_A, "multiple", 1),
        tested_size=size,
    )


def _compile_network(f_A: "keras.Model") -> Callable[[np.ndarray], np.ndarray]:
    """Return f_A as one graph on uint8 frames `[N, H, W, 3]` of any number and size."""
    import tensorflow as tf

    def call(frames: tf.Tensor) -> tf.Tensor:
        return f_A(tf.cast(frames, tf.float32) / 255.0, training=False)

    signature = [tf.TensorSpec([None, None, None, 3], tf.uint8)]
    graph = tf.function(call, input_signature=signature, autograph=False)
    # Traced now: the calling program may have other settings of Keras when the first frame comes.
    graph.get_concrete_function()
    return lambda frames: graph(frames).numpy()
