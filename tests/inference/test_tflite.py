"""TFLite files of float32, uint8 and int8 frames."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from tfanon.inference import network, tflite

X = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), np.uint8)


def converted(function, shape=(1, 16, 16, 3), kind=None):
    """The bytes of a TFLite file.  kind: tf.uint8 or tf.int8 for full-integer quantization."""
    concrete = tf.function(function).get_concrete_function(
        tf.TensorSpec(shape, tf.float32, name="frames")
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    if kind:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: (
            [x[None] / np.float32(255)]
            for x in np.concatenate([X, np.zeros_like(X[:1]), np.full_like(X[:1], 255)])
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = kind
    return converter.convert()


def halve(x):
    kernel = tf.constant(0.5 * np.eye(3, dtype=np.float32)[None, None])
    return tf.nn.conv2d(x, kernel, 1, "SAME")


@pytest.mark.parametrize("kind, slack", [(None, 0.51), (tf.uint8, 1.5), (tf.int8, 1.5)])
def test_every_type_answers_in_grey_levels(tmp_path, kind, slack):
    path = tmp_path / "a.tflite"
    path.write_bytes(converted(halve, kind=kind))
    loaded = network.load_network(str(path))
    assert (loaded.size, loaded.fixed_size, loaded.batch, loaded.name) == (
        (16, 16),
        True,
        1,
        "a.tflite",
    )
    assert np.abs(loaded(X).astype(float) - X / 2).max() <= slack


def test_a_file_of_any_number_of_frames(tmp_path):
    path = tmp_path / "a.tflite"
    path.write_bytes(converted(halve, (None, 16, 16, 3)))
    assert np.abs(network.load_network(str(path))(X).astype(float) - X / 2).max() < 0.51


def test_it_runs_on_tensorflows_interpreter_too(tmp_path, monkeypatch):
    (tmp_path / "a.tflite").write_bytes(converted(halve))
    monkeypatch.setitem(
        __import__("sys").modules, "ai_edge_litert.interpreter", None
    )  # as if it were not installed
    assert (
        np.abs(
            tflite.load_tflite(pathlib.Path(tmp_path / "a.tflite"))(X).astype(float) - X / 2
        ).max()
        < 0.51
    )


def test_what_is_something_else_is_refused(tmp_path):
    path = tmp_path / "a.tflite"
    path.write_bytes(b"no flat buffer")
    with pytest.raises(ValueError, match="a.tflite could not be loaded"):
        network.load_network(str(path))
    path.write_bytes(converted(lambda x: tf.reduce_mean(x, [1, 2])))
    with pytest.raises(ValueError, match="does not take frames"):
        network.load_network(str(path))
