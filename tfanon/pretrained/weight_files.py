"""Checkpoints as tensors by name: nothing in a file is executed, and nothing is read that is no tensor."""

import pathlib
import pickle

import numpy as np
import tensorflow as tf

MAX_WEIGHT_FILE_BYTES = 2 << 30  # bytes; the largest published file that a layout knows has 0.24e9


def read_tensors(path):
    """The named tensors of a checkpoint: {where in the file: {name: numpy array}}, "" for a file that is flat.

    path: a PyTorch file, or a TensorFlow checkpoint without its `.index`.
    Raises ValueError where it is missing, too large, damaged, or holds more than tensors and plain values.
    """
    path = pathlib.Path(path)
    is_tensorflow = path.with_name(f"{path.name}.index").exists()
    if not is_tensorflow and not path.is_file():
        raise ValueError(
            f"{path} is not a file, and there is no TensorFlow checkpoint {path}.index."
        )
    for part in list_checkpoint_files(path):
        if part.stat().st_size > MAX_WEIGHT_FILE_BYTES:
            raise ValueError(
                f"{part} has {part.stat().st_size:,} bytes; weights of at most {MAX_WEIGHT_FILE_BYTES:,} are read."
            )
    return (
        {"": _read_tensorflow(path)}
        if is_tensorflow
        else dict(_find_weight_groups(_read_pytorch(path)))
    )


def list_checkpoint_files(path):
    """The file, or the files of a TensorFlow checkpoint in alphabetical order."""
    path = pathlib.Path(path)
    return [path] if path.is_file() else sorted(path.parent.glob(f"{path.name}.*"))


def _read_tensorflow(path):
    try:
        reader = tf.train.load_checkpoint(str(path))
        return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    except (tf.errors.OpError, ValueError) as problem:
        raise ValueError(
            f"{path} is no whole TensorFlow checkpoint: {str(problem).splitlines()[0]}"
        ) from None


def _read_pytorch(path):
    """What torch.load returns under weights_only, which runs no code of the file's."""
    try:
        import torch
    except ImportError:
        raise ValueError(
            "PyTorch files are read by PyTorch: pip install 'tfanon[convert]'."
        ) from None
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as problem:
        reason = str(problem).splitlines()[0]
        raise ValueError(
            f"{path} asks for more than tensors and plain values, so it was not read: {reason}"
        ) from None
    except (RuntimeError, EOFError, KeyError, TypeError, AttributeError) as problem:
        raise ValueError(
            f"{path} is no whole PyTorch file: {str(problem).strip().splitlines()[0]}"
        ) from None


def _find_weight_groups(value, where=""):
    """Every dictionary inside `value` that holds named weights, with its place as "a.b"; "module." is taken off."""
    if not isinstance(value, dict):
        return
    tensors = {
        name: tensor
        for name, tensor in value.items()
        if isinstance(name, str) and hasattr(tensor, "detach")
    }
    if any(name.endswith("weight") for name in tensors):
        parallel = all(name.startswith("module.") for name in tensors)
        yield (
            where,
            {
                name.removeprefix("module.") if parallel else name: _convert_to_numpy(tensor)
                for name, tensor in tensors.items()
            },
        )
    for name, inner in value.items():
        yield from _find_weight_groups(inner, f"{where}.{name}".lstrip("."))


def _convert_to_numpy(tensor):
    array = tensor.detach().float() if tensor.is_floating_point() else tensor.detach()
    return np.asarray(array.numpy())
