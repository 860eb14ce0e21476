"""UCF101 as its authors distribute it: 13,320 clips of 101 actions, three official splits.

    <folder>/UCF-101/<Class>/v_<Class>_g01_c01.avi       from UCF101.rar
    <folder>/ucfTrainTestlist/classInd.txt               "1 ApplyEyeMakeup", counted from 1; labels here from 0
    <folder>/ucfTrainTestlist/trainlist01.txt            "ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1"
    <folder>/ucfTrainTestlist/testlist01.txt             the same without the label: the folder tells it

Lines may end as Windows ends them. The files in HandstandPushups/ are named v_HandStandPushups_..: classes are looked
up by folder, without regard to case.
"""

import os

import numpy as np

from tfanon.data import published_split
from tfanon.data.parsing import text_lists

ABOUT = "https://www.crcv.ucf.edu/data/UCF101.php has UCF101.rar and UCF101TrainTestSplits-RecognitionTask.zip."
CLASS_LISTS = ("ucfTrainTestlist/classInd.txt", "classInd.txt")
VIDEO_FOLDERS = ("UCF-101", "UCF101", "videos", ".")
KINDS = ("clips",)
SPLIT_NUMBERS = ("1", "2", "3")
PUBLISHED = {
    "files": 13320,
    "classes": 101,
    "splits": {
        "1": {"train": 9537, "test": 3783},
        "2": {"train": 9586, "test": 3734},
        "3": {"train": 9624, "test": 3696},
    },
}


def load(kind, folder, config):
    """{"train": Examples, "test": Examples} of --split_number.  kind: "clips".

    Raises ValueError that names the folder, list or line at fault.
    """
    return choose(kind, read(folder, config.data_dir), config)


def choose(kind, whole, config):
    """As load, from the Catalog of all rows."""
    published_split.check_kind("ucf101", kind, KINDS)
    return published_split.train_and_test(whole, str(config.split_number), group=get_group)


def get_group(path):
    """'Class/v_Class_g08_c01.avi' -> 'Class/v_Class_g08': clips of one long video, with one background and one actor."""
    return path.rpartition("_")[0]


def read(folder, data_dir=None):
    """The Catalog; the divisions "1", "2", "3" hold "train" and "test"."""
    lists = os.path.dirname(text_lists.find_first_existing(folder, CLASS_LISTS, "lists", ABOUT))
    classes = _read_classes(os.path.join(lists, "classInd.txt"))
    paths, splits = text_lists.merge_official_splits(
        {number: _read_split(lists, number) for number in SPLIT_NUMBERS}
    )
    numbers = {name.lower(): number for number, name in enumerate(classes)}
    labels = np.array([_find_label(path, numbers, lists) for path in paths], np.int32)
    return published_split.Catalog(
        text_lists.find_first_existing(folder, VIDEO_FOLDERS, "clips", ABOUT),
        paths,
        splits,
        labels,
        classes,
    )


def _read_classes(path):
    """Names in the order of their numbers."""
    rows = [line.split() for line in text_lists.read_lines(path, ABOUT)]
    if [row[0] for row in rows] != [str(number) for number in range(1, len(rows) + 1)] or {
        len(r) for r in rows
    } != {2}:
        raise ValueError(
            f"{path}: lines must be '1 ApplyEyeMakeup', '2 ..', counted from 1 without a gap."
        )
    return tuple(name for _, name in rows)


def _read_split(lists, number):
    """{path: "train" or "test"} of one official split."""
    found = {}
    for word in ("train", "test"):
        for line in text_lists.read_lines(os.path.join(lists, f"{word}list0{number}.txt"), ABOUT):
            path = line.split()[0]
            if found.setdefault(path, word) != word:
                raise ValueError(
                    f"{lists}: {path} is in trainlist0{number}.txt and in testlist0{number}.txt."
                )
    return found


def _find_label(path, numbers, lists):
    name = path.split("/")[0].lower()
    if path.count("/") != 1 or name not in numbers:
        raise ValueError(f"{lists}: '{path}' is no Class/file.avi with a class of classInd.txt.")
    return numbers[name]
