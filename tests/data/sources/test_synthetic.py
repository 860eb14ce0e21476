"""Files, tables and splits of the synthetic data set; it is written once, and always the same."""

import csv
import hashlib
import pathlib
from typing import Any

import numpy as np
import pytest

from tfanon.data.sources import synthetic
from tfanon.data.synthetic import poses, renderer
from tfanon.media import array_writer

TINY = synthetic.DatasetSize(
    train_people=2, test_people=1, train_images=5, test_images=3, shortest=6, longest=9, side=32
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "synthetic"
    synthetic.write_dataset(folder, TINY)
    return folder


def compute_digests(folder: pathlib.Path) -> dict[str, str]:
    digests: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            name = str(path.relative_to(folder))
            digests[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return digests


def test_clips_have_actions(folder):
    splits = synthetic.load("clips", str(folder))
    assert (len(splits["train"]), len(splits["test"])) == (16, 8)
    assert splits["train"].classes == tuple(poses.ACTIONS) and splits["train"].attributes is None
    for examples in splits.values():
        for path, label in zip(examples.paths, examples.labels, strict=True):
            assert pathlib.Path(path).is_file()
            assert pathlib.Path(path).parent.name == examples.classes[label]
    assert {pathlib.Path(path).suffix for path in splits["train"].paths} == {".mp4", ".avi"}


@pytest.mark.parametrize("kind, rows", [("images", (5, 3)), ("private_clips", (16, 8))])
def test_attributes(folder, kind, rows):
    splits = synthetic.load(kind, str(folder))
    train = splits["train"]
    assert tuple(map(len, splits.values())) == rows and train.labels is None
    assert train.attribute_names == renderer.ATTRIBUTE_NAMES
    assert train.attributes.shape == (rows[0], 7)


def test_everyone_performs_every_action_and_nobody_is_in_both_splits(folder):
    splits = synthetic.load("private_clips", str(folder))
    people: dict[str, set[str]] = {}
    for split, examples in splits.items():
        people[split] = {path.split("_")[-2] for path in examples.paths}
    assert people == {"train": {"g01", "g02"}, "test": {"g03"}}
    per_person = splits["train"].attributes.reshape(2, len(poses.ACTIONS), -1)
    np.testing.assert_array_equal(per_person, np.broadcast_to(per_person[:, :1], per_person.shape))


def test_clips_of_a_person_are_a_group_and_images_are_not_grouped(folder):
    for kind in ("clips", "private_clips"):
        train = synthetic.load(kind, folder)["train"]
        assert len(train) == len(poses.ACTIONS) * len(set(train.groups))
        for group, path in zip(train.groups, train.paths, strict=True):
            assert f"_{group}_" in path
    images = synthetic.load("images", folder)["train"]
    assert len(set(images.groups)) == len(images)


def test_split_lists_have_the_format_of_ucf101(folder):
    class_lines = (folder / "clips/classInd.txt").read_text().splitlines()
    names = dict(line.split() for line in class_lines)
    train_lines = (folder / "clips/trainlist01.txt").read_text().splitlines()
    assert len(train_lines) == 16
    for line in train_lines:
        path, number = line.split()
        assert names[number] == path.split("/")[0]
    with open(folder / "clips/labels.csv", newline="") as file:
        test_paths = [row["path"] for row in csv.DictReader(file) if row["split"] == "test"]
    assert (folder / "clips/testlist01.txt").read_text().split() == test_paths


def test_folder_is_the_same_after_an_interruption(folder, tmp_path, monkeypatch):
    write_jpeg = array_writer.write_jpeg

    def fail_at_third_image(path: pathlib.Path, image: np.ndarray) -> Any:
        if "3.jpg" in str(path):
            raise ZeroDivisionError
        return write_jpeg(path, image)

    with monkeypatch.context() as patch:
        patch.setattr(array_writer, "write_jpeg", fail_at_third_image)
        with pytest.raises(ZeroDivisionError):
            synthetic.write_dataset(tmp_path, TINY)
    assert not (tmp_path / "dataset.json").exists()
    synthetic.write_dataset(tmp_path, TINY)
    assert compute_digests(tmp_path) == compute_digests(folder)


def test_complete_folder_is_not_written_again(folder, monkeypatch):
    monkeypatch.setattr(synthetic, "_write_clip", None)
    synthetic.write_dataset(folder)
    synthetic.write_dataset(folder, TINY)


def test_another_data_set_in_the_folder_is_refused(folder, monkeypatch):
    with pytest.raises(ValueError, match="'train_people': 2.* instead of .*'train_people': 40"):
        synthetic.write_dataset(folder, synthetic.DatasetSize())
    monkeypatch.setattr(synthetic, "DATASET_VERSION", 99)
    with pytest.raises(ValueError, match=r"version is \d+ instead of 99"):
        synthetic.load("images", str(folder))


def test_unreadable_record_is_refused(tmp_path):
    (tmp_path / "dataset.json").write_text("{")
    with pytest.raises(ValueError, match=r"version is missing instead of \d+"):
        synthetic.load("clips", str(tmp_path))


def test_unknown_kind_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no 'audio'; it has clips, images"):
        synthetic.load("audio", str(tmp_path))
