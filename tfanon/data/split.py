"""The slice of training that selects the epoch, cut once and never trained on."""

import numpy as np


def hold_out(examples, fraction, seed):
    """(train, held_out): `fraction` of each class, or of all rows where there are no labels, goes to held_out.

    A class of n rows gives round(n * fraction) of them and always keeps one.  The same seed cuts the same slice.
    """
    rng = np.random.default_rng(seed)
    labels = np.zeros(len(examples), np.int32) if examples.labels is None else examples.labels
    held = np.zeros(len(examples), bool)
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        held[rows[:min(len(rows) - 1, round(len(rows) * fraction))]] = True
    return examples.take(~held), examples.take(held)
