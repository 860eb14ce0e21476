"""A published checkpoint becomes our `.weights.h5`, every tensor accounted for, with a JSON that says what it is."""

import pathlib

import numpy as np

from tfanon.core import checkpoint, files, registry
from tfanon.pretrained import layouts, weight_files, weights_record

SHOWN = 5  # names in a message
OUTPUTS = {"actions": "classes", "privacy": "attributes"}


def convert(source, network, output, layout="", part="", dilated=False, address=""):
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
    layout, about, tensors = choose(
        layouts.find_all(network), weight_files.read(source), source, layout, part
    )
    kind = weights_record.kind_of(network)
    arguments = {
        **about.arguments,
        **({"dilated": True} if dilated else {}),
        **_outputs(kind, about, tensors, source),
    }
    model = registry.find(kind, network).build(**arguments)
    left_out, fresh = fill(model, tensors, about, network, source)
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
        "source": {"address": address, "part": part, "files": _identities(source)},
    }
    weights_record.write(output, made)
    return made


def choose(known, groups, source, layout="", part=""):
    """(layout's name, layout, tensors): the one known layout whose mark a group of the file holds."""
    if layout and layout not in known:
        raise ValueError(f"No layout '{layout}' for this network; there are {', '.join(known)}.")
    if part and part not in groups:
        raise ValueError(
            f"{source} has no part '{part}'; it has {_shown(groups) or 'no named weights'}."
        )
    found = [
        (name, about, place)
        for name, about in known.items()
        for place, tensors in groups.items()
        if about.mark in tensors and layout in ("", name) and part in ("", place)
    ]
    if len(found) == 1:
        name, about, place = found[0]
        return name, about, groups[place]
    if found:
        raise ValueError(
            f"{source} has several fitting parts: {_shown(place for _, _, place in found)}. Choose by --part."
        )
    marks = ", ".join(
        f"{about.mark} ({name})" for name, about in known.items() if layout in ("", name)
    )
    raise ValueError(
        f"{source} is not of this network: it holds none of {marks}; "
        f"it has {_shown(name for tensors in groups.values() for name in tensors) or 'no named weights'}."
    )


def fill(model, tensors, layout, network, source):
    """Give every variable of a built model its tensor; (names of the file left out, paths of ours left as they are).

    Raises ValueError before anything is changed where a tensor is missing, has another shape, or has no place.
    """
    places = {
        path: (layout.tensor(path, network), variable)
        for path, variable in weights_record.weights(model).items()
    }
    fresh = sorted(path for path, (name, _) in places.items() if name is None)
    wanted = {path: place for path, place in places.items() if place[0] is not None}
    used = {name for name, _ in wanted.values()}
    left_out = sorted(name for name in tensors if name not in used and layout.has_no_place(name))
    problems = {
        f"{source} lacks what {network} needs": sorted(used - set(tensors)),
        f"{source} has what {network} has no place for": sorted(
            set(tensors) - used - set(left_out)
        ),
    }
    turned = {
        path: layout.turned(path, tensors[name])
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
            "; ".join(f"{what}: {_shown(names)}" for what, names in problems.items() if names) + "."
        )
    for path, value in turned.items():
        wanted[path][1].assign(value)
    return left_out, fresh


def _outputs(kind, layout, tensors, source):
    """{"classes": K} or {"attributes": P} from the head's tensor; an embedding where the file's head is not ours."""
    if kind == "anonymizers":
        return {}
    if not layout.head:
        return {"embedding": 128}
    if layout.head not in tensors:
        raise ValueError(f"{source} lacks {layout.head}, whose rows are the network's outputs.")
    return {OUTPUTS[kind]: int(tensors[layout.head].shape[0])}


def _identities(source):
    return {
        path.name: {"bytes": path.stat().st_size, "sha256": files.sha256(path)}
        for path in weight_files.files_of(source)
    }


def _shown(names):
    names = list(names)
    return ", ".join(names[:SHOWN]) + (
        f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    )
