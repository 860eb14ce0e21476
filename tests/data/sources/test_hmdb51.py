import pathlib
from typing import Any

import miniature_datasets
import pytest

from tfanon.core.config import Config
from tfanon.data.batch import Examples
from tfanon.data.sources import hmdb51


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    miniature_datasets.write_pa_hmdb51(tmp_path)
    return miniature_datasets.write_hmdb51(tmp_path, media=False)


def load(folder: pathlib.Path, **settings: Any) -> dict[str, Examples]:
    return hmdb51.load("clips", str(folder), Config(data_dir=str(folder.parent), **settings))


def relative_paths(examples: Examples, folder: pathlib.Path) -> set[str]:
    return {path.removeprefix(f"{folder}/") for path in examples.paths}


def test_splits_and_classes_are_those_of_the_lists(folder):
    splits = load(folder, train_on_test_clips=True)
    for word, split in ((1, "train"), (2, "test")):
        expected = {path for path, number in miniature_datasets.HMDB51.items() if number == word}
        assert relative_paths(splits[split], folder) == expected
    assert splits["train"].classes == ("clap", "hug", "situp", "wave")
    for path, label in zip(splits["test"].paths, splits["test"].labels, strict=True):
        assert path.split("/")[-2] == splits["test"].classes[label]


def test_pa_hmdb51_is_left_out_of_training_only(folder):
    splits, leaking = load(folder), load(folder, train_on_test_clips=True)
    left_out = relative_paths(leaking["train"], folder) - relative_paths(splits["train"], folder)
    assert left_out == {
        path for path in miniature_datasets.ANNOTATED if miniature_datasets.HMDB51[path] == 1
    }
    assert len(left_out) == 2
    assert splits["test"].paths == leaking["test"].paths


def test_training_needs_the_names_of_pa_hmdb51(tmp_path):
    with pytest.raises(
        ValueError,
        match="leaves out the 515 clips of PA-HMDB51, .*put pa_hmdb51/PrivacyAttributes into "
        "--data_dir, or train on all clips with --train_on_test_clips",
    ):
        load(miniature_datasets.write_hmdb51(tmp_path, media=False))


@pytest.mark.parametrize("line", ["a.avi", "a.avi 3", "../a.avi 1", " 1"])
def test_wrong_lines_are_named(folder, line):
    (folder / "testTrainMulti_7030_splits/wave_test_split2.txt").write_text(f"{line}\n")
    with pytest.raises(
        ValueError, match="wave_test_split2.txt: '.*' must be a file name followed by 0, 1 or 2"
    ):
        load(folder)


def test_an_archive_that_was_not_unpacked_is_named(folder):
    for path in (folder / "clap", folder / "wave"):
        path.rmdir()
    (folder / "clap.rar").touch()
    with pytest.raises(
        ValueError, match="No clips found in .*hmdb51; looked for ./wave.* Unpack clap.rar first"
    ):
        load(folder)


def test_clips_of_one_film_are_a_group():
    names = (
        "April_09_brush_hair_u_nm_np1_ba_goo_0.avi",
        "April_09_brush_hair_h_cm_np2_le_med_11.avi",
    )
    for name in names:
        assert hmdb51.get_group(f"brush_hair/{name}") == "brush_hair/April_09_brush_hair"
