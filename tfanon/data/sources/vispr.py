"""VISPR: 22,167 photographs with 68 private attributes; the paper's X_privacy.

    <folder>/train2017.txt, test2017.txt, val2017.txt     lines "annotations/train2017/2017_1.json"
    <folder>/annotations/train2017/2017_1.json            "image_path" and "labels": ["a4_gender", ..]
    <folder>/images/train2017/2017_1.jpg                  or train2017/2017_1.jpg, as the archives unpack

--attribute_set chooses attributes: VISPR1 or VISPR2 of the paper's Table 4, or those that PA-HMDB51 has as well. The
official validation split may be there or not; it is not used, as in the paper.
"""

import dataclasses
import os

import numpy as np

from tfanon.data import published_split
from tfanon.data.parsing import attribute_sets, text_lists

ABOUT = (
    "https://datasets.d2.mpi-inf.mpg.de/orekondy17iccv/ has {train,val,test}2017.tar.gz and "
    "{train,val,test}2017_anno.tar.gz, CC BY-NC 4.0."
)
KINDS = ("images",)
SPLITS = ("train", "test", "val")
PUBLISHED = {"files": 22167, "splits": {"2017": {"train": 10000, "test": 8000, "val": 4167}}}
ATTRIBUTES = tuple(
    """
    a0_safe a1_age_approx a2_weight_approx a3_height_approx a4_gender a5_eye_color a6_hair_color a7_fingerprint
    a8_signature a9_face_complete a10_face_partial a11_tattoo a12_semi_nudity a13_full_nudity a16_race a17_color
    a18_ethnic_clothing a19_name_full a20_name_first a21_name_last a23_birth_city a24_birth_date a25_nationality
    a26_handwriting a27_marital_status a29_ausweis a30_credit_card a31_passport a32_drivers_license a33_student_id
    a35_mail a37_receipt a38_ticket a39_disability_physical a41_injury a43_medicine a46_occupation a48_occassion_work
    a49_phone a55_religion a56_sexual_orientation a57_culture a58_hobbies a59_sports a60_occassion_personal
    a61_opinion_general a62_opinion_political a70_education_history a99_legal_involvement a64_rel_personal
    a65_rel_social a66_rel_professional a67_rel_competitors a68_rel_spectators a69_rel_views a73_landmark
    a74_address_current_complete a75_address_current_partial a78_address_home_complete a79_address_home_partial
    a82_date_time a85_username a90_email a92_email_content a97_online_conversation a102_vehicle_ownership
    a103_license_plate_complete a104_license_plate_partial""".split()
)  # "occassion" is theirs


def load(kind, folder, config):
    """{"train": Examples, "test": Examples} with the attributes of --attribute_set.  kind: "images".

    Raises ValueError that names the folder, list or annotation at fault.
    """
    return choose(kind, read(folder, config.data_dir), config)


def choose(kind, whole, config):
    """As load, from the Catalog of all rows and all attributes."""
    published_split.check_kind("vispr", kind, KINDS)
    chosen = dataclasses.replace(
        whole,
        attribute_names=attribute_sets.get_attribute_names(config.attribute_set),
        attributes=attribute_sets.select_vispr_attributes(
            whole.attributes, whole.attribute_names, config.attribute_set
        ),
    )
    return published_split.train_and_test(chosen, "2017")


def read(folder, data_dir=None):
    """The Catalog of all images; the division "2017" holds "train", "test" and "val"."""
    there = [
        name
        for name in SPLITS
        if name != "val" or os.path.isfile(os.path.join(folder, "val2017.txt"))
    ]
    rows = [
        (*_read_annotation(folder, line), name)
        for name in there
        for line in text_lists.read_lines(
            text_lists.find_first_existing(folder, (f"{name}2017.txt",), "list of images", ABOUT)
        )
    ]
    paths, labels, words = zip(*rows)
    attributes = np.zeros((len(paths), len(ATTRIBUTES)), np.float32)
    for row, columns in enumerate(labels):
        attributes[row, columns] = 1
    return published_split.Catalog(
        folder, paths, {"2017": np.array(words)}, attributes=attributes, attribute_names=ATTRIBUTES
    )


def _read_annotation(folder, line):
    """(path of the image, its columns of ATTRIBUTES) of one annotation file."""
    path = os.path.join(folder, line)
    if _leaves_folder(line):
        raise ValueError(f"{folder}: the line '{line}' of a list leads out of the folder.")
    about = text_lists.read_json(path)
    unknown = [name for name in about.get("labels", ()) if name not in _ATTRIBUTE_COLUMNS]
    if "labels" not in about or unknown:
        raise ValueError(
            f"{path}: 'labels' must be a list of VISPR's attributes; {unknown or 'it'} is not there."
        )
    image = (
        about.get("image_path")
        or f"images/{os.path.splitext(line)[0].removeprefix('annotations/')}.jpg"
    )
    if not isinstance(image, str) or _leaves_folder(image):
        raise ValueError(f"{path}: the image_path {image!r} leads out of the folder.")
    return _locate_image(folder, image), [_ATTRIBUTE_COLUMNS[name] for name in about["labels"]]


def _locate_image(folder, path):
    """The path, or the one without "images/" where that is how the archives were unpacked."""
    shorter = path.removeprefix("images/")
    return shorter if os.path.isfile(os.path.join(folder, shorter)) else path


def _leaves_folder(path):
    return os.path.isabs(path) or ".." in path.replace("\\", "/").split("/")


_ATTRIBUTE_COLUMNS = {name: column for column, name in enumerate(ATTRIBUTES)}
