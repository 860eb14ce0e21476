"""Whole clips instead of frames: features of T frames pooled, or a network that convolves over time.

What hides frame by frame need not hide in many; STPrivacy's argument.
"""

from tfanon import phases, registry
from tfanon.attackers import _common
from tfanon.converting import starting

NEEDS = "clips with private attributes"


def attack(run, name, f_A, network="", start=_common.SCRATCH):
    """An entry per probe of whole videos.

    network: a file of tfanon/models/privacy, whose features are averaged over time, or one of tfanon/models/actions,
    one output per attribute; empty: the run's judge.  start: as in fresh.
    """
    network = network or run.config.privacy_judge_network
    return [_common.entry(name, "whole_video", network, start, probe, phases.read_attributes(
        run, _common.named("whole_video", network, start, probe, name), f_A, probe,
        lambda attributes: build(network, start, attributes), phases.CLIPS)) for probe in _common.videos(run)]


def build(network, start, attributes):
    """A network for clips: [N, T, H, W, 3] -> logits [N, attributes]."""
    if network in registry.names("actions"):
        return starting.build("actions", network, _common.weights(start), classes=attributes)
    return _common.over_time(_common.reader(network, start, attributes))
