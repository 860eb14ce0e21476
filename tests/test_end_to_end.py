"""From flags to a TFLite file, in a process of its own: as a user runs it, and with what a user gets wrong."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from processes import ROOT, SHORT, data, finish, start  # noqa: F401  data is a fixture


@pytest.fixture(scope="module")
def real(data, tmp_path_factory):
    """An uninterrupted run of the compact networks."""
    workdir = tmp_path_factory.mktemp("runs") / "real"
    command = [
        sys.executable,
        "-m",
        "tfanon.train",
        *SHORT,
        "--epochs_anonymize=1",
        "--baselines=",
        f"--workdir={workdir}",
        f"--data_dir={data}",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    return workdir


def test_leaves_what_the_readme_names(real):
    for name in (
        "run.flags",
        "results.json",
        "results.txt",
        "pictures/images.png",
        "pictures/clips.gif",
        "export/anonymizer.tflite",
        "export/saved_model/saved_model.pb",
        "export/export.json",
    ):
        assert (real / name).stat().st_size > 0, name
    assert list(real.glob("logs/anonymize/events*"))
    assert not list(real.rglob(".unfinished*"))


def test_the_exported_file_is_the_trained_network(real):
    frames = np.random.default_rng(0).random((1, 32, 32, 3), np.float32)
    saved = tf.saved_model.load(str(real / "export/saved_model")).signatures["frames_float"]
    lite = tf.lite.Interpreter(str(real / "export/anonymizer.tflite")).get_signature_runner()
    np.testing.assert_allclose(
        lite(frames=frames)["anonymized"], saved(frames=frames)["anonymized"], atol=1e-3
    )


def test_bad_input_gets_one_clear_line(data, tmp_path):
    code, _, err = finish(start(tmp_path, data, "--clip_source=synthetc"))
    lines = [line for line in err.splitlines() if line.startswith("tfanon.train:")]
    assert code == 1 and len(lines) == 1 and "synthetc" in lines[0] and "synthetic" in lines[0]
    assert "Traceback" not in err


def test_a_broken_video_gets_one_clear_line(data, tmp_path):
    broken = tmp_path / "data"
    shutil.copytree(data, broken)
    for path in broken.glob("synthetic/clips/*/*"):
        path.write_bytes(path.read_bytes()[:200])
    code, _, err = finish(start(tmp_path / "run", broken, "--on_bad_video=raise"))
    lines = [line for line in err.splitlines() if line.startswith("tfanon.train:")]
    assert code == 1 and len(lines) == 1 and "synthetic/clips/" in lines[0]
    assert "Traceback" not in err
