"""Frozen attacker: trained on raw data, tested on anonymized data (the paper's Table 6).

For comparison only, as a real attacker would retrain. Information that this attack misses may only
have changed its form: the retrained attacker (`fresh`) shows whether it is gone.
"""

from typing import Any

import tensorflow as tf

from tfanon.attacks import fresh
from tfanon.attacks.common import attack_run
from tfanon.attacks.common.attack_run import AttackRun, Entry

REQUIRED = fresh.REQUIRED


def attack(
    run: AttackRun,
    name: str,
    f_A: attack_run.Anonymizer,
    network: str = "",
    start: str = attack_run.SCRATCH,
) -> list[Entry]:
    """Score the classifier that was trained on raw data for each privacy task.

    Args:
        run: The evaluation.
        name: Name of the anonymizer.
        f_A: The anonymizer.
        network: As in `fresh.attack`, of the classifier on raw data.
        start: As in `fresh.attack`.

    Returns:
        One entry per privacy task.
    """
    network = network or run.config.attacker_network
    entries = []
    for task in run.data.privacy_tasks:
        result = _attack_task(run, name, f_A, task, network, start)
        entries.append(attack_run.make_result_entry("frozen", network, start, task, name, result))
    return entries


def _attack_task(
    run: AttackRun, name: str, f_A: attack_run.Anonymizer, task: str, network: str, start: str
) -> dict[str, Any]:
    phase = run.get_phase(attack_run.make_phase_name("frozen", network, start, task, name))
    stored = phase.load_result()
    if stored is not None:
        return stored
    f_B, raw_result = fresh.train_on_raw(run, task, network, start)

    def classify(x: tf.Tensor) -> tf.Tensor:
        return f_B(f_A(x, training=False), training=False)

    scores = attack_run.score_classifier(run, task, classify)
    # Its only training was the attack on raw data, whose phase keeps the weights.
    training = fresh.describe_raw_training(raw_result)
    return phase.save_result(None, {**scores, **training})
