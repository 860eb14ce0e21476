"""What the data package hands to the trainer: names, dtypes, shapes and ranges, checked here.

Examples are the rows of one split: file paths with labels. A training batch is a dict of three
tensors, and of the extra ones that an objective requests:

    clips   [N, T, H, W, 3] float32, RGB in [0, 1]: X_action
    labels  [N] int32 in 0..K-1: the action of each clip
    pairs   [M, 2, H, W, 3] float32, RGB in [0, 1]: two augmentations of each of M images, X_privacy

    attributes       [M, P] float32 of 0 and 1: the private attributes of the images
    clip_attributes  [N, P] float32 of 0 and 1: the private attributes of the clips
    others           [N, 2, T, H, W, 3] like clips: the same frames with another augmentation, and
                     another moment of the same video
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from tfanon.media.frame_reader import MediaPath

BATCH_RANKS = {"clips": 5, "labels": 1, "pairs": 5}
BATCH_DTYPES = {"clips": "float32", "labels": "int32", "pairs": "float32"}
EXTRA_RANKS = {"attributes": 2, "clip_attributes": 2, "others": 6}  # all are float32

# A dict of eager tensors, symbolic tensors, tensor specs or numpy arrays.
Batch = TypeVar("Batch", bound=Mapping[str, Any])


# eq=False: comparing arrays gives arrays, so the generated comparison would fail.
@dataclasses.dataclass(frozen=True, eq=False)
class Examples:
    """The rows of one split of one data set.

    A clip has a label, an image has attributes, a video may have both.

    Attributes:
        paths: The n files; a row of a built TensorFlow Dataset is a `tfds_store.TfdsRecord`.
        labels: int32 ``[n]``, indices into `classes`.
        classes: Names of the K actions.
        attributes: float32 ``[n, P]`` of 0 and 1.
        attribute_names: Names of the P private attributes.
        frame_numbers: int64 ``[n]`` if each row is a single frame of a video: its number. A video
            then has many rows.
        groups: Names of what rows have in common, such as a person or a long video, one per row;
            empty: every row is a group of its own.

    Raises:
        ValueError: Lengths disagree, or a value is out of its range.
    """

    paths: tuple[MediaPath, ...]
    labels: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    attributes: np.ndarray | None = None
    attribute_names: tuple[str, ...] = ()
    frame_numbers: np.ndarray | None = None
    groups: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.labels is not None:
            _check_labels(self.labels, len(self.paths), len(self.classes))
        if self.attributes is not None:
            _check_attributes(self.attributes, len(self.paths), len(self.attribute_names))
        if self.frame_numbers is not None and len(self.frame_numbers) != len(self.paths):
            raise ValueError(
                f"There must be one frame number per path; given {len(self.frame_numbers)} and "
                f"{len(self.paths)} paths."
            )
        if self.groups and len(self.groups) != len(self.paths):
            raise ValueError(
                f"There must be one group per path; given {len(self.groups)} and "
                f"{len(self.paths)} paths."
            )

    def __len__(self) -> int:
        return len(self.paths)

    def take(self, rows: np.ndarray | Sequence[int]) -> "Examples":
        """Return some of the rows; classes and attribute names stay complete.

        Args:
            rows: Row numbers, in the order of the result, or a mask of len(self) booleans.
        """
        rows = np.asarray(rows)
        indices = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64)

        def select(values: np.ndarray | None) -> np.ndarray | None:
            return None if values is None else values[indices]

        groups: tuple[str, ...] = ()
        if self.groups:
            groups = tuple(self.groups[index] for index in indices)
        return dataclasses.replace(
            self,
            paths=tuple(self.paths[index] for index in indices),
            labels=select(self.labels),
            attributes=select(self.attributes),
            frame_numbers=select(self.frame_numbers),
            groups=groups,
        )


def _check_labels(labels: np.ndarray, num_rows: int, num_classes: int) -> None:
    if labels.dtype != np.int32 or labels.shape != (num_rows,):
        raise ValueError(
            f"Labels must be int32 [{num_rows}], one per path; given {labels.dtype} "
            f"{list(labels.shape)}."
        )
    # An empty array has no minimum.
    if num_rows and not 0 <= labels.min() <= labels.max() < num_classes:
        raise ValueError(
            f"Labels must be in 0..{num_classes - 1}, the classes; given "
            f"{labels.min()}..{labels.max()}."
        )


def _check_attributes(attributes: np.ndarray, num_rows: int, num_names: int) -> None:
    if attributes.dtype != np.float32 or attributes.shape != (num_rows, num_names):
        raise ValueError(
            f"Attributes must be float32 [{num_rows}, {num_names}], one row per path and one "
            f"column per name; given {attributes.dtype} {list(attributes.shape)}."
        )
    if not np.isin(attributes, (0, 1)).all():
        raise ValueError("Attributes must be 0 or 1.")


def check_batch(batch: Batch) -> Batch:
    """Check that a training batch is complete and well-formed.

    Names, dtypes and ranks are static, so this costs nothing inside a traced function. The range of
    the pixels is checked where values are available (eager tensors, numpy arrays).

    Args:
        batch: Dict of tensors, tensor specs or arrays, as described at the top of this module.

    Returns:
        The batch itself.

    Raises:
        ValueError: Something is missing, unknown, or of the wrong dtype, shape or range.
    """
    required, allowed = set(BATCH_RANKS), {*BATCH_RANKS, *EXTRA_RANKS}
    if not required <= set(batch) <= allowed:
        raise ValueError(
            f"A batch has {', '.join(BATCH_RANKS)} and may have {', '.join(EXTRA_RANKS)}; given "
            f"{', '.join(sorted(batch)) or 'nothing'}."
        )
    for name, value in batch.items():
        _check_tensor(name, value)
    _check_shapes(batch["clips"].shape, batch["labels"].shape, batch["pairs"].shape)
    return batch


def _check_tensor(name: str, value: Any) -> None:
    # TensorFlow's dtypes have a numpy equivalent; numpy's are their own.
    dtype = np.dtype(getattr(value.dtype, "as_numpy_dtype", value.dtype)).name
    expected_dtype = BATCH_DTYPES.get(name, "float32")
    expected_rank = (BATCH_RANKS | EXTRA_RANKS)[name]
    if dtype != expected_dtype or len(value.shape) != expected_rank:
        raise ValueError(
            f"{name} must be {expected_dtype} of rank {expected_rank}; given {dtype} "
            f"{list(value.shape)}."
        )
    has_values = isinstance(value, np.ndarray) or hasattr(value, "numpy")
    # A batch does not say how many classes there are; `Examples` has checked its labels.
    if name == "labels" or not has_values:
        return
    low, high = np.min(value), np.max(value)
    if not (low >= 0 and high <= 1):  # NaN fails as well
        raise ValueError(
            f"{name} must be in [0, 1]; given {low:g}..{high:g}. Divide 8-bit pixels by 255."
        )


def _check_shapes(
    clips: Sequence[int | None], labels: Sequence[int | None], pairs: Sequence[int | None]
) -> None:
    if clips[-1] != 3 or pairs[-1] != 3 or pairs[1] != 2:
        raise ValueError(
            "clips must be [N, T, H, W, 3] and pairs [M, 2, H, W, 3]; "
            f"given {list(clips)} and {list(pairs)}."
        )
    # A dimension is None while a function is traced for any batch size.
    if None not in (clips[0], labels[0]) and clips[0] != labels[0]:
        raise ValueError(
            f"There must be one label per clip; given {clips[0]} clips and {labels[0]} labels."
        )
