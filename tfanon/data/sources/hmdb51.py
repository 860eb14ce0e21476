"""HMDB51 as its authors distribute it: 6,766 clips of 51 actions, three official splits.

    <folder>/<action>/<name>.avi                                 from the archives in hmdb51_org.rar
    <folder>/testTrainMulti_7030_splits/<action>_test_split1.txt     "<name>.avi 1 "

The numbers in the lists mean 1 train, 2 test, 0 unused. Names contain '#', '&', '(' and ';', so
nothing here uses a shell or a glob pattern.

PA-HMDB51, on which the paper attacks its anonymizer, is 515 of these clips; 286 of them are in the
training list of split 1. They are left out of training whatever is evaluated later, so training
needs the annotations of PA-HMDB51 in <data_dir>/pa_hmdb51. --train_on_test_clips trains on them, as
the paper did.
"""

import os

import numpy as np

from tfanon.core.config import Config
from tfanon.data import published_split
from tfanon.data.batch import Examples
from tfanon.data.parsing import annotations, text_lists

ABOUT = (
    "Download hmdb51_org.rar and test_train_splits.rar from "
    "https://serre-lab.clps.brown.edu/resource/hmdb-a-large-human-motion-database/."
)
LIST_FOLDERS = (
    "testTrainMulti_7030_splits",
    "test_train_splits/testTrainMulti_7030_splits",
    "splits",
    ".",
)
VIDEO_FOLDERS = (".", "hmdb51_org", "videos")
MARKER_CLASS = "wave"  # folders are recognized by having this class
KINDS = ("clips",)
SPLIT_NUMBERS = ("1", "2", "3")
SPLIT_NAMES = {"0": "unused", "1": "train", "2": "test"}
PA_HMDB51 = "pa_hmdb51"  # in catalog.splits: "yes" for the clips of PA-HMDB51, "no" for others
PUBLISHED = {
    "files": 6766,
    "classes": 51,
    "splits": {number: {"train": 3570, "test": 1530, "unused": 1666} for number in SPLIT_NUMBERS},
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
    """Choose the clips of --split_number from the catalog that `read` returns.

    Raises:
        ValueError: The annotations of PA-HMDB51 are missing, without --train_on_test_clips.
    """
    published_split.check_kind("hmdb51", kind, KINDS)
    number = str(config.split_number)
    # Before the annotations are needed: the paper's protocol does without them.
    if config.train_on_test_clips:
        return published_split.make_train_and_test(catalog, number, group=get_group)
    if PA_HMDB51 not in catalog.splits:
        raise ValueError(
            "Training on HMDB51 leaves out the 515 clips of PA-HMDB51, but their names are "
            f"missing: put {annotations.RELATIVE_FOLDER} into --data_dir, or train on all clips "
            f"with --train_on_test_clips. {annotations.ABOUT}"
        )
    # Only training leaves them out: the test split of HMDB51 stays complete.
    keep = catalog.splits[PA_HMDB51] == "no"
    return published_split.make_train_and_test(catalog, number, keep=keep, group=get_group)


def get_group(path: str) -> str:
    """Return the film that a clip was cut from; the last six parts of a name describe the clip.

    Example:
        'wave/Film_wave_u_nm_np1_fr_med_0.avi' gives 'wave/Film_wave'.
    """
    return path.rsplit("_", 6)[0]


def read(folder: str, data_dir: str) -> published_split.DatasetCatalog:
    """Read the official lists, and the names of the clips of PA-HMDB51 if they are available.

    Args:
        folder: Folder of the data set.
        data_dir: Folder that may hold pa_hmdb51/.

    Returns:
        All clips in the splits "1", "2" and "3", and "pa_hmdb51" if its annotations are available.

    Raises:
        ValueError: As in `load`.
    """
    catalog = read_official_lists(folder)
    annotated = os.path.join(data_dir, PA_HMDB51)
    if os.path.isdir(annotated):
        names = set(annotations.list_annotated_clips(annotated))
        # Marked rather than dropped, so that a catalog serves with and without
        # --train_on_test_clips.
        membership = ["yes" if path in names else "no" for path in catalog.paths]
        catalog.splits[PA_HMDB51] = np.array(membership)
    return catalog


def read_official_lists(folder: str) -> published_split.DatasetCatalog:
    """Read HMDB51's own lists alone.

    Args:
        folder: Folder of the data set.

    Returns:
        All clips in the splits "1", "2" and "3".

    Raises:
        ValueError: As in `load`.
    """
    suffix = "_test_split1.txt"
    candidates = [f"{place}/{MARKER_CLASS}{suffix}" for place in LIST_FOLDERS]
    marker_list = text_lists.find_first_existing(folder, candidates, "lists", ABOUT)
    list_folder = os.path.dirname(marker_list)
    first_lists = [name for name in os.listdir(list_folder) if name.endswith(suffix)]
    # No file lists the classes; each has a list of its own.
    classes = tuple(sorted(name.removesuffix(suffix) for name in first_lists))
    paths, splits = text_lists.merge_official_splits(
        {number: _read_split(list_folder, classes, number) for number in SPLIT_NUMBERS}
    )
    labels = np.array([classes.index(path.split("/")[0]) for path in paths], np.int32)
    return published_split.DatasetCatalog(find_video_folder(folder), paths, splits, labels, classes)


def find_video_folder(folder: str) -> str:
    """Find the folder that holds one folder of clips per action.

    Args:
        folder: Folder of the data set.

    Raises:
        ValueError: There is none.
    """
    candidates = [f"{place}/{MARKER_CLASS}" for place in VIDEO_FOLDERS]
    return os.path.dirname(text_lists.find_first_existing(folder, candidates, "clips", ABOUT))


def _read_split(list_folder: str, classes: tuple[str, ...], number: str) -> dict[str, str]:
    """Read one official split: "train", "test" or "unused" by "<action>/<name>.avi"."""
    names = {}
    for action in classes:
        list_path = os.path.join(list_folder, f"{action}_test_split{number}.txt")
        for line in text_lists.read_lines(list_path, ABOUT):
            # Names of clips may contain spaces; the number follows the last one.
            video, _, word = line.rpartition(" ")
            # The name becomes a part of a path.
            if word not in SPLIT_NAMES or not video.strip() or os.path.basename(video) != video:
                raise ValueError(
                    f"{list_path}: '{line}' must be a file name followed by 0, 1 or 2."
                )
            names[f"{action}/{video.strip()}"] = SPLIT_NAMES[word]
    return names
