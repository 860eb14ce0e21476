"""Exported files equal Keras in their own runtime, or are not kept."""

import hashlib
import json
import sys

import helpers
import keras
import numpy as np
import pytest
import tensorflow as tf

from tfanon.exporting import exporter, saved_model, signatures, tflite
from tfanon.inference import loaders
from tfanon.inference.loaders.tflite import make_interpreter
from tfanon.models.anonymizers import downsample, unetpp


class Tiny(keras.Model):
    """One convolution for frames and clips; a gain of 9 leaves [0, 1] on both sides."""

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
    return f_A, folder, exporter.export_anonymizer(f_A, folder, frames / 255)


def keras_answer(f_A, levels):
    return np.clip(f_A(levels / np.float32(255), training=False).numpy(), 0, 1)


def test_every_signature_equals_keras(exported, frames):
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
        signatures["frames_float"](frames=tf.constant(frames / np.float32(255)))["anonymized"],
        expected,
        atol=1e-5,
    )
    clips = np.stack([frames, frames[::-1]])
    answer = signatures["clip_uint8"](clips=clips)["anonymized"].numpy()
    assert answer.shape == clips.shape
    assert np.array_equal(answer[1], answer[0, ::-1])  # frames of a clip do not see each other


def test_saved_model_takes_other_batches_and_sizes(exported):
    f_A, folder, _ = exported
    other = np.random.default_rng(1).integers(0, 256, (5, 32, 8, 3), dtype=np.uint8)
    answer = tf.saved_model.load(str(folder / "saved_model")).signatures["frames_uint8"](
        frames=other
    )["anonymized"]
    np.testing.assert_allclose(answer.numpy() / 255, keras_answer(f_A, other), atol=0.51 / 255)


def test_tflite_equals_keras_for_one_and_two_frames(exported, frames):
    f_A, folder, _ = exported
    runner = make_interpreter(folder / "anonymizer.tflite").get_signature_runner()
    detail = runner.get_input_details()["frames"]
    assert detail["shape"].tolist() == [1, 16, 24, 3] and detail["dtype"] == np.float32
    for batch in (1, 2):
        answer = runner(frames=frames[:batch] / np.float32(255))["anonymized"]
        np.testing.assert_allclose(answer, keras_answer(f_A, frames[:batch]), atol=1e-5)


def test_the_interpreter_of_tensorflow_runs_it_too(exported, frames, monkeypatch):
    monkeypatch.setitem(
        __import__("sys").modules, "ai_edge_litert.interpreter", None
    )  # as if it were not installed
    runner = make_interpreter(exported[1] / "anonymizer.tflite").get_signature_runner()
    answer = runner(frames=frames[:1] / np.float32(255))["anonymized"]
    np.testing.assert_allclose(answer, keras_answer(exported[0], frames[:1]), atol=1e-5)


def test_the_record_describes_the_files(exported):
    _, folder, record = exported
    assert record == json.loads((folder / "export.json").read_text())
    assert record["schema_version"] == 1 and (record["height"], record["width"]) == (16, 24)
    assert set(record["comparisons"]) == {
        "saved_model:frames_uint8",
        "saved_model:frames_float",
        "saved_model:clip_uint8",
        "saved_model:image_bytes",
        "anonymizer.tflite",
    }
    for entry in record["comparisons"].values():
        assert (
            0 <= entry["mean_difference"] <= entry["largest_difference"] <= entry.get("allowed", 1)
        )
        assert entry["psnr"] >= entry.get("least_psnr", 40)
    on_disk = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert on_disk == {*record["files"], "export.json"}
    for name, about in record["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == about["sha256"]


def test_a_file_out_of_tolerance_is_not_kept(tmp_path, frames):
    with pytest.raises(
        ValueError, match=r"saved_model:frames_uint8 differs from Keras by up to .* is allowed"
    ):
        exporter.export_anonymizer(Tiny(), tmp_path / "export", frames, tolerance=-1.0)
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_tflite_file_leaves_the_previous_export(tmp_path, frames, monkeypatch):
    f_A, folder = Tiny(), tmp_path / "export"
    exporter.export_anonymizer(f_A, folder, frames)
    (folder / "notes.txt").write_text("not ours")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    right, other = tflite.convert_to_tflite, Tiny(gain=2.0)
    monkeypatch.setattr(tflite, "convert_to_tflite", lambda f_A, *more: right(other, *more))
    with pytest.raises(
        ValueError, match=r"anonymizer\.tflite differs from Keras by up to [\d.]+ .* 0\.001 is"
    ):
        exporter.export_anonymizer(f_A, folder, frames)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    monkeypatch.undo()
    (tmp_path / ".export.partial").mkdir()  # a killed run left its stage
    exporter.export_anonymizer(f_A, folder, frames)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["export"]
    assert (folder / "notes.txt").exists()


def test_low_precision_is_refused_but_not_its_policy_alone(tmp_path, frames):
    with pytest.raises(ValueError, match="computes in bfloat16"):
        exporter.export_anonymizer(Tiny(dtype="mixed_bfloat16"), tmp_path / "export", frames)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        exporter.export_anonymizer(Tiny(), tmp_path / "export", frames)
    finally:
        keras.config.set_dtype_policy("float32")


def test_operations_missing_in_tflite_are_named(tmp_path, frames):
    with pytest.raises(ValueError, match=r"anonymizer\.tflite: .* not built in: ScaleAndTranslate"):
        exporter.export_anonymizer(downsample.build(), tmp_path / "export", frames)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "error, said",
    [
        (
            RuntimeError("\nMax and min are not finite.\nat line 3"),
            "the converter failed: Max and min are not finite.",
        ),
        (MemoryError(), "the converter failed: MemoryError"),
    ],
)
def test_other_converter_failures_are_named_as_they_are(monkeypatch, error, said):
    def failing(_):
        raise error

    monkeypatch.setattr(tf.lite.TFLiteConverter, "convert", failing)
    with pytest.raises(ValueError, match=f"^anonymizer.tflite: {said}$"):
        tflite.convert_to_tflite(Tiny(), (16, 24))


@pytest.mark.parametrize(
    "bad, message",
    [
        (np.zeros([16, 16, 3], np.uint8), r"\[n, H, W, 3\]"),
        (np.full([1, 16, 16, 3], 200.0), "uint8 or floats in"),
        (np.full([1, 16, 16, 3], np.nan), "uint8 or floats in"),
    ],
)
def test_frames_are_checked(tmp_path, bad, message):
    with pytest.raises(ValueError, match=message):
        exporter.export_anonymizer(Tiny(), tmp_path / "export", bad)


@pytest.mark.large  # a quarter of a minute; the run from end to end exports one too
def test_unetpp_exports(tmp_path):
    frames = np.random.default_rng(2).random((2, 32, 32, 3)).astype(np.float32)
    f_A = unetpp.build(width=0.25)
    record = exporter.export_anonymizer(f_A, tmp_path / "export", frames)
    weights = 4 * sum(int(np.prod(variable.shape)) for variable in f_A.variables)
    assert (
        record["files"]["saved_model/variables/variables.data-00000-of-00001"]["bytes"]
        < 1.1 * weights
    )
    assert_built_in(tmp_path / "export" / "anonymizer.tflite")


def assert_built_in(path):
    operations = make_interpreter(path)._get_ops_details()
    assert not [
        op["op_name"] for op in operations if "Flex" in op["op_name"] or "CUSTOM" in op["op_name"]
    ]


@pytest.fixture(scope="module")
def quantized(tmp_path_factory):
    """Smooth frames through all four quantizations: (f_A, folder, frames, record)."""
    keras.utils.set_random_seed(3)
    f_A, folder = helpers.make_frame_network(), tmp_path_factory.mktemp("run") / "export"
    coarse = np.random.default_rng(3).random((8, 4, 4, 3), np.float32)
    frames = tf.image.resize(coarse, [32, 32]).numpy()
    record = exporter.export_anonymizer(
        f_A,
        folder,
        frames,
        formats=("tflite",),
        quantize=tuple(tflite.TFLITE_FILES),
        representative=frames,
        psnr=20.0,
    )
    return f_A, folder, frames, record


def test_quantized_files_are_close_to_keras(quantized):
    f_A, folder, frames, record = quantized
    assert not record["refused"] and list(record["artefacts"]) == list(tflite.TFLITE_FILES.values())
    for name in tflite.TFLITE_FILES.values():
        answer = loaders.load_network(str(folder / name))(np.round(frames * 255).astype(np.uint8))
        mean_square = np.mean(np.square(answer / 255 - keras_answer(f_A, np.round(frames * 255))))
        assert -10 * np.log10(mean_square) > 45  # rounding to grey levels alone costs 59 dB
        assert record["comparisons"][name]["psnr"] > 45
        assert_built_in(folder / name)


def test_int8_input_and_output_are_grey_levels(quantized):
    runtime = make_interpreter(quantized[1] / "anonymizer_int8.tflite")
    given, answer = runtime.get_input_details()[0], runtime.get_output_details()[0]
    assert given["dtype"] == answer["dtype"] == np.uint8
    scale, zero = given["quantization"]
    assert (
        255 * scale == pytest.approx(1) and zero == 0
    )  # the frames alone leave out black and white
    assert answer["quantization"] == (
        1 / 256,
        0,
    )  # a sigmoid's, whatever the frames that it was shown


def test_a_poor_quantized_file_is_refused_and_named(tmp_path, frames):
    record = exporter.export_anonymizer(
        Tiny(),
        tmp_path / "export",
        frames,
        formats=("tflite",),
        quantize=("none", "int8"),
        representative=frames / np.float32(255),
        psnr=100.0,
    )
    assert list(record["artefacts"]) == ["anonymizer.tflite"]
    assert "anonymizer_int8.tflite has a PSNR of" in record["refused"]["anonymizer_int8.tflite"]
    assert not (tmp_path / "export" / "anonymizer_int8.tflite").exists()
    assert record == json.loads((tmp_path / "export" / "export.json").read_text())


def test_an_export_replaces_the_previous_one(tmp_path, frames):
    exporter.export_anonymizer(Tiny(), tmp_path / "export", frames, quantize=("float16",))
    exporter.export_anonymizer(Tiny(), tmp_path / "export", frames, formats=("tflite",))
    assert sorted(path.name for path in (tmp_path / "export").iterdir()) == [
        "anonymizer.tflite",
        "export.json",
    ]


def test_a_limited_sigmoid_shares_weights_and_is_close():
    f_A = ending_in("sigmoid")
    limited = tflite.limit_final_sigmoid(f_A)
    x = np.linspace(-40, 40, 48, dtype=np.float32).reshape(1, 4, 4, 3)
    # sigmoid(-6) = .00247, six tenths of a grey level: no answer may be further off.
    assert 0.0024 < np.abs(limited(x).numpy() - f_A(x).numpy()).max() < 0.0025
    assert limited.layers[1] is f_A.layers[1]
    other = ending_in("linear")
    assert tflite.limit_final_sigmoid(other) is other


def ending_in(activation):
    """A network that is a layer that changes nothing and its last activation."""
    frames = keras.Input((None, None, 3))
    x = keras.layers.Dense(3, kernel_initializer="identity", use_bias=False)(frames)
    return keras.Model(frames, keras.layers.Activation(activation)(x))


@pytest.mark.parametrize(
    "wrong, message",
    [
        (
            {"formats": ("pickle",)},
            "--formats is a list of saved_model, tflite, onnx, not 'pickle'",
        ),
        (
            {"quantize": ("int4",)},
            "--quantize is a list of none, float16, dynamic, int8, not 'int4'",
        ),
        ({"quantize": ("int8",)}, "int8 file needs representative frames"),
    ],
)
def test_bad_arguments_are_refused(tmp_path, frames, wrong, message):
    with pytest.raises(ValueError, match=message):
        exporter.export_anonymizer(Tiny(), tmp_path / "export", frames, **wrong)


def test_onnx_without_its_extra_is_refused_before_anything_is_made(tmp_path, frames, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)  # so that it is not found
    monkeypatch.setattr(
        saved_model, "write_saved_model", lambda *_: pytest.fail("the SavedModel was made")
    )
    with pytest.raises(
        ValueError, match=r"ONNX needs the extra `onnx`: pip install 'tfanon\[onnx\]' \(tf2onnx not"
    ):
        exporter.export_anonymizer(
            Tiny(), tmp_path / "export", frames, formats=("saved_model", "onnx")
        )
    assert not list(tmp_path.iterdir())


def test_a_jpeg_comes_back_at_its_own_size(exported):
    f_A, folder, _ = exported
    signature = tf.saved_model.load(str(folder / "saved_model")).signatures["image_bytes"]
    images = [np.full([height, width, 3], 90, np.uint8) for height, width in ((16, 24), (33, 20))]
    answers = signature(image_bytes=tf.stack([tf.io.encode_jpeg(image) for image in images]))[
        "anonymized_bytes"
    ]
    decoded = [tf.io.decode_jpeg(answer).numpy() for answer in answers]
    assert [answer.shape for answer in decoded] == [(16, 24, 3), (33, 20, 3)]
    expected = keras_answer(f_A, images[0][None])[0] * 255
    assert np.abs(decoded[0] - expected).mean() < 6  # two JPEGs of a picture whose border is sharp


def test_a_fixed_size_is_the_only_accepted_one(tmp_path):
    f_A = Tiny()
    saved_model.write_saved_model(
        signatures.ServingModule(f_A, (16, 24)), tmp_path / "model", fixed=True
    )
    loaded = tf.saved_model.load(str(tmp_path / "model")).signatures
    assert loaded["frames_uint8"].structured_input_signature[1]["frames"].shape.as_list() == [
        None,
        16,
        24,
        3,
    ]
    assert loaders.load_network(str(tmp_path / "model")).fixed_size


def test_the_anonymizer_knows_the_size_of_an_export(exported):
    loaded = loaders.load_network(str(exported[1] / "saved_model"))
    assert (loaded.size, loaded.multiple, loaded.fixed_size) == ((16, 24), 1, False)


def test_onnx_equals_keras(tmp_path, frames):
    pytest.importorskip("tf2onnx")
    f_A = Tiny()
    record = exporter.export_anonymizer(f_A, tmp_path / "export", frames, formats=("onnx",))
    assert record["comparisons"]["anonymizer.onnx"]["largest_difference"] < 1e-5
    other = np.random.default_rng(1).integers(0, 256, (2, 32, 8, 3), dtype=np.uint8)
    answer = loaders.onnx.load_onnx(tmp_path / "export" / "anonymizer.onnx").run(other)
    np.testing.assert_allclose(answer, keras_answer(f_A, other), atol=1e-5)
