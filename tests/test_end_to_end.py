"""From flags to a TFLite file in a process of its own, as a user runs it; and with user errors."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from processes import ROOT, SHORT_RUN_FLAGS, finish_training, start_training


@pytest.fixture(scope="module")
def compact_run(data, tmp_path_factory):
    """An uninterrupted run of the compact networks."""
    workdir = tmp_path_factory.mktemp("runs") / "compact"
    command = [
        sys.executable,
        "-m",
        "tfanon.train",
        *SHORT_RUN_FLAGS,
        "--epochs_anonymize=1",
        "--baselines=",
        f"--workdir={workdir}",
        f"--data_dir={data}",
    ]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert finished.returncode == 0, finished.stderr
    return workdir


def test_run_leaves_the_files_that_the_readme_names(compact_run):
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
        assert (compact_run / name).stat().st_size > 0, name
    assert list(compact_run.glob("logs/anonymize/events*"))
    assert not list(compact_run.rglob(".unfinished*"))


def test_exported_file_is_the_trained_network(compact_run):
    frames = np.random.default_rng(0).random((1, 32, 32, 3), np.float32)
    saved_model = tf.saved_model.load(str(compact_run / "export/saved_model"))
    saved = saved_model.signatures["frames_float"]
    interpreter = tf.lite.Interpreter(str(compact_run / "export/anonymizer.tflite"))
    lite = interpreter.get_signature_runner()
    np.testing.assert_allclose(
        lite(frames=frames)["anonymized"], saved(frames=frames)["anonymized"], atol=1e-3
    )


def find_error_line(err):
    """The only line of the command itself on standard error."""
    (line,) = [line for line in err.splitlines() if line.startswith("tfanon.train:")]
    return line


def test_bad_flag_gets_one_clear_line(data, tmp_path):
    code, _, err = finish_training(start_training(tmp_path, data, "--clip_source=synthetc"))
    line = find_error_line(err)
    assert code == 1 and "synthetc" in line and "synthetic" in line
    assert "Traceback" not in err


def test_broken_video_gets_one_clear_line(data, tmp_path):
    broken = tmp_path / "data"
    shutil.copytree(data, broken)
    for path in broken.glob("synthetic/clips/*/*"):
        path.write_bytes(path.read_bytes()[:200])
    code, _, err = finish_training(start_training(tmp_path / "run", broken, "--on_bad_video=raise"))
    assert code == 1 and "synthetic/clips/" in find_error_line(err)
    assert "Traceback" not in err
