"""The JSON beside a `.weights.h5`: whose weights these are, how to build the network, what they came from."""

import json
import pathlib

from tfanon.core import checkpoint, registry

SCHEMA_VERSION = 1
KINDS = ("anonymizers", "actions", "privacy")
LONGEST = 1 << 20  # bytes of a JSON; the longest of ours has 20e3
FIELDS = {
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


def kind_of(network):
    """The folder of tfanon/models that holds `network`.  Raises ValueError where none does."""
    for kind in KINDS:
        if network in registry.names(kind):
            return kind
    raise ValueError(
        f"No network called '{network}': there are "
        f"{', '.join(name for kind in KINDS for name in registry.names(kind))}."
    )


def weights(model):
    """path -> variable of a built model: weights and batch statistics, not the states of random generators."""
    return {
        variable.path: variable
        for variable in model.variables
        if not variable.path.endswith("seed_generator_state")
    }


def beside(path):
    """The JSON's path for a `.weights.h5`."""
    return pathlib.Path(str(path).removesuffix(".weights.h5") + ".json")


def write(path, made):
    checkpoint.write_json(beside(path), {"schema_version": SCHEMA_VERSION, **made})


def read(path):
    """What write wrote beside `path`, checked.  Raises ValueError where it is missing or holds something else."""
    record = beside(path)
    if not record.is_file():
        raise ValueError(
            f"{record} is missing: weights are taken with the JSON that tfanon.weights wrote beside them."
        )
    if record.stat().st_size > LONGEST:
        raise ValueError(f"{record} is too long to be a record of weights.")
    try:
        found = json.loads(record.read_text())
        wrong = [name for name, kind in FIELDS.items() if not isinstance(found[name], kind)]
    except (ValueError, KeyError, TypeError) as problem:
        raise ValueError(f"{record} is no record of weights: {problem}.") from None
    if wrong or found["schema_version"] != SCHEMA_VERSION:
        raise ValueError(
            f"{record} is no record of weights that this version reads: "
            f"{', '.join(wrong) or 'schema_version'} is not as expected."
        )
    return found
