"""The slice of training that selects the epoch, cut once and never trained on."""

import numpy as np


def hold_out(examples, fraction, seed):
    """(train, held_out): `fraction` of each class, or of all rows where there are no labels, goes to held_out.

    A class of n rows gives round(n * fraction) of them and always keeps one; fewer where only whole groups may go,
    since a group is never in both: who knows the person already would not have to see anything new.
    The same seed cuts the same slice.
    """
    labels = np.zeros(len(examples), np.int32) if examples.labels is None else examples.labels
    counts = np.bincount(labels)
    room = np.minimum(counts - 1, np.round(counts * fraction).astype(int))
    groups, held = _groups(examples), np.zeros(len(examples), bool)
    for group in np.random.default_rng(seed).permutation(len(groups)):
        rows = groups[group]
        taken = np.bincount(labels[rows], minlength=len(counts))
        if (taken <= room)[taken > 0].all():
            held[rows], room = True, room - taken
    return examples.take(~held), examples.take(held)


def _groups(examples):
    """Row numbers of each group, in the order in which groups first appear."""
    found = {}
    for row, name in enumerate(examples.groups or range(len(examples))):
        found.setdefault(name, []).append(row)
    return list(found.values())
