"""TFLite files of float32, uint8 and int8 frames."""

import sys

import numpy as np
import pytest
import tensorflow as tf

from tfanon.inference import loaders
from tfanon.inference.loaders import tflite

FRAMES = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), np.uint8)


def convert(function, shape=(1, 16, 16, 3), dtype=None) -> bytes:
    """Return a TFLite file; dtype: tf.uint8 or tf.int8 for full-integer quantization."""
    spec = tf.TensorSpec(shape, tf.float32, name="frames")
    concrete = tf.function(function).get_concrete_function(spec)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    if dtype:
        black, white = np.zeros_like(FRAMES[:1]), np.full_like(FRAMES[:1], 255)
        examples = np.concatenate([FRAMES, black, white]) / np.float32(255)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([frame[None]] for frame in examples)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = dtype
    return converter.convert()


def halve(x):
    kernel = tf.constant(0.5 * np.eye(3, dtype=np.float32)[None, None])
    return tf.nn.conv2d(x, kernel, 1, "SAME")


def measure_error(network) -> float:
    """Return the largest difference from half of the grey levels."""
    return np.abs(network(FRAMES).astype(float) - FRAMES / 2).max()


@pytest.mark.parametrize("dtype, tolerance", [(None, 0.51), (tf.uint8, 1.5), (tf.int8, 1.5)])
def test_every_type_returns_grey_levels(tmp_path, dtype, tolerance):
    path = tmp_path / "a.tflite"
    path.write_bytes(convert(halve, dtype=dtype))
    network = loaders.load_network(str(path))
    assert (network.size, network.fixed_size) == ((16, 16), True)
    assert (network.batch, network.name) == (1, "a.tflite")
    assert measure_error(network) <= tolerance


def test_file_of_any_number_of_frames(tmp_path):
    path = tmp_path / "a.tflite"
    path.write_bytes(convert(halve, (None, 16, 16, 3)))
    assert measure_error(loaders.load_network(str(path))) < 0.51


def test_file_runs_on_tensorflows_interpreter_too(tmp_path, monkeypatch):
    path = tmp_path / "a.tflite"
    path.write_bytes(convert(halve))
    # As if LiteRT were not installed.
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    assert measure_error(tflite.load_tflite(path)) < 0.51


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "a.tflite"
    path.write_bytes(b"no flat buffer")
    with pytest.raises(ValueError, match="a.tflite could not be loaded"):
        loaders.load_network(str(path))
    path.write_bytes(convert(lambda x: tf.reduce_mean(x, [1, 2])))
    with pytest.raises(ValueError, match="does not take frames"):
        loaders.load_network(str(path))


def test_metadata_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "a.tflite"
    path.write_bytes(b"TFL3" * 100)
    assert tflite.read_metadata(path) == {}
    for _ in range(2):
        path.write_bytes(b"TFL3" * 100)
        tflite.write_metadata(path, {"trained_size": (48, 48)})
        assert tflite.read_metadata(path) == {"trained_size": [48, 48]}
    assert path.read_bytes().startswith(b"TFL3" * 100)
