"""All files of the data sets that a command is asked about or that an experiment uses."""

import dataclasses
import os

import numpy as np

from tfanon.core import registry
from tfanon.data import splits
from tfanon.data.published_split import Catalog

GIVEN = "split"  # name of the only division of a data set without official lists


@dataclasses.dataclass(frozen=True, eq=False)
class DataSet:
    """A data set under the name by which it is reported.

    catalog: its files.  kinds: function that returns {kind: {"train": Examples, "test": Examples}}, what the settings
    choose from it.  published: counts as its authors published them, {} where there are none.
    """

    name: str
    catalog: Catalog
    kinds: object
    published: dict


def read(names, config):
    """The DataSets called `names`, or those of the config where there are no names.

    Raises ValueError that names the folder, list or line at fault.
    """
    if names:
        return [_read(None, name, "", config) for name in names]
    asked = [
        ("clips", config.clip_source, config.clip_folder),
        ("images", config.image_source, config.image_folder),
        ("clips", config.eval_clip_source, ""),
        ("clips", config.test_clip_source, ""),
        ("images", config.test_image_source, ""),
    ]
    found = {}
    for kind, name, folder in asked:
        if name:
            data_set = _read(kind, name, folder, config)
            found.setdefault(data_set.name, data_set)
    return list(found.values())


def leaks(config):
    """Lines on the test files that the experiment of a config trains on, whether they are on disk or not."""
    return splits.load(dataclasses.replace(config, on_bad_video="skip", max_bad_fraction=1.0)).notes


def _read(kind, name, folder, config):
    source, place = (
        registry.load_module("sources", name),
        os.path.join(config.data_dir, folder or name),
    )
    if hasattr(source, "read"):
        catalog = source.read(place, config.data_dir)
        return DataSet(
            name,
            catalog,
            lambda: {each: source.choose(each, catalog, config) for each in source.KINDS},
            source.PUBLISHED,
        )
    if kind is None:
        raise ValueError(
            f"The data set {name} has no lists of its own: name it as --clip_source or --image_source."
        )
    loaded = source.load(kind, place, config)
    return DataSet(f"{folder or name}/{kind}", _catalog(loaded, place), lambda: {kind: loaded}, {})


def _catalog(loaded, root):
    """The Catalog of {split: Examples}."""
    paths = tuple(
        os.path.relpath(path, root) for examples in loaded.values() for path in examples.paths
    )
    words = np.concatenate([np.full(len(examples), name) for name, examples in loaded.items()])
    return Catalog(root, paths, {GIVEN: words})
