"""What is exported answers as Keras does, from its own runtime, or is not there."""

import hashlib
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfanon import export as exporting
from tfanon.models.anonymizers import downsample, unetpp


class Tiny(keras.Model):
    """One convolution for frames and clips, as f_A takes them; gain 9 leaves [0, 1] on both sides."""

    def __init__(self, gain=1.0, dtype="float32"):
        super().__init__(dtype="float32")
        self.convolution = keras.layers.Conv2D(3, 3, padding="same", dtype=dtype)
        self.gain = gain
        self(tf.zeros([1, 8, 8, 3]))

    def call(self, x, training=False):
        frames = tf.reshape(x, tf.concat([[-1], tf.shape(x)[-3:]], 0))
        y = tf.cast(self.convolution(tf.ensure_shape(frames, [None, None, None, 3])), tf.float32)
        return tf.ensure_shape(tf.reshape(0.5 + self.gain * (y - 0.5), tf.shape(x)), x.shape)


@pytest.fixture(scope="module")
def frames():
    return np.random.default_rng(0).integers(0, 256, (3, 16, 24, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def exported(tmp_path_factory, frames):
    """One export for the tests that only read it: (f_A, folder, record)."""
    keras.utils.set_random_seed(1)
    f_A, folder = Tiny(gain=9.0), tmp_path_factory.mktemp("run") / "export"
    return f_A, folder, exporting.export(f_A, folder, frames / 255)


def keras_answer(f_A, levels):
    return np.clip(f_A(levels / np.float32(255), training=False).numpy(), 0, 1)


def test_every_signature_answers_as_keras(exported, frames):
    f_A, folder, _ = exported
    signatures = tf.saved_model.load(str(folder / "saved_model")).signatures
    expected = keras_answer(f_A, frames)
    assert expected.min() == 0 and expected.max() == 1  # clipping had something to do
    rounded = np.round(expected * 255)
    for name in ("serving_default", "frames_uint8"):
        answer = signatures[name](frames=frames)["anonymized"].numpy()
        assert answer.dtype == np.uint8
        assert np.abs(answer - rounded).max() <= 1 and np.mean(answer != rounded) < 0.01
    np.testing.assert_allclose(
        signatures["frames_float"](frames=tf.constant(frames / np.float32(255)))["anonymized"], expected, atol=1e-5)
    clips = np.stack([frames, frames[::-1]])
    answer = signatures["clip_uint8"](clips=clips)["anonymized"].numpy()
    assert answer.shape == clips.shape
    assert np.array_equal(answer[1], answer[0, ::-1])  # frames of a clip do not see each other


def test_saved_model_takes_other_batches_and_sizes(exported):
    f_A, folder, _ = exported
    other = np.random.default_rng(1).integers(0, 256, (5, 32, 8, 3), dtype=np.uint8)
    answer = tf.saved_model.load(str(folder / "saved_model")).signatures["frames_uint8"](frames=other)["anonymized"]
    np.testing.assert_allclose(answer.numpy() / 255, keras_answer(f_A, other), atol=0.51 / 255)


def test_tflite_answers_as_keras_also_for_two_frames(exported, frames):
    f_A, folder, _ = exported
    runner = exporting.interpreter(folder / "anonymizer.tflite").get_signature_runner()
    detail = runner.get_input_details()["frames"]
    assert detail["shape"].tolist() == [1, 16, 24, 3] and detail["dtype"] == np.float32
    for batch in (1, 2):
        answer = runner(frames=frames[:batch] / np.float32(255))["anonymized"]
        np.testing.assert_allclose(answer, keras_answer(f_A, frames[:batch]), atol=1e-5)


def test_tensorflows_own_interpreter_runs_it_too(exported, frames, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ai_edge_litert.interpreter", None)  # as if it were not installed
    runner = exporting.interpreter(exported[1] / "anonymizer.tflite").get_signature_runner()
    answer = runner(frames=frames[:1] / np.float32(255))["anonymized"]
    np.testing.assert_allclose(answer, keras_answer(exported[0], frames[:1]), atol=1e-5)


def test_the_record_describes_the_files(exported):
    _, folder, record = exported
    assert record == json.loads((folder / "export.json").read_text())
    assert record["schema_version"] == 1 and (record["height"], record["width"]) == (16, 24)
    assert set(record["comparisons"]) == {
        "saved_model:frames_uint8", "saved_model:frames_float", "saved_model:clip_uint8", "anonymizer.tflite"}
    for entry in record["comparisons"].values():
        assert 0 <= entry["mean_difference"] <= entry["largest_difference"] <= entry["allowed"]
    on_disk = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert on_disk == {*record["files"], "export.json"}
    for name, about in record["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == about["sha256"]


def test_out_of_tolerance_leaves_no_file(tmp_path, frames):
    with pytest.raises(ValueError, match=r"saved_model:frames_uint8 differs from Keras by up to .* is allowed"):
        exporting.export(Tiny(), tmp_path / "export", frames, tolerance=-1.0)
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_tflite_file_leaves_the_previous_export(tmp_path, frames, monkeypatch):
    f_A, folder = Tiny(), tmp_path / "export"
    exporting.export(f_A, folder, frames)
    (folder / "notes.txt").write_text("not ours")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    right, other = exporting._convert, exporting.Anonymizer(Tiny(gain=2.0))
    monkeypatch.setattr(exporting, "_convert", lambda module, size: right(other, size))
    with pytest.raises(ValueError, match=r"anonymizer\.tflite differs from Keras by up to [\d.]+ .* 0\.001 is"):
        exporting.export(f_A, folder, frames)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    monkeypatch.undo()
    (tmp_path / ".export.partial").mkdir()  # a killed run left its stage
    exporting.export(f_A, folder, frames)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["export"]
    assert (folder / "notes.txt").exists()


def test_mixed_precision_is_refused_and_its_policy_alone_is_not(tmp_path, frames):
    with pytest.raises(ValueError, match="computes in bfloat16"):
        exporting.export(Tiny(dtype="mixed_bfloat16"), tmp_path / "export", frames)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        exporting.export(Tiny(), tmp_path / "export", frames)
    finally:
        keras.config.set_dtype_policy("float32")


def test_operations_that_tflite_lacks_are_named(tmp_path, frames):
    with pytest.raises(ValueError, match=r"anonymizer\.tflite: .* not built in: ScaleAndTranslate"):
        exporting.export(downsample.build(), tmp_path / "export", frames)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("bad, message", [
    (np.zeros([16, 16, 3], np.uint8), r"\[n, H, W, 3\]"),
    (np.full([1, 16, 16, 3], 200.0), "uint8 or floats in"),
    (np.full([1, 16, 16, 3], np.nan), "uint8 or floats in"),
])
def test_frames_are_checked(tmp_path, bad, message):
    with pytest.raises(ValueError, match=message):
        exporting.export(Tiny(), tmp_path / "export", bad)


def test_unetpp_exports(tmp_path):
    frames = np.random.default_rng(2).random((2, 32, 32, 3)).astype(np.float32)
    f_A = unetpp.build(width=0.25)
    record = exporting.export(f_A, tmp_path / "export", frames)
    weights = 4 * sum(int(np.prod(variable.shape)) for variable in f_A.variables)
    assert record["files"]["saved_model/variables/variables.data-00000-of-00001"]["bytes"] < 1.1 * weights
    operations = exporting.interpreter(tmp_path / "export" / "anonymizer.tflite")._get_ops_details()
    assert not [op["op_name"] for op in operations if "Flex" in op["op_name"] or "CUSTOM" in op["op_name"]]
