"""Frames are averaged first: what is new noise in each cancels, what an anonymizer leaves in all stays."""

import tensorflow as tf

from tfanon.attacks.common import attack_run
from tfanon.training import phases

REQUIRED = "clips with private attributes"


def attack(run, name, f_A, network="", start=attack_run.SCRATCH):
    """An entry per probe of whole videos: a fresh classifier of the mean of T frames.  network, start: as in fresh."""
    network = network or run.config.attacker_network
    mean = attack_run.compose(f_A, lambda clips: tf.reduce_mean(clips, axis=1))
    return [
        attack_run.make_result_entry(
            name,
            "multi_frame",
            network,
            start,
            probe,
            phases.evaluate_privacy(
                run,
                attack_run.make_phase_name("multi_frame", network, start, probe, name),
                mean,
                probe,
                lambda attributes: attack_run.build_privacy_network(network, start, attributes),
                phases.CLIP_VIEW,
            ),
        )
        for probe in attack_run.list_video_tasks(run)
    ]
