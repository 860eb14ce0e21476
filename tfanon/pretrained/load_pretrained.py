"""Builds networks that start from a file of weights.

The file is checked first. Its numbers are then read into a network that our own code has built.
"""

import pathlib
from typing import Any

import h5py
import keras
from keras.ops import convert_to_numpy

from tfanon.core import checkpoint, registry
from tfanon.pretrained import weights_record

# The last layers; for another task they keep their initial values.
HEAD_LAYERS = ("logits", "projection_0", "projection_1")
# The arguments of a record that may reach build(), and their types.
ARGUMENT_TYPES = {
    "classes": int,
    "attributes": int,
    "embedding": int,
    "variant": str,
    "dilated": bool,
    "width": float,
    "output": str,
}
# They change the head alone, so they may differ from those of the file.
HEAD_ARGUMENTS = ("classes", "attributes", "embedding")
MAX_NAMES_SHOWN = 5  # in a message


def build_pretrained_network(
    kind: str, name: str, weights: str | pathlib.Path = "", **arguments: Any
) -> keras.Model:
    """Build a network and start it from a file of weights, if one is given.

    The variant is the file's. The head is also filled if it has as many outputs and was filled
    from published weights.

    Args:
        kind: One of `weights_record.NETWORK_KINDS`.
        name: Name of the network.
        weights: A `.weights.h5` with its record, as tfanon-weights writes them; "" for none.
        **arguments: Passed to the network's build().

    Raises:
        ValueError: As in `check_weights_record` and `load_pretrained_network`.
    """
    if not weights:
        return registry.load_module(kind, name).build(**arguments)
    record = check_weights_record(kind, name, weights, **arguments)
    variant = {
        key: value for key, value in record["arguments"].items() if key not in HEAD_ARGUMENTS
    }
    model = registry.load_module(kind, name).build(**{**variant, **arguments})
    # By way of a network with the file's own head, since Keras loads a file as a whole.
    _copy_weights(load_pretrained_network(weights), model, record, weights)
    return model


def check_weights_record(
    kind: str, name: str, weights: str | pathlib.Path, **arguments: Any
) -> dict[str, Any]:
    """Check that a file can fill a network; only its record is read.

    Args:
        kind: One of `weights_record.NETWORK_KINDS`.
        name: Name of the network.
        weights: The `.weights.h5`.
        **arguments: What the network will be built with.

    Returns:
        The record.

    Raises:
        ValueError: The record is missing, or is of another network or of other arguments.
    """
    record = weights_record.read_record(weights)
    if (record["kind"], record["network"]) != (kind, name):
        raise ValueError(f"{weights} holds weights of {record['network']}, not of {name}.")
    for key, requested in arguments.items():
        stored = record["arguments"].get(key, requested)
        if stored != requested and key not in HEAD_ARGUMENTS:
            raise ValueError(
                f"{weights} holds weights of {name} with {key}={stored}, not {key}={requested}."
            )
    return record


def load_pretrained_network(weights: str | pathlib.Path) -> keras.Model:
    """Build the network of a file and load its weights.

    Args:
        weights: A `.weights.h5` with its record.

    Raises:
        ValueError: The file is missing, is not the one of its record, or does not fit the network
            that the record names.
    """
    record = weights_record.read_record(weights)
    arguments = {}
    # A record may come from anywhere: only arguments of known names and types reach build().
    for key, value in record["arguments"].items():
        if isinstance(value, ARGUMENT_TYPES.get(key, ())):
            arguments[key] = value
    if arguments != record["arguments"] or record["kind"] not in weights_record.NETWORK_KINDS:
        raise ValueError(
            f"{weights_record.get_record_path(weights)} has arguments that no network takes: "
            f"{record['arguments']}."
        )
    # Before the digest: a file of another size need not be read.
    path = pathlib.Path(weights)
    if path.is_file() and path.stat().st_size != record["bytes"]:
        raise ValueError(
            f"{weights} was altered: it has {path.stat().st_size:,} bytes, its record says "
            f"{record['bytes']:,}."
        )
    checkpoint.verify_digest(weights, record["sha256"])
    model = registry.load_module(record["kind"], record["network"]).build(**arguments)
    # Before Keras opens the file, which would unpack whatever it holds.
    _check_stored_arrays(weights, model)
    checkpoint.load_weights(model, weights, record["sha256"])
    return model


def _check_stored_arrays(weights: str | pathlib.Path, model: keras.Model) -> None:
    """Raise ValueError unless a file itself holds no more numbers than the network needs.

    HDF5 may unpack to far more than the size of the file, and refer to other files.
    """
    expected = sum(convert_to_numpy(variable).nbytes for variable in model.variables)
    try:
        with h5py.File(weights) as file:
            sizes, references = _list_stored_arrays(file)
    except OSError as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{weights} is not an HDF5 file: {reason}.") from None
    if references:
        listed = ", ".join(references[:MAX_NAMES_SHOWN])
        raise ValueError(f"{weights} refers to other files or places ({listed}).")
    if sum(sizes) > expected:
        raise ValueError(
            f"{weights} holds {sum(sizes):,} bytes of numbers, more than the {expected:,} of "
            f"{model.name}."
        )


def _list_stored_arrays(file: h5py.File) -> tuple[list[int], list[str]]:
    """Return the sizes of the arrays in bytes, and the names of links that lead elsewhere."""
    sizes: list[int] = []
    references: list[str] = []

    # h5py does not pass on exceptions of the visitor, so it collects instead of raising.
    def visit(name: str, link: Any) -> None:
        # A soft or external link is not followed.
        item = file[name] if isinstance(link, h5py.HardLink) else None
        is_dataset = isinstance(item, h5py.Dataset)
        if item is None or (is_dataset and (item.external or item.is_virtual)):
            references.append(name)
        elif is_dataset:
            sizes.append(item.nbytes)

    file.visititems_links(visit)
    return sizes, references


def _copy_weights(
    source: keras.Model,
    model: keras.Model,
    record: dict[str, Any],
    weights: str | pathlib.Path,
) -> None:
    """Copy every variable by its path; the head of another task keeps its initial values."""
    stored, variables = weights_record.get_weights(source), weights_record.get_weights(model)
    missing = [path for path in variables if path not in stored and not _is_in_head(path)]
    if missing:
        listed = ", ".join(sorted(missing)[:MAX_NAMES_SHOWN])
        raise ValueError(f"{weights} lacks {listed} of {model.name}.")
    for path, variable in variables.items():
        shape = tuple(variable.shape)
        fits = path in stored and tuple(stored[path].shape) == shape
        if not fits and not _is_in_head(path):
            raise ValueError(
                f"{weights} has {path} with the shape {tuple(stored[path].shape)}, {model.name} "
                f"needs {shape}."
            )
        # Variables that the conversion left at random values keep those of this network instead.
        if fits and path not in record["fresh"]:
            variable.assign(convert_to_numpy(stored[path]))


def _is_in_head(path: str) -> bool:
    """Whether a variable belongs to one of HEAD_LAYERS."""
    layer, _, _ = path.partition("/")
    return layer in HEAD_LAYERS
