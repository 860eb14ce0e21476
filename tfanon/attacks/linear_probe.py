"""A linear classifier on the features of a network that was trained on raw data and stays as it is."""

import keras

from tfanon import phases
from tfanon.attackers import _common, fresh

NEEDS = fresh.NEEDS


def attack(run, name, f_A, network="", start=_common.SCRATCH):
    """An entry per probe.  network, start: as in fresh, of the network on raw data; its last layer is trained anew."""
    network = network or run.config.privacy_judge_network
    return [_common.entry(name, "linear_probe", network, start, probe, _read(run, name, f_A, probe, network, start))
            for probe in run.tables.probes]


def _read(run, name, f_A, probe, network, start):
    phase = _common.named("linear_probe", network, start, probe, name)
    if (found := run.phase(phase).result()) is not None:
        return found
    features = _common.trunk(fresh.on_raw(run, probe, network, start)[0])

    def build(attributes):
        return keras.Sequential([keras.Input(features.output_shape[1:]),
                                 keras.layers.Dense(attributes, dtype="float32", name="logits")])

    return phases.read_attributes(run, phase, _common.behind(f_A, features), probe, build)
