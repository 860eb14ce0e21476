"""Frames are averaged first: what is new noise in each cancels, what an anonymizer leaves in all stays."""

import tensorflow as tf

from tfanon import phases
from tfanon.attackers import _common

NEEDS = "clips with private attributes"


def attack(run, name, f_A, network="", start=_common.SCRATCH):
    """An entry per probe of whole videos: a fresh classifier of the mean of T frames.  network, start: as in fresh."""
    network = network or run.config.privacy_judge_network
    mean = _common.behind(f_A, lambda clips: tf.reduce_mean(clips, axis=1))
    return [_common.entry(name, "multi_frame", network, start, probe, phases.read_attributes(
        run, _common.named("multi_frame", network, start, probe, name), mean, probe,
        lambda attributes: _common.reader(network, start, attributes), phases.CLIPS)) for probe in _common.videos(run)]
