"""Phases that an evaluation reuses, because the run or another evaluation has finished them.

The run's own attackers and evaluators are those of the evaluation, too, if budget and data are the
same. Attacks on what does not depend on f_A are the same in every evaluation.
"""

import pathlib
from collections.abc import Collection, Mapping
from typing import Any

from tfanon.attacks.common import attack_run
from tfanon.core import component_spec, config
from tfanon.core.config import Config
from tfanon.evaluation import options
from tfanon.training import phase_cache, phases


def reuse_run_phases(run: attack_run.AttackRun, run_config: Config) -> None:
    """Reuse the attackers and evaluators of the run that is evaluated.

    Those with another budget or other data than the evaluation's are not reused.

    Args:
        run: The evaluation.
        run_config: Configuration of the run.
    """
    attacker_network = run.config.attacker_network
    action_network = run.config.action_evaluator_network
    start = run.config.attack_weights or attack_run.SCRATCH
    action_keys = {"action_top1"}
    privacy_keys = {*phases.LEARNING_CURVE_KEYS}
    if run_config.epochs_pretrain:
        pretrain_name = phases.get_pretrain_phase_name(run_config)
        new_pretrain_name = phases.get_pretrain_phase_name(run.config)
        _reuse_run_phase(run, run_config, pretrain_name, new_pretrain_name, action_keys)
    for name in (*run_config.baselines, "f_A"):
        action_phase = phases.get_action_phase_name(name)
        new_action_phase = phases.get_action_phase_name(f"{action_network}-{name}")
        _reuse_run_phase(run, run_config, action_phase, new_action_phase, action_keys)
        for task in run.data.privacy_tasks:
            privacy_phase = phases.get_privacy_phase_name(task, name)
            attack_phase = attack_run.make_phase_name("fresh", attacker_network, start, task, name)
            _reuse_run_phase(run, run_config, privacy_phase, attack_phase, privacy_keys)


def _reuse_run_phase(
    run: attack_run.AttackRun,
    run_config: Config,
    name: str,
    new_name: str,
    required_keys: Collection[str],
) -> None:
    """Link one phase of the run into the evaluation, if it fits.

    Args:
        run: The evaluation.
        run_config: Configuration of the run.
        name: Name of the phase in the run.
        new_name: Name of the phase in the evaluation.
        required_keys: Keys of the phase's result; runs of earlier versions stored fewer.
    """
    source = component_spec.make_file_name(name)
    target = component_spec.make_file_name(new_name)
    if phase_cache.is_phase_finished(run.config.workdir, target):
        return
    # Number and count only label a progress bar, which is not shown here.
    result = phases.Phase(run_config, name, 1, 1).load_result() or {}
    if not result.keys() >= set(required_keys):
        return
    run_flags = phase_cache.get_relevant_flags(name, run_config)
    if run_flags == phase_cache.get_relevant_flags(name, run.config):
        phase_cache.link_phase(run_config.workdir, source, run.config.workdir, target)


def reuse_other_evaluations(
    run: attack_run.AttackRun,
    attack_config: Config,
    evaluate_options: options.EvaluateOptions,
    others: Mapping[pathlib.Path, Config],
) -> None:
    """Reuse attacks of other evaluations on the same anonymizers.

    These are raw video, noise, the fixed anonymizers of this run, and an f_A with the same weights.
    Attackers that started from pretrained weights are not reused: another evaluation may have
    started from another file of the same name.

    Args:
        run: The evaluation.
        attack_config: Its configuration before `--epochs_clip_privacy` was set.
        evaluate_options: Its options.
        others: Folder of each other evaluation, with its configuration as `attack_config`; those
            with other flags are skipped.
    """
    folder = pathlib.Path(run.config.workdir)
    flags = phase_cache.get_relevant_flags("attack", attack_config)
    fixed = {"raw", "noise"}
    # A + marks compressed output, as in blur+h264.
    fixed.update(name for name in attack_config.baselines if "+" not in name)
    for other, other_config in others.items():
        if other == folder or phase_cache.get_relevant_flags("attack", other_config) != flags:
            continue
        if config.list_differences(
            evaluate_options, other / "evaluate.flags", options.REPEATABLE_FLAGS
        ):
            continue
        same = set(fixed)
        if _identify_anonymizer(other_config) == _identify_anonymizer(attack_config):
            same.add("f_A")
        endings = _list_phase_endings(same, run.data.privacy_tasks)
        for name in sorted(record.parent.name for record in other.glob("phases/*/done.json")):
            is_reusable = name.endswith(endings) and ".weights.h5" not in name
            if is_reusable and not phase_cache.is_phase_finished(folder, name):
                phase_cache.link_phase(other, name, folder, name)


def _list_phase_endings(anonymizers: Collection[str], tasks: Collection[str]) -> tuple[str, ...]:
    """Return how the names of phases end that attack or measure one of the anonymizers."""
    endings = []
    for name in anonymizers:
        endings.append(component_spec.make_file_name(f"flicker-{name}"))
        for task in tasks:
            endings.append(f"-{task}-{component_spec.make_file_name(name)}")
    return tuple(endings)


def _identify_anonymizer(attack_config: Config) -> tuple[Any, ...]:
    """Return the digest of f_A's weights and how it is built, from the Config of an evaluation."""
    # An evaluation's folder is <run_dir>/evaluation/<protocol>.
    run_dir = pathlib.Path(attack_config.workdir).parents[1]
    record = phase_cache.read_phase_record(run_dir, "anonymize")
    # Without a record it equals no other f_A.
    digest = record.get("sha256", attack_config.workdir)
    architecture = [getattr(attack_config, name) for name in sorted(phase_cache.ANONYMIZER_FLAGS)]
    return (digest, *architecture)
