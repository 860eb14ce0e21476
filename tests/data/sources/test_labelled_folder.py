import numpy as np
import pytest

from tfanon.config import Config
from tfanon.data.sources import labelled_folder

TABLE = """path,action,who,age,sex,split,other_split
v/0.mp4,run,ann,3,f,train,test
v/1.mp4,walk,bob,18,m,train,train
v/2.mp4,run,cat,39,f,test,train
v/3.mp4,bend,bob,40,m,test,train
v/4.mp4,run,ann,77,f,unused,test
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "v").mkdir()
    for number in range(5):
        (tmp_path / "v" / f"{number}.mp4").touch()
    return with_table(tmp_path, TABLE)


def with_table(folder, text):
    (folder / "labels.csv").write_text(text)
    return folder


def load(folder, kind="clips", **settings):
    return labelled_folder.load(kind, str(folder), Config(**settings))


def test_clips(folder):
    splits = load(folder)
    assert splits["train"].classes == ("bend", "run", "walk")  # of all rows, also of those in no split
    assert splits["train"].labels.tolist() == [1, 2] and splits["test"].labels.tolist() == [1, 0]
    assert splits["test"].paths == (str(folder / "v" / "2.mp4"), str(folder / "v" / "3.mp4"))


def test_one_value_may_be_left_out_of_training(folder):
    splits = load(folder, split_column="who=bob")
    assert splits["test"].paths == (str(folder / "v" / "1.mp4"), str(folder / "v" / "3.mp4"))
    assert splits["train"].paths == tuple(str(folder / "v" / f"{number}.mp4") for number in (0, 2, 4))
    everyone = with_table(folder, TABLE.replace("bob", "ann").replace("cat", "ann"))
    with pytest.raises(ValueError, match="the split 'train' is empty"):
        load(everyone, split_column="who=ann")


def test_clips_may_have_groups(folder):
    splits = load(folder, group_column="who")
    assert splits["train"].groups == ("ann", "bob") and splits["test"].groups == ("cat", "bob")
    assert load(folder)["train"].groups == load(folder, "private_clips", clip_private_columns=("sex",),
                                                group_column="who")["train"].groups == ()


def test_private_clips_have_groups_where_none_is_in_both_splits(folder):
    splits = load(folder, "private_clips", clip_private_columns=("sex",), group_column="who",
                  clip_private_split_column="other_split")
    assert not set(splits["train"].groups) & set(splits["test"].groups)
    assert set(splits["test"].groups) == {"ann"}


def test_private_columns_become_attributes(folder):
    train = load(folder, "images", private_columns=("sex", "who", "age:18:40"))["train"]
    assert train.attribute_names == (
        "sex=m", "who=ann", "who=bob", "who=cat", "age<18", "age=18..40", "age>=40")
    assert train.attributes.dtype == np.float32
    assert train.attributes.tolist() == [[0, 1, 0, 0, 1, 0, 0], [1, 0, 1, 0, 0, 1, 0]]


def test_two_bands_are_one_attribute(folder):
    test = load(folder, "images", private_columns=("age:40",))["test"]
    assert test.attribute_names == ("age>=40",) and test.attributes.tolist() == [[0], [1]]


def test_clips_have_private_columns_and_a_split_of_their_own(folder):
    splits = load(folder, "private_clips", clip_private_columns=("who",), clip_private_split_column="other_split")
    assert splits["test"].paths == (str(folder / "v" / "0.mp4"), str(folder / "v" / "4.mp4"))
    assert splits["test"].attributes.tolist() == [[1, 0, 0], [1, 0, 0]]


def test_images_need_no_attributes(folder):
    assert load(folder, "images")["train"].attributes is None


@pytest.mark.parametrize("settings, message", [
    ({"action_column": "actoin"}, "--action_column: .*labels.csv has no column 'actoin'; it has: path, action, who"),
    ({"split_column": "fold"}, "--split_column: .* has no column 'fold'"),
    ({"split_column": "fold=1"}, "--split_column: .* has no column 'fold'"),
    ({"split_column": "who=dan"}, "--split_column: no row of .* has who=dan; the column has: ann, bob, cat"),
    ({"split_column": "sex"}, "the split 'train' is empty; the column 'sex' has: f, m"),
])
def test_columns_of_clips_are_named(folder, settings, message):
    with pytest.raises(ValueError, match=message):
        load(folder, **settings)


@pytest.mark.parametrize("column, message", [
    ("hair", "--private_columns: .* has no column 'hair'"),
    ("who:18", "'ann' in line 2 of the column 'who' is no number"),
    ("age:x", "'age:x' must be a column and rising numbers, such as age:18:40"),
    ("age:40:18", "rising numbers"),
    ("age:200", "'age' of .* has one value only"),
])
def test_private_columns_are_named(folder, column, message):
    with pytest.raises(ValueError, match=message):
        load(folder, "images", private_columns=(column,))


@pytest.mark.parametrize("path, message", [
    ("v/gone.mp4", r"1 of 5 files are not there; the first: .*gone.mp4"),
    ("../v/0.mp4", "'../v/0.mp4' in line 2 leads out of the folder"),
    ("/etc/0.mp4", "leads out of the folder"),
    ("v/0.m3u8", "no video or image file by its ending '.m3u8'"),
    ("", "the column 'path' is empty in line 2"),
])
def test_paths_are_named(folder, path, message):
    with pytest.raises(ValueError, match=message):
        load(with_table(folder, TABLE.replace("v/0.mp4", path)))


def test_folder_and_table_are_named(tmp_path):
    with pytest.raises(ValueError, match="There is no folder .*nowhere"):
        load(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="There is no labels.csv in"):
        load(tmp_path)
    with pytest.raises(ValueError, match="labels.csv has no rows"):
        load(with_table(tmp_path, "path,action\n"))
    (tmp_path / "labels.csv").write_bytes(b"path\n\xff\xfe\xfa\n")
    with pytest.raises(ValueError, match="no table of comma separated values in UTF-8"):
        load(tmp_path)
