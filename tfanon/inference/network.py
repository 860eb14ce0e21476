"""Whatever anonymizes frames, wherever it came from: a run's folder, a SavedModel, a TFLite file, or a fixed anonymizer.

TensorFlow is imported only for what needs it: a TFLite file runs on LiteRT alone.

A SavedModel and a TFLite file are programs: load those whose origin is known, or in a sandbox. A run's folder is not:
its weights are read into an architecture of this package, after their digest.
"""

import contextlib
import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Callable

import numpy as np
from absl import logging

from tfanon.core import files, keras_setup

MODES = ("blacken", "blur", "downsample", "pixelate")
MODE_SIZE = (
    224,
    224,
)  # the resolution at which the fixed anonymizers are defined and were measured
SCALE_INVARIANT_MODES = ("blur", "pixelate")  # modes whose strength follows the size of the frame
SAVED_MODEL_METADATA = (
    "assets.extra/tfanon.json"  # inside a SavedModel: what its signatures do not say
)


class UnsafeOutputError(ValueError):
    """What came out of the network must not be shown; the message says why."""


@dataclasses.dataclass(frozen=True)
class Network:
    """A network for frames.

    name: what it is, for records.  sha256: of the weights or the file; of the name where there are neither.
    size: (H, W) that it was trained, exported or measured at; None where that is not known.
    fixed: it takes no other size.  multiple: what H and W must be divisible by.  batch: frames it takes at once.
    run: uint8 [n, H, W, 3] -> the same shape, uint8 or float in [0, 1].
    tested_size: (H, W) of the frames that its privacy was measured on; None where that is not known
        or does not matter.
    scales: it hides as much in whole frames of any size.
    """

    name: str
    sha256: str
    run: Callable
    size: tuple | None = None
    fixed_size: bool = False
    multiple: int = 1
    batch: int = 4
    tested_size: tuple | None = None
    scale_invariant: bool = False

    def __call__(self, frames):
        """uint8 [n, H, W, 3] -> uint8 of the same shape.  Raises Unsafe for NaN and for another shape."""
        answer = np.asarray(self.run(frames))
        if answer.shape != frames.shape:
            raise UnsafeOutputError(f"{self.name} made {answer.shape} of {frames.shape}.")
        if answer.dtype == np.uint8:
            return answer
        if not np.isfinite(answer).all():
            raise UnsafeOutputError(f"{self.name} returned NaN or an infinite value.")
        return np.rint(np.clip(answer, 0, 1) * 255).astype(np.uint8)


def load_network(model="", mode="", threads=0):
    """The Network of a path or of a mode.

    model: folder of a run, folder of a SavedModel, or a .tflite file.  mode: one of MODES, instead.
    threads: of the network; TensorFlow's are the process's, and can be set only before it is first used.
    Raises ValueError where neither or both are given, and where the path is none of these.
    """
    if bool(model) == bool(mode):
        raise ValueError(
            f"Give a model (a run's folder, a SavedModel, a .tflite file) or a mode ({', '.join(MODES)}): "
            f"one of the two, not {'both' if model else 'neither'}."
        )
    path = pathlib.Path(model)
    if model and path.is_file() and path.suffix == ".tflite":
        from tfanon.inference import tflite

        return tflite.load_tflite(path, threads)
    for told, make in (
        (mode, lambda: _load_mode(mode)),
        (model and (path / "run.flags").is_file(), lambda: _load_run(path)),
        (model and (path / "saved_model.pb").is_file(), lambda: _load_saved_model(path)),
    ):
        if told:
            _limit_tensorflow_threads(threads)
            return make()
    raise ValueError(
        f"{model} is no model: a run's folder has run.flags in it, a SavedModel's saved_model.pb, "
        f"a TFLite file ends in .tflite{'' if path.exists() else '; there is nothing at that path'}."
    )


def _limit_tensorflow_threads(threads):
    import tensorflow as tf

    with contextlib.suppress(RuntimeError):  # it is already at work
        if threads:
            tf.config.threading.set_intra_op_parallelism_threads(threads)


@keras_setup.keras_settings()
def _load_mode(name):
    from tfanon.core import registry

    if name not in MODES:
        raise ValueError(f"No mode called '{name}': choose {', '.join(MODES)}.")
    digest = hashlib.sha256(name.encode()).hexdigest()
    run = _compile_network(registry.load_module("anonymizers", name).build())
    tested = None if name == "blacken" else MODE_SIZE  # black is black at any size
    return Network(
        name,
        digest,
        run,
        MODE_SIZE,
        tested_size=tested,
        scale_invariant=name in SCALE_INVARIANT_MODES,
    )


@keras_setup.keras_settings()
def _load_run(folder):
    """f_A of a finished run, in float32.

    Frames reach it one by one.  For a network that looks at several at once this is not what its run was judged on, and
    a line says so.
    """
    from tfanon.core import checkpoint, config, registry

    settings = config.from_flagfile(folder / "run.flags")
    phase = folder / "phases" / "anonymize"
    if not (phase / "done.json").is_file():
        raise ValueError(
            f"{folder} holds no trained anonymizer yet: {phase / 'done.json'} is missing."
        )
    digest = json.loads((phase / "done.json").read_text())["sha256"]
    f_A = registry.load_module("anonymizers", settings.anonymizer).build(
        width=settings.anonymizer_width, output=settings.anonymizer_output
    )
    checkpoint.load_weights(f_A, phase / "network.weights.h5", digest)
    if getattr(f_A, "video", False):
        logging.warning(
            "%s: %s was judged on clips and sees each frame here as a clip that stands still: the numbers of "
            "the run are not those of this output. python -m tfanon.export judges it frame by frame.",
            folder,
            settings.anonymizer,
        )
    size = (settings.resolution,) * 2
    multiple = getattr(f_A, "multiple", 1)
    return Network(
        settings.anonymizer,
        digest,
        _compile_network(f_A),
        size,
        multiple=multiple,
        tested_size=size,
    )


def _compile_network(f_A):
    """f_A on uint8 frames of any number and size, as one graph."""
    import tensorflow as tf

    graph = tf.function(
        lambda x: f_A(tf.cast(x, tf.float32) / 255.0, training=False),
        input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8)],
        autograph=False,
    )
    graph.get_concrete_function()  # now: Keras may have other settings when the first frame comes
    return lambda frames: graph(frames).numpy()


def _load_saved_model(folder):
    """A SavedModel with tfanon's signatures, or with any one of frames [N, H, W, 3]."""
    import tensorflow as tf

    try:
        loaded = tf.saved_model.load(str(folder))
    except (OSError, tf.errors.OpError) as error:
        raise ValueError(f"{folder} could not be loaded: {str(error).splitlines()[0]}") from None
    name = next(
        (
            name
            for name in ("frames_float", "frames_uint8", "serving_default")
            if name in loaded.signatures
        ),
        None,
    )
    if name is None:
        raise ValueError(
            f"{folder} has no signature for frames; it has: {', '.join(loaded.signatures) or 'none'}."
        )
    signature = loaded.signatures[name]
    (given, spec), *others = signature.structured_input_signature[1].items()
    if others or spec.shape.rank != 4 or len(signature.structured_outputs) != 1:
        raise ValueError(
            f"{folder}: the signature {name} does not take frames [N, H, W, 3] to frames."
        )
    fixed = spec.shape[1:3].as_list() if spec.shape[1:3].is_fully_defined() else None
    about = _read_metadata(folder)

    def run(frames):
        x = frames if spec.dtype == tf.uint8 else frames / np.float32(255)
        return next(iter(signature(**{given: tf.constant(x)}).values())).numpy()

    run.keeps = loaded  # its variables live as long as it does
    size = tuple(fixed or about.get("size") or ()) or None
    tested = tuple(about.get("trained_size") or ()) or size
    return Network(
        "saved_model",
        _hash_folder(folder),
        run,
        size,
        fixed_size=fixed is not None,
        multiple=about.get("multiple", 1),
        batch=spec.shape[0] or 4,
        tested_size=tested,
    )


def _read_metadata(folder):
    path = folder / SAVED_MODEL_METADATA
    return json.loads(path.read_text()) if path.is_file() else {}


def _hash_folder(folder):
    """One digest of all files of a folder and of their names."""
    whole = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        whole.update(
            f"{path.relative_to(folder).as_posix()} {files.compute_sha256(path)}\n".encode()
        )
    return whole.hexdigest()
