import pathlib
from typing import Any

import numpy as np
import pytest

from tfanon.core.config import Config
from tfanon.data import dataset_index
from tfanon.data.batch import Examples
from tfanon.data.parsing import label_table
from tfanon.data.sources import labelled_folder

TABLE = """path,action,who,age,sex,split,other_split
v/0.mp4,run,ann,3,f,train,test
v/1.mp4,walk,bob,18,m,train,train
v/2.mp4,run,cat,39,f,test,train
v/3.mp4,bend,bob,40,m,test,train
v/4.mp4,run,ann,77,f,unused,test
"""


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "v").mkdir()
    for number in range(5):
        (tmp_path / "v" / f"{number}.mp4").touch()
    return with_table(tmp_path, TABLE)


def with_table(folder: pathlib.Path, text: str) -> pathlib.Path:
    (folder / "labels.csv").write_text(text)
    return folder


def load(folder: pathlib.Path, kind: str = "clips", **settings: Any) -> dict[str, Examples]:
    return labelled_folder.load(kind, str(folder), Config(**settings))


def test_clips_have_classes_labels_and_paths(folder):
    splits = load(folder)
    # The classes of all rows, also of those in neither split.
    assert splits["train"].classes == ("bend", "run", "walk")
    assert splits["train"].labels.tolist() == [1, 2] and splits["test"].labels.tolist() == [1, 0]
    assert splits["test"].paths == (str(folder / "v" / "2.mp4"), str(folder / "v" / "3.mp4"))


def test_the_rows_of_one_value_can_be_the_test_split(folder):
    splits = load(folder, split_column="who=bob")
    assert splits["test"].paths == (str(folder / "v" / "1.mp4"), str(folder / "v" / "3.mp4"))
    assert splits["train"].paths == tuple(
        str(folder / "v" / f"{number}.mp4") for number in (0, 2, 4)
    )
    everyone = with_table(folder, TABLE.replace("bob", "ann").replace("cat", "ann"))
    with pytest.raises(ValueError, match="the split 'train' is empty"):
        load(everyone, split_column="who=ann")


def test_clips_have_the_groups_of_a_column(folder):
    splits = load(folder, group_column="who")
    assert splits["train"].groups == ("ann", "bob") and splits["test"].groups == ("cat", "bob")
    assert (
        load(folder)["train"].groups
        == load(folder, "private_clips", clip_private_columns=("sex",), group_column="who")[
            "train"
        ].groups
        == ()
    )


def test_private_clips_have_groups_if_none_is_in_both_splits(folder):
    splits = load(
        folder,
        "private_clips",
        clip_private_columns=("sex",),
        group_column="who",
        clip_private_split_column="other_split",
    )
    assert not set(splits["train"].groups) & set(splits["test"].groups)
    assert set(splits["test"].groups) == {"ann"}


def test_private_columns_become_attributes(folder):
    train = load(folder, "images", private_columns=("sex", "who", "age:18:40"))["train"]
    assert train.attribute_names == (
        "sex=m",
        "who=ann",
        "who=bob",
        "who=cat",
        "age<18",
        "age=18..40",
        "age>=40",
    )
    assert train.attributes.dtype == np.float32
    assert train.attributes.tolist() == [[0, 1, 0, 0, 1, 0, 0], [1, 0, 1, 0, 0, 1, 0]]


def test_two_bands_are_one_attribute(folder):
    test = load(folder, "images", private_columns=("age:40",))["test"]
    assert test.attribute_names == ("age>=40",) and test.attributes.tolist() == [[0], [1]]


def test_private_clips_have_their_own_columns_and_split(folder):
    splits = load(
        folder,
        "private_clips",
        clip_private_columns=("who",),
        clip_private_split_column="other_split",
    )
    assert splits["test"].paths == (str(folder / "v" / "0.mp4"), str(folder / "v" / "4.mp4"))
    assert splits["test"].attributes.tolist() == [[1, 0, 0], [1, 0, 0]]


def test_images_can_be_without_attributes(folder):
    assert load(folder, "images")["train"].attributes is None


@pytest.mark.parametrize(
    "settings, message",
    [
        (
            {"action_column": "actoin"},
            "--action_column: .*labels.csv has no column 'actoin'; it has: path, action, who",
        ),
        ({"split_column": "fold"}, "--split_column: .* has no column 'fold'"),
        ({"split_column": "fold=1"}, "--split_column: .* has no column 'fold'"),
        (
            {"split_column": "who=dan"},
            "--split_column: no row of .* has who=dan; the column has: ann, bob, cat",
        ),
        ({"split_column": "sex"}, "the split 'train' is empty; the column 'sex' has: f, m"),
    ],
)
def test_wrong_columns_of_clips_are_named(folder, settings, message):
    with pytest.raises(ValueError, match=message):
        load(folder, **settings)


@pytest.mark.parametrize(
    "column, message",
    [
        ("hair", "--private_columns: .* has no column 'hair'"),
        ("who:18", "'ann' in line 2 of the column 'who' is not a number"),
        ("age:x", "'age:x' must be a column and rising numbers, such as age:18:40"),
        ("age:40:18", "rising numbers"),
        ("age:200", "'age' of .* has only one value"),
    ],
)
def test_wrong_private_columns_are_named(folder, column, message):
    with pytest.raises(ValueError, match=message):
        load(folder, "images", private_columns=(column,))


@pytest.mark.parametrize(
    "path, message",
    [
        ("v/gone.mp4", r"1 of 5 files are missing; the first: .*gone.mp4"),
        ("../v/0.mp4", "'../v/0.mp4' in line 2 points outside the folder"),
        ("/etc/0.mp4", "points outside the folder"),
        ("a/../../v/0.mp4", "points outside the folder"),
        ("v/0.m3u8", "labels.csv: line 2: v/0.m3u8: '.m3u8' is not the extension of a supported"),
        ("v/.mp4", "line 2: .*supported video or image file"),
        (".", "line 2: .*supported video or image file"),
        ("", "the column 'path' is empty in line 2"),
    ],
)
def test_wrong_paths_are_named(folder, path, message):
    with pytest.raises(ValueError, match=message):
        load(with_table(folder, TABLE.replace("v/0.mp4", path)))


def test_missing_folder_and_unusable_table_are_named(tmp_path):
    with pytest.raises(ValueError, match="The folder .*nowhere does not exist"):
        load(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="has no labels.csv: add a table"):
        load(tmp_path)
    with pytest.raises(ValueError, match="labels.csv has no rows"):
        load(with_table(tmp_path, "path,action\n"))
    (tmp_path / "labels.csv").write_bytes(b"path\n\xff\xfe\xfa\n")
    with pytest.raises(ValueError, match="is not a table of comma-separated values in UTF-8"):
        load(tmp_path)


IMAGES = "path,action,age,split\n" + "".join(
    f"v/{n}.png,run,{n},{'train' if n < 2 else 'test'}\n" for n in range(4)
)


def with_images(folder: pathlib.Path, text: str = IMAGES) -> pathlib.Path:
    for number in range(4):
        (folder / "v" / f"{number}.png").touch()
    return with_table(folder, text)


def test_an_image_among_clips_is_named(folder):
    with_images(folder, TABLE.replace("v/3.mp4", "v/3.png"))
    message = (
        r"labels.csv: 'v/3.png' in line 5 is an image; clips must be videos, with names that end "
        r"in .*\.mp4"
    )
    with pytest.raises(ValueError, match=message):
        load(folder)
    with pytest.raises(ValueError, match=message):  # as `python -m tfanon.data verify` reads it
        dataset_index.read_datasets(
            [],
            Config(
                data_dir=str(folder.parent),
                clip_source="labelled_folder",
                clip_folder=folder.name,
                image_source="",
            ),
        )
    with pytest.raises(ValueError, match="'v/3.png' in line 5 is an image"):
        load(folder, "private_clips", clip_private_columns=("who",))
    assert len(load(folder, "images")["test"]) == 2
    # An image in an unused row is allowed.
    splits = load(with_images(folder, TABLE.replace("v/4.mp4", "v/3.png")))
    assert splits["test"].paths[0].endswith("2.mp4")


def test_all_images_among_clips_are_counted(folder):
    with pytest.raises(
        ValueError, match=r"'v/0.png' in line 2 is an image \(and 3 more\); clips must be videos"
    ):
        load(with_images(folder))


def test_line_numbers_are_those_of_an_editor(folder):
    text = TABLE.replace("path,action", '\n\n"path","action"').replace(
        "v/1.mp4,walk", '\n\r\nv/1.mp4,"wa\nlk"'
    )
    table = label_table.read_table(str(with_table(folder, text)))
    assert table.line_numbers == (4, 7, 9, 10, 11)
    with pytest.raises(ValueError, match="line 9: v/2.mp5: .*supported video"):
        load(with_table(folder, text.replace("2.mp4", "2.mp5")))
    with pytest.raises(ValueError, match="the column 'action' is empty in line 10"):
        load(with_table(folder, text.replace("bend", "")))


@pytest.mark.parametrize("other", ["v/0.mp4", "./v/0.mp4", "v//0.mp4", "v/../v/0.mp4"])
def test_a_file_with_contradicting_labels_is_named(folder, other):
    text = TABLE.replace("v/1.mp4", other)
    with pytest.raises(
        ValueError,
        match=f"the file '{other}' has two values of 'action': 'run' in line 2, 'walk' in line 3",
    ):
        load(with_table(folder, text))
    same = text.replace("walk", "run")
    assert load(with_table(folder, same))["train"].paths == (str(folder / "v" / "0.mp4"),)
    with pytest.raises(ValueError, match="two values of 'who': 'ann' in line 2, 'bob' in line 3"):
        load(folder, group_column="who")
    with pytest.raises(ValueError, match="two values of 'age': '3' in line 2, '18' in line 3"):
        load(folder, "images", private_columns=("age:10",))
    assert len(load(folder, "images", private_columns=("age:40",))["train"]) == 1  # of one band


def test_a_file_in_both_splits_must_have_one_label(folder):
    text = TABLE.replace("v/2.mp4", "v/0.mp4")
    # splits.load reports that the test clips were trained on.
    splits = load(with_table(folder, text))
    assert splits["train"].paths[0] == splits["test"].paths[0]
    with pytest.raises(
        ValueError, match="two values of 'action': 'run' in line 2, 'bend' in line 4"
    ):
        load(
            with_table(
                folder, text.replace("39", "3").replace("v/0.mp4,run,cat", "v/0.mp4,bend,cat")
            )
        )
    unused = TABLE.replace("v/4.mp4,run", "v/0.mp4,walk")
    assert len(load(with_table(folder, unused))["train"]) == 2


def test_repeated_rows_count_once_and_are_logged(folder, caplog):
    load(with_table(folder, TABLE + TABLE.split("\n", 1)[1]))
    assert (
        "rows that repeat earlier ones: 4, the first in line 7; each file counts once"
        in caplog.text
    )
    assert (
        load(folder)["train"].labels.tolist()
        == load(with_table(folder, TABLE))["train"].labels.tolist()
    )


@pytest.mark.parametrize(
    "word, intended",
    [
        ("tain", "train"),
        ("Train ", "train"),
        ("TEST", "test"),
        ("trian", "train"),
        ("tests", "test"),
        ("testing", "test"),
        ("'train'", "train"),
        ("trsin", "train"),
        ("tst", "test"),
        ("ttrain", "train"),
    ],
)
def test_a_misspelled_split_is_named(folder, word, intended):
    text = TABLE.replace("f,unused", f"f,{word}")
    with pytest.raises(
        ValueError,
        match=f"'{word.strip()}' in line 6 of the column 'split' looks like a misspelling of "
        f"'{intended}'",
    ):
        load(with_table(folder, text))


@pytest.mark.parametrize(
    "word", ["val", "validation", "unused", "dev", "trainval", "test2", "testB", "none", "holdout"]
)
def test_rows_with_other_words_are_counted(folder, word, caplog):
    caplog.set_level("INFO", "absl")
    load(with_table(folder, TABLE.replace("f,unused", f"f,{word}")))
    assert f"rows in neither split by the column 'split': 1 ({word}: 1)." in caplog.text


def test_words_are_not_checked_if_one_value_is_the_test_split(folder):
    load(with_table(folder, TABLE.replace("cat", "tain")), split_column="who=bob")


@pytest.mark.parametrize(
    "text, message",
    [
        (
            TABLE.replace(",", ";"),
            "is separated by semicolons; separate the table by commas",
        ),
        (TABLE.replace(",", "\t"), "is separated by tabs"),
        (TABLE.replace("who,age", "who,who"), "line 1 names the column 'who' twice"),
        (
            TABLE.replace("v/1.mp4,walk", "v/1.mp4"),
            "line 3 has 6 cells, but the table has 7 columns: path, action, who",
        ),
        (TABLE.replace("v/2.mp4,run", "v/2.mp4,run,now"), "line 4 has 8 cells"),
        (TABLE.replace("cat", "c\0t"), "line 4 contains a zero byte"),
        (
            TABLE.replace("walk", '"walk'),
            "unexpected end of data, in the row that begins in line 3",
        ),
        (TABLE.replace("walk", '"wa"lk'), "in the row that begins in line 3"),
        (TABLE.replace("v/3.mp4", " "), "the column 'path' is empty in line 5"),
        ("", "has no rows"),
        ("\n\n", "has no rows"),
    ],
)
def test_unusable_tables_are_named(folder, text, message):
    with pytest.raises(ValueError, match=f"labels.csv.*{message}"):
        load(with_table(folder, text))


def test_what_a_spreadsheet_adds_is_ignored(folder):
    text = (
        TABLE.replace("\n", ",,\r\n").replace("other_split,,", "other_split") + ",,,,,,,,\r\n\r\n"
    )
    (folder / "labels.csv").write_bytes(
        b"\xef\xbb\xbf" + text.replace("path,action", "path, action").encode()
    )
    assert load(folder)["train"].labels.tolist() == [1, 2]
