"""The labels of VP-HMDB51 and VP-UCF101: five private attributes per video of HMDB51 and of UCF101.

A label file is one of
    <any>.pickle    the authors': {"<Class>/<name>.mp4": int64 [1, 5]}, though the videos are .avi
    <any>.csv       columns video, skin_color, face, gender, nudity, relationship
    <any>.json      {"<Class>/<name>": [0, 1, 1, 0, 0]}
and is matched to the videos by their names without ending. The authors do not say in which order the five come; this
order is what the classes that show hands alone, and the agreement with PA-HMDB51, speak for.
"""

import csv
import dataclasses
import io
import os

import numpy as np

from tfanon.data import published_split
from tfanon.data.parsing import restricted_pickle, text_lists
from tfanon.data.parsing.annotations import PRIVATE_ATTRIBUTES

ABOUT = "https://github.com/ming1993li/stprivacy has the labels in annotations/."
KINDS = ("clips", "private_clips")


def choose_splits(name, kind, whole, config, group):
    """{"train": Examples, "test": Examples} in the splits of the videos' own data set, with actions and attributes."""
    published_split.check_kind(name, kind, KINDS)
    return published_split.train_and_test(whole, str(config.split_number), group=group)


def read_labelled_videos(name, videos, folder):
    """The Catalog of the videos, with attributes.

    name: of the data set.  videos: the Catalog without.  Raises ValueError where a video has no label.
    """
    stem = name.removeprefix("vp_") + "_privacy_attribute_label"
    places = [
        f"{place}{prefix}{stem}{ending}"
        for place in ("", "annotations/")
        for prefix in ("", "vp_")
        for ending in (".pickle", ".csv", ".json")
    ]
    path = text_lists.find_first_existing(folder, places, "labels", ABOUT)
    labels = {
        _strip_ending(video): values
        for video, values in LABEL_READERS[os.path.splitext(path)[1]](path).items()
    }
    missing = [video for video in videos.paths if _strip_ending(video) not in labels]
    if missing:
        raise ValueError(
            f"{path} has no label for {len(missing)} of {len(videos)} videos; the first: {missing[0]}"
        )
    rows = [_parse_row(labels[_strip_ending(video)], video, path) for video in videos.paths]
    return dataclasses.replace(
        videos, attributes=np.array(rows, np.float32), attribute_names=PRIVATE_ATTRIBUTES
    )


def _strip_ending(video):
    return os.path.splitext(video)[0]


def _parse_row(values, video, path):
    values = np.asarray(values).reshape(-1)
    if values.shape != (len(PRIVATE_ATTRIBUTES),) or not np.isin(values, (0, 1)).all():
        raise ValueError(
            f"{path}: {video} must have 0 or 1 for each of {', '.join(PRIVATE_ATTRIBUTES)}; given {values.tolist()}."
        )
    return values


def _read_csv(path):
    rows = list(csv.DictReader(io.StringIO(text_lists.read_text(path))))
    if not rows or not {"video", *PRIVATE_ATTRIBUTES} <= set(rows[0]):
        raise ValueError(f"{path} must have the columns video, {', '.join(PRIVATE_ATTRIBUTES)}.")
    try:
        return {row["video"]: [int(row[name]) for name in PRIVATE_ATTRIBUTES] for row in rows}
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}.") from None


LABEL_READERS = {
    ".pickle": restricted_pickle.read_integer_arrays,
    ".csv": _read_csv,
    ".json": text_lists.read_json,
}
