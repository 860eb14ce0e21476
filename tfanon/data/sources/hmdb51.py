"""HMDB51 as its authors distribute it: 6,766 clips of 51 actions, three official splits.

    <folder>/<action>/<name>.avi                                     from hmdb51_org.rar, in it one archive per action
    <folder>/testTrainMulti_7030_splits/<action>_test_split1.txt     "<name>.avi 1 ": 1 train, 2 test, 0 unused

Names hold '#', '&', '(' and ';', so nothing here goes through a shell or a pattern of names.

PA-HMDB51, on which the paper attacks its anonymizer, is 515 of these clips, 286 of them in the training list of split
1. They are left out of training whatever is measured later, which takes PA-HMDB51's annotations in
<data_dir>/pa_hmdb51. --train_on_test_clips trains on them, as the paper did.
"""

import os

import numpy as np

from tfanon.data import published_split
from tfanon.data.parsing import annotations, text_lists

ABOUT = (
    "https://serre-lab.clps.brown.edu/resource/hmdb-a-large-human-motion-database/ has hmdb51_org.rar and "
    "test_train_splits.rar."
)
LIST_FOLDERS = (
    "testTrainMulti_7030_splits",
    "test_train_splits/testTrainMulti_7030_splits",
    "splits",
    ".",
)
VIDEO_FOLDERS = (".", "hmdb51_org", "videos")
MARKER_CLASS = "wave"  # the class by which folders are found
KINDS = ("clips",)
SPLIT_NUMBERS = ("1", "2", "3")
SPLIT_NAMES = {"0": "unused", "1": "train", "2": "test"}
PA_HMDB51 = "pa_hmdb51"  # the division that says "yes" of PA-HMDB51's rows, "no" of others
PUBLISHED = {
    "files": 6766,
    "classes": 51,
    "splits": {number: {"train": 3570, "test": 1530, "unused": 1666} for number in SPLIT_NUMBERS},
}


def load(kind, folder, config):
    """{"train": Examples, "test": Examples} of --split_number.  kind: "clips".

    Raises ValueError that names the folder, list or line at fault.
    """
    return choose(kind, read(folder, config.data_dir), config)


def choose(kind, whole, config):
    """As load, from the Catalog of all rows."""
    published_split.check_kind("hmdb51", kind, KINDS)
    if config.train_on_test_clips:
        return published_split.train_and_test(whole, str(config.split_number), group=get_group)
    if PA_HMDB51 not in whole.splits:
        raise ValueError(
            "HMDB51 is trained on without the 515 clips of PA-HMDB51, and their names are not there: put "
            f"{annotations.RELATIVE_FOLDER} into --data_dir ({annotations.ABOUT}), or train on all with --train_on_test_clips."
        )
    return published_split.train_and_test(
        whole, str(config.split_number), keep=whole.splits[PA_HMDB51] == "no", group=get_group
    )


def get_group(path):
    """'wave/Film_wave_u_nm_np1_fr_med_0.avi' -> 'wave/Film_wave': clips of one film; what follows describes the clip."""
    return path.rsplit("_", 6)[0]


def read(folder, data_dir):
    """The Catalog; divisions "1", "2", "3", and "pa_hmdb51" where its annotations are in data_dir."""
    whole = read_official_lists(folder)
    annotated = os.path.join(data_dir, PA_HMDB51)
    if os.path.isdir(annotated):
        names = set(annotations.list_annotated_clips(annotated))
        whole.splits[PA_HMDB51] = np.array(
            ["yes" if path in names else "no" for path in whole.paths]
        )
    return whole


def read_official_lists(folder):
    """The Catalog by HMDB51's own lists alone."""
    suffix = "_test_split1.txt"
    lists = os.path.dirname(
        text_lists.find_first_existing(
            folder, [f"{place}/{MARKER_CLASS}{suffix}" for place in LIST_FOLDERS], "lists", ABOUT
        )
    )
    classes = tuple(
        sorted(name.removesuffix(suffix) for name in os.listdir(lists) if name.endswith(suffix))
    )
    paths, splits = text_lists.merge_official_splits(
        {number: _read_split(lists, classes, number) for number in SPLIT_NUMBERS}
    )
    labels = np.array([classes.index(path.split("/")[0]) for path in paths], np.int32)
    return published_split.Catalog(find_video_folder(folder), paths, splits, labels, classes)


def find_video_folder(folder):
    """The folder with one folder of clips per action."""
    return os.path.dirname(
        text_lists.find_first_existing(
            folder, [f"{place}/{MARKER_CLASS}" for place in VIDEO_FOLDERS], "clips", ABOUT
        )
    )


def _read_split(lists, classes, number):
    """{"<action>/<name>.avi": word} of one official split."""
    found = {}
    for name in classes:
        path = os.path.join(lists, f"{name}_test_split{number}.txt")
        for line in text_lists.read_lines(path, ABOUT):
            video, _, word = line.rpartition(" ")
            if word not in SPLIT_NAMES or not video.strip() or os.path.basename(video) != video:
                raise ValueError(f"{path}: '{line}' is no file name with 0, 1 or 2 behind it.")
            found[f"{name}/{video.strip()}"] = SPLIT_NAMES[word]
    return found
