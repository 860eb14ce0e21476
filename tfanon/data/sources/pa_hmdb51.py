"""PA-HMDB51: 515 clips of HMDB51 with labels of what each frame shows of people; for tests only.

    <data_dir>/pa_hmdb51/PrivacyAttributes/<action>.json     from its repository
    <data_dir>/hmdb51/<action>/<clip>.avi                    HMDB51's own files

It has no training split: its authors intend it for evaluation. Use it as --test_clip_source and
--test_image_source.
"""

import os
from typing import Any

import numpy as np

from tfanon.core.config import Config
from tfanon.data import published_split
from tfanon.data.batch import Examples
from tfanon.data.parsing import annotations, attribute_sets
from tfanon.data.sources import hmdb51
from tfanon.media.frame_reader import MediaPath

ABOUT = annotations.ABOUT
KINDS = ("clips", "images")
PUBLISHED = {"files": 515, "classes": 51, "splits": {"1": {"test": 515}}}


def load(kind: str, folder: str, config: Config) -> dict[str, Examples]:
    """Load the annotated clips or their frames.

    Args:
        kind: "clips" with HMDB51's actions, or "images": frames with --attribute_set.
        folder: Folder of the data set.
        config: Settings of the experiment.

    Returns:
        Examples of "test".

    Raises:
        ValueError: Files are missing or invalid; the message names the folder, file, clip or
            segment.
    """
    return choose(kind, read(folder, config.data_dir), config)


def choose(
    kind: str, catalog: published_split.DatasetCatalog, config: Config
) -> dict[str, Examples]:
    """Choose clips or frames from the catalog that `read` returns."""
    published_split.check_kind("pa_hmdb51", kind, KINDS)
    # All clips: there is one split.
    clips = catalog.make_examples(np.ones(len(catalog), bool))
    if kind == "clips":
        return {"test": clips}
    return {"test": _expand_frames(clips.paths, catalog.frame_values or (), config.attribute_set)}


def read(folder: str, data_dir: str) -> published_split.DatasetCatalog:
    """Read all annotations.

    Args:
        folder: Folder of the data set.
        data_dir: Folder that holds hmdb51/.

    Returns:
        All clips with the values of their frames, in the split "1".

    Raises:
        ValueError: As in `load`.
    """
    values = annotations.read_frame_values(folder)
    paths = tuple(sorted(values))
    classes = tuple(annotations.find_annotation_files(folder))
    labels = np.array([classes.index(path.split("/")[0]) for path in paths], np.int32)
    return published_split.DatasetCatalog(
        hmdb51.find_video_folder(os.path.join(data_dir, "hmdb51")),
        paths,
        {"1": np.array(["test"] * len(paths))},
        labels,
        classes,
        frame_values=tuple(values[path] for path in paths),
    )


def _expand_frames(
    paths: tuple[MediaPath, ...], frame_values: tuple[np.ndarray, ...], attribute_set: str
) -> Examples:
    """Make one row per fully labelled frame; the frames of one clip are a group."""
    # Frames that lack one of the five labels have no truth for it, so they are left out.
    frame_numbers = [annotations.find_labelled_frames(values) for values in frame_values]
    # Files, or records of a built TensorFlow Dataset; either names the clip of a frame.
    frame_paths: list[Any] = []
    attributes = []
    for path, values, numbers in zip(paths, frame_values, frame_numbers, strict=True):
        frame_paths += [path] * len(numbers)
        attributes.append(attribute_sets.convert_pa_hmdb51_values(values[numbers], attribute_set))
    return Examples(
        tuple(frame_paths),
        attributes=np.concatenate(attributes),
        attribute_names=attribute_sets.get_attribute_names(attribute_set),
        frame_numbers=np.concatenate(frame_numbers),
        # Neighbouring frames are nearly equal: intervals count clips.
        groups=tuple(frame_paths),
    )
