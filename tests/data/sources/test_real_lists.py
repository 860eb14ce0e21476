"""Counts of the lists that the authors distribute; skipped if the lists are not available.

They are read from $TFANON_ANNOTATIONS, or from ../shared/data/annotations beside the checkout.
"""

import csv
import json
import os
import pathlib

import numpy as np
import pytest

from tfanon.core.config import Config
from tfanon.data.parsing import annotations, attribute_sets
from tfanon.data.sources import hmdb51, pa_hmdb51, ucf101, vispr
from tfanon.metrics import scores

ROOT = pathlib.Path(__file__).parents[3]
ANNOTATIONS_FOLDER = pathlib.Path(
    os.environ.get("TFANON_ANNOTATIONS", ROOT.parent / "shared/data/annotations")
)
pytestmark = pytest.mark.skipif(
    not ANNOTATIONS_FOLDER.is_dir(), reason="the authors' lists are not on this machine"
)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The lists where the archives put them, and one empty folder of clips each."""
    folder = tmp_path_factory.mktemp("lists")
    for path in ("ucf101/UCF-101", "hmdb51/wave"):
        (folder / path).mkdir(parents=True)
    (folder / "ucf101/ucfTrainTestlist").symlink_to(ANNOTATIONS_FOLDER / "ucf101_splits")
    (folder / "hmdb51/testTrainMulti_7030_splits").symlink_to(ANNOTATIONS_FOLDER / "hmdb51_splits")
    (folder / "pa_hmdb51").symlink_to(ANNOTATIONS_FOLDER / "pa_hmdb51")
    return folder


def test_ucf101(data_dir):
    catalog = ucf101.read(str(data_dir / "ucf101"))
    assert len(catalog) == 13320 and len(catalog.classes) == 101
    assert catalog.count_rows() == ucf101.PUBLISHED["splits"]
    assert (catalog.labels.min(), catalog.labels.max()) == (0, 100)
    handstands = {
        catalog.classes[label]
        for label, path in zip(catalog.labels, catalog.paths, strict=True)
        if "HandStandPushups" in path
    }
    assert handstands == {"HandstandPushups"}
    tests = [
        path
        for path, name in zip(catalog.paths, catalog.splits["1"], strict=True)
        if name == "test"
    ]
    groups = {path.split("_g")[1][:2] for path in tests}
    assert groups == {f"{group:02d}" for group in range(1, 8)}


def test_hmdb51(data_dir):
    catalog = hmdb51.read(str(data_dir / "hmdb51"), str(data_dir))
    assert len(catalog) == 6766 and len(catalog.classes) == 51
    assert {name: catalog.count_rows()[name] for name in "123"} == hmdb51.PUBLISHED["splits"]
    for character in "#&(;":
        assert any(character in path for path in catalog.paths)


def test_overlap_of_pa_hmdb51_with_the_splits_of_hmdb51(data_dir):
    catalog = hmdb51.read(str(data_dir / "hmdb51"), str(data_dir))
    annotated = catalog.splits["pa_hmdb51"] == "yes"
    overlap: dict[str, dict[str, int]] = {}
    for number in "123":
        overlap[number] = {}
        for name in ("train", "test", "unused"):
            shared = annotated & (catalog.splits[number] == name)
            overlap[number][name] = int(shared.sum())
    assert overlap == {
        "1": {"train": 286, "test": 130, "unused": 99},
        "2": {"train": 303, "test": 124, "unused": 88},
        "3": {"train": 311, "test": 132, "unused": 72},
    }
    assert len(hmdb51.choose("clips", catalog, Config())["train"]) == 3570 - 286
    assert len(hmdb51.choose("clips", catalog, Config(train_on_test_clips=True))["train"]) == 3570


def test_pa_hmdb51(data_dir):
    catalog = pa_hmdb51.read(str(data_dir / "pa_hmdb51"), str(data_dir))
    assert len(catalog) == 515 and len(catalog.classes) == 51
    assert catalog.classes == hmdb51.read_official_lists(str(data_dir / "hmdb51")).classes
    assert sum(map(len, catalog.frame_values)) == 52533
    assert sum((values > 0).any(1).sum() for values in catalog.frame_values) == 52413
    assert sum(not values[0].any() for values in catalog.frame_values) == 14
    assert len(pa_hmdb51.choose("images", catalog, Config(attribute_set="vita"))["test"]) == 52411


def test_frames_per_value_of_pa_hmdb51(data_dir):
    # The published table. Bit v stands for the value v; the frame that two segments of a clip share
    # has both values.
    values_by_clip = annotations.read_frame_values(str(data_dir / "pa_hmdb51"))
    values = np.concatenate(list(values_by_clip.values()))
    counts = {}
    for column, name in enumerate(annotations.PRIVATE_ATTRIBUTES):
        bits, frames = np.unique(values[:, column], return_counts=True)
        counts[name] = dict(zip(bits.tolist(), frames.tolist(), strict=True))
    skin_colors = {0: 120, 1: 1477, 2: 36995, 4: 7586, 8: 5419, 6: 152, 10: 235, 12: 549}
    assert counts["skin_color"] == skin_colors
    assert counts["gender"] == {0: 120, 1: 1061, 2: 29020, 4: 18528, 6: 3749, 3: 55}
    assert counts["nudity"] == {0: 121, 1: 21099, 2: 23241, 4: 8072}
    assert counts["relationship"] == {0: 120, 1: 44205, 2: 8208}
    face = counts["face"]
    two_values = {bits: count for bits, count in face.items() if bits not in (0, 1, 2, 4)}
    assert sum(two_values.values()) == 1  # frame 11 of "Calins.."
    frames_per_value = []
    for value in range(3):
        shared = sum(count for bits, count in two_values.items() if bits >> value & 1)
        frames_per_value.append(face[1 << value] + shared)
    assert frames_per_value == [13088, 20037, 19288]


@pytest.fixture(scope="module")
def vispr_folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The labels of TeD-SPAD, columns in VISPR1's order, written as VISPR's authors write them."""
    folder = tmp_path_factory.mktemp("vispr")
    for split in ("train", "test"):
        (folder / f"annotations/{split}2017").mkdir(parents=True)
        with open(ANNOTATIONS_FOLDER / f"vispr/{split}_labels7.csv", newline="") as file:
            rows = list(csv.reader(file))[1:]
        names = [f"annotations/{split}2017/{row[0]}.json" for row in rows]
        for name, row in zip(names, rows, strict=True):
            cells = zip(attribute_sets.VISPR1, row[1:], strict=False)
            labels = [label for label, cell in cells if cell == "1"]
            (folder / name).write_text(json.dumps({"id": row[0], "labels": labels}))
        (folder / f"{split}2017.txt").write_text("\n".join(names) + "\n")
    return folder


@pytest.mark.large  # 18,000 small files
def test_vispr1(vispr_folder):
    splits = vispr.load("images", str(vispr_folder), Config())
    assert (len(splits["train"]), len(splits["test"])) == (10000, 8000)
    assert splits["train"].attributes.sum(0).tolist() == [4710, 4625, 3484, 2789, 588, 334, 694]
    assert splits["test"].attributes.sum(0).tolist() == [3781, 3715, 2792, 2326, 438, 253, 569]
    assert round(scores.cmap_chance(splits["test"].attributes), 3) == 0.248
    assert round(scores.macro_f1_chance(splits["test"].attributes), 3) == 0.363
