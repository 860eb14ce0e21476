"""Loaders of anonymizers: one module per format, and `load_network`, which picks one of them.

SavedModels, TFLite files and ONNX files are programs: load only files from a trusted source, or
load them in a sandbox. The folder of a run is not a program: its weights are read into an
architecture of this package after their digest has been verified.

TensorFlow is imported only by the loaders that need it: a TFLite file runs on LiteRT alone.
"""

import pathlib
from collections.abc import Callable

from tfanon.inference.loaders import keras_model, onnx, saved_model, tflite
from tfanon.inference.network import Network

__all__ = ["keras_model", "load_network", "onnx", "saved_model", "tflite"]


def load_network(
    model: str = "", mode: str = "", threads: int = 0, accept_onnx: bool = False
) -> Network:
    """Load an anonymizer from a path, or build a fixed one by its name.

    Args:
        model: Folder of a run, folder of a SavedModel, or a `.tflite` file.
        mode: One of `keras_model.MODES`, instead of a model.
        threads: Threads of the network; 0 leaves the choice to the runtime. TensorFlow has one
            setting per process, which can be changed only before TensorFlow is first used.
        accept_onnx: Accept `.onnx` files too. They do not record the size at which their privacy
            was measured, so the commands that anonymize do not.

    Returns:
        The network.

    Raises:
        ValueError: Both or neither of `model` and `mode` are given, `model` is not a path of a
            model, or the model cannot be loaded.
    """
    if bool(model) == bool(mode):
        number = "both" if model else "neither"
        raise ValueError(
            "Give a model (a run's folder, a SavedModel, a .tflite file) or a mode "
            f"({', '.join(keras_model.MODES)}): one of the two, not {number}."
        )
    if mode:
        return keras_model.load_mode(mode, threads)
    path = pathlib.Path(model)
    loader = _choose_loader(path, accept_onnx)
    if loader is None:
        reason = "" if path.exists() else "; there is nothing at that path"
        raise ValueError(
            f"{model} is not a model: a run's folder contains run.flags, a SavedModel contains "
            f"saved_model.pb, a TFLite file ends in .tflite{reason}."
        )
    return loader(path, threads)


def _choose_loader(
    path: pathlib.Path, accept_onnx: bool
) -> Callable[[pathlib.Path, int], Network] | None:
    """Return the loader of a path, by its ending or by what the folder contains."""
    if path.is_file() and path.suffix == ".tflite":
        return tflite.load_tflite
    if accept_onnx and path.is_file() and path.suffix == ".onnx":
        return onnx.load_onnx
    if (path / "run.flags").is_file():
        return keras_model.load_run
    if (path / "saved_model.pb").is_file():
        return saved_model.load_saved_model
    return None
