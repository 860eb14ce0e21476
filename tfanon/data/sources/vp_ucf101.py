"""VP-UCF101: UCF101 with five private attributes per clip.

    <data_dir>/vp_ucf101/ucf101_privacy_attribute_label.pickle     or .csv, .json
    <data_dir>/ucf101/                                             UCF101's own files and lists

The label formats are described in data/parsing/vp_annotations.py. The splits are those of UCF101;
the paper does not say which one it used, so --split_number chooses.
"""

import os

from tfanon.core.config import Config
from tfanon.data import published_split
from tfanon.data.batch import Examples
from tfanon.data.parsing import vp_annotations
from tfanon.data.sources import ucf101

ABOUT = vp_annotations.ABOUT
KINDS = vp_annotations.KINDS
PUBLISHED = ucf101.PUBLISHED


def load(kind: str, folder: str, config: Config) -> dict[str, Examples]:
    """Load the clips of --split_number, with actions and private attributes.

    Args:
        kind: "clips" or "private_clips"; they are the same here.
        folder: Folder of the data set.
        config: Settings of the experiment.

    Returns:
        Examples of "train" and of "test".

    Raises:
        ValueError: Files are missing or invalid; the message names the folder, file or video.
    """
    return choose(kind, read(folder, config.data_dir), config)


def choose(
    kind: str, catalog: published_split.DatasetCatalog, config: Config
) -> dict[str, Examples]:
    """Choose the clips of --split_number from the catalog that `read` returns."""
    return vp_annotations.choose_splits("vp_ucf101", kind, catalog, config, ucf101.get_group)


def read(folder: str, data_dir: str) -> published_split.DatasetCatalog:
    """Read the label file and the lists of UCF101.

    Args:
        folder: Folder of the data set.
        data_dir: Folder that holds ucf101/.

    Returns:
        All clips with actions and private attributes.

    Raises:
        ValueError: As in `load`.
    """
    videos = ucf101.read(os.path.join(data_dir, "ucf101"))
    return vp_annotations.read_labelled_videos("vp_ucf101", videos, folder)
