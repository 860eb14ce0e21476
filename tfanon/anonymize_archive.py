r"""Anonymize archives that outgrow one machine, on Apache Beam (pip install "tfanon[beam]").

    python -m tfanon.anonymize_archive INPUT... -o FOLDER --model=anonymizer.tflite
    python -m tfanon.anonymize_archive videos/ -o out/ --mode=blur \
        --beam=direct_running_mode=multi_processing
    python -m tfanon.anonymize_archive videos/ -o out/ --model=runs/a \
        --beam=runner=FlinkRunner,parallelism=8

Inputs are files, patterns and folders as for tfanon.anonymize, at the same paths on every worker.
One file is one element of the pipeline. A file that fails leaves no output and makes the exit
status 1, as does a folder that cannot be read. Re-running the same command processes only the files
that are not done yet.
"""

import dataclasses
import os
import pathlib
from collections.abc import Sequence

from absl import app

from tfanon.core import command_line, config, exit_status
from tfanon.inference import job_runner, jobs
from tfanon.inference.manifest import Manifest, get_folder_manifest_path
from tfanon.inference.options import AnonymizeOptions


@dataclasses.dataclass(frozen=True)
class ArchiveOptions(AnonymizeOptions):
    """How files are anonymized, and options of the pipeline."""

    retries: int = config.flag(
        2, "Further attempts at a file that failed.", low=0, high=100, group="Pipeline"
    )
    beam: tuple[str, ...] = config.flag(
        (),
        "Options of Beam without their dashes, separated by commas, such as "
        "runner=FlinkRunner,parallelism=8; without a runner the pipeline runs on this machine.",
    )


def main(arguments: Sequence[str]) -> int:
    """Run the command.

    Args:
        arguments: Name of the program and the inputs.

    Returns:
        The exit status.

    Raises:
        app.UsageError: There is no input, or no output.
    """
    inputs = arguments[1:]
    options = config.from_flags(ArchiveOptions)
    if not inputs or not options.output:
        raise app.UsageError("Name at least one input, and -o FOLDER.")
    exit_status.exit_on_sigterm()  # so that unfinished files are removed
    return exit_status.run_with_exit_status(
        "tfanon.anonymize_archive", lambda: run_archive(inputs, options)
    )


def run_archive(inputs: Sequence[str], options: ArchiveOptions) -> int:
    """Anonymize an archive.

    Args:
        inputs: Files, patterns and folders.
        options: Options of the command.

    Returns:
        The exit status: 1 where a file failed or a folder could not be read.

    Raises:
        ValueError: Beam is not installed, or an input or option is at fault.
    """
    try:
        from tfanon.inference import beam_pipeline
    except ModuleNotFoundError as error:
        raise ValueError(
            f'An archive needs Apache Beam: pip install "tfanon[beam]" ({error}).'
        ) from None
    plan, options = plan_archive(inputs, options)
    for line in plan.describe_left_out():
        print(line)
    failed = beam_pipeline.run_pipeline(
        plan.jobs,
        options,
        options.retries,
        [f"--{option}" for option in options.beam],
        plan.get_left_out_entries(),
    )
    for entry in failed.values():
        line = f"{entry['input']}: FAILED, nothing was written: {entry['error']}"
        print(exit_status.escape_name(line))
    file_count = len(plan.jobs)
    line = f"{file_count - len(failed)} of {file_count} files are done in {options.output}"
    print(exit_status.escape_name(line))
    return 1 if failed or plan.has_unreadable_folder else 0


def plan_archive(
    inputs: Sequence[str], options: ArchiveOptions
) -> tuple[jobs.JobPlan, ArchiveOptions]:
    """Plan an archive with absolute paths, since a worker may have another working directory.

    Everything that would make each file fail on some worker, many times and late, is tried here.

    Args:
        inputs: Files, patterns and folders.
        options: Options of the command.

    Returns:
        The plan, and the options with absolute paths.

    Raises:
        ValueError: The output is not a folder, an input is missing, the model cannot be loaded, or
            the manifest's file is something else.
    """
    folder = pathlib.Path(options.output)
    is_file_name = jobs.is_media(folder) and not folder.is_dir()
    if options.output == "-" or is_file_name:
        raise ValueError(
            f"The output of an archive is a folder, which '{options.output}' is not: give "
            "-o FOLDER. Single files are for tfanon.anonymize."
        )
    options = dataclasses.replace(
        options,
        output=os.path.abspath(options.output),
        model=os.path.abspath(options.model) if options.model else "",
    )
    plan = jobs.plan_jobs([os.path.abspath(name) for name in inputs], options.output)
    # Each worker loads the model itself; here it is loaded to see that it can be.
    anonymizer = job_runner.load_anonymizer(options)
    run_info = job_runner.describe_run(anonymizer, options)
    # Refuses a file of that name that is not a manifest.
    Manifest(get_folder_manifest_path(options), run_info)
    return plan, options


def run() -> None:
    """Run the console command `tfanon-anonymize-archive`."""
    command_line.run_entry_point(main, [ArchiveOptions], __doc__)


if __name__ == "__main__":
    run()
