"""Whole clips instead of frames: features of T frames pooled, or a network that convolves over time.

What hides frame by frame need not hide in many; STPrivacy's argument.
"""

from tfanon.attacks.common import attack_run
from tfanon.core import registry
from tfanon.pretrained import load_pretrained
from tfanon.training import phases

NEEDS = "clips with private attributes"


def attack(run, name, f_A, network="", start=attack_run.SCRATCH):
    """An entry per probe of whole videos.

    network: a file of tfanon/models/privacy, whose features are averaged over time, or one of tfanon/models/actions,
    one output per attribute; empty: the run's judge.  start: as in fresh.
    """
    network = network or run.config.privacy_judge_network
    return [
        attack_run.entry(
            name,
            "whole_video",
            network,
            start,
            probe,
            phases.read_attributes(
                run,
                attack_run.named("whole_video", network, start, probe, name),
                f_A,
                probe,
                lambda attributes: build(network, start, attributes),
                phases.CLIPS,
            ),
        )
        for probe in attack_run.videos(run)
    ]


def build(network, start, attributes):
    """A network for clips: [N, T, H, W, 3] -> logits [N, attributes]."""
    if network in registry.names("actions"):
        return load_pretrained.build(
            "actions", network, attack_run.weights(start), classes=attributes
        )
    return attack_run.over_time(attack_run.reader(network, start, attributes))
