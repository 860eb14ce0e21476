"""Criterion 1 and Criterion 2 (Eq. 1, 2): what fresh judges score behind any f_A, and what chance alone would.

An evaluation sees a judge's outputs for a whole split at once: ranks and means do not add up over batches.
"""

import numpy as np
import tensorflow as tf

from tfanon import metrics


def outputs(learner, dataset):
    """The judge's logits, the truth and the example of each row of an evaluation dataset, as numpy arrays."""
    rows = [(learner.forward(x).numpy(), y.numpy(), index.numpy()) for x, y, index in dataset]
    return [np.concatenate(column) for column in zip(*rows)]


def action_scores(learner, dataset):
    """Criterion 1: top-1 of the mean softmax over the clips of each video, with its 95 % interval and chance."""
    probabilities, labels = _by_example(*outputs(learner, dataset), activation=_softmax)
    return {"action_top1": metrics.top1(probabilities, labels),
            "action_interval": metrics.top1_interval(probabilities, labels),
            "action_chance": metrics.top1_floor(labels)}


def action_top1(learner, dataset):
    """Criterion 1 alone, for the selection of an epoch."""
    return metrics.top1(*_by_example(*outputs(learner, dataset), activation=_softmax))


def privacy_scores(learner, dataset, held_out, names):
    """Criterion 2: cMAP and macro F1 of the attributes, their chance floors, and AP per attribute.

    F1 is given at probability .5, at logit .5 (the literature's) and at the thresholds that suit `held_out`.
    """
    probabilities, truth = _by_example(*outputs(learner, dataset), activation=_sigmoid)
    thresholds = metrics.best_thresholds(*_by_example(*outputs(learner, held_out), activation=_sigmoid))
    cmap, f1 = metrics.cmap(probabilities, truth), metrics.f1(probabilities, truth)
    floors = {"cmap_chance": metrics.cmap_floor(truth), "f1_chance": metrics.f1_floor(truth)}
    return {"cmap": cmap, "cmap_interval": metrics.cmap_interval(probabilities, truth), "f1": f1, **floors,
            "cmap_above_floor": cmap - floors["cmap_chance"], "f1_above_floor": f1 - floors["f1_chance"],
            "f1_logit_half": metrics.f1(probabilities, truth, metrics.LOGIT_HALF),
            "f1_tuned": metrics.f1(probabilities, truth, thresholds),
            "average_precision": dict(zip(names, metrics.average_precisions(probabilities, truth).tolist()))}


def privacy_cmap(learner, dataset):
    """cMAP alone, for the selection of an epoch."""
    return metrics.cmap(*_by_example(*outputs(learner, dataset), activation=_sigmoid))


def privacy_curves(learner, dataset):
    """(truth, probabilities), each [n, P]: what a precision-recall curve is drawn from."""
    probabilities, truth = _by_example(*outputs(learner, dataset), activation=_sigmoid)
    return truth, probabilities


def _by_example(logits, truth, index, activation):
    """Mean probability and truth of each example."""
    examples, probabilities = metrics.by_example(activation(logits), index)
    first = {example: row for row, example in reversed(list(enumerate(index.tolist())))}
    return probabilities, truth[[first[example] for example in examples.tolist()]]


def _softmax(logits):
    return tf.nn.softmax(np.float64(logits)).numpy()


def _sigmoid(logits):
    return tf.sigmoid(np.float64(logits)).numpy()
