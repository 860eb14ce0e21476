"""VP-HMDB51: HMDB51 with five private attributes per clip.

    <data_dir>/vp_hmdb51/hmdb51_privacy_attribute_label.pickle     or .csv, .json: see _vp.py
    <data_dir>/hmdb51/                                             HMDB51's own files and lists

Its splits are HMDB51's, of which the paper does not say which; here --split_number.
"""

import os

from tfanon.data.parsing import vp_annotations
from tfanon.data.sources import hmdb51

ABOUT = vp_annotations.ABOUT
KINDS = vp_annotations.KINDS
PUBLISHED = hmdb51.PUBLISHED


def load(kind, folder, config):
    """{"train": Examples, "test": Examples}.  kind: "clips" or "private_clips"; both have actions and attributes.

    Raises ValueError that names the folder, file or video at fault.
    """
    return choose(kind, read(folder, config.data_dir), config)


def choose(kind, whole, config):
    """As load, from the Catalog of all rows."""
    return vp_annotations.choose_splits("vp_hmdb51", kind, whole, config, hmdb51.get_group)


def read(folder, data_dir):
    """The Catalog of all clips."""
    return vp_annotations.read_labelled_videos(
        "vp_hmdb51", hmdb51.read_official_lists(os.path.join(data_dir, "hmdb51")), folder
    )
