"""VP-HMDB51: HMDB51 with five private attributes per clip.

    <data_dir>/vp_hmdb51/hmdb51_privacy_attribute_label.pickle     or .csv, .json
    <data_dir>/hmdb51/                                             HMDB51's own files and lists

The label formats are described in data/parsing/vp_annotations.py. The splits are those of HMDB51;
the paper does not say which one it used, so --split_number chooses.
"""

import os

from tfanon.core.config import Config
from tfanon.data import published_split
from tfanon.data.batch import Examples
from tfanon.data.parsing import vp_annotations
from tfanon.data.sources import hmdb51

ABOUT = vp_annotations.ABOUT
KINDS = vp_annotations.KINDS
PUBLISHED = hmdb51.PUBLISHED


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
    return vp_annotations.choose_splits("vp_hmdb51", kind, catalog, config, hmdb51.get_group)


def read(folder: str, data_dir: str) -> published_split.DatasetCatalog:
    """Read the label file and the lists of HMDB51.

    Args:
        folder: Folder of the data set.
        data_dir: Folder that holds hmdb51/.

    Returns:
        All clips with actions and private attributes.

    Raises:
        ValueError: As in `load`.
    """
    videos = hmdb51.read_official_lists(os.path.join(data_dir, "hmdb51"))
    return vp_annotations.read_labelled_videos("vp_hmdb51", videos, folder)
