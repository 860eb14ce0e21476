"""A casual observer: trained on raw data, shown anonymized data. For comparison only: nobody who tries stops there.

The paper's Table 6. What it fails to read may only have moved: `fresh` says whether it is gone.
"""

from tfanon.attacks import fresh
from tfanon.attacks.common import attack_run

NEEDS = fresh.NEEDS


def attack(run, name, f_A, network="", start=attack_run.SCRATCH):
    """An entry per probe.  network, start: as in fresh, of the network on raw data."""
    network = network or run.config.privacy_judge_network
    return [
        attack_run.entry(
            name, "frozen", network, start, probe, look(run, name, f_A, probe, network, start)
        )
        for probe in run.tables.probes
    ]


def look(run, name, f_A, probe, network, start=attack_run.SCRATCH):
    """What the network that was trained on raw data scores behind f_A."""
    phase = run.phase(attack_run.named("frozen", network, start, probe, name))
    if (found := phase.result()) is not None:
        return found
    f_B, raw = fresh.on_raw(run, probe, network, start)
    found = attack_run.scores(run, probe, lambda x: f_B(f_A(x, training=False), training=False))
    return phase.finish(
        None, {**found, "selected": raw["selected"], "curve": [], "budget": raw["budget"]}
    )
