"""Frames are averaged first: what is new noise in each cancels, what an anonymizer leaves in all stays."""

import tensorflow as tf

from tfanon.attacks.common import attack_run
from tfanon.training import phases

NEEDS = "clips with private attributes"


def attack(run, name, f_A, network="", start=attack_run.SCRATCH):
    """An entry per probe of whole videos: a fresh classifier of the mean of T frames.  network, start: as in fresh."""
    network = network or run.config.privacy_judge_network
    mean = attack_run.behind(f_A, lambda clips: tf.reduce_mean(clips, axis=1))
    return [
        attack_run.entry(
            name,
            "multi_frame",
            network,
            start,
            probe,
            phases.read_attributes(
                run,
                attack_run.named("multi_frame", network, start, probe, name),
                mean,
                probe,
                lambda attributes: attack_run.reader(network, start, attributes),
                phases.CLIPS,
            ),
        )
        for probe in attack_run.videos(run)
    ]
