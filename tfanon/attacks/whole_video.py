"""Whole clips instead of frames: features of T frames pooled, or a network that convolves over time.

What hides frame by frame need not hide in many; STPrivacy's argument.
"""

from tfanon.attacks.common import attack_run
from tfanon.core import registry
from tfanon.pretrained import load_pretrained
from tfanon.training import phases

REQUIRED = "clips with private attributes"


def attack(run, name, f_A, network="", start=attack_run.SCRATCH):
    """An entry per probe of whole videos.

    network: a file of tfanon/models/privacy, whose features are averaged over time, or one of tfanon/models/actions,
    one output per attribute; empty: the run's judge.  start: as in fresh.
    """
    network = network or run.config.attacker_network
    return [
        attack_run.make_result_entry(
            name,
            "whole_video",
            network,
            start,
            probe,
            phases.evaluate_privacy(
                run,
                attack_run.make_phase_name("whole_video", network, start, probe, name),
                f_A,
                probe,
                lambda attributes: build_clip_network(network, start, attributes),
                phases.CLIP_VIEW,
            ),
        )
        for probe in attack_run.list_video_tasks(run)
    ]


def build_clip_network(network, start, attributes):
    """A network for clips: [N, T, H, W, 3] -> logits [N, attributes]."""
    if network in registry.list_names("actions"):
        return load_pretrained.build_pretrained_network(
            "actions", network, attack_run.get_weights_path(start), classes=attributes
        )
    return attack_run.pool_features_over_time(
        attack_run.build_privacy_network(network, start, attributes)
    )
