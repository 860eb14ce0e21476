"""The nearest training examples by the features of a network that was trained on raw data: no training, no luck.

An attribute is as likely as it is common among the k nearest by cosine; k is chosen on the held-out slice.
"""

import numpy as np
import tensorflow as tf

from tfanon.attacks import fresh
from tfanon.attacks.common import attack_run
from tfanon.metrics import criteria, scores
from tfanon.training import phases

REQUIRED = fresh.REQUIRED
K_CHOICES = (1, 5, 20)  # of k
QUERIES_PER_BATCH = 512  # that are compared with all of training at once


def attack(run, name, f_A, network="", start=attack_run.SCRATCH):
    """An entry per probe.  network, start: as in fresh, of the network on raw data."""
    network = network or run.config.attacker_network
    return [
        attack_run.make_result_entry(
            name, "knn", network, start, probe, _attack_task(run, name, f_A, probe, network, start)
        )
        for probe in run.tables.probes
    ]


def _attack_task(run, name, f_A, probe, network, start):
    phase = run.get_phase(attack_run.make_phase_name("knn", network, start, probe, name))
    if (found := phase.load_result()) is not None:
        return found
    f_B, raw = fresh.train_on_raw(run, probe, network, start)
    see = criteria.Predictor(
        tf.function(
            attack_run.compose(f_A, attack_run.build_feature_extractor(f_B)), reduce_retracing=True
        )
    )
    splits = run.tables.probes[probe]
    train, held_out, test = (
        _extract_features(see, examples, run.config)
        for examples in (splits.train, splits.tuning, splits.test)
    )
    k = K_CHOICES[-1]
    if len(splits.held_out):  # else each row would be its own neighbour, and one of those be enough
        k = max(
            K_CHOICES,
            key=lambda k: scores.cmap_score(
                predict_from_neighbours(*train[:2], held_out[0], k), held_out[1]
            ),
        )
    thresholds = scores.tune_f1_thresholds(
        predict_from_neighbours(*train[:2], held_out[0], k), held_out[1]
    )
    found = criteria.score_attributes(
        predict_from_neighbours(*train[:2], test[0], k), *test[1:], thresholds, splits.test
    )
    learnt = {"selected": raw["selected"], "curve": [], "budget": raw["budget"]}
    return phase.save_result(None, {**found, "neighbours": k, **learnt})


def predict_from_neighbours(features, truth, asked, k):
    """Mean truth [n, P] of the k rows of `features` that are nearest to each row of `asked`, both [., F], by cosine."""
    features, asked = (
        rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        for rows in (features, asked)
    )
    k = min(k, len(features))
    nearest = [
        np.argpartition(-asked[first : first + QUERIES_PER_BATCH] @ features.T, k - 1, axis=1)[
            :, :k
        ]
        for first in range(0, len(asked), QUERIES_PER_BATCH)
    ]
    return np.float64(truth)[np.concatenate(nearest)].mean(axis=1)


def _extract_features(see, examples, config):
    """(features [n, F], truth [n, P], which example [n])."""
    return criteria.average_outputs_per_example(
        *criteria.collect_outputs(see, phases.FRAME_VIEW.make_evaluation_dataset(examples, config))
    )
