"""Linear probe: a linear classifier on the features of a frozen network trained on raw data."""

from typing import Any

import keras

from tfanon.attacks import fresh
from tfanon.attacks.common import attack_run
from tfanon.attacks.common.attack_run import AttackRun, Entry
from tfanon.training import phases

REQUIRED = fresh.REQUIRED


def attack(
    run: AttackRun,
    name: str,
    f_A: attack_run.Anonymizer,
    network: str = "",
    start: str = attack_run.SCRATCH,
) -> list[Entry]:
    """Train and score a linear classifier for each privacy task.

    Args:
        run: The evaluation.
        name: Name of the anonymizer.
        f_A: The anonymizer.
        network: As in `fresh.attack`, of the network on raw data whose last layer is retrained.
        start: As in `fresh.attack`.

    Returns:
        One entry per privacy task.
    """
    network = network or run.config.attacker_network
    entries = []
    for task in run.data.privacy_tasks:
        result = _attack_task(run, name, f_A, task, network, start)
        entries.append(
            attack_run.make_result_entry("linear_probe", network, start, task, name, result)
        )
    return entries


def _attack_task(
    run: AttackRun, name: str, f_A: attack_run.Anonymizer, task: str, network: str, start: str
) -> dict[str, Any]:
    phase_name = attack_run.make_phase_name("linear_probe", network, start, task, name)
    # A stored result needs no network on raw data.
    stored = run.get_phase(phase_name).load_result()
    if stored is not None:
        return stored
    f_B, _ = fresh.train_on_raw(run, task, network, start)
    features = attack_run.build_feature_extractor(f_B)

    def build(attributes: int) -> keras.Model:
        inputs = keras.Input(features.output_shape[1:])
        logits = keras.layers.Dense(attributes, dtype="float32", name="logits")
        return keras.Sequential([inputs, logits])

    return phases.evaluate_privacy(run, phase_name, attack_run.compose(f_A, features), task, build)
