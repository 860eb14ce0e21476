"""Run a protocol on every anonymizer: the entries of results.json, and their controls."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

from tfanon.attacks import fresh
from tfanon.attacks.common import attack_run
from tfanon.attacks.common.attack_plan import AttackPlan
from tfanon.attacks.common.attack_run import AttackRun, Entry
from tfanon.core import registry
from tfanon.data import pipeline
from tfanon.metrics import criteria
from tfanon.training import phases

SCHEMA_VERSION = 1
# Values of the key "gate" in results.json.
POSITIVE_CONTROL = "raw is read"
NEGATIVE_CONTROL = "noise leaks nothing"


def run_protocol(
    run: AttackRun,
    plan: AttackPlan,
    targets: Mapping[str, attack_run.Anonymizer],
    min_raw_leakage: float,
) -> dict[str, Any]:
    """Attack every anonymizer and evaluate its utility, as a protocol plans it.

    Args:
        run: The evaluation.
        plan: Attacks and action evaluators.
        targets: Name of each anonymizer to the anonymizer.
        min_raw_leakage: As in `check_positive_control`.

    Returns:
        The contents of results.json except those that describe the command.

    Raises:
        ValueError: The plan has attacks and the data has no private attributes.
    """
    if plan.attacks and not run.data.privacy_tasks:
        raise ValueError(
            "There is nothing to attack: neither the images nor the clips of this run have private "
            "attributes. Use a data set that has some, or --protocol=action_networks."
        )
    control_count = 2 if plan.attacks else 0
    count = len(targets) * (len(plan.action_networks) + len(plan.attacks)) + control_count
    run = dataclasses.replace(run, attack_count=count)
    controls, run = _run_controls(run, plan, min_raw_leakage)
    actions: list[Entry] = []
    attacks: list[Entry] = []
    flicker: list[Entry] = []
    skipped: dict[str, str] = {}
    for name, f_A in targets.items():
        flicker += _measure_flicker(run, name, f_A)
        for network in plan.action_networks:
            actions.append(_evaluate_action(run, name, f_A, network))
            run = _advance_progress(run)
        for attacker, settings in plan.attacks:
            module = registry.load_module("attackers", attacker)
            entries = module.attack(run, name, f_A, **settings)
            if not entries:
                skipped[attacker] = f"{attacker} was skipped: it needs {module.REQUIRED}."
            attacks += entries
            run = _advance_progress(run)
    return {
        "schema_version": SCHEMA_VERSION,
        "actions": actions,
        "attacks": attacks,
        "flicker": flicker,
        "gates": controls,
        "notes": [*run.data.notes, *plan.notes, *skipped.values()],
    }


def _advance_progress(run: AttackRun) -> AttackRun:
    return dataclasses.replace(run, attack_number=run.attack_number + 1)


def _run_controls(
    run: AttackRun, plan: AttackPlan, min_raw_leakage: float
) -> tuple[list[Entry], AttackRun]:
    """Return the control entries and the run after them.

    Every retrained attacker of the plan must be strong on raw video; the first of them must find
    nothing in noise.
    """
    if not plan.attacks:
        return [], run
    choices = [settings for attacker, settings in plan.attacks if attacker == "fresh"]
    # Without a retrained attacker in the plan, one with default options is the control.
    if not choices:
        choices = [{}]
    raw_entries = []
    for settings in choices:
        raw_entries += fresh.attack(run, "raw", attack_run.build_raw_anonymizer(), **settings)
    run = _advance_progress(run)
    noise = registry.load_module("anonymizers", "noise").build()
    noise_entries = fresh.attack(run, "noise", noise, **choices[0])
    controls = [check_positive_control(entry, min_raw_leakage) for entry in raw_entries]
    controls += [check_negative_control(entry) for entry in noise_entries]
    return controls, _advance_progress(run)


def check_positive_control(entry: Entry, min_raw_leakage: float) -> Entry:
    """Check that an attacker is strong on raw video.

    Args:
        entry: Result of an attack on raw video.
        min_raw_leakage: Fraction of the way from chance level to 1 that its cMAP must reach.

    Returns:
        The control as results.json stores it.
    """
    chance = entry["cmap_chance"]
    bound = chance + min_raw_leakage * (1 - chance)
    return _make_control_entry(POSITIVE_CONTROL, entry, bound, entry["cmap"] >= bound)


def check_negative_control(entry: Entry) -> Entry:
    """Check that an attacker finds nothing in noise.

    Its cMAP must stay below what its answers score by chance once in a thousand times. The
    confidence interval of the cMAP would not do: a few examples score above chance level by luck,
    and clips of one person are not independent.

    Args:
        entry: Result of an attack on noise.

    Returns:
        The control as results.json stores it.
    """
    bound = entry["cmap_by_chance"][1]
    return _make_control_entry(NEGATIVE_CONTROL, entry, bound, entry["cmap"] <= bound)


def _make_control_entry(name: str, entry: Entry, bound: float, passed: bool) -> Entry:
    attacker = {key: entry[key] for key in ("attacker", "network", "start", "probe")}
    return {
        "gate": name,
        **attacker,
        "value": entry["cmap"],
        "bound": bound,
        # JSON cannot hold NumPy's bool.
        "passed": bool(passed),
    }


def _evaluate_action(run: AttackRun, name: str, f_A: attack_run.Anonymizer, network: str) -> Entry:
    """Measure Criterion 1 with one network, which starts as in the run if it is the run's own."""
    weights = ""
    if network == run.config.action_evaluator_network:
        weights = run.config.eval_action_weights
    config = dataclasses.replace(
        run.config, eval_action_network=network, eval_action_weights=weights
    )
    network_run = dataclasses.replace(run, config=config)
    scores = phases.measure_utility(network_run, f"{network}-{name}", f_A)
    parameters = _count_parameters(network, len(run.data.action_task.train.classes))
    return {"anonymizer": name, "network": network, **scores, "parameters": parameters}


@functools.cache
def _count_parameters(network: str, classes: int) -> int:
    """Return the number of weights of an action network."""
    return registry.load_module("actions", network).build(classes=classes).count_params()


def _measure_flicker(run: AttackRun, name: str, f_A: attack_run.Anonymizer) -> list[Entry]:
    """Return the flicker of an anonymizer, which is stored like an attack; nothing for images."""
    if run.config.frames < 2:
        return []
    phase = run.get_phase(f"flicker-{name}")
    result = phase.load_result()
    if result is None:
        one_clip = dataclasses.replace(run.config, eval_clips=1)
        clips = pipeline.make_clip_evaluation_dataset(run.data.action_task.test, one_clip)
        result = phase.save_result(None, {"flicker": criteria.measure_flicker(f_A, clips)})
    return [{"anonymizer": name, **result}]
