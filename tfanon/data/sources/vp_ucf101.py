"""VP-UCF101: UCF101 with five private attributes per clip.

    <data_dir>/vp_ucf101/ucf101_privacy_attribute_label.pickle     or .csv, .json: see _vp.py
    <data_dir>/ucf101/                                             UCF101's own files and lists

Its splits are UCF101's, of which the paper does not say which; here --split_number.
"""

import os

from tfanon.data.parsing import vp_annotations
from tfanon.data.sources import ucf101

ABOUT = vp_annotations.ABOUT
KINDS = vp_annotations.KINDS
PUBLISHED = ucf101.PUBLISHED


def load(kind, folder, config):
    """{"train": Examples, "test": Examples}.  kind: "clips" or "private_clips"; both have actions and attributes.

    Raises ValueError that names the folder, file or video at fault.
    """
    return choose(kind, read(folder, config.data_dir), config)


def choose(kind, whole, config):
    """As load, from the Catalog of all rows."""
    return vp_annotations.choose_splits("vp_ucf101", kind, whole, config, ucf101.get_group)


def read(folder, data_dir):
    """The Catalog of all clips."""
    return vp_annotations.read_labelled_videos(
        "vp_ucf101", ucf101.read(os.path.join(data_dir, "ucf101")), folder
    )
