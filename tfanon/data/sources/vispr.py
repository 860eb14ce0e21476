"""VISPR: 22,167 photographs with 68 private attributes; the paper's X_privacy.

    <folder>/train2017.txt, test2017.txt, val2017.txt     lines "annotations/train2017/2017_1.json"
    <folder>/annotations/train2017/2017_1.json            "image_path", "labels": ["a4_gender", ..]
    <folder>/images/train2017/2017_1.jpg                  or train2017/2017_1.jpg, see below

The archives unpack to train2017/ and so on, without images/; both places are read. --attribute_set
chooses attributes: VISPR1 or VISPR2 of the paper's Table 4, or those that PA-HMDB51 also has. The
official validation split is optional and not used, as in the paper.
"""

import dataclasses
import os

import numpy as np

from tfanon.core.config import Config
from tfanon.data import published_split
from tfanon.data.batch import Examples
from tfanon.data.parsing import attribute_sets, text_lists

ABOUT = (
    "Download {train,val,test}2017.tar.gz and {train,val,test}2017_anno.tar.gz from "
    "https://datasets.d2.mpi-inf.mpg.de/orekondy17iccv/ (CC BY-NC 4.0)."
)
KINDS = ("images",)
SPLITS = ("train", "test", "val")
PUBLISHED = {"files": 22167, "splits": {"2017": {"train": 10000, "test": 8000, "val": 4167}}}
# In the order of the published annotations; "occassion" is their spelling.
ATTRIBUTES = tuple(
    """
    a0_safe a1_age_approx a2_weight_approx a3_height_approx a4_gender a5_eye_color a6_hair_color
    a7_fingerprint a8_signature a9_face_complete a10_face_partial a11_tattoo a12_semi_nudity
    a13_full_nudity a16_race a17_color a18_ethnic_clothing a19_name_full a20_name_first
    a21_name_last a23_birth_city a24_birth_date a25_nationality a26_handwriting a27_marital_status
    a29_ausweis a30_credit_card a31_passport a32_drivers_license a33_student_id a35_mail
    a37_receipt a38_ticket a39_disability_physical a41_injury a43_medicine a46_occupation
    a48_occassion_work a49_phone a55_religion a56_sexual_orientation a57_culture a58_hobbies
    a59_sports a60_occassion_personal a61_opinion_general a62_opinion_political
    a70_education_history a99_legal_involvement a64_rel_personal a65_rel_social
    a66_rel_professional a67_rel_competitors a68_rel_spectators a69_rel_views a73_landmark
    a74_address_current_complete a75_address_current_partial a78_address_home_complete
    a79_address_home_partial a82_date_time a85_username a90_email a92_email_content
    a97_online_conversation a102_vehicle_ownership a103_license_plate_complete
    a104_license_plate_partial""".split()
)
_ATTRIBUTE_COLUMNS = {name: column for column, name in enumerate(ATTRIBUTES)}


def load(kind: str, folder: str, config: Config) -> dict[str, Examples]:
    """Load the images with the attributes of --attribute_set.

    Args:
        kind: "images".
        folder: Folder of the data set.
        config: Settings of the experiment.

    Returns:
        Examples of "train" and of "test".

    Raises:
        ValueError: Files are missing or invalid; the message names the folder, list or
            annotation.
    """
    return choose(kind, read(folder, config.data_dir), config)


def choose(
    kind: str, catalog: published_split.DatasetCatalog, config: Config
) -> dict[str, Examples]:
    """Choose the attributes of --attribute_set from the catalog that `read` returns."""
    published_split.check_kind("vispr", kind, KINDS)
    if catalog.attributes is None:
        raise ValueError("The catalog of VISPR has no attributes.")
    attributes = attribute_sets.select_vispr_attributes(
        catalog.attributes, catalog.attribute_names, config.attribute_set
    )
    chosen = dataclasses.replace(
        catalog,
        attribute_names=attribute_sets.get_attribute_names(config.attribute_set),
        attributes=attributes,
    )
    return published_split.make_train_and_test(chosen, "2017")


def read(folder: str, data_dir: str | None = None) -> published_split.DatasetCatalog:
    """Read the lists and all annotations.

    Args:
        folder: Folder of the data set.
        data_dir: Not used; every data set takes it.

    Returns:
        All images with all attributes; the split "2017" says "train", "test" or "val".

    Raises:
        ValueError: As in `load`.
    """
    splits = [
        split
        for split in SPLITS
        if split != "val" or os.path.isfile(os.path.join(folder, "val2017.txt"))
    ]
    paths, labels, split_names = [], [], []
    for split in splits:
        # The lists of training and test are required; that of validation was checked above.
        list_path = text_lists.find_first_existing(
            folder, (f"{split}2017.txt",), "list of images", ABOUT
        )
        for line in text_lists.read_lines(list_path, ABOUT):
            path, columns = _read_annotation(folder, line)
            paths.append(path)
            labels.append(columns)
            split_names.append(split)
    if not paths:
        raise ValueError(f"{folder}: the lists of images are empty.")
    # An annotation lists only what is visible: everything else is 0.
    attributes = np.zeros((len(paths), len(ATTRIBUTES)), np.float32)
    for row, columns in enumerate(labels):
        attributes[row, columns] = 1
    return published_split.DatasetCatalog(
        folder,
        tuple(paths),
        {"2017": np.array(split_names)},
        attributes=attributes,
        attribute_names=ATTRIBUTES,
    )


def _read_annotation(folder: str, line: str) -> tuple[str, list[int]]:
    """Return an image's path and its columns of ATTRIBUTES, from one annotation file."""
    path = os.path.join(folder, line)
    # Before the file is opened: lists come from the internet.
    if _leaves_folder(line):
        raise ValueError(f"{folder}: the line '{line}' of a list points outside the folder.")
    annotation = text_lists.read_json(path)
    if "labels" not in annotation:
        raise ValueError(f"{path}: 'labels' is missing; it must list attributes of VISPR.")
    unknown = [name for name in annotation["labels"] if name not in _ATTRIBUTE_COLUMNS]
    if unknown:
        raise ValueError(f"{path}: 'labels' must be attributes of VISPR; unknown: {unknown}.")
    # Where the annotation names no image, it has the annotation's name.
    default = f"images/{os.path.splitext(line)[0].removeprefix('annotations/')}.jpg"
    image = annotation.get("image_path") or default
    if not isinstance(image, str) or _leaves_folder(image):
        raise ValueError(f"{path}: the image_path {image!r} points outside the folder.")
    columns = [_ATTRIBUTE_COLUMNS[name] for name in annotation["labels"]]
    return _locate_image(folder, image), columns


def _locate_image(folder: str, path: str) -> str:
    """Return the path without "images/" if the file lies there, where the archives unpack to."""
    shorter = path.removeprefix("images/")
    return shorter if os.path.isfile(os.path.join(folder, shorter)) else path


def _leaves_folder(path: str) -> bool:
    """Whether a relative path of a list points outside the data set's folder."""
    return os.path.isabs(path) or ".." in path.replace("\\", "/").split("/")
