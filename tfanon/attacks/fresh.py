"""Retrained attacker: a new classifier of the attributes, trained on the output of f_A.

The least that anyone who owns f_A can do; called "parrot" or adaptive attacker in SPAct and
TeD-SPAD, and used in the paper's Tables 1, 7 and 8. It sees single frames.
"""

from typing import Any

import keras

from tfanon.attacks.common import attack_run
from tfanon.attacks.common.attack_run import AttackRun, Entry
from tfanon.training import phases

REQUIRED = "images or clips with private attributes"


def attack(
    run: AttackRun,
    name: str,
    f_A: attack_run.Anonymizer,
    network: str = "",
    start: str = attack_run.SCRATCH,
) -> list[Entry]:
    """Train and score a classifier for each privacy task.

    Args:
        run: The evaluation.
        name: Name of the anonymizer.
        f_A: The anonymizer.
        network: A module of `tfanon.models.privacy`; empty: the attacker network of the run.
        start: SCRATCH or the path of a `.weights.h5` made by `tfanon-weights`.

    Returns:
        One entry per privacy task.
    """
    network = network or run.config.attacker_network
    entries = []
    for task in run.data.privacy_tasks:
        result = attack_task(run, name, f_A, task, network, start)
        entries.append(attack_run.make_result_entry("fresh", network, start, task, name, result))
    return entries


def attack_task(
    run: AttackRun, name: str, f_A: attack_run.Anonymizer, task: str, network: str, start: str
) -> dict[str, Any]:
    """Train and score a classifier for one privacy task.

    Args:
        run: The evaluation.
        name: Name of the anonymizer.
        f_A: The anonymizer.
        task: Name of the privacy task.
        network: A module of `tfanon.models.privacy`.
        start: SCRATCH or the path of weights.

    Returns:
        As `phases.evaluate_privacy`.
    """

    def build(attributes: int) -> keras.Model:
        return attack_run.build_privacy_network(network, start, attributes)

    phase_name = attack_run.make_phase_name("fresh", network, start, task, name)
    return phases.evaluate_privacy(run, phase_name, f_A, task, build)


def train_on_raw(
    run: AttackRun, task: str, network: str, start: str
) -> tuple[keras.Model, dict[str, Any]]:
    """Train this attack on raw data, once per evaluation; other attacks start from its network.

    Args:
        run: The evaluation.
        task: Name of the privacy task.
        network: A module of `tfanon.models.privacy`.
        start: SCRATCH or the path of weights.

    Returns:
        The trained network, and its result on raw data as from `phases.evaluate_privacy`.
    """
    result = attack_task(run, "raw", attack_run.build_raw_anonymizer(), task, network, start)
    attributes = len(run.data.privacy_tasks[task].train.attribute_names)
    with run.strategy.scope():
        # From scratch: the stored weights of the phase replace whatever it starts from.
        f_B = attack_run.build_privacy_network(network, attack_run.SCRATCH, attributes)
    run.get_phase(attack_run.make_phase_name("fresh", network, start, task, "raw")).load_result(f_B)
    return f_B, result


def describe_raw_training(raw_result: dict[str, Any]) -> dict[str, Any]:
    """Return how an attack was trained whose only training is this attack on raw data.

    Args:
        raw_result: The result that `train_on_raw` returns.

    Returns:
        The part of a result about training; the curve stays with the result on raw data.
    """
    return {"selected": raw_result["selected"], "curve": [], "budget": raw_result["budget"]}
