"""Each kind of file is timed by its own runtime, in a process of its own."""

import subprocess
import sys

import helpers
import pytest

from tfanon.exporting import measure, onnx_file, saved_model, signatures
from tfanon.models import per_frame

SIZE = (16, 24)


def measured(write, path):
    """What one frame costs of a small network that write(module, path) puts into a file."""
    write(signatures.ServingModule(per_frame.PerFrame(helpers.make_frame_network()), SIZE), path)
    found = measure.measure_cost(path, SIZE, repeats=2)
    assert found["milliseconds"] > 0 and found["cpu_milliseconds"] > 0
    return found


@pytest.mark.large
def test_a_saved_model(tmp_path):
    found = measured(saved_model.write_saved_model, tmp_path / saved_model.SAVED_MODEL_FOLDER)
    assert found["peak_mib"] > 300  # TensorFlow itself is in it


def test_onnx_without_tensorflow_in_memory(tmp_path):
    pytest.importorskip("tf2onnx")
    assert 10 < measured(onnx_file.write_onnx, tmp_path / onnx_file.ONNX_FILE)["peak_mib"] < 300


def test_the_size_of_a_folder_is_that_of_its_files(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "three").write_bytes(b"abc")
    (tmp_path / "two").write_bytes(b"ab")
    assert measure.count_bytes(tmp_path) == 5 and measure.count_bytes(tmp_path / "two") == 2


def test_a_file_that_cannot_be_measured_says_why(tmp_path):
    (tmp_path / "broken.tflite").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="broken.tflite could not be measured: ValueError"):
        measure.measure_cost(tmp_path / "broken.tflite", (32, 32))


@pytest.mark.parametrize(
    "ending, said",
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", r"signal 9 \(Killed\) ended its process"),
        ("os._exit(3)", "with status 3"),
    ],
)
def test_a_process_that_ends_without_a_word(monkeypatch, ending, said):
    real = subprocess.run
    monkeypatch.setattr(
        measure.subprocess,
        "run",
        lambda _, **more: real([sys.executable, "-c", f"import os, signal; {ending}"], **more),
    )
    with pytest.raises(ValueError, match=f"^a.tflite could not be measured: .*{said}"):
        measure.measure_cost("a.tflite", (32, 32))
