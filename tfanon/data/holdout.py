"""Cut the held-out part of the training split, which selects the epoch and is never trained on."""

import numpy as np

from tfanon.data.batch import Examples


def hold_out_examples(examples: Examples, fraction: float, seed: int) -> tuple[Examples, Examples]:
    """Split examples into a part to train on and a part to select the epoch on.

    A class of n rows gives round(n * fraction) rows to the held-out part and always keeps at least
    one. It may give fewer, since whole groups are moved: a network that has trained on a person
    could recognise that person in the held-out part.

    Args:
        examples: The official training split.
        fraction: Share of each class to hold out, or of all rows if there are no labels.
        seed: The same seed makes the same cut.

    Returns:
        (train, held_out), each in the order of `examples`.
    """
    labels = np.zeros(len(examples), np.int32) if examples.labels is None else examples.labels
    class_sizes = np.bincount(labels)
    capacity = np.minimum(class_sizes - 1, np.round(class_sizes * fraction).astype(int))
    groups = _group_rows(examples)
    is_held_out = np.zeros(len(examples), bool)
    # Groups that no longer fit are skipped, because later and smaller ones may still fit.
    for group in np.random.default_rng(seed).permutation(len(groups)):
        rows = groups[group]
        group_sizes = np.bincount(labels[rows], minlength=len(class_sizes))
        if (group_sizes <= capacity)[group_sizes > 0].all():
            is_held_out[rows] = True
            capacity = capacity - group_sizes
    return examples.take(~is_held_out), examples.take(is_held_out)


def _group_rows(examples: Examples) -> list[list[int]]:
    """Return the row numbers of each group, in the order in which groups first appear."""
    if not examples.groups:
        return [[row] for row in range(len(examples))]
    groups: dict[str, list[int]] = {}
    for row, name in enumerate(examples.groups):
        groups.setdefault(name, []).append(row)
    return list(groups.values())
