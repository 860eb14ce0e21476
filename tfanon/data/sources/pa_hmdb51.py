"""PA-HMDB51: 515 clips of HMDB51 whose frames are labelled with what they show of people; for evaluation only.

    <data_dir>/pa_hmdb51/PrivacyAttributes/<action>.json     its repository
    <data_dir>/hmdb51/<action>/<clip>.avi                    HMDB51's own files

There is no training split: its authors mean it to be tested on. Give it as --test_clip_source and --test_image_source.
"""

import os

import numpy as np

from tfanon.data import published_split
from tfanon.data.batch import Examples
from tfanon.data.parsing import annotations, attribute_sets
from tfanon.data.sources import hmdb51

ABOUT = annotations.ABOUT
KINDS = ("clips", "images")
PUBLISHED = {"files": 515, "classes": 51, "splits": {"1": {"test": 515}}}


def load(kind, folder, config):
    """{"test": Examples}.  kind: "clips" with HMDB51's actions, or "images": frames with --attribute_set.

    Raises ValueError that names the folder, file, clip or segment at fault.
    """
    return choose(kind, read(folder, config.data_dir), config)


def choose(kind, whole, config):
    """As load, from the Catalog of all rows."""
    published_split.check_kind("pa_hmdb51", kind, KINDS)
    clips = whole.examples(np.ones(len(whole), bool))
    return {
        "test": clips
        if kind == "clips"
        else _expand_frames(clips.paths, whole.frame_values, config.attribute_set)
    }


def read(folder, data_dir):
    """The Catalog of all clips, with the values of their frames."""
    values = annotations.read_frame_values(folder)
    paths = tuple(sorted(values))
    classes = tuple(annotations.find_annotation_files(folder))
    labels = np.array([classes.index(path.split("/")[0]) for path in paths], np.int32)
    return published_split.Catalog(
        hmdb51.find_video_folder(os.path.join(data_dir, "hmdb51")),
        paths,
        {"1": np.array(["test"] * len(paths))},
        labels,
        classes,
        frame_values=tuple(values[path] for path in paths),
    )


def _expand_frames(paths, frame_values, chosen):
    """One row per labelled frame."""
    numbers = [annotations.find_labelled_frames(values) for values in frame_values]
    rows = np.repeat(np.arange(len(paths)), [len(of_clip) for of_clip in numbers])
    attributes = [
        attribute_sets.convert_pa_hmdb51_values(values[of_clip], chosen)
        for values, of_clip in zip(frame_values, numbers)
    ]
    of_frames = tuple(paths[row] for row in rows)
    return Examples(
        of_frames,
        attributes=np.concatenate(attributes),
        attribute_names=attribute_sets.get_attribute_names(chosen),
        frames=np.concatenate(numbers),
        groups=of_frames,
    )
