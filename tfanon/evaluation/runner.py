"""A protocol on everything that is to be attacked: the entries of results.json, and the gates that vouch for them."""

import dataclasses
import functools

from tfanon.attacks import fresh
from tfanon.attacks.common import attack_run
from tfanon.core import registry
from tfanon.data import pipeline
from tfanon.metrics import criteria
from tfanon.training import phases

SCHEMA_VERSION = 1


def run_protocol(run, plan, targets, min_raw_leakage):
    """What results.json of an evaluation holds, but for protocol, seed and command.

    run: attackers' Run.  targets: {name: f_A}.  min_raw_leakage: share of the way from floor to 1, as Settings has it.
    Raises ValueError where there is nothing to attack.
    """
    if plan.attacks and not run.tables.probes:
        raise ValueError(
            "There is nothing to attack: neither the images nor the clips of this run have private "
            "attributes."
        )
    count = len(targets) * (len(plan.actions) + len(plan.attacks)) + 2 * bool(plan.attacks)
    run = dataclasses.replace(run, count=count)
    gates, run = _run_controls(run, plan, min_raw_leakage)
    actions, attacks, flicker, nothing = [], [], [], {}
    for name, f_A in targets.items():
        flicker += _measure_flicker(run, name, f_A)
        for network in plan.actions:
            actions.append(_evaluate_action(run, name, f_A, network))
            run = _advance_progress(run)
        for attacker, choice in plan.attacks:
            module = registry.load_module("attackers", attacker)
            found = module.attack(run, name, f_A, **choice)
            nothing |= (
                {}
                if found
                else {attacker: f"{attacker} attacked nothing: it needs {module.REQUIRED}."}
            )
            attacks += found
            run = _advance_progress(run)
    return {
        "schema_version": SCHEMA_VERSION,
        "actions": actions,
        "attacks": attacks,
        "flicker": flicker,
        "gates": gates,
        "notes": [*run.tables.notes, *plan.notes, *nothing.values()],
    }


def _advance_progress(run):
    return dataclasses.replace(run, number=run.number + 1)


def _run_controls(run, plan, min_raw_leakage):
    """(entries, run): on raw data every fresh attacker must be strong, on pure noise the first must find nothing."""
    if not plan.attacks:
        return [], run
    choices = [choice for attacker, choice in plan.attacks if attacker == "fresh"] or [{}]
    raw = [
        entry
        for choice in choices
        for entry in fresh.attack(run, "raw", attack_run.build_raw_anonymizer(), **choice)
    ]
    run = _advance_progress(run)
    noise = fresh.attack(
        run, "noise", registry.load_module("anonymizers", "noise").build(), **choices[0]
    )
    return [
        *(check_positive_control(entry, min_raw_leakage) for entry in raw),
        *(check_negative_control(entry) for entry in noise),
    ], _advance_progress(run)


def check_positive_control(entry, share):
    """The gate of an attack on raw data: at least that share of the way from its floor to 1."""
    bound = entry["cmap_chance"] + share * (1 - entry["cmap_chance"])
    return _make_control_entry("raw is read", entry, bound)


def check_negative_control(entry):
    """The gate of an attack on noise: no more than what its answers score once in a thousand times by chance.

    The interval around its cMAP would not do: a few examples score above the floor by chance, and clips of one person
    are not independent.
    """
    return _make_control_entry("noise leaks nothing", entry, entry["cmap_by_chance"][1])


def _make_control_entry(name, entry, bound):
    passed = entry["cmap"] >= bound if name == "raw is read" else entry["cmap"] <= bound
    return {
        "gate": name,
        **{key: entry[key] for key in ("attacker", "network", "start", "probe")},
        "value": entry["cmap"],
        "bound": bound,
        "passed": bool(passed),
    }


def _evaluate_action(run, name, f_A, network):
    """Criterion 1 by one network, started as in the run where it is the run's own."""
    own = network == run.config.action_evaluator_network
    config = dataclasses.replace(
        run.config,
        eval_action_network=network,
        eval_action_weights=run.config.eval_action_weights if own else "",
    )
    found = phases.measure_utility(
        dataclasses.replace(run, config=config), f"{network}-{name}", f_A
    )
    return {
        "anonymizer": name,
        "network": network,
        **found,
        "parameters": _count_parameters(network, len(run.tables.action.train.classes)),
    }


@functools.cache
def _count_parameters(network, classes):
    """How many weights a judge of the action has."""
    return registry.load_module("actions", network).build(classes=classes).count_params()


def _measure_flicker(run, name, f_A):
    """An entry, where clips have two frames or more; measured once, as an attack is made once."""
    if run.config.frames < 2:
        return []
    phase = run.get_phase(f"flicker-{name}")
    if (found := phase.load_result()) is None:
        clips = pipeline.evaluation_clips(
            run.tables.action.test, dataclasses.replace(run.config, eval_clips=1)
        )
        found = phase.save_result(None, {"flicker": criteria.measure_flicker(f_A, clips)})
    return [{"anonymizer": name, **found}]
