"""Frequencies and chance levels of the miniature data sets, counted by hand."""

import json

import miniature_datasets
import pytest

from tfanon.core.config import Config
from tfanon.data import dataset_index, describe
from tfanon.data.options import DataOptions


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("describe")
    miniature_datasets.write_hmdb51(folder)
    miniature_datasets.write_pa_hmdb51(folder)
    miniature_datasets.write_vp_labels(folder, "hmdb51")
    (folder / "hmdb51/wave/IamLegend_wave_u_nm_np1_ba_med_6.avi").unlink()
    config = Config(data_dir=str(folder), attribute_set="pa_hmdb51")
    datasets = dataset_index.read_datasets(["hmdb51", "pa_hmdb51", "vp_hmdb51"], config)
    return describe.describe_datasets(datasets, DataOptions(workers=2))


def test_files(report):
    assert report["data_sets"]["hmdb51"]["files"] == {
        "listed": 16,
        "opened": 15,
        "frames": {"least": 14, "median": 14, "most": 14},
        "sizes": {"64x48": 15},
    }


def test_classes(report):
    clips = report["data_sets"]["hmdb51"]["examples"]["clips"]
    # Without the clips of PA-HMDB51.
    assert clips["train"]["classes"] == {"clap": 2, "hug": 2, "situp": 2, "wave": 2}
    assert clips["test"] == {
        "rows": 4,
        "classes": dict.fromkeys(("clap", "hug", "situp", "wave"), 1),
        "top1_chance": 0.25,
    }
    # PA-HMDB51: clap 2, hug 1, situp 1, wave 1.
    pa_clips = report["data_sets"]["pa_hmdb51"]["examples"]["clips"]
    assert pa_clips["test"]["top1_chance"] == 2 / 5


def test_attributes(report):
    # 4 clips of 14 labelled frames, one of 10: 66. Relationship is 1 in the clips 1 and 3: 28.
    frames = report["data_sets"]["pa_hmdb51"]["examples"]["images"]["test"]
    assert frames["rows"] == 66 and frames["attributes"]["a64_rel_personal"] == 28
    shares = [count / 66 for count in frames["attributes"].values()]
    assert frames["cmap_chance"] == pytest.approx(sum(shares) / 6)
    f1_scores = [2 * share / (1 + share) for share in shares]
    assert frames["f1_chance"] == pytest.approx(sum(f1_scores) / 6)
    # Row i of 16 has the bits of i: four attributes are present in half of the rows, the fifth
    # never.
    clips = report["data_sets"]["vp_hmdb51"]["examples"]["clips"]
    counts = [clips[split]["attributes"]["relationship"] for split in ("train", "test")]
    assert sum(counts) == 0


def test_text_and_json(report):
    text = describe.format_description(json.loads(json.dumps(report)))
    assert "clips, test: 5 rows" in text
    assert "classes: clap 2, hug 1, situp 1, wave 1; chance top-1 0.400" in text
    assert f"{'a64_rel_personal':36}{28:8}   0.424" in text
