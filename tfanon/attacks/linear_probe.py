"""A linear classifier on the features of a network that was trained on raw data and stays as it is."""

import keras

from tfanon.attacks import fresh
from tfanon.attacks.common import attack_run
from tfanon.training import phases

NEEDS = fresh.NEEDS


def attack(run, name, f_A, network="", start=attack_run.SCRATCH):
    """An entry per probe.  network, start: as in fresh, of the network on raw data; its last layer is trained anew."""
    network = network or run.config.privacy_judge_network
    return [
        attack_run.entry(
            name,
            "linear_probe",
            network,
            start,
            probe,
            _read(run, name, f_A, probe, network, start),
        )
        for probe in run.tables.probes
    ]


def _read(run, name, f_A, probe, network, start):
    phase = attack_run.named("linear_probe", network, start, probe, name)
    if (found := run.phase(phase).result()) is not None:
        return found
    features = attack_run.trunk(fresh.on_raw(run, probe, network, start)[0])

    def build(attributes):
        return keras.Sequential(
            [
                keras.Input(features.output_shape[1:]),
                keras.layers.Dense(attributes, dtype="float32", name="logits"),
            ]
        )

    return phases.read_attributes(run, phase, attack_run.behind(f_A, features), probe, build)
