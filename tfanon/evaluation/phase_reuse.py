"""What an evaluation need not train: the run's own judges are attackers too, and other runs were attacked already."""

import pathlib

from tfanon.attacks.common import attack_run
from tfanon.core import component_spec, config
from tfanon.evaluation import options
from tfanon.training import phase_cache, phases


def reuse_run_phases(run, own):
    """Take over the judges of the run that is attacked where they had the budget and the data of its attackers.

    run: attackers' Run.  own: the Config of the run.
    """
    reader, action = run.config.attacker_network, run.config.action_evaluator_network
    start = run.config.attack_weights or attack_run.SCRATCH
    if own.epochs_pretrain:
        _reuse_run_phase(
            run,
            own,
            phases.get_pretrain_phase_name(own),
            phases.get_pretrain_phase_name(run.config),
            {"action_top1"},
        )
    for name in (*own.baselines, "f_A"):
        _reuse_run_phase(run, own, f"action-{name}", f"action-{action}-{name}", {"action_top1"})
        for probe in run.tables.probes:
            _reuse_run_phase(
                run,
                own,
                f"privacy-{probe}-{name}",
                attack_run.make_phase_name("fresh", reader, start, probe, name),
                {*phases.LEARNING_CURVE_KEYS},
            )


def _reuse_run_phase(run, own, name, new, needed):
    """needed: what the phase must have found; runs of earlier versions kept less."""
    source, target = component_spec.make_file_name(name), component_spec.make_file_name(new)
    judge = phases.Phase(own, name, 1, 1)
    if (
        not phase_cache.is_phase_finished(run.config.workdir, target)
        and needed <= set(judge.load_result() or ())
        and phase_cache.get_relevant_flags(name, own)
        == phase_cache.get_relevant_flags(name, run.config)
    ):
        phase_cache.link_phase(own.workdir, source, run.config.workdir, target)


def reuse_other_evaluations(run, asked, settings, others):
    """Take over what other runs were attacked by behind raw video, noise, the fixed anonymizers of this run, and its f_A.

    asked: the Config of the attackers before budgets were worked out.  others: {folder of an evaluation: its
    Config, as asked}; those under other settings are passed over.  Attackers that started from a file are not taken:
    another folder may hold another file of that name.
    """
    fixed = {"raw", "noise", *(name for name in asked.baselines if "+" not in name)}
    mine, own = pathlib.Path(run.config.workdir), _identify_anonymizer(asked)
    for folder, other in others.items():
        if (
            folder == mine
            or phase_cache.get_relevant_flags("attack", other)
            != phase_cache.get_relevant_flags("attack", asked)
            or config.list_differences(
                settings, folder / "evaluate.flags", options.REPEATABLE_FLAGS
            )
        ):
            continue
        alike = fixed | ({"f_A"} if _identify_anonymizer(other) == own else set())
        attacks = [
            f"-{probe}-{component_spec.make_file_name(name)}"
            for probe in run.tables.probes
            for name in alike
        ]
        endings = (*attacks, *(component_spec.make_file_name(f"flicker-{name}") for name in alike))
        for name in sorted(done.parent.name for done in folder.glob("phases/*/done.json")):
            if (
                name.endswith(endings)
                and ".weights.h5" not in name
                and not phase_cache.is_phase_finished(mine, name)
            ):
                phase_cache.link_phase(folder, name, mine, name)


def _identify_anonymizer(attackers):
    """What an f_A is: how it is built, and the SHA-256 of its weights.  attackers: the Config of an evaluation of it."""
    game = phase_cache.read_phase_record(pathlib.Path(attackers.workdir).parents[1], "anonymize")
    return (
        game.get("sha256", attackers.workdir),
        *(getattr(attackers, name) for name in sorted(phase_cache.ANONYMIZER_FLAGS)),
    )
