"""What verify finds in miniature data sets, with one problem of each kind."""

import csv
import dataclasses
import os
import pathlib
from types import ModuleType
from typing import Any

import miniature_datasets
import numpy as np
import pytest

from tfanon.core.config import Config
from tfanon.data import dataset_index, probe_cache, verify
from tfanon.data.options import DataOptions
from tfanon.data.sources import hmdb51, ucf101, vispr
from tfanon.media import array_writer, worker_pool

NUM_FRAMES = 4


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("verify")
    miniature_datasets.write_ucf101(folder)
    miniature_datasets.write_hmdb51(folder)
    miniature_datasets.write_pa_hmdb51(folder)
    miniature_datasets.write_vispr(folder)
    return folder


def verify_datasets(
    data_dir: pathlib.Path, names: list[str], tmp_path: pathlib.Path, **flags: Any
) -> dict[str, Any]:
    config = Config(data_dir=str(data_dir), frames=NUM_FRAMES, **flags)
    notes = () if names else dataset_index.find_leaks(config)
    datasets = dataset_index.read_datasets(names, config)
    cache_path = str(tmp_path / "journal")
    return verify.verify_datasets(datasets, NUM_FRAMES, DataOptions(workers=2), cache_path, notes)


def publish_own_counts(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch, data_dir: pathlib.Path
) -> None:
    """Make a miniature's own counts the published ones."""
    name = module.__name__.rpartition(".")[2]
    catalog = module.read(str(data_dir / name), str(data_dir))
    splits = {name: words for name, words in catalog.count_rows().items() if name != "pa_hmdb51"}
    monkeypatch.setattr(module, "PUBLISHED", {"files": len(catalog), "splits": splits})


def test_complete_folder_has_no_problem(data_dir, tmp_path, monkeypatch):
    publish_own_counts(hmdb51, monkeypatch, data_dir)
    publish_own_counts(vispr, monkeypatch, data_dir)
    report = verify_datasets(data_dir, ["hmdb51", "vispr"], tmp_path)
    assert report["problems"] == 0
    readable = {name: dataset["readable"] for name, dataset in report["data_sets"].items()}
    assert readable == {"hmdb51": 16, "vispr": 38}
    summary = verify.format_summary(report, "v.json")
    assert summary.endswith("No problems; the full report is in v.json.")


def test_counts_are_compared_with_the_published_ones(data_dir, tmp_path):
    report = verify_datasets(data_dir, ["ucf101"], tmp_path)
    assert report["data_sets"]["ucf101"]["counts"][:3] == [
        "files: 13320 published, 7 listed",
        "classes: 101 published, 3 listed",
        "split 1 train: 9537 published, 4 listed",
    ]
    summary = verify.format_summary(report, "v.json")
    assert "ucf101, counts: files: 13320 published, 7 listed (and 7 more)" in summary


def test_validation_list_of_vispr_may_be_absent(data_dir, tmp_path, monkeypatch):
    publish_own_counts(vispr, monkeypatch, data_dir)
    miniature_datasets.write_vispr(tmp_path)
    (tmp_path / "vispr/val2017.txt").unlink()
    assert verify_datasets(tmp_path, ["vispr"], tmp_path)["problems"] == 0


def test_one_problem_of_each_kind(tmp_path, monkeypatch):
    folder = miniature_datasets.write_ucf101(tmp_path) / "UCF-101"
    publish_own_counts(ucf101, monkeypatch, tmp_path)
    train = "ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi"
    test = "ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi"
    broken = "HandstandPushups/v_HandStandPushups_g08_c01.avi"
    missing = "HandstandPushups/v_HandStandPushups_g01_c01.avi"
    short = "YoYo/v_YoYo_g08_c01.avi"
    (folder / test).write_bytes((folder / train).read_bytes())
    (folder / broken).write_bytes(b"RIFF....AVI broken")
    (folder / missing).unlink()
    array_writer.write_video(folder / short, [np.zeros((16, 16, 3), np.uint8)] * 3, codec="mpeg4")
    before = {path: path.read_bytes() for path in sorted(folder.rglob("*.avi"))}
    report = verify_datasets(tmp_path, ["ucf101"], tmp_path)
    dataset = report["data_sets"]["ucf101"]
    assert dataset["counts"] == []
    assert dataset["missing"] == [missing]
    assert dataset["duplicates"] == [[test, train]]
    assert [entry["path"] for entry in dataset["unreadable"]] == [broken]
    assert dataset["too_short"] == [{"path": short, "frames": 3}]
    assert dataset["leaks"] == [{"split": number, "paths": [test, train]} for number in "123"]
    assert report["problems"] == 7
    assert "7 problems" in verify.format_summary(report, "v.json")
    assert before == {path: path.read_bytes() for path in sorted(folder.rglob("*.avi"))}


def test_clips_of_one_group_in_both_lists_are_a_leak(tmp_path):
    folder = miniature_datasets.write_ucf101(tmp_path)
    test_list = folder / "ucfTrainTestlist/testlist01.txt"
    test_list.write_text(test_list.read_text() + "YoYo/v_YoYo_g08_c03.avi\n")
    miniature_datasets.write_video(folder / "UCF-101/YoYo/v_YoYo_g08_c03.avi", 99)
    report = verify_datasets(tmp_path, ["ucf101"], tmp_path)
    paths = [f"YoYo/v_YoYo_g08_c0{number}.avi" for number in (1, 2, 3)]
    assert report["data_sets"]["ucf101"]["leaks"] == [{"split": "1", "paths": paths}]


def test_experiment_that_trains_on_its_test_files(data_dir, tmp_path):
    flags = {
        "clip_source": "hmdb51",
        "image_source": "vispr",
        "attribute_set": "pa_hmdb51",
        "test_clip_source": "pa_hmdb51",
        "test_image_source": "pa_hmdb51",
    }
    clean = verify_datasets(data_dir, [], tmp_path, train_on_test_clips=False, **flags)
    assert list(clean["data_sets"]) == ["hmdb51", "vispr", "pa_hmdb51"] and clean["notes"] == []
    leaking = verify_datasets(data_dir, [], tmp_path, train_on_test_clips=True, **flags)
    assert leaking["notes"][0].startswith("2 of the 5 test files of action were trained on")


def test_labelled_folders_have_no_published_counts(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    for number in range(4):
        miniature_datasets.write_video(folder / f"{number}.avi", number)
    with open(folder / "labels.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("path", "action", "split"))
        table.writerow(("0.avi", "a", "train"))
        table.writerow(("1.avi", "b", "train"))
        table.writerow(("2.avi", "a", "test"))
        table.writerow(("3.avi", "b", "test"))
    (folder / "3.avi").write_bytes((folder / "0.avi").read_bytes())
    config = Config(
        data_dir=str(tmp_path), clip_source="labelled_folder", clip_folder="mine", image_source=""
    )
    datasets = dataset_index.read_datasets([], config)
    report = verify.verify_datasets(datasets, NUM_FRAMES, DataOptions(), str(tmp_path / "journal"))
    dataset = report["data_sets"]["mine/clips"]
    assert dataset["published"] == {}
    assert dataset["leaks"] == [{"split": "split", "paths": ["0.avi", "3.avi"]}]
    with pytest.raises(ValueError, match="labelled_folder has no lists of its own"):
        dataset_index.read_datasets(["labelled_folder"], Config())


def test_examined_files_are_not_read_again(data_dir, tmp_path, monkeypatch):
    first = verify_datasets(data_dir, ["ucf101"], tmp_path)
    examined: list[str] = []
    monkeypatch.setattr(
        worker_pool, "examine_files", lambda paths, *_: examined.extend(paths) or []
    )
    assert verify_datasets(data_dir, ["ucf101"], tmp_path) == first and examined == []
    path = data_dir / "ucf101/UCF-101/YoYo/v_YoYo_g01_c01.avi"
    os.utime(path, (1, 1))
    verify_datasets(data_dir, ["ucf101"], tmp_path)
    assert examined == [str(path)]


def test_cache_that_ends_in_the_middle_of_a_line(tmp_path):
    a, b = str(tmp_path / "a"), str(tmp_path / "b")
    for path in (a, b):
        pathlib.Path(path).write_text("x")
    cache_path = str(tmp_path / "journal")
    with probe_cache.ProbeCache(cache_path) as cache:
        cache.add(a, {"frames": 3})
        cache.add(b, {"error": "b: broken."})
    with open(cache_path, "a") as file:
        file.write('["/half/a/li')
    with probe_cache.ProbeCache(cache_path) as cache:
        assert cache.get(a) == {"frames": 3} and cache.get(b) is None
        cache.add(b, {"frames": 4})
    with probe_cache.ProbeCache(cache_path) as cache:
        assert cache.get(b) == {"frames": 4}


def test_options_have_no_flag_of_the_experiment():
    names = {field.name for field in dataclasses.fields(DataOptions)}
    assert not names & {field.name for field in dataclasses.fields(Config)}
