"""A linear classifier on the features of a network that was trained on raw data and stays as it is."""

import keras

from tfanon.attacks import fresh
from tfanon.attacks.common import attack_run
from tfanon.training import phases

REQUIRED = fresh.REQUIRED


def attack(run, name, f_A, network="", start=attack_run.SCRATCH):
    """An entry per probe.  network, start: as in fresh, of the network on raw data; its last layer is trained anew."""
    network = network or run.config.attacker_network
    return [
        attack_run.make_result_entry(
            name,
            "linear_probe",
            network,
            start,
            probe,
            _attack_task(run, name, f_A, probe, network, start),
        )
        for probe in run.tables.probes
    ]


def _attack_task(run, name, f_A, probe, network, start):
    phase = attack_run.make_phase_name("linear_probe", network, start, probe, name)
    if (found := run.get_phase(phase).load_result()) is not None:
        return found
    features = attack_run.build_feature_extractor(fresh.train_on_raw(run, probe, network, start)[0])

    def build(attributes):
        return keras.Sequential(
            [
                keras.Input(features.output_shape[1:]),
                keras.layers.Dense(attributes, dtype="float32", name="logits"),
            ]
        )

    return phases.evaluate_privacy(run, phase, attack_run.compose(f_A, features), probe, build)
