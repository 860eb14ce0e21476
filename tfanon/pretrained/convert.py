"""A published checkpoint becomes our `.weights.h5`, every tensor accounted for, with a JSON that says what it is."""

import pathlib

import numpy as np

from tfanon.core import checkpoint, files, registry
from tfanon.pretrained import layouts, weight_files, weights_record

MAX_NAMES_SHOWN = 5  # names in a message
OUTPUT_ARGUMENTS = {"actions": "classes", "privacy": "attributes"}


def convert_checkpoint(source, network, output, layout="", part="", dilated=False, source_url=""):
    """Write `output` and the JSON beside it; returns what the JSON holds.

    source: see reading.read.  network: a file of tfanon/models.  output: ends in `.weights.h5`.
    layout: a file of tfanon/pretrained/layouts; "": the one whose mark the file holds.  part: where in a PyTorch file of
    several networks, "" where one fits.  dilated: the file is of SPAct's r3d_18.  address: where `source` is from.
    Raises ValueError where the file is not of that network, naming the tensors that have no place, no source or
    another shape; nothing is written then.
    """
    if not str(output).endswith(".weights.h5"):
        raise ValueError(
            f"The output's name ends in .weights.h5, which Keras wants; {output} does not."
        )
    if dilated and network != "r3d_18":
        raise ValueError(f"Only r3d_18 has a dilated variant, not {network}.")
    layout, about, tensors = choose_layout(
        layouts.find_layouts(network), weight_files.read_tensors(source), source, layout, part
    )
    kind = weights_record.find_network_kind(network)
    arguments = {
        **about.arguments,
        **({"dilated": True} if dilated else {}),
        **_infer_outputs(kind, about, tensors, source),
    }
    model = registry.load_module(kind, network).build(**arguments)
    left_out, fresh = assign_tensors(model, tensors, about, network, source)
    digest = checkpoint.save_weights(model, output)
    made = {
        "network": network,
        "kind": kind,
        "arguments": arguments,
        "layout": layout,
        "sha256": digest,
        "bytes": pathlib.Path(output).stat().st_size,
        "left_out": left_out,
        "fresh": fresh,
        "source": {"address": source_url, "part": part, "files": _identify_files(source)},
    }
    weights_record.write_record(output, made)
    return made


def choose_layout(known, groups, source, layout="", part=""):
    """(layout's name, layout, tensors): the one known layout whose mark a group of the file holds."""
    if layout and layout not in known:
        raise ValueError(f"No layout '{layout}' for this network; there are {', '.join(known)}.")
    if part and part not in groups:
        raise ValueError(
            f"{source} has no part '{part}'; it has {_list_names(groups) or 'no named weights'}."
        )
    found = [
        (name, about, place)
        for name, about in known.items()
        for place, tensors in groups.items()
        if about.marker in tensors and layout in ("", name) and part in ("", place)
    ]
    if len(found) == 1:
        name, about, place = found[0]
        return name, about, groups[place]
    if found:
        raise ValueError(
            f"{source} has several fitting parts: {_list_names(place for _, _, place in found)}. Choose by --part."
        )
    marks = ", ".join(
        f"{about.marker} ({name})" for name, about in known.items() if layout in ("", name)
    )
    raise ValueError(
        f"{source} is not of this network: it holds none of {marks}; "
        f"it has {_list_names(name for tensors in groups.values() for name in tensors) or 'no named weights'}."
    )


def assign_tensors(model, tensors, layout, network, source):
    """Give every variable of a built model its tensor; (names of the file left out, paths of ours left as they are).

    Raises ValueError before anything is changed where a tensor is missing, has another shape, or has no place.
    """
    places = {
        path: (layout.tensor(path, network), variable)
        for path, variable in weights_record.get_weights(model).items()
    }
    fresh = sorted(path for path, (name, _) in places.items() if name is None)
    wanted = {path: place for path, place in places.items() if place[0] is not None}
    used = {name for name, _ in wanted.values()}
    left_out = sorted(name for name in tensors if name not in used and layout.is_ignored(name))
    problems = {
        f"{source} lacks what {network} needs": sorted(used - set(tensors)),
        f"{source} has what {network} has no place for": sorted(
            set(tensors) - used - set(left_out)
        ),
    }
    turned = {
        path: layout.transpose_to_keras(path, tensors[name])
        for path, (name, _) in wanted.items()
        if name in tensors
    }
    problems["Other shapes than expected"] = sorted(
        f"{wanted[path][0]} ({wanted[path][1].path} is {tuple(wanted[path][1].shape)}, the file's would be {value.shape})"
        for path, value in turned.items()
        if value.shape != tuple(wanted[path][1].shape)
    )
    problems["Numbers that are not finite"] = sorted(
        wanted[path][0] for path, value in turned.items() if not np.all(np.isfinite(value))
    )
    if any(problems.values()):
        raise ValueError(
            "; ".join(f"{what}: {_list_names(names)}" for what, names in problems.items() if names)
            + "."
        )
    for path, value in turned.items():
        wanted[path][1].assign(value)
    return left_out, fresh


def _infer_outputs(kind, layout, tensors, source):
    """{"classes": K} or {"attributes": P} from the head's tensor; an embedding where the file's head is not ours."""
    if kind == "anonymizers":
        return {}
    if not layout.head:
        return {"embedding": 128}
    if layout.head not in tensors:
        raise ValueError(f"{source} lacks {layout.head}, whose rows are the network's outputs.")
    return {OUTPUT_ARGUMENTS[kind]: int(tensors[layout.head].shape[0])}


def _identify_files(source):
    return {
        path.name: {"bytes": path.stat().st_size, "sha256": files.compute_sha256(path)}
        for path in weight_files.list_checkpoint_files(source)
    }


def _list_names(names):
    names = list(names)
    return ", ".join(names[:MAX_NAMES_SHOWN]) + (
        f" and {len(names) - MAX_NAMES_SHOWN} more" if len(names) > MAX_NAMES_SHOWN else ""
    )
