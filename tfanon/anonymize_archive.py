"""Anonymize archives that outgrow one machine, on Apache Beam (pip install "tfanon[beam]"):

    python -m tfanon.anonymize_archive INPUT... -o FOLDER --model=anonymizer.tflite
    python -m tfanon.anonymize_archive videos/ -o FOLDER --mode=blur --beam=direct_running_mode=multi_processing
    python -m tfanon.anonymize_archive videos/ -o FOLDER --model=runs/quickstart --beam=runner=FlinkRunner,parallelism=8

Files, patterns and folders as for tfanon.anonymize, below the same paths on every worker. One file is one element; what
fails leaves nothing and makes the exit status 1, as does a folder that cannot be read. The same
command again does what is not done yet.
"""

import dataclasses
import os
import pathlib

from absl import app

from tfanon.core import config, exit_status
from tfanon.inference import job_runner, jobs
from tfanon.inference.manifest import Manifest, get_folder_manifest_path
from tfanon.inference.options import AnonymizeOptions


@dataclasses.dataclass(frozen=True)
class ArchiveOptions(AnonymizeOptions):
    """The settings of files, and those of the pipeline."""

    retries: int = config.flag(2, "Further attempts at a file that failed.", low=0, high=100)
    beam: tuple = config.flag(
        (),
        "Options of Beam without their dashes, separated by commas, such as "
        "runner=FlinkRunner,parallelism=8; without a runner: this machine.",
    )


def main(arguments):
    given, settings = arguments[1:], config.from_flags(ArchiveOptions)
    if not given or not settings.output:
        raise app.UsageError("Name at least one input, and -o FOLDER.")
    exit_status.exit_on_sigterm()
    return exit_status.run_with_exit_status(
        "tfanon.anonymize_archive", lambda: run_archive(given, settings)
    )


def run_archive(given, settings):
    """The exit status of anonymizing `given` as the settings say."""
    try:
        from tfanon.inference import beam_pipeline
    except ModuleNotFoundError as missing:
        raise ValueError(
            f'An archive needs Apache Beam: pip install "tfanon[beam]" ({missing}).'
        ) from None
    plan, settings = plan_archive(given, settings)
    for line in plan.lines():
        print(line)
    options = [f"--{option}" for option in settings.beam]
    failed = beam_pipeline.run_pipeline(
        plan.jobs, settings, settings.retries, options, plan.get_left_out_entries()
    )
    for entry in failed.values():
        print(
            exit_status.escape_name(
                f"{entry['input']}: FAILED, nothing was written: {entry['error']}"
            )
        )
    count = len(plan.jobs)
    print(
        exit_status.escape_name(
            f"{count - len(failed)} of {count} files are done in {settings.output}"
        )
    )
    return 1 if failed or plan.unreadable else 0


def plan_archive(given, settings):
    """(inputs.Plan, settings) with absolute paths, since a worker may stand in another folder.

    Raises ValueError for whatever else every file would fail of on some worker, many times and late.
    """
    folder = pathlib.Path(settings.output)
    if settings.output == "-" or jobs.is_media(folder) and not folder.is_dir():
        raise ValueError(
            f"An archive becomes a folder, which '{settings.output}' is not: give -o FOLDER. Single files "
            "are for tfanon.anonymize."
        )
    settings = dataclasses.replace(
        settings,
        output=os.path.abspath(settings.output),
        model=settings.model and os.path.abspath(settings.model),
    )
    plan = jobs.plan_jobs([os.path.abspath(name) for name in given], settings.output)
    about = job_runner.describe_run(
        job_runner.load_anonymizer(settings), settings
    )  # each worker loads its own
    Manifest(get_folder_manifest_path(settings), about)
    return plan, settings


def run():
    """Console command `tfanon-anonymize-archive`."""
    config.define_flags(ArchiveOptions)
    app.run(main)


if __name__ == "__main__":
    run()
