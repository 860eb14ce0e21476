"""TensorFlow Serving files, checked against its own messages and run through its C API."""

import json
import pathlib
import shutil
import subprocess

import helpers
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from tensorflow.core.protobuf import saved_model_pb2

from tfanon.exporting import exporter, serving, serving_protos, warmup
from tfanon.exporting.options import ExportOptions
from tfanon.inference.loaders.saved_model import SAVED_MODEL_METADATA
from tfanon.models import per_frame

pytest.importorskip("tensorflow_serving.apis")

# BatchingParameters and MonitoringConfig are not in the package: name -> (number, type).
BATCHING = {
    "max_batch_size": (1, "Int64"),
    "batch_timeout_micros": (2, "Int64"),
    "max_enqueued_batches": (3, "Int64"),
    "num_batch_threads": (4, "Int64"),
}

C_COMPILER = pytest.mark.skipif(not shutil.which("gcc"), reason="needs a C compiler")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """An export of a small network for 16 x 24."""
    folder = tmp_path_factory.mktemp("run") / "export"
    frames = np.random.default_rng(0).integers(0, 256, (2, 16, 24, 3), np.uint8)
    exporter.export_anonymizer(
        per_frame.PerFrame(helpers.make_frame_network()), folder, frames, formats=("saved_model",)
    )
    return folder


@pytest.fixture(scope="module")
def served(exported, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return folder, serving.add_serving_version(exported, folder, name="faces", root="/models")


def test_versions_count_up_and_the_layout_is_whole(exported, served):
    folder, version = served
    assert version == folder / "faces" / "1"
    assert (
        serving.add_serving_version(exported, folder, name="faces", root="/models")
        == folder / "faces" / "2"
    )
    assert sorted(path.name for path in folder.iterdir()) == [
        "batching.config",
        "faces",
        "models.config",
        "monitoring.config",
    ]
    for file in exported.joinpath("saved_model").rglob("*"):
        assert (
            file.is_dir()
            or (version / file.relative_to(exported / "saved_model")).read_bytes()
            == file.read_bytes()
        )


def test_what_fails_leaves_no_version(exported, tmp_path, monkeypatch):
    def fail(folder, name):
        raise ValueError("a request failed")

    monkeypatch.setattr(warmup, "write_warmup_requests", fail)
    with pytest.raises(ValueError, match="a request failed"):
        serving.add_serving_version(exported, tmp_path / "models")
    assert not [path for path in (tmp_path / "models").rglob("*") if path.is_file()]


def test_models_config_names_the_path_that_the_server_sees(served):
    configs, _, _ = serving_protos.import_messages()
    found = text_format.Parse(
        (served[0] / "models.config").read_text(), configs.ModelServerConfig()
    )
    (model,) = found.model_config_list.config
    assert (model.name, model.base_path, model.model_platform) == (
        "faces",
        "/models/faces",
        "tensorflow",
    )
    assert model.model_version_policy.latest.num_versions == 1
    assert not model.HasField("logging_config")  # requests hold raw frames


def test_batching_and_monitoring_parse():
    file = descriptor_pb2.FileDescriptorProto(
        name="published.proto", package="published", syntax="proto3"
    )
    file.dependency.append("google/protobuf/wrappers.proto")
    batching, monitoring, prometheus = (
        file.message_type.add(name=name) for name in ("Batching", "Monitoring", "Prometheus")
    )
    for name, (number, kind) in BATCHING.items():
        batching.field.add(
            name=name, number=number, type=11, label=1, type_name=f".google.protobuf.{kind}Value"
        )
    monitoring.field.add(
        name="prometheus_config", number=1, type=11, label=1, type_name=".published.Prometheus"
    )
    prometheus.field.add(name="enable", number=1, type=8, label=1)
    prometheus.field.add(name="path", number=2, type=9, label=1)
    pool = descriptor_pool.DescriptorPool()
    from google.protobuf import wrappers_pb2

    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    made = {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"published.{name}"))()
        for name in ("Batching", "Monitoring")
    }
    found = text_format.Parse(serving.BATCHING_CONFIG, made["Batching"])
    assert found.max_batch_size.value == 8 and found.max_enqueued_batches.value == 16
    assert text_format.Parse(serving.MONITORING_CONFIG, made["Monitoring"]).prometheus_config.enable


def test_warm_up_requests_cover_every_signature(served):
    _, _, logs = serving_protos.import_messages()
    records = [
        logs.PredictionLog.FromString(record.numpy())
        for record in tf.data.TFRecordDataset(str(served[1] / warmup.WARMUP_FILE))
    ]
    assert len(records) <= 1000
    asked = [record.predict_log.request for record in records]
    signatures = tf.saved_model.load(str(served[1])).signatures
    assert {request.model_spec.signature_name for request in asked} == set(signatures)
    assert {request.model_spec.name for request in asked} == {"faces"}
    for request in asked:
        ((key, value),) = request.inputs.items()
        (answer,) = signatures[request.model_spec.signature_name](
            **{key: tf.constant(tf.make_ndarray(value))}
        ).values()
        assert len(answer) == value.tensor_shape.dim[0].size


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"formats": ("tflite",)}, "needs saved_model"),
        ({"serving_name": "../up"}, "--serving_name is letters"),
    ],
)
def test_settings_are_checked_first(wrong, message):
    with pytest.raises(ValueError, match=message):
        serving.check_serving_options(ExportOptions(serving_dir="somewhere", **wrong))


@pytest.fixture(scope="module")
def ran(served, tmp_path_factory):
    """Return ran(signature, bytes, sides): the bytes that the C API returns, and its output."""
    library, folder = pathlib.Path(tf.__file__).parent, tmp_path_factory.mktemp("runner")
    subprocess.run(
        [
            "gcc",
            str(pathlib.Path(__file__).parent / "saved_model_runner.c"),
            "-o",
            str(folder / "runner"),
            f"-I{library}/include",
            f"-L{library}",
            "-l:libtensorflow_cc.so.2",
            "-l:libtensorflow_framework.so.2",
            f"-Wl,-rpath,{library}",
        ],
        check=True,
    )
    model = saved_model_pb2.SavedModel.FromString((served[1] / "saved_model.pb").read_bytes())
    definitions = model.meta_graphs[0].signature_def

    def run(signature, given, sides):
        (spec,), (answer,) = (
            definitions[signature].inputs.values(),
            definitions[signature].outputs.values(),
        )
        (folder / "in").write_bytes(given)
        done = subprocess.run(
            [
                folder / "runner",
                served[1],
                spec.name,
                answer.name,
                str(spec.dtype),
                folder / "in",
                folder / "out",
                *map(str, sides),
            ],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        return (folder / "out").read_bytes(), done.stdout

    return run


@C_COMPILER
@pytest.mark.large
def test_the_c_api_runs_every_signature_of_frames(served, ran):
    """TF_LoadSessionFromSavedModel is the loader that the server uses; no Python takes part."""
    loaded = tf.saved_model.load(str(served[1])).signatures
    for name, given in _examples().items():
        (expected,) = loaded[name](tf.constant(given)).values()
        answer = np.frombuffer(ran(name, given.tobytes(), given.shape)[0], given.dtype)
        assert np.array_equal(answer.reshape(given.shape), expected)


@C_COMPILER
@pytest.mark.large
def test_the_c_api_runs_the_signature_of_images(served, ran):
    rng = np.random.default_rng(6)
    images = [
        tf.io.encode_jpeg(rng.integers(0, 256, shape, np.uint8)).numpy()
        for shape in ((16, 24, 3), (33, 20, 3))
    ]
    (expected,) = (
        tf.saved_model.load(str(served[1])).signatures["image_bytes"](tf.constant(images)).values()
    )
    answer, lengths = ran("image_bytes", b"".join(images), map(len, images))
    assert answer == b"".join(expected.numpy()) and [int(n) for n in lengths.split()] == [
        *map(len, expected.numpy())
    ]


def _examples():
    levels = np.random.default_rng(5).integers(0, 256, (3, 16, 24, 3), np.uint8)
    return {
        "frames_uint8": levels,
        "frames_float": levels / np.float32(255),
        "clip_uint8": levels[None],
        "serving_default": levels,
    }


def test_what_the_signatures_do_not_say_is_served_too(served):
    assert json.loads((served[1] / SAVED_MODEL_METADATA).read_text()) == {
        "size": [16, 24],
        "trained_size": [16, 24],
        "multiple": 1,
    }
