"""Reads published checkpoints as tensors by name.

Nothing in a file is executed, and only tensors are read.
"""

import pathlib
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

# A limit before anything is read: a file of weights may come from anywhere.
MAX_WEIGHT_FILE_BYTES = 2 << 30  # the largest published file that a layout fits has 0.24e9


def read_tensors(path: str | pathlib.Path) -> dict[str, dict[str, np.ndarray]]:
    """Read the named tensors of a checkpoint.

    Args:
        path: A PyTorch file, or a TensorFlow checkpoint without its `.index`.

    Returns:
        For each place in the file that holds named tensors, the tensors by name. The place is ""
        in a flat file, and "a.b" in nested dictionaries.

    Raises:
        ValueError: The file is missing, too large or damaged, or holds more than tensors and plain
            values.
    """
    path = pathlib.Path(path)
    is_tensorflow = path.with_name(f"{path.name}.index").exists()
    if not is_tensorflow and not path.is_file():
        raise ValueError(
            f"{path} is not a file, and there is no TensorFlow checkpoint {path}.index."
        )
    for file in list_checkpoint_files(path):
        size = file.stat().st_size
        if size > MAX_WEIGHT_FILE_BYTES:
            raise ValueError(
                f"{file} has {size:,} bytes; weights may have at most {MAX_WEIGHT_FILE_BYTES:,}."
            )
    if is_tensorflow:
        return {"": _read_tensorflow(path)}
    return dict(_find_weight_groups(_read_pytorch(path)))


def list_checkpoint_files(path: str | pathlib.Path) -> list[pathlib.Path]:
    """List the files of a checkpoint, in alphabetical order.

    Args:
        path: As in `read_tensors`.
    """
    path = pathlib.Path(path)
    if path.is_file():
        return [path]
    return sorted(path.parent.glob(f"{path.name}.*"))


def _read_tensorflow(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Read all variables of a TensorFlow checkpoint."""
    try:
        reader = tf.train.load_checkpoint(str(path))
        return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    except (tf.errors.OpError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{path} is not a complete TensorFlow checkpoint: {reason}") from None


def _read_pytorch(path: pathlib.Path) -> Any:
    """Read a PyTorch file with weights_only, under which the file cannot execute code."""
    try:
        import torch
    except ImportError:
        raise ValueError(
            "Reading PyTorch files needs PyTorch: pip install 'tfanon[convert]'."
        ) from None
    try:
        # On the CPU, since tensors that were saved from a GPU would need one.
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"{path} contains more than tensors and plain values, so it was not read: {reason}"
        ) from None
    # What torch raises for files that are cut off or of another kind.
    except (RuntimeError, EOFError, KeyError, TypeError, AttributeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"{path} is not a complete PyTorch file: {reason}") from None


def _find_weight_groups(value: Any, place: str = "") -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Yield every dictionary inside `value` that holds named weights, with its place."""
    if not isinstance(value, dict):
        return
    tensors = {}
    for name, item in value.items():
        # A tensor, without importing torch where no PyTorch file is read.
        if isinstance(name, str) and hasattr(item, "detach"):
            tensors[name] = item
    # Groups without a weight, such as the state of an optimizer, are no network.
    if any(name.endswith("weight") for name in tensors):
        # torch.nn.DataParallel puts this before every name.
        prefix = "module." if all(name.startswith("module.") for name in tensors) else ""
        arrays = {}
        for name, tensor in tensors.items():
            arrays[name.removeprefix(prefix)] = _convert_to_numpy(tensor)
        yield place, arrays
    for name, inner in value.items():
        yield from _find_weight_groups(inner, f"{place}.{name}".lstrip("."))


def _convert_to_numpy(tensor: Any) -> np.ndarray:
    """Convert a PyTorch tensor; floating-point numbers become float32."""
    tensor = tensor.detach()
    if tensor.is_floating_point():
        # NumPy has no bfloat16, and our variables are float32.
        tensor = tensor.float()
    return np.asarray(tensor.numpy())
