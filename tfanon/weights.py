"""Weights that people already have, for the networks of this package:

    python -m tfanon.weights fetch r3d_18 -o r3d_18.weights.h5
    python -m tfanon.weights convert i3d_r50_kinetics.pth --network=i3d_r50 -o i3d_r50.weights.h5
    python -m tfanon.weights inspect [NETWORK or FILE.weights.h5 ...]

fetch downloads public weights by name and, with -o, converts them; without a name it lists them. convert accounts for
every tensor of a PyTorch file or a TensorFlow checkpoint. inspect prints what networks and files are. `--help` explains
the flags; training starts from a file by --action_weights and its like.
"""

import pathlib

from absl import app

from tfanon.core import config, exit_status
from tfanon.pretrained import catalog, convert, download, load_pretrained, weights_table
from tfanon.pretrained.options import WeightsOptions


def main(arguments):
    commands = {"fetch": fetch_weights, "convert": convert_file, "inspect": print_networks}
    if len(arguments) < 2 or arguments[1] not in commands:
        raise app.UsageError(f"The first word is one of {', '.join(commands)}.")
    return exit_status.run_with_exit_status(
        "tfanon.weights",
        lambda: commands[arguments[1]](arguments[2:], config.from_flags(WeightsOptions)) or 0,
    )


def fetch_weights(names, settings):
    """Download, and convert where an output is named."""
    if not names:
        for name, entry in catalog.PUBLISHED_WEIGHTS.items():
            print(
                f"{name}: {entry.network}, {entry.trained_on}; {_describe_digest(entry.digest)}; {entry.url}"
            )
        return
    if len(names) > 1 and settings.output:
        raise ValueError(f"One -o is for one name, not for {len(names)}.")
    for name in names:
        entry = catalog.find_published_weights(name)
        folder = pathlib.Path(settings.cache).expanduser()
        path = download.fetch_file(
            _choose_url(entry, settings), folder, _choose_digest(name, entry, settings)
        )
        print(path)
        if settings.output:
            print_conversion(
                convert.convert_checkpoint(
                    path, entry.network, settings.output, entry.layout, source_url=entry.url
                ),
                settings,
            )


def _describe_digest(digest):
    return (
        f"SHA-256 {digest}{'...' if len(digest) < 64 else ''}" if digest else "no digest published"
    )


def _choose_url(entry, settings):
    return f"{settings.mirror.rstrip('/')}/{entry.file}" if settings.mirror else entry.url


def _choose_digest(name, entry, settings):
    if not entry.digest and not settings.sha256:
        raise ValueError(
            f"Nobody published a digest of {name}: give the one you trust as --sha256, or download "
            f"{entry.url} yourself and convert it with --network={entry.network}."
        )
    if entry.digest and settings.sha256 and not settings.sha256.startswith(entry.digest):
        raise ValueError(
            f"The SHA-256 of {name} begins with {entry.digest}, that of --sha256 does not."
        )
    return settings.sha256 or entry.digest


def convert_file(given, settings):
    """A file that is here."""
    if len(given) != 1 or not settings.network or not settings.output:
        raise ValueError("convert needs one file, its --network, and -o FILE.weights.h5.")
    made = convert.convert_checkpoint(
        given[0],
        settings.network,
        settings.output,
        settings.layout,
        settings.part,
        settings.dilated,
    )
    print_conversion(made, settings)


def print_conversion(made, settings):
    """What became of every tensor."""
    print(
        f"{settings.output}: {made['network']} {made['arguments']}, SHA-256 {made['sha256'][:12]}"
    )
    for what, names in (
        ("without a place here", made["left_out"]),
        ("started afresh", made["fresh"]),
    ):
        if names:
            print(
                f"  {len(names)} {what}: {names[0]}{' ... ' + names[-1] if len(names) > 1 else ''}"
            )


def print_networks(given, settings):
    """Networks as one table; files one by one."""
    stored = [name for name in given if name.endswith(".weights.h5")]
    for name in stored:
        model = load_pretrained.load_pretrained_network(name)
        print(
            f"{name}: whole; {model.name}, {weights_table.count_parameters(model):,} parameters, "
            f"pixels become {weights_table.describe_normalisation(model)}"
        )
    names = [name for name in given if name not in stored] or (
        [] if stored else weights_table.list_trainable_networks()
    )
    if names:
        print(
            weights_table.format_network_table(
                weights_table.summarize_network(name) for name in names
            )
        )


def run():
    """Console command `tfanon-weights`."""
    config.define_flags(WeightsOptions)
    app.run(main)


if __name__ == "__main__":
    run()
