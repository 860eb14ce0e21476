"""Download, convert and inspect published weights for the networks of this package.

    python -m tfanon.weights fetch r3d_18 -o r3d_18.weights.h5
    python -m tfanon.weights convert i3d_r50_kinetics.pth --network=i3d_r50 -o i3d_r50.weights.h5
    python -m tfanon.weights inspect [NETWORK or FILE.weights.h5 ...]

fetch downloads public weights by name and, with -o, converts them; without a name it lists them.
convert accounts for every tensor of a PyTorch file or a TensorFlow checkpoint. inspect describes
networks and files. --action_weights and similar flags of tfanon.train start training from a file.
"""

import pathlib
from collections.abc import Sequence
from typing import Any

from absl import app

from tfanon.core import command_line, config, exit_status
from tfanon.pretrained import catalog, convert, download, load_pretrained, weights_table
from tfanon.pretrained.options import WeightsOptions

SHA256_DIGITS = 64


def main(arguments: list[str]) -> int | None:
    """Run fetch, convert or inspect, and return the exit status.

    Args:
        arguments: The words of the command line that are not flags, beginning with the program.

    Raises:
        app.UsageError: The first word is not a command.
    """
    commands = {"fetch": fetch_weights, "convert": convert_file, "inspect": print_networks}
    if len(arguments) < 2 or arguments[1] not in commands:
        raise app.UsageError(f"The first argument must be one of {', '.join(commands)}.")
    run_command = commands[arguments[1]]

    def work() -> int:
        run_command(arguments[2:], config.from_flags(WeightsOptions))
        return 0

    return exit_status.run_with_exit_status("tfanon.weights", work)


def fetch_weights(names: Sequence[str], options: WeightsOptions) -> None:
    """Download weights by name, and convert them if an output is given.

    Args:
        names: Keys of `catalog.PUBLISHED_WEIGHTS`; without any, all are listed.
        options: Options of the command.

    Raises:
        ValueError: A name is unknown, a download or a conversion fails, or there is one output
            for several names.
    """
    if not names:
        _print_catalog()
        return
    # Before the first download.
    if len(names) > 1 and options.output:
        raise ValueError(f"-o can be used with one name only, not with {len(names)}.")
    folder = pathlib.Path(options.cache).expanduser()
    for name in names:
        entry = catalog.find_published_weights(name)
        url = _choose_url(entry, options)
        path = download.fetch_file(url, folder, _choose_digest(name, entry, options))
        print(path)
        if options.output:
            record = convert.convert_checkpoint(
                path, entry.network, options.output, entry.layout, source_url=entry.url
            )
            print_conversion(record, options)


def _print_catalog() -> None:
    """Print one line for each file of published weights."""
    for name, entry in catalog.PUBLISHED_WEIGHTS.items():
        digest = _describe_digest(entry.digest)
        print(f"{name}: {entry.network}, {entry.trained_on}; {digest}; {entry.url}")


def _describe_digest(digest: str) -> str:
    if not digest:
        return "no digest published"
    return f"SHA-256 {digest}" if len(digest) == SHA256_DIGITS else f"SHA-256 {digest}..."


def _choose_url(entry: catalog.PublishedWeights, options: WeightsOptions) -> str:
    """Return where to download from: the mirror, if there is one."""
    if not options.mirror:
        return entry.url
    return f"{options.mirror.rstrip('/')}/{entry.file_name}"


def _choose_digest(name: str, entry: catalog.PublishedWeights, options: WeightsOptions) -> str:
    """Return the digest to check: the user's, which must agree with the published one."""
    if not entry.digest and not options.sha256:
        # A download is never kept unchecked: see pretrained.download.
        raise ValueError(
            f"No digest of {name} is published: set --sha256 to one that you trust, or download "
            f"{entry.url} yourself and convert it with --network={entry.network}."
        )
    if entry.digest and options.sha256 and not options.sha256.startswith(entry.digest):
        raise ValueError(
            f"The SHA-256 of {name} begins with {entry.digest}, but --sha256 does not."
        )
    return options.sha256 or entry.digest


def convert_file(paths: Sequence[str], options: WeightsOptions) -> None:
    """Convert a local file.

    Args:
        paths: One PyTorch file or TensorFlow checkpoint.
        options: Options of the command.

    Raises:
        ValueError: An argument is missing, or the conversion fails.
    """
    if len(paths) != 1 or not options.network or not options.output:
        raise ValueError("convert needs one file, its --network, and -o FILE.weights.h5.")
    record = convert.convert_checkpoint(
        paths[0],
        options.network,
        options.output,
        options.layout,
        options.part,
        options.dilated,
    )
    print_conversion(record, options)


def print_conversion(record: dict[str, Any], options: WeightsOptions) -> None:
    """Print what was converted, and which tensors were not.

    Args:
        record: As `convert.convert_checkpoint` returns it.
        options: Options of the command.
    """
    print(
        f"{options.output}: {record['network']} {record['arguments']}, "
        f"SHA-256 {record['sha256'][:12]}"
    )
    for text, names in (
        ("tensors of the source are not used", record["left_out"]),
        ("variables keep their initial values", record["fresh"]),
    ):
        if names:
            more = f" ... {names[-1]}" if len(names) > 1 else ""
            print(f"  {len(names)} {text}: {names[0]}{more}")


def print_networks(names: Sequence[str], options: WeightsOptions) -> None:
    """Print networks as one table, and files line by line.

    Args:
        names: Names of networks and `.weights.h5` files; without any, all networks are listed.
        options: Not used; every command takes them.

    Raises:
        ValueError: A network does not exist, or a file is not complete.
    """
    # A network cannot have this ending, so no flag is needed to tell files from networks.
    files = [name for name in names if name.endswith(".weights.h5")]
    for name in files:
        model = load_pretrained.load_pretrained_network(name)
        parameters = weights_table.count_parameters(model)
        normalisation = weights_table.describe_normalisation(model)
        print(
            f"{name}: complete; {model.name}, {parameters:,} parameters, pixels become "
            f"{normalisation}"
        )
    networks = [name for name in names if name not in files]
    if not names:
        networks = weights_table.list_trainable_networks()
    if networks:
        rows = [weights_table.summarize_network(name) for name in networks]
        print(weights_table.format_network_table(rows))


def run() -> None:
    """Run the console command `tfanon-weights`."""
    command_line.run_entry_point(main, [WeightsOptions], __doc__)


if __name__ == "__main__":
    run()
