"""Averaging attack: a new classifier of the mean of a clip's frames.

Noise that differs from frame to frame cancels in the mean; what the anonymizer leaves in every
frame stays.
"""

import keras
import tensorflow as tf

from tfanon.attacks.common import attack_run
from tfanon.attacks.common.attack_run import AttackRun, Entry
from tfanon.training import phases

REQUIRED = "clips with private attributes"


def attack(
    run: AttackRun,
    name: str,
    f_A: attack_run.Anonymizer,
    network: str = "",
    start: str = attack_run.SCRATCH,
) -> list[Entry]:
    """Train and score a classifier of mean frames for each privacy task of whole videos.

    Args:
        run: The evaluation.
        name: Name of the anonymizer.
        f_A: The anonymizer.
        network: As in `fresh.attack`.
        start: As in `fresh.attack`.

    Returns:
        One entry per privacy task of whole videos.
    """
    network = network or run.config.attacker_network

    def average_frames(clips: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(clips, axis=1)

    def build(attributes: int) -> keras.Model:
        return attack_run.build_privacy_network(network, start, attributes)

    mean_frame = attack_run.compose(f_A, average_frames)
    entries = []
    for task in attack_run.list_video_tasks(run):
        phase_name = attack_run.make_phase_name("multi_frame", network, start, task, name)
        result = phases.evaluate_privacy(run, phase_name, mean_frame, task, build, phases.CLIP_VIEW)
        entries.append(
            attack_run.make_result_entry("multi_frame", network, start, task, name, result)
        )
    return entries
