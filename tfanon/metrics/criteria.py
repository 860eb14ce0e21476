"""Criterion 1 and Criterion 2 (Eq. 1, 2): what fresh judges score behind any f_A, and what chance alone would.

An evaluation sees a judge's outputs for a whole split at once: ranks and means do not add up over batches.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfanon.metrics import scores


@dataclasses.dataclass(frozen=True)
class Judge:
    """What an evaluation asks of a trainer.Learner, for whoever has not been trained here: x -> logits, a tensor."""

    forward: Callable


def outputs(learner, dataset):
    """The judge's logits, the truth and the example of each row of an evaluation dataset, as numpy arrays."""
    rows = [(learner.forward(x).numpy(), y.numpy(), index.numpy()) for x, y, index in dataset]
    return [np.concatenate(column) for column in zip(*rows)]


def action_scores(learner, dataset, examples):
    """Criterion 1: top-1 of the mean softmax over the clips of each video, with its 95 % interval and chance.

    examples: the Examples of which the dataset is made. Where they have groups, the interval is that of as many people.
    """
    probabilities, labels, rows = by_example(*outputs(learner, dataset), activation=softmax)
    return {
        "action_top1": scores.top1(probabilities, labels),
        "action_interval": scores.top1_interval(
            probabilities, labels, groups=examples.take(rows).groups
        ),
        "action_chance": scores.top1_floor(labels),
    }


def action_top1(learner, dataset):
    """Criterion 1 alone, for the selection of an epoch."""
    return scores.top1(*by_example(*outputs(learner, dataset), activation=softmax)[:2])


def privacy_scores(learner, dataset, held_out, examples):
    """Criterion 2: cMAP and macro F1 of the attributes, their chance floors, and AP per attribute.

    F1 is given at probability .5, at logit .5 (the literature's) and at the thresholds that suit `held_out`.
    examples: the Examples of which the dataset is made.
    """
    seen = privacy_curves(learner, dataset)
    return attribute_scores(*seen, privacy_thresholds(learner, held_out), examples)


def privacy_thresholds(learner, held_out):
    """[P]: the probabilities above which calling an attribute gives the best F1 on held-out examples."""
    return scores.best_thresholds(*privacy_curves(learner, held_out)[:2])


def attribute_scores(probabilities, truth, rows, thresholds, examples):
    """As privacy_scores, of probabilities and truth [n, P], of which rows [n] of the examples they are, and of the
    thresholds [P] that F1 is tuned to.  Where examples have groups, the intervals are those of as many people.
    """
    groups = examples.take(rows).groups
    cmap, f1 = scores.cmap(probabilities, truth), scores.f1(probabilities, truth)
    floors = {"cmap_chance": scores.cmap_floor(truth), "f1_chance": scores.f1_floor(truth)}
    return {
        "cmap": cmap,
        "cmap_interval": scores.cmap_interval(probabilities, truth, groups=groups),
        "f1": f1,
        "f1_interval": scores.f1_interval(probabilities, truth, groups=groups),
        **floors,
        "cmap_above_floor": cmap - floors["cmap_chance"],
        "f1_above_floor": f1 - floors["f1_chance"],
        "f1_logit_half": scores.f1(probabilities, truth, scores.LOGIT_HALF),
        "f1_tuned": scores.f1(probabilities, truth, thresholds),
        "average_precision": dict(
            zip(examples.attribute_names, scores.average_precisions(probabilities, truth).tolist())
        ),
    }


def privacy_cmap(learner, dataset):
    """cMAP alone, for the selection of an epoch."""
    return scores.cmap(*privacy_curves(learner, dataset)[:2])


def privacy_curves(learner, dataset):
    """(probabilities [n, P], truth [n, P], rows [n]): what all is made of, of which rows of the examples."""
    return by_example(*outputs(learner, dataset), activation=_sigmoid)


def flicker(x, x_anon):
    """Change from frame to frame that an anonymizer adds: mean |y_t - y_t-1| - mean |x_t - x_t-1|, per clip.

    x, x_anon: [N, T, H, W, C] in [0, 1], T >= 2.  Returns float64 [N]; below 0 where motion is lost.
    """
    added, there = (np.abs(np.diff(np.float64(clips), axis=1)) for clips in (x_anon, x))
    return np.mean(added - there, axis=(1, 2, 3, 4))


def mean_flicker(f_A, dataset):
    """Mean flicker over the clips of an evaluation dataset."""
    graph = tf.function(lambda x: f_A(x, training=False), reduce_retracing=True)
    return float(
        np.mean(np.concatenate([flicker(x.numpy(), graph(x).numpy()) for x, *_ in dataset]))
    )


def softmax(logits):
    return tf.nn.softmax(np.float64(logits)).numpy()


def by_example(values, truth, index, activation=np.asarray):
    """(mean activation of each example's rows, its truth, its row among the examples)."""
    examples, means = scores.by_example(activation(values), index)
    first = {example: row for row, example in reversed(list(enumerate(index.tolist())))}
    return means, truth[[first[example] for example in examples.tolist()]], examples


def _sigmoid(logits):
    return tf.sigmoid(np.float64(logits)).numpy()
