"""The commands of tfanon-data."""

import json
import pathlib
import subprocess
import sys

import miniature_datasets
import numpy as np
import pytest
from PIL import Image

from tfanon.core.config import Config
from tfanon.data import __main__ as command
from tfanon.data import pipeline, splits
from tfanon.data.options import DataOptions

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("main")
    miniature_datasets.write_hmdb51(folder)
    miniature_datasets.write_pa_hmdb51(folder)
    miniature_datasets.write_vispr(folder)
    return folder


def run(*arguments: str | pathlib.Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tfanon.data", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_verify(data_dir, tmp_path):
    flag = f"--data_dir={data_dir}"
    done = run("verify", "pa_hmdb51", flag, "--frames=4", "-o", tmp_path / "v.json")
    assert done.returncode == 1, done.stderr
    assert "pa_hmdb51, counts: files: 515 published, 5 listed (and 2 more)" in done.stdout
    assert json.loads((tmp_path / "v.json").read_text())["problems"] == 3
    assert len((tmp_path / "v.json.journal").read_text().split("\n")) >= 6
    limit = "--max_frame_pixels=3071"
    run("verify", "pa_hmdb51", flag, limit, "-o", tmp_path / "w.json")
    report = json.loads((tmp_path / "w.json").read_text())["data_sets"]["pa_hmdb51"]
    assert len(report["unreadable"]) == 5
    assert "the limit is 3071 pixels" in report["unreadable"][0]["error"]


def test_peek_shows_the_first_training_batch(data_dir, tmp_path, capsys):
    config = Config(
        data_dir=str(data_dir),
        clip_source="hmdb51",
        image_source="vispr",
        resolution=32,
        frames=3,
        batch_clips=2,
        batch_pairs=2,
    )
    options = DataOptions(output=str(tmp_path / "p.png"))
    assert command.run_peek([], config, options) == 0
    assert "4 rows, 32x32 pixels a frame" in capsys.readouterr().out
    sheet = np.asarray(Image.open(tmp_path / "p.png"))
    # A gap, four rows of frames enlarged threefold, a gap after each.
    assert sheet.shape[0] == 4 + 4 * (3 * 32 + 4)
    data = splits.load_experiment_data(config)
    dataset = pipeline.make_anonymization_dataset(data.clips.train, data.images.train, config, 0, 1)
    ((batch, _),) = dataset
    last = np.round(batch["pairs"].numpy()[1, 1] * 255).repeat(3, 0).repeat(3, 1)
    left = sheet.shape[1] - 3 * (96 + 4) + 96 + 4  # the second of three columns
    np.testing.assert_array_equal(sheet[-100:-4, left : left + 96], last)
    with pytest.raises(ValueError, match="it takes no names"):
        command.run_peek(["hmdb51"], config, DataOptions())


def test_invalid_input_is_reported_on_one_line(data_dir):
    done = run("verify", "hmdb52", f"--data_dir={data_dir}")
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1
    message = "tfanon.data: No sources called 'hmdb52'. tfanon/data/sources/ has: hmdb51"
    assert line.startswith(message)
