"""The nearest training examples by the features of a network that was trained on raw data: no training, no luck.

An attribute is as likely as it is common among the k nearest by cosine; k is chosen on the held-out slice.
"""

import numpy as np
import tensorflow as tf

from tfanon.attacks import fresh
from tfanon.attacks.common import attack_run
from tfanon.metrics import criteria, scores
from tfanon.training import phases

NEEDS = fresh.NEEDS
CHOICES = (1, 5, 20)  # of k
ROWS = 512  # that are compared with all of training at once


def attack(run, name, f_A, network="", start=attack_run.SCRATCH):
    """An entry per probe.  network, start: as in fresh, of the network on raw data."""
    network = network or run.config.privacy_judge_network
    return [
        attack_run.entry(
            name, "knn", network, start, probe, _read(run, name, f_A, probe, network, start)
        )
        for probe in run.tables.probes
    ]


def _read(run, name, f_A, probe, network, start):
    phase = run.phase(attack_run.named("knn", network, start, probe, name))
    if (found := phase.result()) is not None:
        return found
    f_B, raw = fresh.on_raw(run, probe, network, start)
    see = criteria.Judge(
        tf.function(attack_run.behind(f_A, attack_run.trunk(f_B)), reduce_retracing=True)
    )
    splits = run.tables.probes[probe]
    train, held_out, test = (
        _seen(see, examples, run.config) for examples in (splits.train, splits.tuning, splits.test)
    )
    k = CHOICES[-1]
    if len(splits.held_out):  # else each row would be its own neighbour, and one of those be enough
        k = max(CHOICES, key=lambda k: scores.cmap(vote(*train[:2], held_out[0], k), held_out[1]))
    thresholds = scores.best_thresholds(vote(*train[:2], held_out[0], k), held_out[1])
    found = criteria.attribute_scores(
        vote(*train[:2], test[0], k), *test[1:], thresholds, splits.test
    )
    learnt = {"selected": raw["selected"], "curve": [], "budget": raw["budget"]}
    return phase.finish(None, {**found, "neighbours": k, **learnt})


def vote(features, truth, asked, k):
    """Mean truth [n, P] of the k rows of `features` that are nearest to each row of `asked`, both [., F], by cosine."""
    features, asked = (
        rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        for rows in (features, asked)
    )
    k = min(k, len(features))
    nearest = [
        np.argpartition(-asked[first : first + ROWS] @ features.T, k - 1, axis=1)[:, :k]
        for first in range(0, len(asked), ROWS)
    ]
    return np.float64(truth)[np.concatenate(nearest)].mean(axis=1)


def _seen(see, examples, config):
    """(features [n, F], truth [n, P], which example [n])."""
    return criteria.by_example(*criteria.outputs(see, phases.FRAMES.evaluation(examples, config)))
