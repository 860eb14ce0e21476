"""Index of all files of the data sets that a command is given or that an experiment uses."""

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tfanon.core import registry
from tfanon.core.config import Config
from tfanon.data import splits
from tfanon.data.batch import Examples
from tfanon.data.published_split import DatasetCatalog

ONLY_DIVISION = "split"  # name of the one division of a data set without official lists


@dataclasses.dataclass(frozen=True, eq=False)
class IndexedDataset:
    """A data set under the name by which it is reported.

    Attributes:
        name: The source's name; a folder and a kind for data without official lists.
        catalog: Its files.
        make_kinds: Returns {kind: {"train": Examples, "test": Examples}}, what the settings select.
        published: Counts as its authors published them; {} if there are none.
    """

    name: str
    catalog: DatasetCatalog
    make_kinds: Callable[[], dict[str, dict[str, Examples]]]
    published: dict[str, Any]


def read_datasets(names: Sequence[str], config: Config) -> list[IndexedDataset]:
    """Read the lists of data sets.

    Args:
        names: Names of sources; empty: the data sets of the config.
        config: Settings of an experiment.

    Returns:
        The data sets, each once.

    Raises:
        ValueError: A folder, list or line is missing or wrong; the message names it.
    """
    if names:
        return [_read_dataset(None, name, "", config) for name in names]
    selected = [
        ("clips", config.clip_source, config.clip_folder),
        ("images", config.image_source, config.image_folder),
        ("clips", config.eval_clip_source, ""),
        ("clips", config.test_clip_source, ""),
        ("images", config.test_image_source, ""),
    ]
    datasets: dict[str, IndexedDataset] = {}
    for kind, name, folder in selected:
        if name:
            dataset = _read_dataset(kind, name, folder, config)
            # A data set that several flags select is listed once.
            datasets.setdefault(dataset.name, dataset)
    return list(datasets.values())


def find_leaks(config: Config) -> tuple[str, ...]:
    """Return a line for each test split of an experiment that it partly trains on.

    Files that are not on disk are included.
    """
    # Missing files are a problem of their own in the report and must not end this check.
    tolerant = dataclasses.replace(config, on_bad_video="skip", max_bad_fraction=1.0)
    return splits.load_experiment_data(tolerant).notes


def _read_dataset(kind: str | None, name: str, folder: str, config: Config) -> IndexedDataset:
    source: Any = registry.load_module("sources", name)
    path = os.path.join(config.data_dir, folder or name)
    if hasattr(source, "read"):
        catalog = source.read(path, config.data_dir)

        def choose_all() -> dict[str, dict[str, Examples]]:
            return {each: source.choose(each, catalog, config) for each in source.KINDS}

        return IndexedDataset(name, catalog, choose_all, source.PUBLISHED)
    if kind is None:
        raise ValueError(
            f"The data set {name} has no lists of its own: name it as --clip_source or "
            "--image_source."
        )
    examples = source.load(kind, path, config)
    report_name = f"{folder or name}/{kind}"
    return IndexedDataset(report_name, _make_catalog(examples, path), lambda: {kind: examples}, {})


def _make_catalog(examples: Mapping[str, Examples], root: str) -> DatasetCatalog:
    """Return the catalog of {split: Examples}, with one division."""
    paths: list[str] = []
    split_names: list[str] = []
    for split, rows in examples.items():
        # Sources without lists of their own read folders, so every path is a string.
        paths += [os.path.relpath(str(path), root) for path in rows.paths]
        split_names += [split] * len(rows)
    return DatasetCatalog(root, tuple(paths), {ONLY_DIVISION: np.array(split_names, dtype=str)})
