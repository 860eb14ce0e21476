"""What a data set's own lists say about its files: every row and every label, nothing selected yet.

Sources read their authors' files into a `DatasetCatalog`. Training selects its splits from it,
`tfanon-data` compares it with the files on disk, and the TensorFlow Datasets builders store it
beside the files.
"""

import dataclasses
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfanon.data.batch import Examples


# eq=False: comparing arrays gives arrays, so the generated comparison would fail.
@dataclasses.dataclass(frozen=True, eq=False)
class DatasetCatalog:
    """The lists of one data set, one row per file.

    Attributes:
        root: Folder that the paths are relative to.
        paths: The n files, with "/" between folder and file.
        splits: {name of a division: array ``[n]`` of words}, for example
            {"1": ["train", "test", "unused", ..]}.
        labels: Of all rows, as in `data.batch.Examples`.
        classes: As in `data.batch.Examples`.
        attributes: Of all rows, as in `data.batch.Examples`.
        attribute_names: As in `data.batch.Examples`.
        frame_values: For each row uint8 ``[frames, 5]``, the private values in each frame as
            `data.parsing.annotations` describes them.
        records: For each row what is read instead of a file below root: a `tfds_store.TfdsRecord`.
    """

    root: str
    paths: tuple[str, ...]
    splits: dict[str, np.ndarray]
    labels: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    attributes: np.ndarray | None = None
    attribute_names: tuple[str, ...] = ()
    frame_values: tuple[np.ndarray, ...] | None = None
    records: tuple[Any, ...] | None = None

    def __len__(self) -> int:
        return len(self.paths)

    def list_full_paths(self) -> list[str]:
        """Return where each file should be."""
        return [os.path.join(self.root, path) for path in self.paths]

    def make_examples(
        self, rows: np.ndarray | Sequence[int], group: Callable[[str], str] | None = None
    ) -> Examples:
        """Return some rows as Examples, with all labels and attributes that exist.

        Args:
            rows: Row numbers, or a mask of all rows.
            group: Function from a path to the name of its group; None: rows have no groups.
        """
        paths = self.records or tuple(self.list_full_paths())
        groups: tuple[str, ...] = ()
        if group:
            # Of the listed paths, so that files and records are grouped alike.
            groups = tuple(map(group, self.paths))
        examples = Examples(
            paths,
            self.labels,
            self.classes,
            self.attributes,
            self.attribute_names,
            groups=groups,
        )
        return examples.take(rows)

    def count_rows(self) -> dict[str, dict[str, int]]:
        """Return {division: {word: rows}}."""
        counts: dict[str, dict[str, int]] = {}
        for division, words in self.splits.items():
            names, sizes = np.unique(words, return_counts=True)
            counts[division] = dict(zip(names.tolist(), sizes.tolist(), strict=True))
        return counts


def make_train_and_test(
    catalog: DatasetCatalog,
    division: str,
    keep: np.ndarray | bool = True,
    group: Callable[[str], str] | None = None,
) -> dict[str, Examples]:
    """Return {"train": Examples, "test": Examples} of one division.

    Args:
        catalog: The data set.
        division: A key of `catalog.splits`.
        keep: Mask of the rows that may be trained on.
        group: As in `DatasetCatalog.make_examples`.
    """
    words = catalog.splits[division]
    return {
        "train": catalog.make_examples((words == "train") & keep, group),
        "test": catalog.make_examples(words == "test", group),
    }


def check_kind(source: str, kind: str, kinds: Sequence[str]) -> None:
    """Check that a data set has a kind of examples.

    Args:
        source: Name of the data set.
        kind: The requested kind, such as "clips".
        kinds: The kinds that the data set has.

    Raises:
        ValueError: It does not have this kind.
    """
    if kind not in kinds:
        raise ValueError(f"The data set {source} has no '{kind}'; it has {', '.join(kinds)}.")
