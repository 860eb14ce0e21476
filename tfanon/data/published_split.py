"""What a data set's own lists say about its files: every row, every label, nothing chosen from it yet.

The sources read their authors' files into a Catalog; training chooses its splits from it, `python -m tfanon.data`
compares it with what is on disk, and the TensorFlow Datasets builders store it beside the files.
"""

import dataclasses
import os

import numpy as np

from tfanon.data.batch import Examples


@dataclasses.dataclass(frozen=True, eq=False)
class Catalog:
    """One row per file.

    root: folder that the paths are relative to.  paths: with '/' between folder and file.
    splits: {name of a division: array [n] of words}, such as {"1": ["train", "test", "unused", ..]}.
    labels, classes, attributes, attribute_names: as in data.batch.Examples, of all rows.
    frame_values: of each row uint8 [frames, 5], the private values in each frame as sources/_annotations.py has them.
    records: of each row what is read where that is no file below root, as data/records.py has it.
    """

    root: str
    paths: tuple
    splits: dict
    labels: np.ndarray | None = None
    classes: tuple = ()
    attributes: np.ndarray | None = None
    attribute_names: tuple = ()
    frame_values: tuple | None = None
    records: tuple | None = None

    def __len__(self):
        return len(self.paths)

    def examples(self, rows, group=None):
        """Examples of the rows of a mask or of indices, with whatever labels and attributes there are.

        group: function path -> name of its group.
        """
        paths = self.records or tuple(os.path.join(self.root, path) for path in self.paths)
        groups = tuple(map(group, self.paths)) if group else ()
        return Examples(
            paths, self.labels, self.classes, self.attributes, self.attribute_names, groups=groups
        ).take(rows)

    def counts(self):
        """{division: {word: rows}}."""
        return {
            name: dict(zip(*(part.tolist() for part in np.unique(words, return_counts=True))))
            for name, words in self.splits.items()
        }


def train_and_test(catalog, division, keep=True, group=None):
    """{"train": Examples, "test": Examples} of one division.

    keep: mask of the rows that may be trained on.  group: as in Catalog.examples.
    """
    words = catalog.splits[division]
    return {
        "train": catalog.examples((words == "train") & keep, group),
        "test": catalog.examples(words == "test", group),
    }


def check_kind(source, kind, kinds):
    """ValueError for a kind of examples that a data set does not have."""
    if kind not in kinds:
        raise ValueError(f"The data set {source} has no '{kind}'; it has {', '.join(kinds)}.")
