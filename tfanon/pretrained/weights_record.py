"""The JSON beside a `.weights.h5`: what network it holds, how to build it, where it came from."""

import json
import pathlib
from typing import Any

import keras

from tfanon.core import files, registry

SCHEMA_VERSION = 1
NETWORK_KINDS = ("anonymizers", "actions", "privacy")
MAX_RECORD_BYTES = 1 << 20  # the longest record that is written has 20e3
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


def find_network_kind(network: str) -> str:
    """Return the folder of tfanon/models that holds a network.

    Args:
        network: Name of the network.

    Returns:
        One of NETWORK_KINDS.

    Raises:
        ValueError: There is no such network; the message lists all.
    """
    available: list[str] = []
    for kind in NETWORK_KINDS:
        names = registry.list_names(kind)
        if network in names:
            return kind
        available += names
    raise ValueError(f"There is no network called '{network}'; available: {', '.join(available)}.")


def get_weights(model: keras.Model) -> dict[str, keras.Variable]:
    """Return weights and batch statistics of a built model by path.

    The states of random generators are left out.

    Args:
        model: The model.
    """
    return {
        variable.path: variable
        for variable in model.variables
        # Dropout's generators depend on the seed, not on what was learned.
        if not variable.path.endswith("seed_generator_state")
    }


def get_record_path(path: str | pathlib.Path) -> pathlib.Path:
    """Return the path of the record of a `.weights.h5`.

    Args:
        path: The `.weights.h5`.
    """
    return pathlib.Path(str(path).removesuffix(".weights.h5") + ".json")


def write_record(path: str | pathlib.Path, record: dict[str, Any]) -> None:
    """Write the record of a `.weights.h5` beside it.

    Args:
        path: The `.weights.h5`.
        record: All of FIELD_TYPES but `schema_version`. "left_out" are the names of the source's
            tensors that are not used, "fresh" the paths of variables that keep their initial
            values.
    """
    files.write_json_atomically(get_record_path(path), {"schema_version": SCHEMA_VERSION, **record})


def read_record(path: str | pathlib.Path) -> dict[str, Any]:
    """Read and check the record of a `.weights.h5`.

    Args:
        path: The `.weights.h5`.

    Returns:
        What `write_record` wrote.

    Raises:
        ValueError: The record is missing or not as `write_record` writes it.
    """
    record_path = get_record_path(path)
    if not record_path.is_file():
        raise ValueError(
            f"{record_path} is missing: weights need the JSON that tfanon-weights wrote beside "
            "them."
        )
    # Before it is parsed: the record may come from anywhere.
    if record_path.stat().st_size > MAX_RECORD_BYTES:
        raise ValueError(f"{record_path} is too long to be a record of weights.")
    try:
        record = json.loads(record_path.read_text())
        wrong = [name for name, kind in FIELD_TYPES.items() if not isinstance(record[name], kind)]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{record_path} is not a record of weights: {error}.") from None
    if wrong or record["schema_version"] != SCHEMA_VERSION:
        fields = ", ".join(wrong) or "schema_version"
        raise ValueError(
            f"{record_path} is not a record of weights that this version reads: {fields} is not as "
            "expected."
        )
    return record
