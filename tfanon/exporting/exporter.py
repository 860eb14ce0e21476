"""f_A as files that run without Keras, kept only if they agree with it.

saved_model/                 signatures frames_uint8 (also serving_default), frames_float, clip_uint8, image_bytes
anonymizer.tflite            float32, built-in operators only, one H x W; batch 1 until it is resized
anonymizer_float16.tflite, anonymizer_dynamic.tflite, anonymizer_int8.tflite, anonymizer.onnx   where asked for
export.json                  how far each is from Keras, names of inputs and outputs, sizes, SHA-256, versions
"""

import dataclasses
import json
import os
import pathlib
import shutil
from collections.abc import Callable
from functools import partial
from importlib import metadata

import numpy as np
from absl import logging

from tfanon.core import files
from tfanon.exporting import aware, compare, onnx_file, saved_model, signatures, tflite
from tfanon.inference import tflite as lite
from tfanon.models import per_frame

SCHEMA_VERSION = 1
TOLERANCE = (
    1e-3  # on [0, 1], a quarter of a grey level; float32 sums in another order reach a tenth of it
)
PSNR = 35.0  # dB: least of a file whose numbers are not float32
FORMATS = ("saved_model", "tflite", "onnx")
RECORD = "export.json"
NAMES = (saved_model.NAME, *tflite.NAMES.values(), onnx_file.NAME, RECORD)
PACKAGES = ("tfanon", "tensorflow", "keras", "numpy", "ai-edge-litert", "onnxruntime")


def export(
    f_A,
    folder,
    frames,
    formats=FORMATS[:2],
    quantize=("none",),
    fixed=False,
    representative=None,
    tolerance=TOLERANCE,
    psnr=PSNR,
    examine=lambda path: {},
    about=None,
    aware_steps=0,
    trained_size=None,
):
    """Write f_A to `folder`, and run each file in its own runtime before it is kept.

    f_A: keras.Model built under float32: [N, H, W, 3] or [N, T, H, W, 3] in [0, 1] -> the same shape.
    folder: only the names above are replaced in it, and only once every comparison is done.
    frames: real frames to compare on, [n, H, W, 3], uint8 or float in [0, 1]; their H x W is that of the files.
    formats, quantize: some of FORMATS and of tflite.NAMES.  fixed: the SavedModel too takes that H x W alone.
    representative: frames for "int8", as tflite.convert wants them.
    tolerance: the largest difference from Keras that a pixel may have, on [0, 1]; psnr: in dB, for what is quantized.
    aware_steps: of fine-tuning under 8-bit rounding where an int8 file would be refused, see aware; 0: none.
    trained_size: (H, W) at which f_A was trained, which the files say where theirs is another; None: theirs.
    examine(path): what else the record should say of a file; may raise compare.Refused.  about: and of the whole.
    Returns what export.json holds.  A quantized file that is refused is left out and named under "refused".
    Raises ValueError that names the file, the difference and the tolerance where a float32 one is refused; where f_A is
    not float32; where TFLite's built-in operators do not suffice.  A previous export survives all of these.
    """
    levels = _levels(frames)
    check(formats, quantize)
    if "tflite" in formats and "int8" in quantize and representative is None:
        raise ValueError("An int8 file needs representative frames.")
    folder = pathlib.Path(folder).resolve()
    stage = (
        folder.parent / f".{folder.name}.partial"
    )  # beside it: a rename must not cross a file system
    shutil.rmtree(stage, ignore_errors=True)  # left by a run that was killed here
    stage.mkdir(parents=True)
    try:
        module = signatures.Anonymizer(f_A, levels.shape[1:3], trained_size)
        record = {
            **_record(levels, tolerance, psnr),
            "trained_size": list(module.trained_size),
            **(about or {}),
        }
        for wanted in _wanted(
            f_A, module, formats, quantize, fixed, representative, tolerance, psnr, aware_steps
        ):
            _make(wanted, stage, f_A, levels, examine, record)
        record["files"] = _files(stage)
        (stage / RECORD).write_text(json.dumps(record, indent=2) + "\n")
        _publish(stage, folder)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    logging.info("Exported to %s: %s.", folder, ", ".join(record["artefacts"]))
    return record


@dataclasses.dataclass(frozen=True)
class Wanted:
    """One file asked for.  write(path); prove(path, f_A, levels) -> comparisons, or raises Refused.

    exact: it computes in float32, so a difference is a fault and no matter of degree.
    again(path): another way to write it, where the first is refused.
    """

    name: str
    write: Callable
    prove: Callable
    exact: bool = True
    again: Callable | None = None


def _wanted(f_A, module, formats, quantize, fixed, representative, tolerance, psnr, aware_steps):
    def write(network, kind, path):
        path.write_bytes(tflite.convert(network, module.size, kind, representative))
        if module.trained_size != module.size:
            lite.write_metadata(path, {"trained_size": module.trained_size})

    def tuned(path):
        write(aware.fine_tuned(f_A, representative, aware_steps), "int8", path)

    if "saved_model" in formats:
        yield Wanted(
            saved_model.NAME,
            lambda path: saved_model.write(module, path, fixed),
            partial(compare.saved_model_files, tolerance=tolerance),
        )
    for kind in quantize if "tflite" in formats else ():
        exact = kind == "none"
        tunable = (
            kind == "int8" and aware_steps and isinstance(f_A, per_frame.PerFrame)
        )  # others look beyond a frame
        yield Wanted(
            tflite.NAMES[kind],
            partial(write, f_A, kind),
            partial(compare.file, **{"tolerance": tolerance} if exact else {"psnr": psnr}),
            exact,
            tuned if tunable else None,
        )
    if "onnx" in formats:
        yield Wanted(
            onnx_file.NAME,
            lambda path: onnx_file.write(module, path, fixed),
            partial(compare.file, tolerance=tolerance),
        )


def _make(wanted, stage, f_A, levels, examine, record):
    """Write one file, and note it in the record; or note there why it is not kept, and remove it."""
    path = stage / wanted.name
    refused = _attempt(wanted, wanted.write, path, f_A, levels, examine, record)
    if refused and wanted.again:
        record["fine_tuned"][wanted.name] = refused
        refused = _attempt(wanted, wanted.again, path, f_A, levels, examine, record)
    if refused and wanted.exact:
        raise compare.Refused(f"{refused}, so nothing was kept.")
    if refused:
        record["refused"][wanted.name] = refused
        path.unlink()


def _attempt(wanted, write, path, f_A, levels, examine, record):
    """Write a file and note it in the record; returns why it is refused, or ''."""
    write(path)
    try:
        comparisons = wanted.prove(path, f_A, levels)
        record["artefacts"][wanted.name] = examine(path)
        record["comparisons"] |= comparisons
    except compare.Refused as reason:
        return str(reason)
    return ""


def check(formats, quantize):
    """Raises ValueError for what cannot be asked for, and for what cannot be made here."""
    for name, asked, known in (
        ("formats", formats, FORMATS),
        ("quantize", quantize, tuple(tflite.NAMES)),
    ):
        if not asked or set(asked) - set(known):
            raise ValueError(f"--{name} is a list of {', '.join(known)}, not '{','.join(asked)}'.")
    if "onnx" in formats:
        onnx_file.check()


def _levels(frames):
    """Frames as uint8 [n, H, W, 3], so that every artefact and Keras see the same numbers."""
    frames = np.asarray(frames)
    if frames.ndim != 4 or frames.shape[-1] != 3 or not len(frames):
        raise ValueError(
            f"Frames to compare on are [n, H, W, 3] with n of at least 1, not {frames.shape}."
        )
    if frames.dtype == np.uint8:
        return frames
    if not (frames.min() >= 0 and frames.max() <= 1):  # NaN fails both
        raise ValueError(
            f"Frames go from {frames.min()} to {frames.max()}; give uint8 or floats in [0, 1]."
        )
    return np.round(frames * 255).astype(np.uint8)


def _record(levels, tolerance, psnr):
    return {
        "schema_version": SCHEMA_VERSION,
        "tolerance": tolerance,
        "psnr": psnr,
        "frames_compared": len(levels),
        "height": levels.shape[1],
        "width": levels.shape[2],
        "comparisons": {},
        "artefacts": {},
        "refused": {},
        "fine_tuned": {},
        "versions": _versions(),
    }


def _versions():
    installed = {
        distribution.name: distribution.version for distribution in metadata.distributions()
    }
    return {name: installed[name] for name in PACKAGES if name in installed}


def _files(stage):
    return {
        path.relative_to(stage).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": files.compute_sha256(path),
        }
        for path in sorted(stage.rglob("*"))
        if path.is_file()
    }


def _publish(stage, folder):
    """Move what was made into place.  The record goes first and comes last: where it is, the files belong to it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (RECORD, *NAMES):
        if (folder / name).is_dir():
            shutil.rmtree(folder / name)
        (folder / name).unlink(missing_ok=True)
    for name in NAMES:
        if (stage / name).exists():
            os.replace(stage / name, folder / name)
