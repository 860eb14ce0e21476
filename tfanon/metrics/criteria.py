"""Criterion 1 and Criterion 2 (Eq. 1, 2): what fresh judges score behind any f_A, and what chance alone would.

An evaluation sees a judge's outputs for a whole split at once: ranks and means do not add up over batches.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfanon.metrics import scores


@dataclasses.dataclass(frozen=True)
class Predictor:
    """What an evaluation asks of a trainer.Learner, for whoever has not been trained here: x -> logits, a tensor."""

    forward: Callable


def collect_outputs(learner, dataset):
    """The judge's logits, the truth and the example of each row of an evaluation dataset, as numpy arrays."""
    rows = [(learner.forward(x).numpy(), y.numpy(), index.numpy()) for x, y, index in dataset]
    return [np.concatenate(column) for column in zip(*rows)]


def score_action(learner, dataset, examples):
    """Criterion 1: top-1 of the mean softmax over the clips of each video, with its 95 % interval and chance.

    examples: the Examples of which the dataset is made. Where they have groups, the interval is that of as many people.
    """
    probabilities, labels, rows = average_outputs_per_example(
        *collect_outputs(learner, dataset), activation=softmax_probabilities
    )
    return {
        "action_top1": scores.top1_accuracy(probabilities, labels),
        "action_interval": scores.top1_interval(
            probabilities, labels, groups=examples.take(rows).groups
        ),
        "action_chance": scores.top1_chance(labels),
    }


def score_action_top1(learner, dataset):
    """Criterion 1 alone, for the selection of an epoch."""
    return scores.top1_accuracy(
        *average_outputs_per_example(
            *collect_outputs(learner, dataset), activation=softmax_probabilities
        )[:2]
    )


def score_privacy(learner, dataset, held_out, examples):
    """Criterion 2: cMAP and macro F1 of the attributes, their chance floors, and AP per attribute.

    F1 is given at probability .5, at logit .5 (the literature's) and at the thresholds that suit `held_out`.
    examples: the Examples of which the dataset is made.
    """
    seen = predict_attributes(learner, dataset)
    return score_attributes(*seen, tune_privacy_thresholds(learner, held_out), examples)


def tune_privacy_thresholds(learner, held_out):
    """[P]: the probabilities above which calling an attribute gives the best F1 on held-out examples."""
    return scores.tune_f1_thresholds(*predict_attributes(learner, held_out)[:2])


def score_attributes(probabilities, truth, rows, thresholds, examples):
    """As privacy_scores, of probabilities and truth [n, P], of which rows [n] of the examples they are, and of the
    thresholds [P] that F1 is tuned to.  Where examples have groups, the intervals are those of as many people.
    """
    groups = examples.take(rows).groups
    cmap, f1 = scores.cmap_score(probabilities, truth), scores.macro_f1_score(probabilities, truth)
    floors = {"cmap_chance": scores.cmap_chance(truth), "f1_chance": scores.macro_f1_chance(truth)}
    return {
        "cmap": cmap,
        "cmap_interval": scores.cmap_interval(probabilities, truth, groups=groups),
        "f1": f1,
        "f1_interval": scores.macro_f1_interval(probabilities, truth, groups=groups),
        **floors,
        "cmap_above_floor": cmap - floors["cmap_chance"],
        "f1_above_floor": f1 - floors["f1_chance"],
        "f1_logit_half": scores.macro_f1_score(probabilities, truth, scores.LOGIT_HALF_THRESHOLD),
        "f1_tuned": scores.macro_f1_score(probabilities, truth, thresholds),
        "average_precision": dict(
            zip(examples.attribute_names, scores.average_precisions(probabilities, truth).tolist())
        ),
    }


def score_privacy_cmap(learner, dataset):
    """cMAP alone, for the selection of an epoch."""
    return scores.cmap_score(*predict_attributes(learner, dataset)[:2])


def predict_attributes(learner, dataset):
    """(probabilities [n, P], truth [n, P], rows [n]): what all is made of, of which rows of the examples."""
    return average_outputs_per_example(
        *collect_outputs(learner, dataset), activation=_sigmoid_probabilities
    )


def flicker_per_clip(x, x_anon):
    """Change from frame to frame that an anonymizer adds: mean |y_t - y_t-1| - mean |x_t - x_t-1|, per clip.

    x, x_anon: [N, T, H, W, C] in [0, 1], T >= 2.  Returns float64 [N]; below 0 where motion is lost.
    """
    added, there = (np.abs(np.diff(np.float64(clips), axis=1)) for clips in (x_anon, x))
    return np.mean(added - there, axis=(1, 2, 3, 4))


def measure_flicker(f_A, dataset):
    """Mean flicker over the clips of an evaluation dataset."""
    graph = tf.function(lambda x: f_A(x, training=False), reduce_retracing=True)
    return float(
        np.mean(
            np.concatenate([flicker_per_clip(x.numpy(), graph(x).numpy()) for x, *_ in dataset])
        )
    )


def softmax_probabilities(logits):
    return tf.nn.softmax(np.float64(logits)).numpy()


def average_outputs_per_example(values, truth, index, activation=np.asarray):
    """(mean activation of each example's rows, its truth, its row among the examples)."""
    examples, means = scores.average_per_example(activation(values), index)
    first = {example: row for row, example in reversed(list(enumerate(index.tolist())))}
    return means, truth[[first[example] for example in examples.tolist()]], examples


def _sigmoid_probabilities(logits):
    return tf.sigmoid(np.float64(logits)).numpy()
