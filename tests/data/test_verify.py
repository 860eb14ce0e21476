"""What verify finds in miniature data sets, one planted problem of each kind."""

import dataclasses
import os

import miniature_datasets
import numpy as np
import pytest

from tfanon.core.config import Config
from tfanon.data import dataset_index, probe_cache, verify
from tfanon.data.options import DataOptions
from tfanon.data.sources import hmdb51, ucf101, vispr
from tfanon.media import array_writer


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("verify")
    for write in (
        miniature_datasets.write_ucf101,
        miniature_datasets.write_hmdb51,
        miniature_datasets.write_pa_hmdb51,
        miniature_datasets.write_vispr,
    ):
        write(folder)
    return folder


def check(data_dir, names, tmp_path, **flags):
    config = Config(data_dir=str(data_dir), frames=4, **flags)
    notes = () if names else dataset_index.find_leaks(config)
    return verify.verify_datasets(
        dataset_index.read_datasets(names, config),
        4,
        DataOptions(workers=2),
        str(tmp_path / "journal"),
        notes,
    )


def published(module, monkeypatch, data_dir):
    """Makes a miniature's own counts the published ones."""
    catalog = module.read(str(data_dir / module.__name__.rpartition(".")[2]), str(data_dir))
    splits = {name: words for name, words in catalog.count_rows().items() if name != "pa_hmdb51"}
    monkeypatch.setattr(module, "PUBLISHED", {"files": len(catalog), "splits": splits})


def test_a_whole_tree_has_no_problem(data_dir, tmp_path, monkeypatch):
    published(hmdb51, monkeypatch, data_dir)
    published(vispr, monkeypatch, data_dir)
    report = check(data_dir, ["hmdb51", "vispr"], tmp_path)
    assert report["problems"] == 0
    assert {name: about["readable"] for name, about in report["data_sets"].items()} == {
        "hmdb51": 16,
        "vispr": 38,
    }
    assert verify.format_summary(report, "v.json").endswith("No problems; v.json has all of it.")


def test_counts_are_compared_with_the_published_ones(data_dir, tmp_path):
    report = check(data_dir, ["ucf101"], tmp_path)
    assert report["data_sets"]["ucf101"]["counts"][:3] == [
        "files: 13320 published, 7 listed",
        "classes: 101 published, 3 listed",
        "split 1 train: 9537 published, 4 listed",
    ]
    assert "ucf101, counts: files: 13320 published, 7 listed (and 7 more)" in verify.format_summary(
        report, "v.json"
    )


def test_visprs_validation_list_may_be_absent(data_dir, tmp_path, monkeypatch):
    published(vispr, monkeypatch, data_dir)
    miniature_datasets.write_vispr(tmp_path)
    (tmp_path / "vispr/val2017.txt").unlink()
    assert check(tmp_path, ["vispr"], tmp_path)["problems"] == 0


def test_one_problem_of_each_kind(tmp_path, monkeypatch):
    folder = miniature_datasets.write_ucf101(tmp_path) / "UCF-101"
    published(ucf101, monkeypatch, tmp_path)
    train, test = (
        "ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi",
        "ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi",
    )
    (folder / test).write_bytes((folder / train).read_bytes())
    broken, gone = (
        "HandstandPushups/v_HandStandPushups_g08_c01.avi",
        "HandstandPushups/v_HandStandPushups_g01_c01.avi",
    )
    (folder / broken).write_bytes(b"RIFF....AVI broken")
    (folder / gone).unlink()
    array_writer.write_video(
        folder / "YoYo/v_YoYo_g08_c01.avi", [np.zeros((16, 16, 3), np.uint8)] * 3, codec="mpeg4"
    )
    before = {path: path.read_bytes() for path in sorted(folder.rglob("*.avi"))}
    report = check(tmp_path, ["ucf101"], tmp_path)
    found = report["data_sets"]["ucf101"]
    assert (
        found["missing"] == [gone]
        and found["duplicates"] == [[test, train]]
        and found["counts"] == []
    )
    assert [entry["path"] for entry in found["unreadable"]] == [broken]
    assert found["too_short"] == [{"path": "YoYo/v_YoYo_g08_c01.avi", "frames": 3}]
    assert found["leaks"] == [{"split": number, "paths": [test, train]} for number in "123"]
    assert report["problems"] == 7 and "7 problems" in verify.format_summary(report, "v.json")
    assert before == {path: path.read_bytes() for path in sorted(folder.rglob("*.avi"))}


def test_takes_of_one_group_in_both_lists_are_a_leak(tmp_path):
    folder = miniature_datasets.write_ucf101(tmp_path)
    lists = folder / "ucfTrainTestlist/testlist01.txt"
    lists.write_text(lists.read_text() + "YoYo/v_YoYo_g08_c03.avi\n")
    miniature_datasets.write_video(folder / "UCF-101/YoYo/v_YoYo_g08_c03.avi", 99)
    leaks = check(tmp_path, ["ucf101"], tmp_path)["data_sets"]["ucf101"]["leaks"]
    assert leaks == [
        {"split": "1", "paths": [f"YoYo/v_YoYo_g08_c0{take}.avi" for take in (1, 2, 3)]}
    ]


def test_an_experiment_that_trains_on_its_test_files(data_dir, tmp_path):
    flags = {
        "clip_source": "hmdb51",
        "image_source": "vispr",
        "attribute_set": "pa_hmdb51",
        "test_clip_source": "pa_hmdb51",
        "test_image_source": "pa_hmdb51",
    }
    clean, leaking = (
        check(data_dir, [], tmp_path, train_on_test_clips=leak, **flags) for leak in (False, True)
    )
    assert list(clean["data_sets"]) == ["hmdb51", "vispr", "pa_hmdb51"] and clean["notes"] == []
    assert leaking["notes"][0].startswith(
        "2 of the 5 files that the test of action looks at were trained on"
    )


def test_labelled_folders_and_synthetic_data_have_no_published_counts(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    for number in range(4):
        miniature_datasets.write_video(folder / f"{number}.avi", number)
    (folder / "labels.csv").write_text(
        "path,action,split\n"
        + "".join(
            f"{number}.avi,{'ab'[number % 2]},{'train' if number < 2 else 'test'}\n"
            for number in range(4)
        )
    )
    (folder / "3.avi").write_bytes((folder / "0.avi").read_bytes())
    source = {"clip_source": "labelled_folder", "clip_folder": "mine"}
    asked = dataset_index.read_datasets(
        [], Config(data_dir=str(tmp_path), **source, image_source="")
    )
    found = verify.verify_datasets(asked, 4, DataOptions(), str(tmp_path / "journal"))["data_sets"][
        "mine/clips"
    ]
    assert found["published"] == {} and found["leaks"] == [
        {"split": "split", "paths": ["0.avi", "3.avi"]}
    ]
    with pytest.raises(ValueError, match="labelled_folder has no lists of its own"):
        dataset_index.read_datasets(["labelled_folder"], Config())


def test_what_was_read_is_not_read_again(data_dir, tmp_path, monkeypatch):
    first = check(data_dir, ["ucf101"], tmp_path)
    asked = []
    monkeypatch.setattr(verify.children, "examine", lambda paths, *_: asked.extend(paths) or [])
    path = data_dir / "ucf101/UCF-101/YoYo/v_YoYo_g01_c01.avi"
    assert check(data_dir, ["ucf101"], tmp_path) == first and asked == []
    os.utime(path, (1, 1))
    check(data_dir, ["ucf101"], tmp_path)
    assert asked == [str(path)]


def test_a_journal_cut_off_in_the_middle_of_a_line(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_text("x")
    with probe_cache.ProbeCache(str(tmp_path / "journal")) as kept:
        kept.add(str(tmp_path / "a"), {"frames": 3})
        kept.add(str(tmp_path / "b"), {"error": "b: broken."})
    with open(tmp_path / "journal", "a") as file:
        file.write('["/half/a/li')
    with probe_cache.ProbeCache(str(tmp_path / "journal")) as kept:
        assert (
            kept.get(str(tmp_path / "a")) == {"frames": 3} and kept.get(str(tmp_path / "b")) is None
        )
        kept.add(str(tmp_path / "b"), {"frames": 4})
    with probe_cache.ProbeCache(str(tmp_path / "journal")) as kept:
        assert kept.get(str(tmp_path / "b")) == {"frames": 4}


def test_settings_have_no_name_of_the_experiments_flags():
    names = {field.name for field in dataclasses.fields(DataOptions)}
    assert not names & {field.name for field in dataclasses.fields(Config)}
