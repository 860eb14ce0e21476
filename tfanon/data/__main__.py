"""Check, describe, preview and convert data sets before training on them.

    python -m tfanon.data verify hmdb51 pa_hmdb51 --data_dir=data
    python -m tfanon.data describe --flagfile=configs/hmdb_vispr.flags
    python -m tfanon.data peek --flagfile=configs/hmdb_vispr.flags -o peek.png
    python -m tfanon.data build hmdb51 --data_dir=data --tfds_config=jpeg

verify decodes every file in child processes and compares files and lists with what was published.
Problems are listed in verify.json and make the exit status 1. Re-running the same command resumes
after any interruption. describe counts classes, attributes, lengths and sizes, and computes the
scores at chance level. peek draws the first training batch. build writes TensorFlow Datasets for
--data_format=tfds. Without names, verify and describe look at the data sets that the flags select.
"""

from collections.abc import Callable, Sequence

from absl import app, logging

from tfanon.core import command_line, config, exit_status, files
from tfanon.core.config import Config
from tfanon.data import dataset_index, describe, splits, verify
from tfanon.data.options import DataOptions
from tfanon.media import contact_sheet, limits

PREVIEW_SIDE = 96  # pixels; smaller frames are enlarged to about this size


def run_verify(names: Sequence[str], experiment: Config, options: DataOptions) -> int:
    """Verify data sets and print a summary.

    Args:
        names: Names of data sets; empty: those of the experiment.
        experiment: Settings of the experiment.
        options: Options of the command.

    Returns:
        Exit status: 1 if there is a problem.
    """
    path = options.output or "verify.json"
    datasets = dataset_index.read_datasets(names, experiment)
    # Only an experiment says what is trained on and what is tested on; names alone do not.
    notes = () if names else dataset_index.find_leaks(experiment)
    report = verify.verify_datasets(datasets, experiment.frames, options, f"{path}.journal", notes)
    files.write_json_atomically(path, report, indent=2, sort_keys=False)
    print(verify.format_summary(report, path))
    return 1 if report["problems"] else 0


def run_describe(names: Sequence[str], experiment: Config, options: DataOptions) -> int:
    """Print frequencies and chance levels.

    Args:
        names: Names of data sets; empty: those of the experiment.
        experiment: Settings of the experiment.
        options: Options of the command.

    Returns:
        Exit status: 0.
    """
    datasets = dataset_index.read_datasets(names, experiment)
    report = describe.describe_datasets(datasets, options)
    files.write_json_atomically(
        options.output or "describe.json", report, indent=2, sort_keys=False
    )
    print(describe.format_description(report))
    return 0


def run_peek(names: Sequence[str], experiment: Config, options: DataOptions) -> int:
    """Draw the first training batch.

    Args:
        names: Must be empty.
        experiment: Settings of the experiment.
        options: Options of the command.

    Returns:
        Exit status: 0.

    Raises:
        ValueError: There are names.
    """
    if names:
        raise ValueError(
            "peek shows the training batch of --clip_source and --image_source; it takes no names."
        )
    # These import TensorFlow, which the other commands do not need.
    from tfanon.data import decode, preview

    path = options.output or "peek.png"
    side = experiment.resolution
    with decode.unwrap_errors():
        data = splits.load_experiment_data(experiment)
        rows = preview.make_preview_rows(data, experiment)
    sheet = contact_sheet.draw_sheet(rows, scale=max(1, PREVIEW_SIDE // side))
    contact_sheet.save_sheet(path, sheet)
    print(f"{path}: {len(rows)} rows, {side}x{side} pixels a frame.")
    return 0


def run_build(names: Sequence[str], experiment: Config, _options: DataOptions) -> int:
    """Write TensorFlow Datasets below --data_dir.

    Args:
        names: Names of data sets.
        experiment: Its data_dir and tfds_config.

    Returns:
        Exit status: 0.

    Raises:
        ValueError: There are no names, or a data set cannot be built.
    """
    # Imports TensorFlow, as above.
    from tfanon.data import tfds_store

    if not names:
        raise ValueError("build needs the names of data sets, for example: build hmdb51 vispr.")
    for name in names:
        print(f"{name}: {tfds_store.build_dataset(name, experiment)}")
    return 0


COMMANDS: dict[str, Callable[[Sequence[str], Config, DataOptions], int]] = {
    "verify": run_verify,
    "describe": run_describe,
    "peek": run_peek,
    "build": run_build,
}


def main(arguments: Sequence[str]) -> int | None:
    """Run one of the commands and return the exit status.

    Args:
        arguments: The words of the command line that are not flags, beginning with the program.

    Raises:
        app.UsageError: The first word is not a command.
    """
    if len(arguments) < 2 or arguments[1] not in COMMANDS:
        raise app.UsageError(f"The first argument must be one of {', '.join(COMMANDS)}.")
    logging.set_verbosity(logging.INFO)
    experiment = config.from_flags()
    limits.set_limits(**experiment.limits())
    run_command, names = COMMANDS[arguments[1]], arguments[2:]
    return exit_status.run_with_exit_status(
        "tfanon.data",
        lambda: run_command(names, experiment, config.from_flags(DataOptions)),
    )


def run() -> None:
    """Run the console command `tfanon-data`."""
    command_line.run_entry_point(main, [DataOptions, Config], __doc__)


if __name__ == "__main__":
    run()
