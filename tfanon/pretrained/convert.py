"""Converts a published checkpoint to our `.weights.h5`, with a record of every tensor."""

import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np

from tfanon.core import checkpoint, files, registry
from tfanon.pretrained import layouts, weight_files, weights_record
from tfanon.pretrained.layout import Layout

MAX_NAMES_SHOWN = 5  # in a message
# The argument of build() that sets the number of outputs, by kind of network.
OUTPUT_ARGUMENTS = {"actions": "classes", "privacy": "attributes"}
# Width of the embedding of a privacy network whose published head is not one of ours; SimCLR's.
EMBEDDING_SIZE = 128


def convert_checkpoint(
    source: str | pathlib.Path,
    network: str,
    output: str | pathlib.Path,
    layout: str = "",
    part: str = "",
    dilated: bool = False,
    source_url: str = "",
) -> dict[str, Any]:
    """Convert a checkpoint and write `output` and the JSON record beside it.

    Args:
        source: A PyTorch file or a TensorFlow checkpoint, as in `weight_files.read_tensors`.
        network: A network of tfanon/models.
        output: File to write; its name ends in `.weights.h5`.
        layout: A file of tfanon/pretrained/layouts; "" chooses the one whose marker the
            checkpoint has.
        part: Where the network is in a PyTorch file of several networks; "" if only one fits.
        dilated: The checkpoint is SPAct's variant of r3d_18.
        source_url: Where `source` was downloaded, for the record.

    Returns:
        The record that was written.

    Raises:
        ValueError: The checkpoint is not one of that network; the message names tensors that are
            missing, unknown or of another shape. Nothing is written then.
    """
    # Keras accepts no other ending.
    if not str(output).endswith(".weights.h5"):
        raise ValueError(f"The name of the output must end in .weights.h5; {output} does not.")
    if dilated and network != "r3d_18":
        raise ValueError(f"Only r3d_18 has a dilated variant, not {network}.")
    # Everything that can fail comes before the first file is written.
    layout_name, chosen, tensors = choose_layout(
        layouts.find_layouts(network), weight_files.read_tensors(source), source, layout, part
    )
    kind = weights_record.find_network_kind(network)
    arguments: dict[str, Any] = dict(chosen.arguments)
    if dilated:
        arguments["dilated"] = True
    # With the outputs of the file, so that its head fits.
    arguments.update(_infer_outputs(kind, chosen, tensors, source))
    model = registry.load_module(kind, network).build(**arguments)
    unused, initial = assign_tensors(model, tensors, chosen, network, source)
    digest = checkpoint.save_weights(model, output)
    record = {
        "network": network,
        "kind": kind,
        "arguments": arguments,
        "layout": layout_name,
        "sha256": digest,
        "bytes": pathlib.Path(output).stat().st_size,
        "left_out": unused,
        "fresh": initial,
        # "address", "left_out" and "fresh" are keys of schema version 1.
        "source": {"address": source_url, "part": part, "files": _identify_files(source)},
    }
    weights_record.write_record(output, record)
    return record


def choose_layout(
    candidates: Mapping[str, Layout],
    groups: Mapping[str, Mapping[str, Any]],
    source: str | pathlib.Path,
    layout: str = "",
    part: str = "",
) -> tuple[str, Layout, Mapping[str, Any]]:
    """Find the one layout and the one group of tensors that fit together.

    Args:
        candidates: Layouts of the network by name.
        groups: Named tensors by their place in the file, as from `weight_files.read_tensors`.
        source: The file, for the error message.
        layout: Consider this layout only.
        part: Consider this group only.

    Returns:
        Name of the layout, the layout, and the tensors by name.

    Raises:
        ValueError: None or several fit, or `layout` or `part` does not exist.
    """
    if layout and layout not in candidates:
        raise ValueError(
            f"This network has no layout '{layout}'; available: {', '.join(candidates)}."
        )
    if part and part not in groups:
        parts = _list_names(groups) or "no named weights"
        raise ValueError(f"{source} has no part '{part}'; it has: {parts}.")
    considered = {name: each for name, each in candidates.items() if layout in ("", name)}
    matches = []
    for name, candidate in considered.items():
        for place, tensors in groups.items():
            if candidate.marker in tensors and part in ("", place):
                matches.append((name, candidate, place))
    if len(matches) > 1:
        parts = _list_names(place for _, _, place in matches)
        raise ValueError(f"{source} has several parts that fit: {parts}. Choose one by --part.")
    if not matches:
        markers = [f"{candidate.marker} ({name})" for name, candidate in considered.items()]
        names = [name for tensors in groups.values() for name in tensors]
        raise ValueError(
            f"{source} does not hold this network: it has none of {', '.join(markers)}; it has: "
            f"{_list_names(names) or 'no named weights'}."
        )
    name, candidate, place = matches[0]
    return name, candidate, groups[place]


def assign_tensors(
    model: keras.Model,
    tensors: Mapping[str, np.ndarray],
    layout: Layout,
    network: str,
    source: str | pathlib.Path,
) -> tuple[list[str], list[str]]:
    """Assign the tensors of a file to the variables of a built model.

    Args:
        model: The model; changed in place.
        tensors: Tensors of the file by name.
        layout: How the file names them.
        network: Name of the model's network.
        source: The file, for the error message.

    Returns:
        Names of the file's tensors that are not used, and paths of the model's variables that
        keep their initial values; both sorted.

    Raises:
        ValueError: A tensor is missing, unknown, of another shape or not finite. Nothing is
            changed then.
    """
    variables = weights_record.get_weights(model)
    names = {path: layout.get_tensor_name(path, network) for path in variables}
    # Such as the decoder of UNet++, of which only the encoder is published.
    initial = sorted(path for path, name in names.items() if name is None)
    sources = {path: name for path, name in names.items() if name is not None}
    used = set(sources.values())
    unused = sorted(name for name in tensors if name not in used and layout.is_ignored(name))
    values = {}
    for path, name in sources.items():
        if name in tensors:
            values[path] = layout.transpose_to_keras(path, tensors[name])
    wrong_shapes, not_finite = [], []
    for path, value in values.items():
        expected = tuple(variables[path].shape)
        if value.shape != expected:
            wrong_shapes.append(
                f"{sources[path]} ({path} has {expected}, the file's would be {value.shape})"
            )
        if not np.all(np.isfinite(value)):
            not_finite.append(sources[path])
    problems = {
        f"{source} lacks tensors of {network}": used - set(tensors),
        f"{source} has tensors that {network} does not use": set(tensors) - used - set(unused),
        "Tensors have other shapes than expected": wrong_shapes,
        "Tensors have values that are not finite": not_finite,
    }
    # All problems at once: together they show which network or layout would fit.
    messages = [
        f"{text}: {_list_names(sorted(found))}" for text, found in problems.items() if found
    ]
    if messages:
        raise ValueError("; ".join(messages) + ".")
    for path, value in values.items():
        variables[path].assign(value)
    return unused, initial


def _infer_outputs(
    kind: str, layout: Layout, tensors: Mapping[str, np.ndarray], source: str | pathlib.Path
) -> dict[str, int]:
    """Return the argument of build() that gives the network the outputs of the file's head."""
    if kind == "anonymizers":
        return {}
    # SimCLR's networks have no classes; ours then ends in an embedding with initial values.
    if not layout.head:
        return {"embedding": EMBEDDING_SIZE}
    if layout.head not in tensors:
        raise ValueError(f"{source} lacks {layout.head}, whose rows are the network's outputs.")
    return {OUTPUT_ARGUMENTS[kind]: int(tensors[layout.head].shape[0])}


def _identify_files(source: str | pathlib.Path) -> dict[str, dict[str, Any]]:
    """Return size and SHA-256 of the files of a checkpoint, by name."""
    identities = {}
    for path in weight_files.list_checkpoint_files(source):
        digest = files.compute_sha256(path)
        identities[path.name] = {"bytes": path.stat().st_size, "sha256": digest}
    return identities


def _list_names(names: Iterable[str]) -> str:
    """Join the first names of a list, and say how many more there are."""
    names = list(names)
    listed = ", ".join(names[:MAX_NAMES_SHOWN])
    more = len(names) - MAX_NAMES_SHOWN
    return f"{listed} and {more} more" if more > 0 else listed
