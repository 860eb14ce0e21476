"""UCF101 as its authors distribute it: 13,320 clips of 101 actions, three official splits.

    <folder>/UCF-101/<Class>/v_<Class>_g01_c01.avi       from UCF101.rar
    <folder>/ucfTrainTestlist/classInd.txt               "1 ApplyEyeMakeup", counted from 1
    <folder>/ucfTrainTestlist/trainlist01.txt            "<Class>/v_<Class>_g08_c01.avi 1"
    <folder>/ucfTrainTestlist/testlist01.txt             the same without the number of the class

Labels are counted from 0 here. Lines may end with a carriage return. The files in HandstandPushups/
are named v_HandStandPushups_..: classes are looked up by folder, ignoring case.
"""

import os

import numpy as np

from tfanon.core.config import Config
from tfanon.data import published_split
from tfanon.data.batch import Examples
from tfanon.data.parsing import text_lists

ABOUT = (
    "Download UCF101.rar and UCF101TrainTestSplits-RecognitionTask.zip from "
    "https://www.crcv.ucf.edu/data/UCF101.php."
)
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


def load(kind: str, folder: str, config: Config) -> dict[str, Examples]:
    """Load the clips of --split_number.

    Args:
        kind: "clips".
        folder: Folder of the data set.
        config: Settings of the experiment.

    Returns:
        Examples of "train" and of "test".

    Raises:
        ValueError: Files are missing or invalid; the message names the folder, list or line.
    """
    return choose(kind, read(folder, config.data_dir), config)


def choose(
    kind: str, catalog: published_split.DatasetCatalog, config: Config
) -> dict[str, Examples]:
    """Choose the clips of --split_number from the catalog that `read` returns."""
    published_split.check_kind("ucf101", kind, KINDS)
    return published_split.make_train_and_test(catalog, str(config.split_number), group=get_group)


def get_group(path: str) -> str:
    """Return the long video that a clip was cut from, with one background and one actor.

    Example:
        'Class/v_Class_g08_c01.avi' gives 'Class/v_Class_g08'.
    """
    return path.rpartition("_")[0]


def read(folder: str, data_dir: str | None = None) -> published_split.DatasetCatalog:
    """Read the official lists.

    Args:
        folder: Folder of the data set.
        data_dir: Not used; every data set takes it.

    Returns:
        All clips; each of the splits "1", "2" and "3" says "train" or "test" of every clip.

    Raises:
        ValueError: As in `load`.
    """
    class_list = text_lists.find_first_existing(folder, CLASS_LISTS, "lists", ABOUT)
    list_folder = os.path.dirname(class_list)
    classes = _read_classes(os.path.join(list_folder, "classInd.txt"))
    paths, splits = text_lists.merge_official_splits(
        {number: _read_split(list_folder, number) for number in SPLIT_NUMBERS}
    )
    # Ignoring case: see HandstandPushups above.
    label_of_class = {name.lower(): label for label, name in enumerate(classes)}
    labels = [_find_label(path, label_of_class, list_folder) for path in paths]
    root = text_lists.find_first_existing(folder, VIDEO_FOLDERS, "clips", ABOUT)
    return published_split.DatasetCatalog(root, paths, splits, np.array(labels, np.int32), classes)


def _read_classes(path: str) -> tuple[str, ...]:
    """Read the names of the classes, in the order of their numbers."""
    rows = [line.split() for line in text_lists.read_lines(path, ABOUT)]
    numbers = [row[0] for row in rows]
    expected = [str(number) for number in range(1, len(rows) + 1)]
    if numbers != expected or {len(row) for row in rows} != {2}:
        raise ValueError(
            f"{path}: lines must read '1 ApplyEyeMakeup', '2 ..', counted from 1 without a gap."
        )
    return tuple(name for _, name in rows)


def _read_split(list_folder: str, number: str) -> dict[str, str]:
    """Read one official split: "train" or "test" by path."""
    names: dict[str, str] = {}
    for name in ("train", "test"):
        list_path = os.path.join(list_folder, f"{name}list0{number}.txt")
        for line in text_lists.read_lines(list_path, ABOUT):
            # The training lists have the number of the class after the path, the test lists do not.
            path = line.split()[0]
            # A clip in both lists would be tested after it was trained on.
            if names.setdefault(path, name) != name:
                raise ValueError(
                    f"{list_folder}: {path} is in trainlist0{number}.txt and in "
                    f"testlist0{number}.txt."
                )
    return names


def _find_label(path: str, label_of_class: dict[str, int], list_folder: str) -> int:
    """Return the label of a clip by the name of its folder."""
    name = path.split("/", maxsplit=1)[0].lower()
    if path.count("/") != 1 or name not in label_of_class:
        raise ValueError(
            f"{list_folder}: '{path}' must be Class/file.avi with a class of classInd.txt."
        )
    return label_of_class[name]
