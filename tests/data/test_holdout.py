import numpy as np

from tfanon.data.batch import Examples
from tfanon.data.holdout import hold_out_examples


def make_examples(class_sizes: list[int]) -> Examples:
    labels = np.repeat(np.arange(len(class_sizes), dtype=np.int32), class_sizes)
    paths = tuple(f"{i}.mp4" for i in range(len(labels)))
    return Examples(paths, labels, tuple("abcdef"[: len(class_sizes)]))


def test_each_class_gives_its_share_and_keeps_at_least_one():
    train, held_out = hold_out_examples(make_examples([20, 10, 1, 2]), 0.4, seed=0)
    assert np.bincount(held_out.labels, minlength=4).tolist() == [8, 4, 0, 1]
    assert np.bincount(train.labels).tolist() == [12, 6, 1, 1]
    assert not set(train.paths) & set(held_out.paths)


def test_seed_decides_the_cut():
    cuts = [hold_out_examples(make_examples([30]), 0.3, seed)[1].paths for seed in (0, 0, 1)]
    assert cuts[0] == cuts[1] != cuts[2]


def test_without_labels_and_with_nothing_to_hold_out():
    examples = Examples(tuple("abcdefghij"))
    assert [len(part) for part in hold_out_examples(examples, 0.2, 0)] == [8, 2]
    train, held_out = hold_out_examples(examples, 0.0, 0)
    assert train.paths == examples.paths and len(held_out) == 0


def test_group_is_never_in_both_parts():
    labels = np.tile(np.arange(3, dtype=np.int32), 20)
    people = tuple(f"g{row // 3}" for row in range(60))  # everyone performs every action
    examples = Examples(tuple(map(str, range(60))), labels, tuple("abc"), groups=people)
    train, held_out = hold_out_examples(examples, 0.1, seed=0)
    assert np.bincount(held_out.labels).tolist() == [2, 2, 2]
    assert len(set(held_out.groups)) == 2 and not set(train.groups) & set(held_out.groups)


def test_group_that_is_too_large_stays_in_training():
    examples = Examples(tuple("abcdefghij"), groups=("large",) * 8 + ("small",) * 2)
    assert hold_out_examples(examples, 0.3, seed=1)[1].paths == ("i", "j")
