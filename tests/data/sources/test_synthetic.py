"""Files, tables and splits of the synthetic data set; written once, whole, the same each time."""

import csv
import hashlib
import pathlib

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


def contents(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_clips_have_actions(folder):
    splits = synthetic.load("clips", str(folder))
    assert (len(splits["train"]), len(splits["test"])) == (16, 8)
    assert splits["train"].classes == tuple(poses.ACTIONS) and splits["train"].attributes is None
    for examples in splits.values():
        for path, label in zip(examples.paths, examples.labels):
            assert (
                pathlib.Path(path).is_file()
                and pathlib.Path(path).parent.name == examples.classes[label]
            )
    assert {pathlib.Path(path).suffix for path in splits["train"].paths} == {".mp4", ".avi"}


@pytest.mark.parametrize("kind, rows", [("images", (5, 3)), ("private_clips", (16, 8))])
def test_attributes(folder, kind, rows):
    splits = synthetic.load(kind, str(folder))
    assert tuple(map(len, splits.values())) == rows and splits["train"].labels is None
    assert splits["train"].attribute_names == renderer.ATTRIBUTE_NAMES and splits[
        "train"
    ].attributes.shape == (rows[0], 7)


def test_everybody_performs_every_action_and_nobody_is_in_both_splits(folder):
    splits = synthetic.load("private_clips", str(folder))
    people = {
        split: {path.split("_")[-2] for path in examples.paths}
        for split, examples in splits.items()
    }
    assert people == {"train": {"g01", "g02"}, "test": {"g03"}}
    per_person = splits["train"].attributes.reshape(2, len(poses.ACTIONS), -1)
    np.testing.assert_array_equal(per_person, np.broadcast_to(per_person[:, :1], per_person.shape))


def test_who_is_in_a_clip_is_its_group_and_no_image_has_one(folder):
    for kind in ("clips", "private_clips"):
        train = synthetic.load(kind, folder)["train"]
        assert len(train) == len(poses.ACTIONS) * len(set(train.groups))
        assert all(f"_{group}_" in path for group, path in zip(train.groups, train.paths))
    images = synthetic.load("images", folder)["train"]
    assert len(set(images.groups)) == len(images)


def test_the_split_lists_are_those_of_ucf101(folder):
    names = dict(line.split() for line in (folder / "clips/classInd.txt").read_text().splitlines())
    trained = [line.split() for line in (folder / "clips/trainlist01.txt").read_text().splitlines()]
    assert (
        all(names[number] == path.split("/")[0] for path, number in trained) and len(trained) == 16
    )
    with open(folder / "clips/labels.csv", newline="") as file:
        tested = [row["path"] for row in csv.DictReader(file) if row["split"] == "test"]
    assert (folder / "clips/testlist01.txt").read_text().split() == tested


def test_an_interrupted_writing_ends_in_the_same_folder(folder, tmp_path, monkeypatch):
    write_jpeg = array_writer.write_jpeg
    monkeypatch.setattr(
        array_writer,
        "write_jpeg",
        lambda path, image: 1 / 0 if "3.jpg" in str(path) else write_jpeg(path, image),
    )
    with pytest.raises(ZeroDivisionError):
        synthetic.write_dataset(tmp_path, TINY)
    assert not (tmp_path / "dataset.json").exists()
    monkeypatch.undo()
    synthetic.write_dataset(tmp_path, TINY)
    assert contents(tmp_path) == contents(folder)


def test_a_whole_folder_is_not_written_again(folder, monkeypatch):
    monkeypatch.setattr(synthetic, "_write_clip", None)
    synthetic.write_dataset(folder)
    synthetic.write_dataset(folder, TINY)


def test_another_data_set_in_the_folder_is_named(folder, monkeypatch):
    with pytest.raises(
        ValueError, match="'train_people': 2.* there, .*'train_people': 40.* asked for"
    ):
        synthetic.write_dataset(folder, synthetic.DatasetSize())
    monkeypatch.setattr(synthetic, "DATASET_VERSION", 99)
    with pytest.raises(ValueError, match=r"version \d+ there, 99 asked for"):
        synthetic.load("images", str(folder))


def test_a_record_that_is_no_record_is_named(tmp_path):
    (tmp_path / "dataset.json").write_text("{")
    with pytest.raises(ValueError, match=r"version missing there, \d+ asked for"):
        synthetic.load("clips", str(tmp_path))


def test_an_unknown_kind_is_named(tmp_path):
    with pytest.raises(ValueError, match="no 'audio'; it has clips, images"):
        synthetic.load("audio", str(tmp_path))
