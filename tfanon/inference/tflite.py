"""A TFLite file as a Network, on LiteRT where it is installed, else on the interpreter inside TensorFlow."""

import json
import pathlib
import threading
import zipfile

import numpy as np

from tfanon.core import files, processes
from tfanon.inference.network import Network

METADATA_FILE = "tfanon.json"  # the file at the end of a TFLite file


def make_interpreter(path, threads=0):
    """A TFLite interpreter for the file at `path`.  threads: 0 leaves one core to those who decode and encode."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        import tensorflow as tf

        Interpreter = tf.lite.Interpreter
    return Interpreter(
        model_path=str(path), num_threads=threads or max(1, processes.count_cores() - 1)
    )


def load_tflite(path, threads=0):
    """The Network of a TFLite file of one input and one output, frames [1, H, W, 3], float32 or uint8.

    Raises ValueError where it is something else.
    """
    try:
        runtime = make_interpreter(path, threads)
        runtime.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"{path} could not be loaded: {str(error).splitlines()[0]}") from None
    ins, outs = runtime.get_input_details(), runtime.get_output_details()
    shape = tuple(int(side) for side in ins[0]["shape"])
    if (
        len(ins) != 1
        or len(outs) != 1
        or len(shape) != 4
        or shape[3] != 3
        or tuple(outs[0]["shape"]) != shape
    ):
        raise ValueError(
            f"{path} does not take frames [N, H, W, 3] to frames: {[tuple(i['shape']) for i in ins]} -> "
            f"{[tuple(o['shape']) for o in outs]}."
        )

    turn = threading.Lock()  # an interpreter is one pair of hands

    def run(frames):
        with turn:
            return np.stack([_run_frame(runtime, ins[0], outs[0], frame) for frame in frames])

    tested = tuple(read_metadata(path).get("trained_size") or ()) or shape[1:3]
    return Network(
        path.name,
        files.compute_sha256(path),
        run,
        shape[1:3],
        fixed_size=True,
        batch=1,
        tested_size=tested,
    )


def write_metadata(path: pathlib.Path, about: dict) -> None:
    """Add to a TFLite file what its signature does not say, as a file in a zip archive at its end.

    So TFLite's own metadata packs files that belong to a model; no interpreter reads that far.
    """
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(
            zipfile.ZipInfo(METADATA_FILE), json.dumps(about)
        )  # a ZipInfo of its own: no time of day in it


def read_metadata(path: pathlib.Path) -> dict:
    """What write_about has added; {} where that is nothing."""
    try:
        with zipfile.ZipFile(path) as archive:
            return dict(json.loads(archive.read(METADATA_FILE)))
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError, NotImplementedError):
        return {}


def _run_frame(runtime, given, answer, frame):
    runtime.set_tensor(given["index"], _quantize_frame(frame, given)[None])
    runtime.invoke()
    return _dequantize_output(runtime.get_tensor(answer["index"])[0], answer)


def _quantize_frame(frame, detail):
    """uint8 [H, W, 3] as the input wants it."""
    if detail["dtype"] == np.float32:
        return frame / np.float32(255)
    scale, zero = detail["quantization"]
    if (round(255 * scale, 3), zero) == (1.0, 0):  # its units are grey levels
        return frame
    return _round_to_dtype(frame / (255 * scale) + zero, detail["dtype"])


def _dequantize_output(values, detail):
    """The output as float in [0, 1], or as grey levels in uint8."""
    if detail["dtype"] == np.float32:
        return values
    scale, zero = detail["quantization"]
    if (round(255 * scale, 3), zero, detail["dtype"]) == (1.0, 0, np.uint8):
        return values
    return (values.astype(np.float32) - zero) * scale


def _round_to_dtype(values, dtype):
    limits = np.iinfo(dtype)
    return np.clip(np.rint(values), limits.min, limits.max).astype(dtype)
