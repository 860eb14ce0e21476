"""A casual observer: trained on raw data, shown anonymized data. For comparison only: nobody who tries stops there.

The paper's Table 6. What it fails to read may only have moved: `fresh` says whether it is gone.
"""

from tfanon.attacks import fresh
from tfanon.attacks.common import attack_run

REQUIRED = fresh.REQUIRED


def attack(run, name, f_A, network="", start=attack_run.SCRATCH):
    """An entry per probe.  network, start: as in fresh, of the network on raw data."""
    network = network or run.config.attacker_network
    return [
        attack_run.make_result_entry(
            name,
            "frozen",
            network,
            start,
            probe,
            _attack_task(run, name, f_A, probe, network, start),
        )
        for probe in run.tables.probes
    ]


def _attack_task(run, name, f_A, probe, network, start=attack_run.SCRATCH):
    """What the network that was trained on raw data scores behind f_A."""
    phase = run.get_phase(attack_run.make_phase_name("frozen", network, start, probe, name))
    if (found := phase.load_result()) is not None:
        return found
    f_B, raw = fresh.train_on_raw(run, probe, network, start)
    found = attack_run.score_classifier(
        run, probe, lambda x: f_B(f_A(x, training=False), training=False)
    )
    return phase.save_result(
        None, {**found, "selected": raw["selected"], "curve": [], "budget": raw["budget"]}
    )
