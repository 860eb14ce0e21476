"""The flagfiles of the paper's experiments, run as commands on miniature data sets.

Every phase runs, with networks that a CPU can train.
"""

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

import miniature_datasets
import pytest
from helpers import TRAIN_CODE

from tfanon.core.config import Config
from tfanon.data import splits, tfds_store
from tfanon.data.parsing import attribute_sets

pytestmark = pytest.mark.large  # one to two minutes of computing each
TINY_NETWORK_FLAGS = [
    "--deterministic",
    "--anonymizer=tiny",
    "--action_network=tiny",
    "--privacy_network=tiny",
]
HMDB51_FLAGS = {
    "clip_source": "hmdb51",
    "image_source": "vispr",
    "attribute_set": "pa_hmdb51",
    "test_clip_source": "pa_hmdb51",
    "test_image_source": "pa_hmdb51",
}
ROOT = pathlib.Path(__file__).parent.parent
SMALL_RUN_FLAGS = [
    "--anonymizer_width=0.1",
    "--action_network=small3d",
    "--privacy_network=small_resnet",
    "--frames=4",
    "--resolution=32",
    "--epochs_reconstruct=2",
    "--epochs_anonymize=2",
    "--epochs_action=2",
    "--epochs_privacy=2",
    "--eval_clips=2",
    "--batch_clips=2",
    "--batch_pairs=2",
    "--batch_action=4",
    "--batch_privacy=8",
    "--batch_reconstruct=8",
    "--baselines=",
    "--validation_split=0.2",
]
PROTOCOLS = [
    "ucf101_vispr",
    "vphmdb_vispr",
    "ucf101_to_hmdb51",
    "ucf101_to_pahmdb",
    "vispr1_to_vispr2",
    "vphmdb_to_vpucf",
]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("data")
    miniature_datasets.write_all(folder)
    return folder


def train(
    name: str,
    data_dir: pathlib.Path,
    workdir: pathlib.Path,
    *flags: str,
    start: tuple[str, str] = ("-m", "tfanon.train"),
) -> tuple[dict[str, Any], str]:
    """Train with a flagfile; return the content of results.json and the printed lines."""
    command = [
        sys.executable,
        *start,
        f"--flagfile=configs/{name}.flags",
        *SMALL_RUN_FLAGS,
        f"--data_dir={data_dir}",
        f"--workdir={workdir}",
        *flags,
    ]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
    process = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=900, env=environment
    )
    assert process.returncode == 0, process.stderr
    assert (workdir / "export/anonymizer.tflite").stat().st_size > 0
    return json.loads((workdir / "results.json").read_text()), process.stdout


def test_hmdb51_is_tested_on_pa_hmdb51(data_dir, tmp_path):
    results, _ = train("hmdb_vispr", data_dir, tmp_path)
    (row,) = results["rows"]
    # 5 clips of PA-HMDB51, two of them of the most common class; 66 labelled frames.
    assert row["action_top1"] * 5 == pytest.approx(round(row["action_top1"] * 5))
    assert row["action_chance"] == pytest.approx(2 / 5)
    names = attribute_sets.get_attribute_names("pa_hmdb51")
    assert set(row["images"]["average_precision"]) == set(names)
    data = splits.load_experiment_data(Config(**HMDB51_FLAGS, data_dir=str(data_dir)))
    prevalence = data.privacy_tasks["images"].test.attributes.mean()
    assert row["images"]["cmap_chance"] == pytest.approx(prevalence)
    assert results["notes"] == []


def test_results_note_that_test_clips_were_trained_on(data_dir, tmp_path):
    results, printed = train("hmdb_vispr", data_dir, tmp_path, "--train_on_test_clips")
    assert (
        results["notes"][0].startswith("2 of the 5 test files") and results["notes"][0] in printed
    )


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_protocol_reports_its_privacy_tasks(data_dir, tmp_path, name):
    results, _ = train(name, data_dir, tmp_path)
    row = results["rows"][-1]
    attributes = {}
    for task in ("images", "clips"):
        if task in row:
            attributes[task] = len(row[task]["average_precision"])
    expected = {"images": 6 if "pahmdb" in name else 7}
    if name.startswith("vp"):
        expected["clips"] = 5
    assert attributes == expected


def test_tfds_data_sets_train_the_same_networks(data_dir, tmp_path):
    for name in ("hmdb51", "pa_hmdb51", "vispr"):
        for configuration in ("encoded", "jpeg32"):
            config = Config(data_dir=str(data_dir), tfds_config=configuration)
            tfds_store.build_dataset(name, config)
    formats = {
        "folder": ["--data_format=folder"],
        "encoded": ["--data_format=tfds", "--tfds_config=encoded"],
        "jpeg": ["--data_format=tfds", "--tfds_config=jpeg32"],
    }
    results = {}
    for name, flags in formats.items():
        results[name], _ = train(
            "hmdb_vispr",
            data_dir,
            tmp_path / name,
            *flags,
            *TINY_NETWORK_FLAGS,
            start=("-c", TRAIN_CODE),
        )
    assert results["encoded"] == results["folder"]
    chance = [results[name]["rows"][0]["images"]["cmap_chance"] for name in formats]
    assert chance == chance[:1] * 3
