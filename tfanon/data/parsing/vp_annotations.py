"""Reads the labels of VP-HMDB51 and VP-UCF101: five private attributes per video.

A label file is one of:

    <any>.pickle    the authors': {"<Class>/<name>.mp4": int64 [1, 5]}, though the videos are .avi
    <any>.csv       columns video, skin_color, face, gender, nudity, relationship
    <any>.json      {"<Class>/<name>": [0, 1, 1, 0, 0]}

It is matched to the videos by their names without file extension. The authors do not publish the
order of the five attributes. The order used here is inferred from the classes that show only hands,
and from agreement with PA-HMDB51.
"""

import csv
import dataclasses
import io
import itertools
import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tfanon.core.config import Config
from tfanon.data import published_split
from tfanon.data.batch import Examples
from tfanon.data.parsing import restricted_pickle, text_lists
from tfanon.data.parsing.annotations import PRIVATE_ATTRIBUTES

ABOUT = "Download annotations/ from https://github.com/ming1993li/stprivacy."
KINDS = ("clips", "private_clips")


def choose_splits(
    name: str,
    kind: str,
    catalog: published_split.DatasetCatalog,
    config: Config,
    get_group: Callable[[str], str],
) -> dict[str, Examples]:
    """Choose the training and test clips of --split_number, with actions and attributes.

    Args:
        name: Name of the data set, for the error message.
        kind: One of KINDS.
        catalog: All videos, in the splits of the data set that they come from.
        config: Its `split_number` chooses the split.
        get_group: Function from a video's path to the name of its group.

    Returns:
        Examples of "train" and of "test".

    Raises:
        ValueError: The data set has no examples of this kind.
    """
    published_split.check_kind(name, kind, KINDS)
    return published_split.make_train_and_test(catalog, str(config.split_number), group=get_group)


def read_labelled_videos(
    name: str, videos: published_split.DatasetCatalog, folder: str
) -> published_split.DatasetCatalog:
    """Add the private attributes to a catalog of videos.

    Args:
        name: "vp_hmdb51" or "vp_ucf101".
        videos: Catalog of HMDB51 or UCF101.
        folder: Folder with the label file.

    Returns:
        The catalog with attributes, float32 `[n, 5]` of 0 and 1.

    Raises:
        ValueError: The label file is missing or invalid, or a video has no label.
    """
    stem = name.removeprefix("vp_") + "_privacy_attribute_label"
    candidates = []
    for subfolder, prefix, ending in itertools.product(
        ("", "annotations/"), ("", "vp_"), LABEL_READERS
    ):
        candidates.append(f"{subfolder}{prefix}{stem}{ending}")
    path = text_lists.find_first_existing(folder, candidates, "labels", ABOUT)
    read_labels = LABEL_READERS[os.path.splitext(path)[1]]
    # The published labels are of .mp4 files, the videos are .avi.
    labels = {_strip_ending(video): values for video, values in read_labels(path).items()}
    missing = [video for video in videos.paths if _strip_ending(video) not in labels]
    if missing:
        raise ValueError(
            f"{path} has no label for {len(missing)} of {len(videos)} videos; the first: "
            f"{missing[0]}"
        )
    # In the order of the catalog, whatever that of the label file.
    rows = [_parse_row(labels[_strip_ending(video)], video, path) for video in videos.paths]
    return dataclasses.replace(
        videos, attributes=np.array(rows, np.float32), attribute_names=PRIVATE_ATTRIBUTES
    )


def _strip_ending(video: str) -> str:
    return os.path.splitext(video)[0]


def _parse_row(values: Any, video: str, path: str) -> np.ndarray:
    """Return the five labels of a video, each 0 or 1."""
    # A pickle has [1, 5], the other formats [5].
    values = np.asarray(values).reshape(-1)
    if values.shape != (len(PRIVATE_ATTRIBUTES),) or not np.isin(values, (0, 1)).all():
        raise ValueError(
            f"{path}: {video} must have 0 or 1 for each of {', '.join(PRIVATE_ATTRIBUTES)}, not "
            f"{values.tolist()}."
        )
    return values


def _read_csv(path: str) -> dict[str, list[int]]:
    """Read the labels of a table, by video."""
    rows = list(csv.DictReader(io.StringIO(text_lists.read_text(path))))
    if not rows or not {"video", *PRIVATE_ATTRIBUTES} <= set(rows[0]):
        raise ValueError(f"{path} must have the columns video, {', '.join(PRIVATE_ATTRIBUTES)}.")
    labels = {}
    try:
        for row in rows:
            labels[row["video"]] = [int(row[name]) for name in PRIVATE_ATTRIBUTES]
    # TypeError: a row with too few cells.
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}.") from None
    return labels


# By file extension, in order of preference.
LABEL_READERS: dict[str, Callable[[str], Mapping[str, Any]]] = {
    ".pickle": restricted_pickle.read_integer_arrays,
    ".csv": _read_csv,
    ".json": text_lists.read_json,
}
