"""Counts of the lists that the authors distribute; skipped where they are not on the machine.

They are looked for in $TFANON_ANNOTATIONS, else in ../shared/data/annotations beside the checkout.
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
HERE = pathlib.Path(os.environ.get("TFANON_ANNOTATIONS", ROOT.parent / "shared/data/annotations"))
pytestmark = pytest.mark.skipif(
    not HERE.is_dir(), reason="the authors' lists are not on this machine"
)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """The lists where the archives put them, and one empty folder of clips each."""
    folder = tmp_path_factory.mktemp("lists")
    for path in ("ucf101/UCF-101", "hmdb51/wave"):
        (folder / path).mkdir(parents=True)
    (folder / "ucf101/ucfTrainTestlist").symlink_to(HERE / "ucf101_splits")
    (folder / "hmdb51/testTrainMulti_7030_splits").symlink_to(HERE / "hmdb51_splits")
    (folder / "pa_hmdb51").symlink_to(HERE / "pa_hmdb51")
    return folder


def test_ucf101(data_dir):
    whole = ucf101.read(str(data_dir / "ucf101"))
    assert len(whole) == 13320 and len(whole.classes) == 101
    assert whole.counts() == ucf101.PUBLISHED["splits"]
    assert (whole.labels.min(), whole.labels.max()) == (0, 100)
    handstands = {
        whole.classes[label]
        for label, path in zip(whole.labels, whole.paths)
        if "HandStandPushups" in path
    }
    assert handstands == {"HandstandPushups"}
    groups = {
        path.split("_g")[1][:2]
        for path, word in zip(whole.paths, whole.splits["1"])
        if word == "test"
    }
    assert groups == {f"{group:02d}" for group in range(1, 8)}


def test_hmdb51(data_dir):
    whole = hmdb51.read(str(data_dir / "hmdb51"), str(data_dir))
    assert len(whole) == 6766 and len(whole.classes) == 51
    assert {name: whole.counts()[name] for name in "123"} == hmdb51.PUBLISHED["splits"]
    for character in "#&(;":
        assert any(character in path for path in whole.paths)


def test_what_pa_hmdb51_takes_from_training(data_dir):
    whole = hmdb51.read(str(data_dir / "hmdb51"), str(data_dir))
    annotated = whole.splits["pa_hmdb51"] == "yes"
    overlap = {
        number: {
            word: int((annotated & (whole.splits[number] == word)).sum())
            for word in ("train", "test", "unused")
        }
        for number in "123"
    }
    assert overlap == {
        "1": {"train": 286, "test": 130, "unused": 99},
        "2": {"train": 303, "test": 124, "unused": 88},
        "3": {"train": 311, "test": 132, "unused": 72},
    }
    assert len(hmdb51.choose("clips", whole, Config())["train"]) == 3570 - 286
    assert len(hmdb51.choose("clips", whole, Config(train_on_test_clips=True))["train"]) == 3570


def test_pa_hmdb51(data_dir):
    whole = pa_hmdb51.read(str(data_dir / "pa_hmdb51"), str(data_dir))
    assert len(whole) == 515 and len(whole.classes) == 51
    assert whole.classes == hmdb51.read_official_lists(str(data_dir / "hmdb51")).classes
    assert sum(map(len, whole.frame_values)) == 52533
    assert sum((values > 0).any(1).sum() for values in whole.frame_values) == 52413
    assert sum(not values[0].any() for values in whole.frame_values) == 14
    assert len(pa_hmdb51.choose("images", whole, Config(attribute_set="vita"))["test"]) == 52411


def test_the_frames_of_each_value_of_pa_hmdb51(data_dir):
    """The published table, with bit v for the value v; the frame that two segments of a clip share has both values."""
    values = np.concatenate(
        list(annotations.read_frame_values(str(data_dir / "pa_hmdb51")).values())
    )
    counts = {
        name: dict(
            zip(*(part.tolist() for part in np.unique(values[:, column], return_counts=True)))
        )
        for column, name in enumerate(annotations.PRIVATE_ATTRIBUTES)
    }
    assert counts["skin_color"] == {
        0: 120,
        1: 1477,
        2: 36995,
        4: 7586,
        8: 5419,
        6: 152,
        10: 235,
        12: 549,
    }
    assert counts["gender"] == {0: 120, 1: 1061, 2: 29020, 4: 18528, 6: 3749, 3: 55}
    assert counts["nudity"] == {0: 121, 1: 21099, 2: 23241, 4: 8072}
    assert counts["relationship"] == {0: 120, 1: 44205, 2: 8208}
    face = counts["face"]
    both = {bits: count for bits, count in face.items() if bits not in (0, 1, 2, 4)}
    assert sum(both.values()) == 1  # frame 11 of "Calins.."
    seen = [
        face[1 << v] + sum(count for bits, count in both.items() if bits >> v & 1) for v in range(3)
    ]
    assert seen == [13088, 20037, 19288]


@pytest.fixture(scope="module")
def official(tmp_path_factory):
    """The labels of TeD-SPAD, columns in VISPR1's order, written as VISPR's authors write them."""
    folder = tmp_path_factory.mktemp("vispr")
    for split in ("train", "test"):
        (folder / f"annotations/{split}2017").mkdir(parents=True)
        with open(HERE / f"vispr/{split}_labels7.csv", newline="") as file:
            rows = list(csv.reader(file))[1:]
        names = [f"annotations/{split}2017/{row[0]}.json" for row in rows]
        for name, row in zip(names, rows):
            labels = [label for label, one in zip(attribute_sets.VISPR1, row[1:]) if one == "1"]
            (folder / name).write_text(json.dumps({"id": row[0], "labels": labels}))
        (folder / f"{split}2017.txt").write_text("\n".join(names) + "\n")
    return folder


@pytest.mark.large  # 18,000 small files
def test_vispr1(official):
    splits = vispr.load("images", str(official), Config())
    assert (len(splits["train"]), len(splits["test"])) == (10000, 8000)
    assert splits["train"].attributes.sum(0).tolist() == [4710, 4625, 3484, 2789, 588, 334, 694]
    assert splits["test"].attributes.sum(0).tolist() == [3781, 3715, 2792, 2326, 438, 253, 569]
    assert round(scores.cmap_chance(splits["test"].attributes), 3) == 0.248
    assert round(scores.macro_f1_chance(splits["test"].attributes), 3) == 0.363
