"""f_A as files that run without Keras: a SavedModel for servers and a TFLite file for phones, kept only if they agree.

    saved_model/        frames_uint8 (also serving_default), frames_float, clip_uint8; any batch, T, H and W f_A takes
    anonymizer.tflite   float32, built-in operations only, one H x W; batch 1 until it is resized
    export.json         how far each is from Keras, names of inputs and outputs, sizes, SHA-256, versions

Everything between frames in and frames out is inside: scaling from uint8, f_A's own normalisation, clipping, rounding.
"""

import json
import os
import pathlib
import re
import shutil

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from tfanon import files

SCHEMA_VERSION = 1
TOLERANCE = 1e-3  # on [0, 1], a quarter of a grey level; float32 sums in another order reach a tenth of it
HALF_LEVEL = 0.5 / 255  # what rounding to uint8 may add
SAVED_MODEL, TFLITE, RECORD = "saved_model", "anonymizer.tflite", "export.json"


def export(f_A, folder, frames, tolerance=TOLERANCE):
    """Write f_A to `folder`, run each file in its own runtime, and keep all of them or none.

    f_A: keras.Model built under float32: [N, H, W, 3] or [N, T, H, W, 3] in [0, 1] -> the same shape.
    folder: only the three names above are replaced in it, and only once every comparison has passed.
    frames: real frames to compare on, [n, H, W, 3], uint8 or float in [0, 1]; their H x W is the TFLite file's.
    tolerance: the largest difference from Keras that a pixel may have, on [0, 1].
    Returns what export.json holds.  Raises ValueError that names the file, the difference and the tolerance; where f_A
    is not float32; where TFLite's built-in operations do not suffice.  A previous export survives all of these.
    """
    levels = _levels(frames)
    folder = pathlib.Path(folder).resolve()
    stage = folder.parent / f".{folder.name}.partial"  # beside it: a rename must not cross a file system
    shutil.rmtree(stage, ignore_errors=True)  # left by a run that was killed here
    stage.mkdir(parents=True)
    try:
        record = _write(f_A, stage, levels, tolerance)
        _publish(stage, folder)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    logging.info("Exported to %s; largest difference from Keras %.2g, tolerance %.2g.", folder,
                 max(entry["largest_difference"] for entry in record["comparisons"].values()), tolerance)
    return record


def interpreter(path, threads=2):
    """A TFLite interpreter for the file at `path`: LiteRT where it is installed, else the one inside TensorFlow."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        Interpreter = tf.lite.Interpreter
    return Interpreter(model_path=str(path), num_threads=threads)


def _levels(frames):
    """Frames as uint8 [n, H, W, 3], so that every artefact and Keras see the same numbers."""
    frames = np.asarray(frames)
    if frames.ndim != 4 or frames.shape[-1] != 3 or not len(frames):
        raise ValueError(f"Frames to compare on are [n, H, W, 3] with n of at least 1, not {frames.shape}.")
    if frames.dtype == np.uint8:
        return frames
    if not (frames.min() >= 0 and frames.max() <= 1):  # NaN fails both
        raise ValueError(f"Frames go from {frames.min()} to {frames.max()}; give uint8 or floats in [0, 1].")
    return np.round(frames * 255).astype(np.uint8)


def _write(f_A, stage, levels, tolerance):
    """Write and compare each artefact inside `stage`; returns the record, which is written last."""
    with tf.device("/CPU:0"):  # a GPU's TF32 would be compared, not the file
        expected = np.clip(keras.ops.convert_to_numpy(f_A(levels / np.float32(255), training=False)), 0, 1)
    module = Anonymizer(f_A)
    tf.saved_model.save(module, str(stage / SAVED_MODEL), signatures=module.signatures())
    (stage / TFLITE).write_bytes(_convert(module, levels.shape[1:3]))
    comparisons = {}
    for name, about, answer, rounding in _runs(stage, levels):
        comparisons[name] = {**about, **_compare(name, answer, expected, tolerance + rounding)}
    record = {
        "schema_version": SCHEMA_VERSION, "tolerance": tolerance, "frames_compared": len(levels),
        "height": levels.shape[1], "width": levels.shape[2], "comparisons": comparisons,
        "files": _files(stage), "versions": _versions(),
    }
    (stage / RECORD).write_text(json.dumps(record, indent=2) + "\n")
    return record


class Anonymizer(tf.Module):
    """f_A with everything between uint8 frames in and uint8 frames out.

    Holds f_A's variables and not the Keras model: a SavedModel of the latter stores every weight twice.
    """

    def __init__(self, f_A):
        super().__init__()
        self._network = lambda x: tf.clip_by_value(f_A(x, training=False), 0.0, 1.0)
        self._weights = [getattr(variable, "value", variable) for variable in f_A.variables]

    def signatures(self):
        """name -> concrete function; N, T, H and W are open."""
        frames, clips = [None, None, None, 3], [None, None, None, None, 3]
        frames_uint8 = self.concrete("frames", frames, tf.uint8)
        return {
            "serving_default": frames_uint8,
            "frames_uint8": frames_uint8,
            "frames_float": self.concrete("frames", frames, tf.float32),
            "clip_uint8": self.concrete("clips", clips, tf.uint8),
        }

    def concrete(self, name, shape, dtype):
        """{name: [..., H, W, 3]} -> {"anonymized": the same shape and dtype}.

        Raises ValueError where a step inside is not float32.
        """
        def from_levels(x):
            return tf.cast(tf.round(255.0 * self._network(tf.cast(x, tf.float32) / 255.0)), tf.uint8)

        call = from_levels if dtype == tf.uint8 else self._network
        function = tf.function(lambda x: {"anonymized": call(x)}, autograph=False)
        concrete = function.get_concrete_function(tf.TensorSpec(shape, dtype, name=name))
        _refuse_low_precision(concrete)
        return concrete


def _refuse_low_precision(concrete):
    for operation in concrete.graph.get_operations():
        for tensor in operation.outputs:
            if tensor.dtype in (tf.bfloat16, tf.float16):
                raise ValueError(f"f_A computes in {tensor.dtype.name} ({operation.name}); an export is float32: build "
                                 "it under keras.config.set_dtype_policy('float32') and copy its weights.")


def _convert(module, size):
    """The bytes of the TFLite file for frames [N, H, W, 3] of this size."""
    # N stays open: an N of 1 would be folded into f_A's reshapes, and no phone could resize it.
    concrete = module.concrete("frames", [None, *size, 3], tf.float32)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    try:
        return converter.convert()
    except Exception as error:  # the converter's own class is private
        missing = re.search(r"(?:Custom|Flex) ops: (.*)", str(error))
        raise ValueError(f"{TFLITE}: f_A needs operations that TFLite has not built in"
                         f"{': ' + missing.group(1) if missing else ''}.") from error


def _runs(stage, levels):
    """Per signature: (name, what it is called with, its answer as [n, H, W, 3] in [0, 1], what rounding may add)."""
    signatures = tf.saved_model.load(str(stage / SAVED_MODEL)).signatures
    values = levels / np.float32(255)
    for key, name, given, scale in (
        ("frames_uint8", "frames", levels, 255), ("frames_float", "frames", values, 1),
        ("clip_uint8", "clips", levels[None], 255),
    ):
        with tf.device("/CPU:0"):
            answer = signatures[key](**{name: tf.constant(given)})["anonymized"].numpy()
        about = _about(name, given)
        yield f"{SAVED_MODEL}:{key}", about, answer.reshape(levels.shape) / np.float32(scale), HALF_LEVEL * (scale > 1)
    runner = interpreter(stage / TFLITE).get_signature_runner("serving_default")
    answers = [runner(frames=frame[None])["anonymized"][0].copy() for frame in values]
    yield TFLITE, _about("frames", values[:1]), np.stack(answers), 0.0


def _about(name, given):
    return {"input": name, "output": "anonymized", "shape": list(given.shape), "dtype": given.dtype.name}


def _compare(name, answer, expected, allowed):
    """Largest and mean absolute difference on [0, 1].  Raises ValueError beyond `allowed`, and where one is NaN."""
    difference = np.abs(answer.astype(np.float64) - expected)
    largest, mean = float(np.max(difference)), float(np.mean(difference))
    if not largest <= allowed:
        raise ValueError(f"{name} differs from Keras by up to {largest:.3g} (mean {mean:.3g}); {allowed:.3g} is "
                         "allowed, so nothing was kept.")
    return {"largest_difference": largest, "mean_difference": mean, "allowed": allowed}


def _files(stage):
    return {path.relative_to(stage).as_posix(): {
        "bytes": path.stat().st_size, "sha256": files.sha256(path)}
        for path in sorted(stage.rglob("*")) if path.is_file()}


def _versions():
    return {"tensorflow": tf.__version__, "keras": keras.__version__, "numpy": np.__version__}


def _publish(stage, folder):
    """Move the three names into place.  The record goes first and comes last: where it is, the files belong to it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RECORD).unlink(missing_ok=True)
    shutil.rmtree(folder / SAVED_MODEL, ignore_errors=True)
    for name in (SAVED_MODEL, TFLITE, RECORD):
        os.replace(stage / name, folder / name)
