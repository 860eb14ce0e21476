"""A network that starts from a file of weights: checked first, read into what our own code has built."""

import pathlib

import h5py
from keras.ops import convert_to_numpy

from tfanon.core import checkpoint, registry
from tfanon.pretrained import weights_record

HEAD_LAYERS = (
    "logits",
    "projection_0",
    "projection_1",
)  # the last layers: of another task they are left as they start
ARGUMENT_TYPES = {  # what of a record's arguments may reach build(), and the type it must have
    "classes": int,
    "attributes": int,
    "embedding": int,
    "variant": str,
    "dilated": bool,
    "width": float,
    "output": str,
}
HEAD_ARGUMENTS = ("classes", "attributes", "embedding")


def build_pretrained_network(kind, name, weights="", **arguments):
    """registry.find(kind, name).build(**arguments), filled from `weights` where that is given.

    weights: a `.weights.h5` with its JSON, as tfanon.weights writes them. The variant is the file's. The head is filled
    too where it has as many outputs and is the file's own.
    Raises ValueError as check and load do.
    """
    if not weights:
        return registry.load_module(kind, name).build(**arguments)
    about = check_weights_record(kind, name, weights, **arguments)
    variant = {key: value for key, value in about["arguments"].items() if key not in HEAD_ARGUMENTS}
    model = registry.load_module(kind, name).build(**{**variant, **arguments})
    _copy_weights(load_pretrained_network(weights), model, about, weights)
    return model


def check_weights_record(kind, name, weights, **arguments):
    """The record of a file that may fill network `name` built with `arguments`; nothing of the file itself is read.

    Raises ValueError where its JSON is missing or names another network or other arguments.
    """
    about = weights_record.read_record(weights)
    if (about["kind"], about["network"]) != (kind, name):
        raise ValueError(f"{weights} holds weights of {about['network']}, not of {name}.")
    for key, asked in arguments.items():
        given = about["arguments"].get(key, asked)
        if given != asked and key not in HEAD_ARGUMENTS:
            raise ValueError(
                f"{weights} holds weights of {name} with {key}={given}, not {key}={asked}."
            )
    return about


def load_pretrained_network(weights):
    """The network whose weights a file holds.

    Raises ValueError where the file is missing, is not the one of its JSON, or does not fit the network that names.
    """
    about = weights_record.read_record(weights)
    arguments = {
        key: value
        for key, value in about["arguments"].items()
        if isinstance(value, ARGUMENT_TYPES.get(key, ()))
    }
    if arguments != about["arguments"] or about["kind"] not in weights_record.NETWORK_KINDS:
        raise ValueError(
            f"{weights_record.get_record_path(weights)} names arguments that no network here takes: {about['arguments']}."
        )
    if (
        pathlib.Path(weights).is_file()
        and (size := pathlib.Path(weights).stat().st_size) != about["bytes"]
    ):
        raise ValueError(
            f"{weights} was altered: it has {size:,} bytes, recorded are {about['bytes']:,}."
        )
    checkpoint.verify_digest(weights, about["sha256"])
    model = registry.load_module(about["kind"], about["network"]).build(**arguments)
    _check_stored_arrays(weights, model)
    checkpoint.load_weights(model, weights, about["sha256"])
    return model


def _check_stored_arrays(weights, model):
    """HDF5 can promise more than it holds, and point elsewhere: the file must hold what the network takes, itself."""
    expected = sum(convert_to_numpy(variable).nbytes for variable in model.variables)
    elsewhere, found = [], []

    def visit(name, link):  # h5py lets no exception out of here
        item = file[name] if isinstance(link, h5py.HardLink) else None
        if item is None or isinstance(item, h5py.Dataset) and (item.external or item.is_virtual):
            elsewhere.append(name)
        elif isinstance(item, h5py.Dataset):
            found.append(item.nbytes)

    try:
        with h5py.File(weights) as file:
            file.visititems_links(visit)
    except OSError as problem:
        raise ValueError(f"{weights} is no HDF5 file: {str(problem).splitlines()[0]}.") from None
    if elsewhere:
        raise ValueError(f"{weights} points to other files or places ({', '.join(elsewhere[:5])}).")
    if sum(found) > expected:
        raise ValueError(
            f"{weights} holds {sum(found):,} bytes of numbers, more than {model.name}'s {expected:,}."
        )


def _copy_weights(source, model, about, weights):
    """Every variable by its path; heads of another task stay."""
    given, taken = weights_record.get_weights(source), weights_record.get_weights(model)
    if missing := sorted(set(taken) - set(given) - {path for path in taken if _is_head(path)}):
        raise ValueError(f"{weights} lacks {', '.join(missing[:5])} of {model.name}.")
    for path, variable in taken.items():
        fits = path in given and tuple(given[path].shape) == tuple(variable.shape)
        if not fits and not _is_head(path):
            raise ValueError(
                f"{weights} has {path} with the shape {tuple(given[path].shape)}, {model.name} takes "
                f"{tuple(variable.shape)}."
            )
        if fits and path not in about["fresh"]:
            variable.assign(convert_to_numpy(given[path]))


def _is_head(path):
    return path.split("/")[0] in HEAD_LAYERS
