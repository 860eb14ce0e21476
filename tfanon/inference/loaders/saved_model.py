"""Anonymizers in SavedModels, exported by this package or written by others."""

import hashlib
import json
import pathlib
from typing import Any

import numpy as np

from tfanon.core import files
from tfanon.inference.loaders._tensorflow import limit_tensorflow_threads
from tfanon.inference.network import Network

# File inside a SavedModel with what its signatures do not say: sizes and divisors of frames.
SAVED_MODEL_METADATA = "assets.extra/tfanon.json"
# Signatures that take frames, the preferred one first.
FRAME_SIGNATURES = ("frames_float", "frames_uint8", "serving_default")
FRAMES_RANK = 4  # [N, H, W, 3]
DEFAULT_BATCH = 4  # frames at once where the signature takes any number


def load_saved_model(folder: pathlib.Path, threads: int = 0) -> Network:
    """Load a SavedModel with a signature that takes frames `[N, H, W, 3]` and returns frames.

    Args:
        folder: Folder of the SavedModel.
        threads: Threads of one TensorFlow operation; 0 keeps TensorFlow's choice.

    Returns:
        The network.

    Raises:
        ValueError: The SavedModel cannot be read, or has no such signature.
    """
    limit_tensorflow_threads(threads)
    import tensorflow as tf

    try:
        loaded = tf.saved_model.load(str(folder))
    except (OSError, tf.errors.OpError) as error:
        raise ValueError(f"{folder} could not be loaded: {str(error).splitlines()[0]}") from None
    signature_name, input_name, input_spec = _find_frame_signature(folder, loaded)

    def run(frames: np.ndarray) -> np.ndarray:
        if input_spec.dtype != tf.uint8:
            frames = frames / np.float32(255)
        # Through `loaded`, not the signature alone: the variables are freed with the loaded object.
        outputs = loaded.signatures[signature_name](**{input_name: tf.constant(frames)})
        return next(iter(outputs.values())).numpy()

    height_and_width = input_spec.shape[1:3]
    fixed_size = height_and_width.is_fully_defined()
    metadata = read_metadata(folder)
    recorded_size = height_and_width.as_list() if fixed_size else metadata.get("size")
    size = _to_size(recorded_size)
    return Network(
        name="saved_model",
        sha256=_hash_folder(folder),
        run=run,
        size=size,
        fixed_size=fixed_size,
        multiple=metadata.get("multiple", 1),
        batch=input_spec.shape[0] or DEFAULT_BATCH,
        tested_size=_to_size(metadata.get("trained_size")) or size,
    )


def _find_frame_signature(folder: pathlib.Path, loaded: Any) -> tuple[str, str, Any]:
    """Return the name of the signature for frames, and name and TensorSpec of its only input."""
    names = [name for name in FRAME_SIGNATURES if name in loaded.signatures]
    if not names:
        available = ", ".join(loaded.signatures) or "none"
        raise ValueError(f"{folder} has no signature for frames; it has: {available}.")
    signature = loaded.signatures[names[0]]
    inputs = list(signature.structured_input_signature[1].items())
    ranks = [spec.shape.rank for _, spec in inputs]
    if ranks != [FRAMES_RANK] or len(signature.structured_outputs) != 1:
        raise ValueError(
            f"{folder}: the signature {names[0]} does not take frames [N, H, W, 3] and return "
            "frames."
        )
    input_name, input_spec = inputs[0]
    return names[0], input_name, input_spec


def read_metadata(folder: pathlib.Path) -> dict[str, Any]:
    """Return what the exporter wrote beside the signatures; empty for other SavedModels."""
    path = folder / SAVED_MODEL_METADATA
    if not path.is_file():
        return {}
    return json.loads(path.read_text())


def _to_size(sides: list[int] | None) -> tuple[int, int] | None:
    """Return (H, W) of a list from JSON; None where it is missing or empty."""
    if not sides:
        return None
    height, width = sides
    return height, width


def _hash_folder(folder: pathlib.Path) -> str:
    """Return one digest of all files of a folder and of their names."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        digest.update(f"{name} {files.compute_sha256(path)}\n".encode())
    return digest.hexdigest()
