"""Who is it? A fresh classifier of identities, by its answer and by how alike it finds two videos.

A column of identities, such as labelled_folder makes of --clip_private_columns=identity, becomes one attribute
'identity=NAME' per person; every person is in training and in test, in other videos.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from tfanon.attacks.common import attack_run, verification
from tfanon.training import phases, trainer

NEEDS = "a private column 'identity' of three people or more"


def attack(run, name, f_A, network="", start=attack_run.SCRATCH, column="identity"):
    """An entry per probe that has the column.  network, start: as in fresh; of a video all frames are pooled."""
    network = network or run.config.privacy_judge_network
    return [
        attack_run.entry(
            name,
            "identity",
            network,
            start,
            probe,
            _read(run, name, f_A, probe, network, start, column),
        )
        for probe in run.tables.probes
        if len(_columns(run, probe, column)) > 2
    ]


def _columns(run, probe, column):
    """Numbers of the attributes that are one person each."""
    names = run.tables.probes[probe].train.attribute_names
    return [number for number, name in enumerate(names) if name.startswith(f"{column}=")]


def _read(run, name, f_A, probe, network, start, column):
    phase = run.phase(attack_run.named("identity", network, start, probe, name))
    if (found := phase.result()) is not None:
        return found
    columns, splits, views = _columns(run, probe, column), run.tables.probes[probe], phases.FRAMES
    splits = dataclasses.replace(
        splits,
        **{
            split: _only(getattr(splits, split), columns) for split in ("train", "held_out", "test")
        },
    )
    run.seeded(f"identity-{probe}")
    with run.strategy.scope():
        network = attack_run.reader(network, start, len(columns))
        if probe in attack_run.videos(run):
            network, views = attack_run.over_time(network), phases.CLIPS
        learner = trainer.Learner(network, _loss, f_A)
    learnt = phases.learn(
        run, phase, learner, splits, phases.epochs_of(run.config, probe), views, verification.top1
    )
    embed = tf.function(attack_run.behind(f_A, attack_run.trunk(network)), reduce_retracing=True)
    found = verification.scores(learner, embed, views.evaluation(splits.test, run.config))
    return phase.finish(network, {**found, **learnt})


def _only(examples, columns):
    """Examples with some attributes; each row is one person of them."""
    chosen = dataclasses.replace(
        examples,
        attributes=np.ascontiguousarray(examples.attributes[:, columns]),
        attribute_names=tuple(examples.attribute_names[number] for number in columns),
    )
    return chosen.take(chosen.attributes.sum(axis=1) == 1)


def _loss(truth, logits):
    """Cross-entropy of the person.  truth: one-hot [N, I], logits: [N, I].  Returns [N]."""
    return tf.nn.softmax_cross_entropy_with_logits(truth, logits)
