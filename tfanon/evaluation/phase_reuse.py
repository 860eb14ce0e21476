"""What an evaluation need not train: the run's own judges are attackers too, and other runs were attacked already."""

import pathlib

from tfanon.attacks.common import attack_run
from tfanon.core import component_spec, config
from tfanon.evaluation import options
from tfanon.training import phase_cache, phases


def adopt(run, own):
    """Take over the judges of the run that is attacked where they had the budget and the data of its attackers.

    run: attackers' Run.  own: the Config of the run.
    """
    reader, action = run.config.privacy_judge_network, run.config.action_judge_network
    start = run.config.privacy_judge_weights or attack_run.SCRATCH
    if own.epochs_pretrain:
        _adopt(run, own, phases.pretrained(own), phases.pretrained(run.config), {"action_top1"})
    for name in (*own.baselines, "f_A"):
        _adopt(run, own, f"action-{name}", f"action-{action}-{name}", {"action_top1"})
        for probe in run.tables.probes:
            _adopt(
                run,
                own,
                f"privacy-{probe}-{name}",
                attack_run.named("fresh", reader, start, probe, name),
                {*phases.LEARNT},
            )


def _adopt(run, own, name, new, needed):
    """needed: what the phase must have found; runs of earlier versions kept less."""
    source, target = component_spec.file_name(name), component_spec.file_name(new)
    judge = phases.Phase(own, name, 1, 1)
    if (
        not phase_cache.is_done(run.config.workdir, target)
        and needed <= set(judge.result() or ())
        and phase_cache.relevant(name, own) == phase_cache.relevant(name, run.config)
    ):
        phase_cache.take(own.workdir, source, run.config.workdir, target)


def share(run, asked, settings, others):
    """Take over what other runs were attacked by behind raw video, noise, the fixed anonymizers of this run, and its f_A.

    asked: the Config of the attackers before budgets were worked out.  others: {folder of an evaluation: its
    Config, as asked}; those under other settings are passed over.  Attackers that started from a file are not taken:
    another folder may hold another file of that name.
    """
    fixed = {"raw", "noise", *(name for name in asked.baselines if "+" not in name)}
    mine, own = pathlib.Path(run.config.workdir), _trained(asked)
    for folder, other in others.items():
        if (
            folder == mine
            or phase_cache.relevant("attack", other) != phase_cache.relevant("attack", asked)
            or config.differences(settings, folder / "evaluate.flags", options.FREE)
        ):
            continue
        alike = fixed | ({"f_A"} if _trained(other) == own else set())
        attacks = [
            f"-{probe}-{component_spec.file_name(name)}"
            for probe in run.tables.probes
            for name in alike
        ]
        endings = (*attacks, *(component_spec.file_name(f"flicker-{name}") for name in alike))
        for name in sorted(done.parent.name for done in folder.glob("phases/*/done.json")):
            if (
                name.endswith(endings)
                and ".weights.h5" not in name
                and not phase_cache.is_done(mine, name)
            ):
                phase_cache.take(folder, name, mine, name)


def _trained(attackers):
    """What an f_A is: how it is built, and the SHA-256 of its weights.  attackers: the Config of an evaluation of it."""
    game = phase_cache.done(pathlib.Path(attackers.workdir).parents[1], "anonymize")
    return (
        game.get("sha256", attackers.workdir),
        *(getattr(attackers, name) for name in sorted(phase_cache.ANONYMIZER)),
    )
