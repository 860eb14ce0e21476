import json
import pathlib
from typing import Any

import miniature_datasets
import pytest

from tfanon.core.config import Config
from tfanon.data.batch import Examples
from tfanon.data.sources import vispr


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    return miniature_datasets.write_vispr(tmp_path, train=3, test=2, media=False)


def annotate(folder: pathlib.Path, labels: list[str], **fields: Any) -> None:
    path = folder / "annotations/train2017/2017_10001018.json"
    path.write_text(json.dumps({"labels": labels, **fields}))


def load(folder: pathlib.Path, attribute_set: str = "vispr1") -> Examples:
    return vispr.load("images", str(folder), Config(attribute_set=attribute_set))["train"]


def test_there_are_68_attributes():
    assert len(set(vispr.ATTRIBUTES)) == 68
    assert (vispr.ATTRIBUTES[0], vispr.ATTRIBUTES[-1]) == ("a0_safe", "a104_license_plate_partial")


def test_columns_are_in_the_order_of_table_4(folder):
    annotate(folder, ["a65_rel_social", "a4_gender", "a0_safe", "a6_hair_color", "a11_tattoo"])
    train = load(folder)
    assert train.attribute_names[0] == "a17_color"
    assert train.attributes[0].tolist() == [0, 1, 0, 0, 0, 0, 1]
    assert load(folder, "vispr2").attributes[0].tolist() == [1, 0, 0, 0, 0, 0, 1]
    assert load(folder, "pa_hmdb51").attributes[0].tolist() == [0, 1, 0, 0, 0, 0]
    assert load(folder, "vita").attributes[0].tolist() == [0, 1, 0, 0, 1]


def test_the_validation_split_is_read_but_not_used(folder):
    splits = vispr.load("images", str(folder), Config())
    assert set(splits) == {"train", "test"}
    assert (len(splits["train"]), len(splits["test"])) == (3, 2)
    assert len(vispr.read(str(folder))) == 7
    (folder / "val2017.txt").unlink()
    assert len(vispr.read(str(folder))) == 5


def test_images_are_found_where_the_archives_unpack_to(folder):
    annotate(folder, [])
    assert load(folder).paths[0] == str(folder / "images/train2017/2017_10001018.jpg")
    (folder / "train2017").mkdir()
    (folder / "train2017/2017_10001018.jpg").touch()
    assert load(folder).paths[0] == str(folder / "train2017/2017_10001018.jpg")


def test_wrong_annotations_are_named(folder):
    annotate(folder, ["a65_rel_soci"])
    with pytest.raises(ValueError, match=r"2017_10001018.json: 'labels' must be .*a65_rel_soci"):
        load(folder)
    annotate(folder, [], image_path="../../secret.jpg")
    with pytest.raises(ValueError, match="image_path '../../secret.jpg' points outside the folder"):
        load(folder)
    (folder / "train2017.txt").write_text("/etc/passwd\n")
    with pytest.raises(ValueError, match="'/etc/passwd' of a list points outside"):
        load(folder)
    (folder / "train2017.txt").unlink()
    (folder / "train2017_anno.tar.gz").touch()
    with pytest.raises(
        ValueError, match="No list of images found in .* Unpack train2017_anno.tar.gz first"
    ):
        load(folder)
