"""Examples keep their rows together; errors name what is wrong with a batch."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tfanon.data import batch


def make_examples() -> batch.Examples:
    return batch.Examples(
        paths=("a", "b", "c"),
        labels=np.array([0, 1, 1], np.int32),
        classes=("run", "walk"),
        attributes=np.array([[0, 1], [1, 1], [0, 0]], np.float32),
        attribute_names=("hat", "glasses"),
    )


def make_batch(**changes: np.ndarray) -> dict[str, Any]:
    valid = {
        "clips": np.zeros((2, 4, 8, 8, 3), np.float32),
        "labels": np.zeros(2, np.int32),
        "pairs": np.ones((3, 2, 8, 8, 3), np.float32),
    }
    return {**valid, **changes}


def test_take_keeps_rows_together():
    taken = make_examples().take([2, 0])
    assert len(taken) == 2 and taken.paths == ("c", "a") and taken.classes == ("run", "walk")
    np.testing.assert_array_equal(taken.labels, [1, 0])
    np.testing.assert_array_equal(taken.attributes, [[0, 0], [0, 1]])


def test_take_by_mask_and_without_labels():
    assert make_examples().take(np.array([False, True, True])).paths == ("b", "c")
    assert len(batch.Examples(paths=("a", "b")).take([])) == 0


@pytest.mark.parametrize(
    "changes, match",
    [
        ({"labels": np.array([0, 1], np.int32)}, r"int32 \[3\], one per path; given int32 \[2\]"),
        ({"labels": np.array([0, 1, 2], np.int32)}, r"in 0\.\.1, the classes; given 0\.\.2"),
        ({"attributes": np.zeros((3, 1), np.float32)}, r"float32 \[3, 2\]"),
        ({"attributes": np.full((3, 2), 0.5, np.float32)}, "0 or 1"),
        ({"frame_numbers": np.zeros(2, np.int64)}, "one frame number per path; given 2 and 3"),
        ({"groups": ("x",)}, "one group per path; given 1 and 3"),
    ],
)
def test_inconsistent_examples_are_refused(changes, match):
    rows = {**vars(make_examples()), **changes}
    with pytest.raises(ValueError, match=match):
        batch.Examples(**rows)


def test_valid_batch_passes_as_arrays_and_tensors():
    assert batch.check_batch(make_batch()).keys() == {"clips", "labels", "pairs"}
    tensors = {name: tf.constant(value) for name, value in make_batch().items()}
    assert batch.check_batch(tensors) is tensors
    specs = {}
    for name, value in tensors.items():
        specs[name] = tf.TensorSpec([None, *value.shape[1:]], value.dtype)
    batch.check_batch(specs)


@pytest.mark.parametrize(
    "changes, match",
    [
        ({"images": np.zeros(1)}, "A batch has clips, labels, pairs"),
        ({"clips": np.zeros((2, 4, 8, 8, 3))}, "clips must be float32 of rank 5; given float64"),
        ({"labels": np.zeros(3, np.int32)}, "2 clips and 3 labels"),
        ({"pairs": np.zeros((3, 1, 8, 8, 3), np.float32)}, r"pairs \[M, 2, H, W, 3\]"),
        ({"clips": np.full((2, 4, 8, 8, 3), 255, np.float32)}, r"in \[0, 1\]; given 255\.\.255"),
        ({"clips": np.full((2, 4, 8, 8, 3), np.nan, np.float32)}, r"in \[0, 1\]"),
    ],
)
def test_error_names_what_is_wrong_with_a_batch(changes, match):
    with pytest.raises(ValueError, match=match):
        batch.check_batch(make_batch(**changes))
