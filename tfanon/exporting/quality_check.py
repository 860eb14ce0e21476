"""Utility and leakage of an exported file, by the networks trained on the output of f_A.

Somebody who has the float32 network can train such an attacker. The check does not show whether an
attacker that is retrained on the output of an 8-bit file would learn more.
"""

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfanon.data import pipeline
from tfanon.exporting import compare
from tfanon.metrics import criteria, scores
from tfanon.training import run_folder
from tfanon.training.phases import TrainingRun

# float32 [n, H, W, 3] in [0, 1] to the same shape and range.
AnonymizeFrames = Callable[[tf.Tensor], np.ndarray]


class QualityCheck:
    """The action evaluator and the attackers of a finished run, on its test splits.

    The evaluator and the attackers see the resolution of the run: the output of a file that works
    at another size is resized.

    Args:
        run: The finished run.
        size: (H, W) at which the files work; clips and images are read at its longer side.
        eval_clips: Clips per video; 0: as in the run.
    """

    def __init__(self, run: TrainingRun, size: tuple[int, int], eval_clips: int = 0) -> None:
        self.run = run
        self.size = size
        self.config = dataclasses.replace(
            # Clips are read as squares, and resizing these to `size` never enlarges them.
            run.config,
            resolution=max(size),
            eval_clips=eval_clips or run.config.eval_clips,
        )
        self.action_evaluator = _trace(run_folder.load_action_evaluator(run), rank=5)
        self.attackers = {}
        for task in run.data.privacy_tasks:
            self.attackers[task] = _trace(run_folder.load_attacker(run, task), rank=4)

    def measure(self, anonymize: AnonymizeFrames) -> dict[str, Any]:
        """Measure utility and leakage of an anonymizer.

        Returns:
            `action_top1`, and per privacy task `cmap` and `f1`, all in [0, 1].
        """
        clips = pipeline.make_clip_evaluation_dataset(self.run.data.action_task.test, self.config)
        predictor = self._compose(anonymize, self.action_evaluator)
        measured: dict[str, Any] = {"action_top1": criteria.score_action_top1(predictor, clips)}
        for task, attacker in self.attackers.items():
            images = pipeline.make_image_evaluation_dataset(
                self.run.data.privacy_tasks[task].test, self.config
            )
            predictor = self._compose(anonymize, attacker)
            probabilities, truth, _ = criteria.predict_attributes(predictor, images)
            measured[task] = {
                "cmap": scores.cmap_score(probabilities, truth),
                "f1": scores.macro_f1_score(probabilities, truth),
            }
        return measured

    def _compose(
        self, anonymize: AnonymizeFrames, network: Callable[[tf.Tensor], tf.Tensor]
    ) -> criteria.LogitFunction:
        """Return a predictor that sees anonymized frames at the run's resolution."""
        resolution = (self.run.config.resolution,) * 2

        def forward(x: tf.Tensor) -> tf.Tensor:
            # Files take frames, so clips are taken apart and put together again.
            frames = tf.reshape(x, [-1, *x.shape[-3:]])
            anonymized = anonymize(_resize(frames, self.size))
            resized = _resize(anonymized, resolution)
            return network(tf.reshape(resized, [*x.shape[:-3], *resized.shape[-3:]]))

        return criteria.LogitFunction(forward)


def _resize(frames: Any, size: tuple[int, int]) -> Any:
    """Return frames `[N, H, W, C]` at a size."""
    if tuple(frames.shape[1:3]) == tuple(size):
        return frames
    return tf.image.resize(frames, size, antialias=True)


def wrap_keras(f_A: keras.Model) -> AnonymizeFrames:
    """Return f_A as `QualityCheck.measure` takes it."""
    graph = tf.function(lambda x: f_A(x, training=False), reduce_retracing=True)

    def anonymize(frames: tf.Tensor) -> np.ndarray:
        return np.clip(graph(frames), 0, 1)

    return anonymize


def wrap_exported(path: pathlib.Path) -> AnonymizeFrames:
    """Return an exported file as `QualityCheck.measure` takes it: uint8 frames, one by one."""
    network = compare.load_exported(path)

    def anonymize(frames: tf.Tensor) -> np.ndarray:
        # Files take and return grey levels.
        levels = np.round(np.asarray(frames) * 255).astype(np.uint8)
        return np.concatenate([network(frame[None]) for frame in levels]) / np.float32(255)

    return anonymize


def check_metric_drop(
    name: str, measured: dict[str, Any], keras_measured: dict[str, Any], max_drop: float
) -> None:
    """Refuse a file that is less useful or leaks more than Keras.

    Args:
        name: Name of the file.
        measured: What `QualityCheck.measure` returned for it.
        keras_measured: The same for f_A in Keras.
        max_drop: Points of top-1 that it may lose, and of cMAP that it may leak more.

    Raises:
        QualityError: It loses or leaks more.
    """
    # Against Keras on the same clips, not against the run's results, which may have had more clips.
    lost = 100 * (keras_measured["action_top1"] - measured["action_top1"])
    if lost > max_drop:
        raise compare.QualityError(
            f"{name} loses {lost:.1f} points of action top-1 against Keras; {max_drop:g} are "
            "allowed"
        )
    # Only lost utility and added leakage count; a gain in either is no reason to refuse a file.
    for task in keras_measured.keys() - {"action_top1"}:
        leaked = 100 * (measured[task]["cmap"] - keras_measured[task]["cmap"])
        if leaked > max_drop:
            raise compare.QualityError(
                f"{name} leaks {leaked:.1f} points of cMAP more than Keras ({task}); "
                f"{max_drop:g} are allowed"
            )


def _trace(network: keras.Model, rank: int) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return a network in inference mode as one graph for inputs of any size."""
    signature = [tf.TensorSpec([None] * (rank - 1) + [3], tf.float32)]
    return tf.function(lambda x: network(x, training=False), input_signature=signature)
