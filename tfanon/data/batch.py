"""What passes between files on disk and the trainer: names, shapes, ranges. Checked here, once.

Examples are the rows of one split: paths with labels. A training batch is a dict of three tensors and of what the
objective asks for besides:

    clips   [N, T, H, W, 3] float32, RGB in [0, 1]: X_action
    labels  [N] int32 in 0..K-1: the action of each clip
    pairs   [M, 2, H, W, 3] float32, RGB in [0, 1]: two augmentations of each of M images of X_privacy

    attributes       [M, P] float32 of 0 and 1: the private attributes of those images
    clip_attributes  [N, P] float32 of 0 and 1: those of the clips
    others           [N, 2, T, H, W, 3] as clips: the same frames augmented anew, and another moment of the video
"""

import dataclasses

import numpy as np

RANK = {"clips": 5, "labels": 1, "pairs": 5}
DTYPE = {"clips": "float32", "labels": "int32", "pairs": "float32"}
EXTRAS = {"attributes": 2, "clip_attributes": 2, "others": 6}  # ranks; all float32


@dataclasses.dataclass(frozen=True, eq=False)
class Examples:
    """The rows of one split of one data set; a clip has a label, an image has attributes, a video may have both.

    labels: [n] int32, an index into `classes`.  attributes: [n, P] float32 of 0 and 1, named by `attribute_names`.
    frames: [n] int64 where a row is one frame of its video, the one of that number; a video then has many rows.
    groups: n names of what rows have in common, a person or a long video; empty: every row stands for itself.
    Raises ValueError where the lengths disagree or a value is out of its range.
    """

    paths: tuple
    labels: np.ndarray | None = None
    classes: tuple = ()
    attributes: np.ndarray | None = None
    attribute_names: tuple = ()
    frames: np.ndarray | None = None
    groups: tuple = ()

    def __post_init__(self):
        if self.labels is not None:
            _check_labels(self.labels, len(self.paths), len(self.classes))
        if self.attributes is not None:
            _check_attributes(self.attributes, len(self.paths), len(self.attribute_names))
        if self.frames is not None and len(self.frames) != len(self.paths):
            raise ValueError(
                f"Frames must be one per path; given {len(self.frames)} and {len(self.paths)} paths."
            )
        if self.groups and len(self.groups) != len(self.paths):
            raise ValueError(
                f"Groups must be one per path; given {len(self.groups)} and {len(self.paths)} paths."
            )

    def __len__(self):
        return len(self.paths)

    def take(self, indices):
        """The rows at `indices`, in that order; classes and attribute names stay whole.

        indices: whole numbers or a mask of len(self) booleans.
        """
        indices = np.asarray(indices)
        indices = np.flatnonzero(indices) if indices.dtype == bool else indices.astype(np.int64)
        return dataclasses.replace(
            self,
            paths=tuple(self.paths[i] for i in indices),
            labels=None if self.labels is None else self.labels[indices],
            attributes=None if self.attributes is None else self.attributes[indices],
            frames=None if self.frames is None else self.frames[indices],
            groups=tuple(self.groups[i] for i in indices) if self.groups else (),
        )


def _check_labels(labels, rows, classes):
    if labels.dtype != np.int32 or labels.shape != (rows,):
        raise ValueError(
            f"Labels must be int32 [{rows}], one per path; given {labels.dtype} {list(labels.shape)}."
        )
    if rows and not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(
            f"Labels must be in 0..{classes - 1}, the classes; given {labels.min()}..{labels.max()}."
        )


def _check_attributes(attributes, rows, names):
    if attributes.dtype != np.float32 or attributes.shape != (rows, names):
        raise ValueError(
            f"Attributes must be float32 [{rows}, {names}], one row per path and one column per name; "
            f"given {attributes.dtype} {list(attributes.shape)}."
        )
    if not np.isin(attributes, (0, 1)).all():
        raise ValueError("Attributes must be 0 or 1.")


def check(batch):
    """The batch itself, or a ValueError that names what a training batch lacks.

    Names, types and ranks are static, so this costs nothing inside a traced function; where values are at hand
    (eager tensors, numpy arrays), the range of the pixels is looked at too.
    """
    if not set(RANK) <= set(batch) <= {*RANK, *EXTRAS}:
        raise ValueError(
            f"A batch has {', '.join(RANK)}; given {', '.join(sorted(batch)) or 'nothing'}."
        )
    for name, value in batch.items():
        _check_tensor(name, value)
    _check_shapes(batch["clips"].shape, batch["labels"].shape, batch["pairs"].shape)
    return batch


def _check_tensor(name, value):
    dtype = np.dtype(
        getattr(value.dtype, "as_numpy_dtype", value.dtype)
    ).name  # TensorFlow's dtype or numpy's
    wanted, rank = DTYPE.get(name, "float32"), {**RANK, **EXTRAS}[name]
    if dtype != wanted or len(value.shape) != rank:
        raise ValueError(
            f"{name} must be {wanted} of rank {rank}; given {dtype} {list(value.shape)}."
        )
    if name == "labels" or not (isinstance(value, np.ndarray) or hasattr(value, "numpy")):
        return
    low, high = np.min(value), np.max(value)
    if not (low >= 0 and high <= 1):  # NaN fails as well
        raise ValueError(
            f"{name} must be in [0, 1]; given {low:g}..{high:g}. Divide 8-bit pixels by 255."
        )


def _check_shapes(clips, labels, pairs):
    if clips[-1] != 3 or pairs[-1] != 3 or pairs[1] != 2:
        raise ValueError(
            "clips must be [N, T, H, W, 3] and pairs [M, 2, H, W, 3]; "
            f"given {list(clips)} and {list(pairs)}."
        )
    if None not in (clips[0], labels[0]) and clips[0] != labels[0]:
        raise ValueError(
            f"There must be one label per clip; given {clips[0]} clips and {labels[0]} labels."
        )
