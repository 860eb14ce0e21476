"""Look at data sets before training on them:

    python -m tfanon.data verify hmdb51 pa_hmdb51 --data_dir=data
    python -m tfanon.data describe --flagfile=configs/hmdb_vispr.flags
    python -m tfanon.data peek --flagfile=configs/hmdb_vispr.flags -o peek.png
    python -m tfanon.data build hmdb51 --data_dir=data --tfds_config=jpeg

verify decodes every file in child processes and compares lists and files with what was published; what is wrong is in
verify.json and makes the exit status 1. The same command again goes on where it was stopped. describe counts classes,
attributes, lengths and sizes, with the scores of chance. peek draws the first training batch. build makes
TensorFlow Datasets for --data_format=tfds. Without names, the data
sets are those of the flags. `--helpfull` explains the flags.
"""

import json
import pathlib

from absl import app, logging

from tfanon.core import config, exit_status, files
from tfanon.data import dataset_index, describe, splits, verify
from tfanon.data.options import Settings
from tfanon.media import (
    contact_sheet,
    limits,
)


def run_verify(names, chosen, settings):
    """Prints the summary; the exit status is 1 where there is a problem."""
    path = settings.output or "verify.json"
    data_sets, notes = (
        dataset_index.read(names, chosen),
        () if names else dataset_index.leaks(chosen),
    )
    report = verify.verify(data_sets, chosen.frames, settings, f"{path}.journal", notes)
    _write_json(path, report)
    print(verify.summary(report, path))
    return 1 if report["problems"] else 0


def run_describe(names, chosen, settings):
    """Prints frequencies and floors."""
    report = describe.describe(dataset_index.read(names, chosen), settings)
    _write_json(settings.output or "describe.json", report)
    print(describe.text(report))
    return 0


def run_peek(names, chosen, settings):
    """Draws the first training batch."""
    if names:
        raise ValueError(
            "peek shows the training batch of --clip_source and --image_source; it takes no names."
        )
    from tfanon.data import (
        decode,
        preview,
    )  # TensorFlow, for which the other commands need not wait

    path = settings.output or "peek.png"
    with decode.clear_errors():
        rows = preview.rows(splits.load(chosen), chosen)
    contact_sheet.save_sheet(
        path, contact_sheet.draw_sheet(rows, scale=max(1, 96 // chosen.resolution))
    )
    print(f"{path}: {len(rows)} rows, {chosen.resolution}x{chosen.resolution} pixels a frame.")
    return 0


def run_build(names, chosen, settings):
    """Writes TensorFlow Datasets below --data_dir."""
    from tfanon.data import tfds_store

    if not names:
        raise ValueError("build takes the names of data sets, such as: build hmdb51 vispr.")
    for name in names:
        print(f"{name}: {tfds_store.build(name, chosen)}")
    return 0


COMMANDS = {"verify": run_verify, "describe": run_describe, "peek": run_peek, "build": run_build}


def main(arguments):
    if len(arguments) < 2 or arguments[1] not in COMMANDS:
        raise app.UsageError(f"Say what to do: {', '.join(COMMANDS)}.")
    logging.set_verbosity(logging.INFO)
    chosen = config.from_flags()
    limits.set_limits(**chosen.limits())
    return exit_status.run_with_exit_status(
        "tfanon.data",
        lambda: COMMANDS[arguments[1]](arguments[2:], chosen, config.from_flags(Settings)),
    )


def _write_json(path, report):
    with files.write_atomically(pathlib.Path(path)) as unfinished:
        unfinished.write_text(json.dumps(report, indent=2) + "\n")


def run():
    """Console command `tfanon-data`."""
    config.define_flags()
    config.define_flags(Settings)
    app.run(main)


if __name__ == "__main__":
    run()
