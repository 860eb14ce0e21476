import numpy as np

from tfanon.data.batch import Examples
from tfanon.data.holdout import hold_out_examples


def rows(counts):
    labels = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    return Examples(
        tuple(f"{i}.mp4" for i in range(len(labels))), labels, tuple("abcdef"[: len(counts)])
    )


def test_each_class_gives_its_share_and_keeps_one():
    train, held = hold_out_examples(rows([20, 10, 1, 2]), 0.4, seed=0)
    assert np.bincount(held.labels, minlength=4).tolist() == [8, 4, 0, 1]
    assert np.bincount(train.labels).tolist() == [12, 6, 1, 1]
    assert not set(train.paths) & set(held.paths)


def test_the_seed_decides():
    cut = [hold_out_examples(rows([30]), 0.3, seed)[1].paths for seed in (0, 0, 1)]
    assert cut[0] == cut[1] != cut[2]


def test_without_labels_and_with_nothing_to_hold_out():
    examples = Examples(tuple("abcdefghij"))
    assert [len(part) for part in hold_out_examples(examples, 0.2, 0)] == [8, 2]
    train, held = hold_out_examples(examples, 0.0, 0)
    assert train.paths == examples.paths and len(held) == 0


def test_a_group_is_never_in_both():
    labels = np.tile(np.arange(3, dtype=np.int32), 20)
    people = tuple(f"g{row // 3}" for row in range(60))  # everybody performs every action
    examples = Examples(tuple(map(str, range(60))), labels, tuple("abc"), groups=people)
    train, held = hold_out_examples(examples, 0.1, seed=0)
    assert np.bincount(held.labels).tolist() == [2, 2, 2]
    assert len(set(held.groups)) == 2 and not set(train.groups) & set(held.groups)


def test_a_group_that_is_too_large_stays_in_training():
    examples = Examples(tuple("abcdefghij"), groups=("large",) * 8 + ("small",) * 2)
    assert hold_out_examples(examples, 0.3, seed=1)[1].paths == ("i", "j")
