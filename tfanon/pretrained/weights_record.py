"""The JSON beside a `.weights.h5`: whose weights these are, how to build the network, what they came from."""

import json
import pathlib

from tfanon.core import checkpoint, registry

SCHEMA_VERSION = 1
NETWORK_KINDS = ("anonymizers", "actions", "privacy")
MAX_RECORD_BYTES = 1 << 20  # bytes of a JSON; the longest of ours has 20e3
FIELD_TYPES = {
    "schema_version": int,
    "network": str,
    "kind": str,
    "arguments": dict,
    "layout": str,
    "sha256": str,
    "bytes": int,
    "left_out": list,
    "fresh": list,
    "source": dict,
}


def find_network_kind(network):
    """The folder of tfanon/models that holds `network`.  Raises ValueError where none does."""
    for kind in NETWORK_KINDS:
        if network in registry.list_names(kind):
            return kind
    raise ValueError(
        f"No network called '{network}': there are "
        f"{', '.join(name for kind in NETWORK_KINDS for name in registry.list_names(kind))}."
    )


def get_weights(model):
    """path -> variable of a built model: weights and batch statistics, not the states of random generators."""
    return {
        variable.path: variable
        for variable in model.variables
        if not variable.path.endswith("seed_generator_state")
    }


def get_record_path(path):
    """The JSON's path for a `.weights.h5`."""
    return pathlib.Path(str(path).removesuffix(".weights.h5") + ".json")


def write_record(path, made):
    checkpoint.write_json(get_record_path(path), {"schema_version": SCHEMA_VERSION, **made})


def read_record(path):
    """What write wrote beside `path`, checked.  Raises ValueError where it is missing or holds something else."""
    record = get_record_path(path)
    if not record.is_file():
        raise ValueError(
            f"{record} is missing: weights are taken with the JSON that tfanon.weights wrote beside them."
        )
    if record.stat().st_size > MAX_RECORD_BYTES:
        raise ValueError(f"{record} is too long to be a record of weights.")
    try:
        found = json.loads(record.read_text())
        wrong = [name for name, kind in FIELD_TYPES.items() if not isinstance(found[name], kind)]
    except (ValueError, KeyError, TypeError) as problem:
        raise ValueError(f"{record} is no record of weights: {problem}.") from None
    if wrong or found["schema_version"] != SCHEMA_VERSION:
        raise ValueError(
            f"{record} is no record of weights that this version reads: "
            f"{', '.join(wrong) or 'schema_version'} is not as expected."
        )
    return found
