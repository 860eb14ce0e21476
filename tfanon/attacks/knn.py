"""Nearest-neighbour attack: no training, only features of a network trained on raw data.

The probability of an attribute is its frequency among the k nearest training examples by cosine
similarity. k is chosen on the held-out split.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from tfanon.attacks import fresh
from tfanon.attacks.common import attack_run
from tfanon.attacks.common.attack_run import AttackRun, Entry
from tfanon.core.config import Config
from tfanon.data.batch import Examples
from tfanon.metrics import criteria, scores
from tfanon.training import phases

REQUIRED = fresh.REQUIRED
K_CHOICES = (1, 5, 20)
QUERIES_PER_BATCH = 512  # compared with all training examples at once; bounds memory


def attack(
    run: AttackRun,
    name: str,
    f_A: attack_run.Anonymizer,
    network: str = "",
    start: str = attack_run.SCRATCH,
) -> list[Entry]:
    """Score the nearest neighbours for each privacy task.

    Args:
        run: The evaluation.
        name: Name of the anonymizer.
        f_A: The anonymizer.
        network: As in `fresh.attack`, of the network on raw data.
        start: As in `fresh.attack`.

    Returns:
        One entry per privacy task.
    """
    network = network or run.config.attacker_network
    entries = []
    for task in run.data.privacy_tasks:
        result = _attack_task(run, name, f_A, task, network, start)
        entries.append(attack_run.make_result_entry("knn", network, start, task, name, result))
    return entries


def _attack_task(
    run: AttackRun, name: str, f_A: attack_run.Anonymizer, task: str, network: str, start: str
) -> dict[str, Any]:
    phase = run.get_phase(attack_run.make_phase_name("knn", network, start, task, name))
    stored = phase.load_result()
    if stored is not None:
        return stored
    f_B, raw_result = fresh.train_on_raw(run, task, network, start)
    features_of_output = attack_run.compose(f_A, attack_run.build_feature_extractor(f_B))
    extractor = criteria.LogitFunction(tf.function(features_of_output, reduce_retracing=True))
    splits = run.data.privacy_tasks[task]
    features, truth, _ = _extract_features(extractor, splits.train, run.config)
    tuning_features, tuning_truth, _ = _extract_features(extractor, splits.tuning, run.config)
    test_features, test_truth, test_rows = _extract_features(extractor, splits.test, run.config)

    def score_k(k: int) -> float:
        predictions = predict_from_neighbours(features, truth, tuning_features, k)
        return scores.cmap_score(predictions, tuning_truth)

    k = K_CHOICES[-1]
    # Without a held-out split `tuning` is the training split: each example would be its own nearest
    # neighbour, and k = 1 would always win.
    if len(splits.held_out):
        k = max(K_CHOICES, key=score_k)
    tuning_predictions = predict_from_neighbours(features, truth, tuning_features, k)
    thresholds = scores.tune_f1_thresholds(tuning_predictions, tuning_truth)
    test_predictions = predict_from_neighbours(features, truth, test_features, k)
    leakage = criteria.score_attributes(
        test_predictions, test_truth, test_rows, thresholds, splits.test
    )
    # Its only training was the attack on raw data, whose phase keeps the weights.
    training = fresh.describe_raw_training(raw_result)
    return phase.save_result(None, {**leakage, "neighbours": k, **training})


def predict_from_neighbours(
    features: np.ndarray, truth: np.ndarray, queries: np.ndarray, k: int
) -> np.ndarray:
    """Average the attributes of the k training examples that are nearest by cosine similarity.

    Args:
        features: Features of the training examples ``[m, F]``.
        truth: Their attributes ``[m, P]``, 0 or 1.
        queries: Features of the examples to classify ``[n, F]``.
        k: Number of neighbours; all training examples if there are fewer.

    Returns:
        Probabilities ``[n, P]``, float64.
    """
    features = _normalize_rows(features)
    queries = _normalize_rows(queries)
    k = min(k, len(features))
    nearest = []
    for first in range(0, len(queries), QUERIES_PER_BATCH):
        # Negated: argpartition puts the smallest first. Their order does not matter for the mean.
        distances = -queries[first : first + QUERIES_PER_BATCH] @ features.T
        nearest.append(np.argpartition(distances, k - 1, axis=1)[:, :k])
    return np.asarray(truth, np.float64)[np.concatenate(nearest)].mean(axis=1)


def _normalize_rows(rows: np.ndarray) -> np.ndarray:
    """Scale each row to length 1; a row of zeros stays as it is."""
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def _extract_features(
    extractor: criteria.LogitFunction, examples: Examples, config: Config
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return features ``[n, F]``, attributes ``[n, P]`` and rows of the examples ``[n]``."""
    dataset = phases.FRAME_VIEW.make_evaluation_dataset(examples, config)
    return criteria.average_outputs_per_example(*criteria.collect_outputs(extractor, dataset))
