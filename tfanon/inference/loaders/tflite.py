"""Anonymizers in TFLite files, on LiteRT or, without it, on TensorFlow's interpreter."""

import json
import pathlib
import threading
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfanon.core import files, processes
from tfanon.inference.network import Network

METADATA_FILE = "tfanon.json"  # name in the zip archive at the end of a TFLite file
FRAMES_RANK = 4  # [N, H, W, 3]


def make_interpreter(path: pathlib.Path, threads: int = 0) -> Any:
    """Return a TFLite interpreter of a file.

    Args:
        path: The file.
        threads: Number of threads; 0 leaves one core free for decoding and encoding.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        import tensorflow as tf

        Interpreter = tf.lite.Interpreter  # noqa: N806  a class
    count = threads or max(1, processes.count_cores() - 1)
    return Interpreter(model_path=str(path), num_threads=count)


def load_tflite(path: pathlib.Path, threads: int = 0) -> Network:
    """Load a TFLite file that takes frames `[1, H, W, 3]`, float32 or quantized.

    Args:
        path: The file.
        threads: Number of threads; 0 leaves one core free for decoding and encoding.

    Returns:
        The network.

    Raises:
        ValueError: The file cannot be read, or does not have one input and one output of that
            shape.
    """
    try:
        interpreter = make_interpreter(path, threads)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"{path} could not be loaded: {str(error).splitlines()[0]}") from None
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    _check_signature(path, inputs, outputs)
    _, height, width, _ = (int(side) for side in inputs[0]["shape"])
    lock = threading.Lock()  # an interpreter has one set of tensors: one frame at a time

    def run(frames: np.ndarray) -> np.ndarray:
        with lock:
            anonymized = [_run_frame(interpreter, inputs[0], outputs[0], frame) for frame in frames]
        return np.stack(anonymized)

    size = (height, width)
    trained_size = tuple(read_metadata(path).get("trained_size") or ())
    return Network(
        name=path.name,
        sha256=files.compute_sha256(path),
        run=run,
        size=size,
        fixed_size=True,
        batch=1,
        tested_size=trained_size or size,
    )


def _check_signature(
    path: pathlib.Path, inputs: list[Mapping[str, Any]], outputs: list[Mapping[str, Any]]
) -> None:
    """Raise ValueError unless one input of frames becomes one output of the same shape."""
    input_shapes = [tuple(detail["shape"]) for detail in inputs]
    output_shapes = [tuple(detail["shape"]) for detail in outputs]
    takes_frames = (
        len(input_shapes) == 1 and len(input_shapes[0]) == FRAMES_RANK and input_shapes[0][3] == 3
    )
    if not takes_frames or output_shapes != input_shapes:
        raise ValueError(
            f"{path} does not take frames [N, H, W, 3] and return frames: "
            f"{input_shapes} -> {output_shapes}."
        )


def write_metadata(path: pathlib.Path, metadata: Mapping[str, Any]) -> None:
    """Add to a TFLite file what its signature does not say, in a zip archive at its end.

    TFLite's own metadata packs files that belong to a model in the same way; no interpreter reads
    that far.

    Args:
        path: The file.
        metadata: Values that JSON can hold.
    """
    # Without a ZipInfo of its own the entry would hold the time of day, and the digest change.
    entry = zipfile.ZipInfo(METADATA_FILE)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(entry, json.dumps(metadata))


def read_metadata(path: pathlib.Path) -> dict[str, Any]:
    """Return what `write_metadata` added to a file; empty if nothing can be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            return dict(json.loads(archive.read(METADATA_FILE)))
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError, NotImplementedError):
        return {}


def _run_frame(
    interpreter: Any,
    input_detail: Mapping[str, Any],
    output_detail: Mapping[str, Any],
    frame: np.ndarray,
) -> np.ndarray:
    """Return the anonymized frame `[H, W, 3]`: grey levels in uint8, or floats in [0, 1]."""
    interpreter.set_tensor(input_detail["index"], _quantize_frame(frame, input_detail)[None])
    interpreter.invoke()
    output = interpreter.get_tensor(output_detail["index"])[0]
    return _dequantize_output(output, output_detail)


def _quantize_frame(frame: np.ndarray, detail: Mapping[str, Any]) -> np.ndarray:
    """Return a frame, uint8 `[H, W, 3]`, in the type and units of an input."""
    if detail["dtype"] == np.float32:
        return frame / np.float32(255)
    scale, zero = detail["quantization"]
    if (round(255 * scale, 3), zero) == (1.0, 0):  # its units are grey levels already
        return frame
    return _round_to_dtype(frame / (255 * scale) + zero, detail["dtype"])


def _dequantize_output(values: np.ndarray, detail: Mapping[str, Any]) -> np.ndarray:
    """Return an output as floats in [0, 1], or as it is where its units are grey levels."""
    if detail["dtype"] == np.float32:
        return values
    scale, zero = detail["quantization"]
    if (round(255 * scale, 3), zero, detail["dtype"]) == (1.0, 0, np.uint8):
        return values
    return (values.astype(np.float32) - zero) * scale


def _round_to_dtype(values: np.ndarray, dtype: type) -> np.ndarray:
    """Round to the nearest integers that an integer type can hold."""
    limits = np.iinfo(dtype)
    return np.clip(np.rint(values), limits.min, limits.max).astype(dtype)
