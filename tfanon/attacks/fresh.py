"""The least serious attack: whoever owns f_A trains a fresh classifier of the attributes on what comes out of it.

"Retrained" or "parrot" attacker of SPAct, TeD-SPAD and the paper's Tables 1, 7 and 8. It sees single frames.
"""

from tfanon.attacks.common import attack_run
from tfanon.training import phases

REQUIRED = "images or clips with private attributes"


def attack(run, name, f_A, network="", start=attack_run.SCRATCH):
    """An entry per probe.  network: a file of tfanon/models/privacy; empty: the run's judge.  start: "scratch", or the
    .weights.h5 of tfanon.weights that it starts from.
    """
    network = network or run.config.attacker_network
    return [
        attack_run.make_result_entry(
            name,
            "fresh",
            network,
            start,
            probe,
            attack_task(run, name, f_A, probe, network, start)[1],
        )
        for probe in run.tables.probes
    ]


def attack_task(run, name, f_A, probe, network, start=attack_run.SCRATCH):
    """(name of the phase, what the network scored)."""
    named = attack_run.make_phase_name("fresh", network, start, probe, name)
    return named, phases.evaluate_privacy(
        run,
        named,
        f_A,
        probe,
        lambda attributes: attack_run.build_privacy_network(network, start, attributes),
    )


def train_on_raw(run, probe, network, start=attack_run.SCRATCH):
    """(the network as this attack trained it on raw data, what it scored there)."""
    named, found = attack_task(run, "raw", attack_run.build_raw_anonymizer(), probe, network, start)
    with run.strategy.scope():
        f_B = attack_run.build_privacy_network(
            network, attack_run.SCRATCH, len(run.tables.probes[probe].train.attribute_names)
        )
    run.get_phase(named).load_result(f_B)
    return f_B, found
