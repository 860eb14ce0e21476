"""Criterion 1 and 2 (Eq. 1 and 2): scores of networks retrained on the output of any f_A.

A network's outputs are collected for a whole split at once: ranks and means do not add up over
batches.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from tfanon.metrics import scores

Outputs = tuple[np.ndarray, np.ndarray, np.ndarray]


class LogitModel(Protocol):
    """A model that can be scored, such as a training.trainer.SupervisedModel."""

    @property
    def forward(self) -> Callable[[Any], Any]:
        """The function from a batch of inputs to a tensor of logits."""


class ScoredExamples(Protocol):
    """The rows that a dataset is made from: the part of data.batch.Examples that is needed here.

    A protocol, since packages above this one know what examples are.
    """

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """Names of the P private attributes."""

    @property
    def groups(self) -> tuple[str, ...]:
        """What rows have in common, such as a person, one name per row; or nothing."""

    def take(self, rows: np.ndarray) -> "ScoredExamples":
        """Return some of the rows."""


@dataclasses.dataclass(frozen=True)
class LogitFunction:
    """A LogitModel around any function, for what was not trained here.

    Attributes:
        forward: Function from a batch of inputs to a tensor of logits.
    """

    forward: Callable[[Any], Any]


def collect_outputs(model: LogitModel, dataset: tf.data.Dataset) -> Outputs:
    """Run a model over an evaluation dataset.

    Args:
        model: Gives the logits.
        dataset: Batches of (inputs, truth, index of the example of each row).

    Returns:
        (logits ``[M, K]``, truth ``[M, ...]``, index ``[M]``) of all rows.
    """
    logits, truth, index = [], [], []
    for x, y, examples in dataset:
        logits.append(model.forward(x).numpy())
        truth.append(y.numpy())
        index.append(examples.numpy())
    return np.concatenate(logits), np.concatenate(truth), np.concatenate(index)


def score_action(
    model: LogitModel, dataset: tf.data.Dataset, examples: ScoredExamples
) -> dict[str, Any]:
    """Measure Criterion 1: top-1 of the mean softmax over the clips of each video.

    Args:
        model: Action network.
        dataset: Batches of (clips, labels, index).
        examples: What the dataset is made from. If they have groups, the interval is over groups.

    Returns:
        ``action_top1``, ``action_interval`` (95 %) and ``action_chance``.
    """
    probabilities, labels, rows = _predict_actions(model, dataset)
    # Clips of one person or film are not independent tests: the interval counts groups.
    groups = examples.take(rows).groups
    return {
        "action_top1": scores.top1_accuracy(probabilities, labels),
        "action_interval": scores.top1_interval(probabilities, labels, groups=groups),
        "action_chance": scores.top1_chance(labels),
    }


def score_action_top1(model: LogitModel, dataset: tf.data.Dataset) -> float:
    """Measure the top-1 of Criterion 1 alone, to select an epoch."""
    probabilities, labels, _ = _predict_actions(model, dataset)
    return scores.top1_accuracy(probabilities, labels)


def _predict_actions(model: LogitModel, dataset: tf.data.Dataset) -> Outputs:
    """Return (probabilities ``[N, K]``, labels ``[N]``, rows of the examples ``[N]``)."""
    logits, labels, index = collect_outputs(model, dataset)
    return average_outputs_per_example(logits, labels, index, activation=softmax_probabilities)


def score_privacy(
    model: LogitModel,
    dataset: tf.data.Dataset,
    held_out: tf.data.Dataset,
    examples: ScoredExamples,
) -> dict[str, Any]:
    """Measure Criterion 2: cMAP and macro F1 of the private attributes.

    Args:
        model: Privacy network.
        dataset: Batches of (images or clips, attributes, index).
        held_out: A dataset of the same kind, on which the thresholds of F1 are tuned.
        examples: What ``dataset`` is made from.

    Returns:
        As score_attributes.
    """
    probabilities, truth, rows = predict_attributes(model, dataset)
    # Never on the test split: the F1 would be that of thresholds which know the answers.
    thresholds = tune_privacy_thresholds(model, held_out)
    return score_attributes(probabilities, truth, rows, thresholds, examples)


def tune_privacy_thresholds(model: LogitModel, held_out: tf.data.Dataset) -> np.ndarray:
    """Find the threshold of each attribute, ``[P]``, with the best F1 on held-out examples."""
    probabilities, truth, _ = predict_attributes(model, held_out)
    return scores.tune_f1_thresholds(probabilities, truth)


def score_attributes(
    probabilities: np.ndarray,
    truth: np.ndarray,
    rows: np.ndarray,
    thresholds: np.ndarray,
    examples: ScoredExamples,
) -> dict[str, Any]:
    """Score predicted attributes.

    Args:
        probabilities: ``[N, P]``.
        truth: 0 or 1, ``[N, P]``.
        rows: Rows of the examples that they belong to, ``[N]``.
        thresholds: Probabilities that F1 is tuned to, ``[P]``.
        examples: The examples. If they have groups, intervals are over groups.

    Returns:
        cMAP and macro F1 with their intervals (95 %), chance levels and differences from chance;
        F1 at probability .5, at logit .5 as in the literature, and at the thresholds; AP by the
        name of the attribute.
    """
    groups = examples.take(rows).groups
    cmap, f1 = scores.cmap_score(probabilities, truth), scores.macro_f1_score(probabilities, truth)
    cmap_chance, f1_chance = scores.cmap_chance(truth), scores.macro_f1_chance(truth)
    average_precisions = scores.average_precisions(probabilities, truth).tolist()
    return {
        "cmap": cmap,
        "cmap_interval": scores.cmap_interval(probabilities, truth, groups=groups),
        "f1": f1,
        "f1_interval": scores.macro_f1_interval(probabilities, truth, groups=groups),
        "cmap_chance": cmap_chance,
        "f1_chance": f1_chance,
        # "floor" is the chance level: these keys are in result files.
        "cmap_above_floor": scores.leakage_above_chance(cmap, cmap_chance),
        "f1_above_floor": scores.leakage_above_chance(f1, f1_chance),
        "f1_logit_half": scores.macro_f1_score(probabilities, truth, scores.LOGIT_HALF_THRESHOLD),
        "f1_tuned": scores.macro_f1_score(probabilities, truth, thresholds),
        "average_precision": dict(zip(examples.attribute_names, average_precisions, strict=False)),
    }


def score_privacy_cmap(model: LogitModel, dataset: tf.data.Dataset) -> float:
    """Measure cMAP alone, to select an epoch."""
    probabilities, truth, _ = predict_attributes(model, dataset)
    return scores.cmap_score(probabilities, truth)


def predict_attributes(model: LogitModel, dataset: tf.data.Dataset) -> Outputs:
    """Predict the private attributes of each example of a dataset.

    Args:
        model: Privacy network.
        dataset: Batches of (images or clips, attributes, index).

    Returns:
        (probabilities ``[N, P]``, truth ``[N, P]``, rows of the examples ``[N]``).
    """
    logits, truth, index = collect_outputs(model, dataset)
    return average_outputs_per_example(logits, truth, index, activation=_sigmoid_probabilities)


def flicker_per_clip(x: np.ndarray, x_anon: np.ndarray) -> np.ndarray:
    """Measure the change from frame to frame that an anonymizer adds.

    It is mean |y_t - y_t-1| - mean |x_t - x_t-1| for output y and input x.

    Args:
        x: Clips ``[N, T, H, W, C]`` in [0, 1], T >= 2.
        x_anon: Anonymized clips, same shape and range.

    Returns:
        float64 ``[N]``; below 0 if motion is lost.
    """
    output_change = np.abs(np.diff(np.float64(x_anon), axis=1))
    input_change = np.abs(np.diff(np.float64(x), axis=1))
    return np.mean(output_change - input_change, axis=(1, 2, 3, 4))


def measure_flicker(f_A: Callable[..., tf.Tensor], dataset: tf.data.Dataset) -> float:
    """Measure the mean of flicker_per_clip over the clips of an evaluation dataset."""
    # The last batch may be smaller: one trace serves every batch size.
    anonymize = tf.function(lambda x: f_A(x, training=False), reduce_retracing=True)
    flicker = [flicker_per_clip(x.numpy(), anonymize(x).numpy()) for x, *_ in dataset]
    return float(np.mean(np.concatenate(flicker)))


def average_outputs_per_example(
    values: np.ndarray,
    truth: np.ndarray,
    index: np.ndarray,
    activation: Callable[[np.ndarray], np.ndarray] = np.asarray,
) -> Outputs:
    """Average a model's outputs over the rows of each example, such as the clips of a video.

    Args:
        values: Outputs ``[M, ...]``.
        truth: ``[M, ...]``; the rows of an example have the same.
        index: int ``[M]``, the example of each row; rows below 0 are padding.
        activation: Applied to the outputs before they are averaged.

    Returns:
        (means ``[N, ...]``, truth ``[N, ...]``, row among the examples ``[N]``).
    """
    examples, means = scores.average_per_example(activation(values), index)
    first_row: dict[int, int] = {}
    for row, example in enumerate(index.tolist()):
        # All rows of an example have its truth, so the first will do.
        first_row.setdefault(example, row)
    truth_rows = [first_row[example] for example in examples.tolist()]
    return means, truth[truth_rows], examples


def softmax_probabilities(logits: np.ndarray) -> np.ndarray:
    """Compute the softmax of logits ``[N, K]`` in float64."""
    return tf.nn.softmax(np.float64(logits)).numpy()


def _sigmoid_probabilities(logits: np.ndarray) -> np.ndarray:
    """Compute the sigmoid of logits ``[N, P]`` in float64."""
    # float32 rounds probabilities near 1 to the same number, and ties change ranks.
    return tf.sigmoid(np.float64(logits)).numpy()
