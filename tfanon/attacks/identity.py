"""Identification attack: who is the person in a video?

A new classifier of identities is scored by its answers (closed-set identification) and by how
similar it finds two videos of the same person (verification).

A column of identities, as labelled_folder makes from --clip_private_columns=identity, becomes one
attribute 'identity=NAME' per person. Each person must appear in the training and the test split, in
different videos.
"""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from tfanon.attacks.common import attack_run, verification
from tfanon.attacks.common.attack_run import AttackRun, Entry
from tfanon.data.batch import Examples
from tfanon.training import phases, trainer

REQUIRED = "a private column 'identity' with at least three people"
MIN_IDENTITIES = 3  # two values of a column are rather an attribute, such as yes and no


def attack(
    run: AttackRun,
    name: str,
    f_A: attack_run.Anonymizer,
    network: str = "",
    start: str = attack_run.SCRATCH,
    column: str = "identity",
) -> list[Entry]:
    """Train and score a classifier of identities for each privacy task that has them.

    Args:
        run: The evaluation.
        name: Name of the anonymizer.
        f_A: The anonymizer.
        network: As in `fresh.attack`; the features of all frames of a video are averaged.
        start: As in `fresh.attack`.
        column: Name of the column of identities.

    Returns:
        One entry per privacy task with at least MIN_IDENTITIES people.
    """
    network = network or run.config.attacker_network
    entries = []
    for task in run.data.privacy_tasks:
        if len(_find_identity_columns(run, task, column)) >= MIN_IDENTITIES:
            result = _attack_task(run, name, f_A, task, network, start, column)
            entries.append(
                attack_run.make_result_entry("identity", network, start, task, name, result)
            )
    return entries


def _find_identity_columns(run: AttackRun, task: str, column: str) -> list[int]:
    """Return the columns of the attributes that each stand for one person."""
    names = run.data.privacy_tasks[task].train.attribute_names
    return [number for number, name in enumerate(names) if name.startswith(f"{column}=")]


def _attack_task(
    run: AttackRun,
    name: str,
    f_A: attack_run.Anonymizer,
    task: str,
    network: str,
    start: str,
    column: str,
) -> dict[str, Any]:
    phase = run.get_phase(attack_run.make_phase_name("identity", network, start, task, name))
    stored = phase.load_result()
    if stored is not None:
        return stored
    columns = _find_identity_columns(run, task, column)
    all_splits = run.data.privacy_tasks[task]
    splits = dataclasses.replace(
        all_splits,
        train=_select_identities(all_splits.train, columns),
        held_out=_select_identities(all_splits.held_out, columns),
        test=_select_identities(all_splits.test, columns),
    )
    view = phases.FRAME_VIEW
    # The same seed for every anonymizer: all classifiers start from the same weights.
    run.seed_for_phase(f"identity-{task}")
    with run.strategy.scope():
        classifier = attack_run.build_privacy_network(network, start, len(columns))
        if task in attack_run.list_video_tasks(run):
            classifier = attack_run.pool_features_over_time(classifier)
            view = phases.CLIP_VIEW
        model = trainer.SupervisedModel(classifier, _compute_identity_loss, f_A)
    training = phases.train_attacker(
        run,
        phase,
        model,
        splits,
        phases.get_attack_epochs(run.config, task),
        view,
        verification.compute_identity_top1,
    )
    features_of_output = attack_run.compose(f_A, attack_run.build_feature_extractor(classifier))
    embed = tf.function(features_of_output, reduce_retracing=True)
    test = view.make_evaluation_dataset(splits.test, run.config)
    identification = verification.score_identification(model, embed, test)
    return phase.save_result(classifier, {**identification, **training})


def _select_identities(examples: Examples, columns: list[int]) -> Examples:
    """Return the examples of exactly one of the people, with those people as attributes."""
    names = tuple(examples.attribute_names[number] for number in columns)
    attributes = np.ascontiguousarray(np.asarray(examples.attributes)[:, columns])
    people = dataclasses.replace(examples, attributes=attributes, attribute_names=names)
    # An example of several people, or of none of them, has no single right answer.
    return people.take(attributes.sum(axis=1) == 1)


def _compute_identity_loss(truth: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Return the cross-entropy ``[N]`` of one-hot identities and logits, both ``[N, I]``."""
    return tf.nn.softmax_cross_entropy_with_logits(truth, logits)
