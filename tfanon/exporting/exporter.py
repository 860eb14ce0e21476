"""An anonymizer as files that run without Keras, kept only if they agree with it.

saved_model/                  signatures frames_uint8 (also serving_default), frames_float,
                              clip_uint8, image_bytes
anonymizer.tflite             float32, built-in operators only, one H x W; batch size 1 until
                              it is resized
anonymizer_float16.tflite, anonymizer_dynamic.tflite, anonymizer_int8.tflite, anonymizer.onnx
                              on request
export.json                   distance of each from Keras, names of inputs and outputs, sizes,
                              SHA-256, versions
"""

import dataclasses
import json
import os
import pathlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib import metadata
from typing import Any

import keras
import numpy as np
from absl import logging

from tfanon.core import files
from tfanon.exporting import compare, onnx_file, saved_model, signatures, tflite
from tfanon.inference.loaders import tflite as tflite_loader

SCHEMA_VERSION = 1
# On [0, 1], a quarter of a grey level; summing float32 in another order reaches a tenth of it.
DEFAULT_TOLERANCE = 1e-3
DEFAULT_MIN_PSNR = 35.0  # dB, of files that do not compute in float32
FORMATS = ("saved_model", "tflite", "onnx")
RECORD_FILE = "export.json"
OUTPUT_NAMES = (
    saved_model.SAVED_MODEL_FOLDER,
    *tflite.TFLITE_FILES.values(),
    onnx_file.ONNX_FILE,
    RECORD_FILE,
)
# Packages that write or run the files.
RECORDED_PACKAGES = ("tfanon", "tensorflow", "keras", "numpy", "ai-edge-litert", "onnxruntime")

Record = dict[str, Any]


def _examine_nothing(path: pathlib.Path) -> Record:
    """Return no further measurements of a file."""
    return {}


def export_anonymizer(
    f_A: keras.Model,
    folder: str | os.PathLike,
    frames: np.ndarray,
    formats: Sequence[str] = FORMATS[:2],
    quantize: Sequence[str] = ("none",),
    fixed: bool = False,
    representative: np.ndarray | None = None,
    tolerance: float = DEFAULT_TOLERANCE,
    psnr: float = DEFAULT_MIN_PSNR,
    examine: Callable[[pathlib.Path], Record] = _examine_nothing,
    about: Mapping[str, Any] | None = None,
    trained_size: tuple[int, int] | None = None,
) -> Record:
    """Write f_A to a folder, and run each file in its own runtime before it is kept.

    Args:
        f_A: Built under float32: `[N, H, W, 3]` or `[N, T, H, W, 3]` in [0, 1] to the same shape.
        folder: Only OUTPUT_NAMES are replaced in it, after every comparison is done.
        frames: Real frames `[n, H, W, 3]` to compare on, uint8 or floating point in [0, 1]; the
            files are made for their H x W.
        formats: Some of FORMATS.
        quantize: Some of the keys of `tflite.TFLITE_FILES`.
        fixed: The SavedModel and the ONNX file accept that H x W only.
        representative: Frames for "int8", as `tflite.convert_to_tflite` takes them.
        tolerance: Largest difference of a pixel from Keras, on [0, 1], for float32 files.
        psnr: Smallest PSNR to Keras in dB, for quantized files.
        examine: Returns further entries of a file's record; may raise QualityError.
        about: Further entries of the record of the whole export.
        trained_size: (H, W) at which f_A was trained; None: that of the frames.

    Returns:
        The content of export.json. A quantized file that is not good enough is not kept, and is
        named under "refused".

    Raises:
        QualityError: A float32 file differs from Keras; the previous export stays.
        ValueError: f_A does not compute in float32, TFLite's built-in operators do not suffice,
            or an argument is invalid; the previous export stays.
    """
    levels = _convert_to_levels(frames)
    # Whatever can be refused is refused before the first file is written.
    check_formats(formats, quantize)
    if "tflite" in formats and "int8" in quantize and representative is None:
        raise ValueError("An int8 file needs representative frames.")
    # Absolute, so that "." has a name and a parent.
    folder = pathlib.Path(folder).resolve()
    # Beside the folder, since a rename must not cross a file system.
    stage = folder.parent / f".{folder.name}.partial"
    shutil.rmtree(stage, ignore_errors=True)  # left by a process that was killed
    stage.mkdir(parents=True)
    try:
        module = signatures.ServingModule(f_A, levels.shape[1:3], trained_size)
        record = _start_record(levels, tolerance, psnr)
        record["trained_size"] = list(module.trained_size)
        record.update(about or {})
        for target in _list_targets(
            f_A, module, formats, quantize, fixed, representative, tolerance, psnr
        ):
            _write_and_prove(target, stage, f_A, levels, examine, record)
        record["files"] = _list_files(stage)
        (stage / RECORD_FILE).write_text(json.dumps(record, indent=2) + "\n")
        # Last: until every file has passed, the previous export stays.
        _publish(stage, folder)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    logging.info("Exported to %s: %s.", folder, ", ".join(record["artefacts"]))
    return record


@dataclasses.dataclass(frozen=True)
class ExportTarget:
    """One file to export.

    Attributes:
        name: Name of the file or folder.
        write: Writes it to a path.
        prove: Compares the file at a path with f_A on levels; raises QualityError.
        exact: Whether it computes in float32, so that a difference is a fault, not a loss.
    """

    name: str
    write: Callable[[pathlib.Path], Any]
    prove: Callable[..., dict[str, compare.Comparison]]
    exact: bool = True


def _list_targets(
    f_A: keras.Model,
    module: signatures.ServingModule,
    formats: Sequence[str],
    quantize: Sequence[str],
    fixed: bool,
    representative: np.ndarray | None,
    tolerance: float,
    psnr: float,
) -> Iterator[ExportTarget]:
    """Yield the files to export in the order in which they are made."""

    def write_tflite(kind: str, path: pathlib.Path) -> None:
        path.write_bytes(tflite.convert_to_tflite(f_A, module.size, kind, representative))
        # A file that works at another size says so, since tfanon.anonymize checks it.
        if module.trained_size != module.size:
            tflite_loader.write_metadata(path, {"trained_size": module.trained_size})

    if "saved_model" in formats:
        yield ExportTarget(
            saved_model.SAVED_MODEL_FOLDER,
            partial(saved_model.write_saved_model, module, fixed=fixed),
            partial(compare.compare_saved_model, tolerance=tolerance),
        )
    if "tflite" in formats:
        for kind in quantize:
            exact = kind == "none"
            prove = partial(compare.compare_file, psnr=psnr)
            if exact:
                prove = partial(compare.compare_file, tolerance=tolerance)
            yield ExportTarget(tflite.TFLITE_FILES[kind], partial(write_tflite, kind), prove, exact)
    if "onnx" in formats:
        yield ExportTarget(
            onnx_file.ONNX_FILE,
            partial(onnx_file.write_onnx, module, fixed=fixed),
            partial(compare.compare_file, tolerance=tolerance),
        )


def _write_and_prove(
    target: ExportTarget,
    stage: pathlib.Path,
    f_A: keras.Model,
    levels: np.ndarray,
    examine: Callable[[pathlib.Path], Record],
    record: Record,
) -> None:
    """Write one file and record its measurements, or record why it is not kept and remove it."""
    path = stage / target.name
    target.write(path)
    try:
        comparisons = target.prove(path, f_A, levels)
        # Comparisons are recorded only if `examine` accepts the file as well.
        record["artefacts"][target.name] = examine(path)
        record["comparisons"].update(comparisons)
    except compare.QualityError as reason:
        if target.exact:
            raise compare.QualityError(f"{reason}, so nothing was kept.") from None
        record["refused"][target.name] = str(reason)
        # Only quantized files get here, and these are single files.
        path.unlink()


def check_formats(formats: Sequence[str], quantize: Sequence[str]) -> None:
    """Refuse formats that do not exist or cannot be written here.

    Raises:
        ValueError: An unknown format, or a package that is not installed.
    """
    for flag, names, known in (
        ("formats", formats, FORMATS),
        ("quantize", quantize, tuple(tflite.TFLITE_FILES)),
    ):
        if not names or set(names) - set(known):
            raise ValueError(f"--{flag} is a list of {', '.join(known)}, not '{','.join(names)}'.")
    if "onnx" in formats:
        onnx_file.check_onnx_packages()


def _convert_to_levels(frames: np.ndarray) -> np.ndarray:
    """Return frames as uint8 `[n, H, W, 3]`, so that every file and Keras get the same numbers."""
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


def _start_record(levels: np.ndarray, tolerance: float, psnr: float) -> Record:
    """Return export.json before any file is written."""
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
        "versions": _list_versions(),
    }


def _list_versions() -> dict[str, str]:
    """Return the versions of the installed packages that decide how files look."""
    installed = {
        distribution.name: distribution.version for distribution in metadata.distributions()
    }
    return {name: installed[name] for name in RECORDED_PACKAGES if name in installed}


def _list_files(stage: pathlib.Path) -> Record:
    """Return size and SHA-256 of every file, by its path in the export's folder."""
    listed = {}
    for path in sorted(stage.rglob("*")):
        if path.is_file():
            listed[path.relative_to(stage).as_posix()] = {
                "bytes": path.stat().st_size,
                "sha256": files.compute_sha256(path),
            }
    return listed


def _publish(stage: pathlib.Path, folder: pathlib.Path) -> None:
    """Move the files into place; a record beside files always belongs to them.

    The record is removed before the old files and comes last.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Other files in the folder are the user's.
    for name in (RECORD_FILE, *OUTPUT_NAMES):
        if (folder / name).is_dir():
            shutil.rmtree(folder / name)
        (folder / name).unlink(missing_ok=True)
    # RECORD_FILE is the last of OUTPUT_NAMES.
    for name in OUTPUT_NAMES:
        if (stage / name).exists():
            os.replace(stage / name, folder / name)
