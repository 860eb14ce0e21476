import pathlib
from typing import Any

import miniature_datasets
import pytest

from tfanon.core.config import Config
from tfanon.data.batch import Examples
from tfanon.data.sources import ucf101


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    return miniature_datasets.write_ucf101(tmp_path, media=False)


def load(folder: pathlib.Path, **settings: Any) -> dict[str, Examples]:
    return ucf101.load("clips", str(folder), Config(data_dir=str(folder.parent), **settings))


def test_labels_count_from_0_and_follow_the_folder(folder):
    splits = load(folder)
    assert splits["train"].classes == ("ApplyEyeMakeup", "HandstandPushups", "YoYo")
    names = [path.rsplit("/", 1)[1] for path in splits["train"].paths]
    assert names == [
        "v_ApplyEyeMakeup_g08_c01.avi",
        "v_HandStandPushups_g08_c01.avi",
        "v_YoYo_g08_c01.avi",
        "v_YoYo_g08_c02.avi",
    ]
    assert splits["train"].labels.tolist() == [0, 1, 2, 2]
    assert splits["test"].labels.tolist() == [0, 1, 2]
    assert splits["test"].paths[0] == str(
        folder / "UCF-101/ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi"
    )


def test_classes_are_found_ignoring_case(folder):
    lists = folder / "ucfTrainTestlist"
    lists.joinpath("classInd.txt").write_text("1 ApplyEyeMakeup\n2 HandStandPushups\n3 YoYo\n")
    assert load(folder)["train"].labels.tolist() == [0, 1, 2, 2]


def test_the_split_number_chooses_the_lists(folder):
    (folder / "ucfTrainTestlist/trainlist02.txt").write_text("YoYo/v_YoYo_g08_c01.avi 3\n")
    assert len(load(folder, split_number=2)["train"]) == 1 and len(load(folder)["train"]) == 4


def test_lists_are_found_beside_the_clips(folder):
    for path in (folder / "ucfTrainTestlist").iterdir():
        path.rename(folder / path.name)
    assert len(load(folder)["train"]) == 4


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("classInd.txt", "1 ApplyEyeMakeup\n3 YoYo\n", "counted from 1 without a gap"),
        (
            "trainlist01.txt",
            "Juggling/v_Juggling_g08_c01.avi 4\n",
            "'Juggling/v_Juggling_g08_c01.avi' must be Class/file",
        ),
        ("trainlist01.txt", "../YoYo/x.avi 3\n", r"'\.\./YoYo/x.avi' must be Class/file.avi"),
        (
            "testlist01.txt",
            "YoYo/v_YoYo_g08_c01.avi\n",
            "g08_c01.avi is in trainlist01.txt and in testlist01.txt",
        ),
    ],
)
def test_wrong_lists_are_named(folder, name, content, message):
    (folder / "ucfTrainTestlist" / name).write_text(content)
    with pytest.raises(ValueError, match=message):
        load(folder)


def test_missing_kinds_lists_and_folders_are_named(folder, tmp_path):
    with pytest.raises(ValueError, match="ucf101 has no 'images'; it has clips"):
        ucf101.load("images", str(folder), Config())
    (folder / "ucfTrainTestlist/testlist03.txt").unlink()
    message = "testlist03.txt does not exist. Download .* from https://www.crcv.ucf.edu"
    with pytest.raises(ValueError, match=message):
        load(folder)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/UCF101.rar").touch()
    with pytest.raises(
        ValueError,
        match=r"No lists found in .*empty; looked for ucfTrainTestlist/classInd.txt, .* Unpack "
        "UCF101.rar first",
    ):
        load(tmp_path / "empty")


def test_clips_of_one_long_video_are_a_group():
    for number in ("01", "12"):
        path = f"Archery/v_Archery_g08_c{number}.avi"
        assert ucf101.get_group(path) == "Archery/v_Archery_g08"
