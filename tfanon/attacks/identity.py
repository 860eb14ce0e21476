"""Who is it? A fresh classifier of identities, by its answer and by how alike it finds two videos.

A column of identities, such as labelled_folder makes of --clip_private_columns=identity, becomes one attribute
'identity=NAME' per person; every person is in training and in test, in other videos.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from tfanon.attacks.common import attack_run, verification
from tfanon.training import phases, trainer

REQUIRED = "a private column 'identity' of three people or more"


def attack(run, name, f_A, network="", start=attack_run.SCRATCH, column="identity"):
    """An entry per probe that has the column.  network, start: as in fresh; of a video all frames are pooled."""
    network = network or run.config.attacker_network
    return [
        attack_run.make_result_entry(
            name,
            "identity",
            network,
            start,
            probe,
            _attack_task(run, name, f_A, probe, network, start, column),
        )
        for probe in run.tables.probes
        if len(_find_identity_columns(run, probe, column)) > 2
    ]


def _find_identity_columns(run, probe, column):
    """Numbers of the attributes that are one person each."""
    names = run.tables.probes[probe].train.attribute_names
    return [number for number, name in enumerate(names) if name.startswith(f"{column}=")]


def _attack_task(run, name, f_A, probe, network, start, column):
    phase = run.get_phase(attack_run.make_phase_name("identity", network, start, probe, name))
    if (found := phase.load_result()) is not None:
        return found
    columns, splits, views = (
        _find_identity_columns(run, probe, column),
        run.tables.probes[probe],
        phases.FRAME_VIEW,
    )
    splits = dataclasses.replace(
        splits,
        **{
            split: _select_identities(getattr(splits, split), columns)
            for split in ("train", "held_out", "test")
        },
    )
    run.seed_for_phase(f"identity-{probe}")
    with run.strategy.scope():
        network = attack_run.build_privacy_network(network, start, len(columns))
        if probe in attack_run.list_video_tasks(run):
            network, views = attack_run.pool_features_over_time(network), phases.CLIP_VIEW
        learner = trainer.SupervisedModel(network, _compute_identity_loss, f_A)
    learnt = phases.train_attacker(
        run,
        phase,
        learner,
        splits,
        phases.get_attack_epochs(run.config, probe),
        views,
        verification.compute_identity_top1,
    )
    embed = tf.function(
        attack_run.compose(f_A, attack_run.build_feature_extractor(network)), reduce_retracing=True
    )
    found = verification.score_identification(
        learner, embed, views.make_evaluation_dataset(splits.test, run.config)
    )
    return phase.save_result(network, {**found, **learnt})


def _select_identities(examples, columns):
    """Examples with some attributes; each row is one person of them."""
    chosen = dataclasses.replace(
        examples,
        attributes=np.ascontiguousarray(examples.attributes[:, columns]),
        attribute_names=tuple(examples.attribute_names[number] for number in columns),
    )
    return chosen.take(chosen.attributes.sum(axis=1) == 1)


def _compute_identity_loss(truth, logits):
    """Cross-entropy of the person.  truth: one-hot [N, I], logits: [N, I].  Returns [N]."""
    return tf.nn.softmax_cross_entropy_with_logits(truth, logits)
