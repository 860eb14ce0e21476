"""Clip attack: a new classifier of whole clips instead of frames.

It averages features over the frames, or convolves over time. An anonymizer that hides a person in
each frame may still show that person in many frames together (argued in STPrivacy).
"""

import keras

from tfanon.attacks.common import attack_run
from tfanon.attacks.common.attack_run import AttackRun, Entry
from tfanon.core import registry
from tfanon.pretrained import load_pretrained
from tfanon.training import phases

REQUIRED = "clips with private attributes"


def attack(
    run: AttackRun,
    name: str,
    f_A: attack_run.Anonymizer,
    network: str = "",
    start: str = attack_run.SCRATCH,
) -> list[Entry]:
    """Train and score a classifier of clips for each privacy task of whole videos.

    Args:
        run: The evaluation.
        name: Name of the anonymizer.
        f_A: The anonymizer.
        network: A module of `tfanon.models.privacy`, whose features are averaged over time, or of
            `tfanon.models.actions`; empty: the attacker network of the run.
        start: As in `fresh.attack`.

    Returns:
        One entry per privacy task of whole videos.
    """
    network = network or run.config.attacker_network

    def build(attributes: int) -> keras.Model:
        return build_clip_network(network, start, attributes)

    entries = []
    for task in attack_run.list_video_tasks(run):
        phase_name = attack_run.make_phase_name("whole_video", network, start, task, name)
        result = phases.evaluate_privacy(run, phase_name, f_A, task, build, phases.CLIP_VIEW)
        entries.append(
            attack_run.make_result_entry("whole_video", network, start, task, name, result)
        )
    return entries


def build_clip_network(network: str, start: str, attributes: int) -> keras.Model:
    """Build a classifier of clips.

    Args:
        network: A module of `tfanon.models.privacy` or of `tfanon.models.actions`.
        start: SCRATCH or the path of a `.weights.h5` made by `tfanon-weights`.
        attributes: Number of logits.

    Returns:
        Clips ``[N, T, H, W, 3]`` in [0, 1] to logits ``[N, attributes]``.
    """
    if network in registry.list_names("actions"):
        return load_pretrained.build_pretrained_network(
            "actions", network, attack_run.get_weights_path(start), classes=attributes
        )
    image_network = attack_run.build_privacy_network(network, start, attributes)
    return attack_run.pool_features_over_time(image_network)
