"""Anonymizes an archive as an Apache Beam pipeline, one file per element; only this imports Beam.

Every worker writes as tfanon.anonymize does: a complete and verified file, or none. What became of
a file is stored in a manifest of its own, OUTPUT/.records/NAME.json, since workers cannot share a
journal. At the end these are merged into one manifest.
"""

import json
import logging
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.utils import shared

from tfanon.core import files
from tfanon.inference import job_runner
from tfanon.inference.jobs import Job
from tfanon.inference.manifest import Manifest, get_folder_manifest_path
from tfanon.inference.options import AnonymizeOptions

RECORDS_FOLDER = ".records"
# Beam's own default would first try to download another direct runner.
DEFAULT_RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
# Entries of a record that describe the run as a whole.
RUN_INFO_KEYS = ("model", "settings", "tested_size", "warnings", "versions")


class AnonymizeFileDoFn(beam.DoFn):
    """Anonymizes the file of a `Job`; its record says what became of it.

    The model is loaded once per worker process, however many threads that has.

    Args:
        options: How files are anonymized.
        retries: Further attempts at a file that failed.
    """

    def __init__(self, options: AnonymizeOptions, retries: int) -> None:
        self.options = options
        self.retries = retries
        self.shared_anonymizer = shared.Shared()

    def setup(self) -> None:
        """Load the model; Beam calls this before the first element."""
        self.anonymizer = self.shared_anonymizer.acquire(
            lambda: job_runner.load_anonymizer(self.options)
        )

    def process(self, job: Job) -> None:
        """Anonymize one file; Beam calls this with each element."""
        for _ in range(1 + self.retries):
            runner = job_runner.JobRunner(
                self.anonymizer,
                self.options,
                get_record_path(job, self.options),
                report_line=logging.info,
            )
            if not runner.run([job]):
                return


def get_record_path(job: Job, options: AnonymizeOptions) -> pathlib.Path:
    """Return the path of the record of one file."""
    return files.shorten_path(pathlib.Path(options.output) / RECORDS_FOLDER / f"{job.name}.json")


def run_pipeline(
    jobs: Sequence[Job],
    options: AnonymizeOptions,
    retries: int = 2,
    beam_options: Sequence[str] = (),
    left_out: Mapping[str, dict] | None = None,
) -> dict[str, dict[str, Any]]:
    """Anonymize files on Beam and write one manifest for all.

    Where the pipeline as a whole breaks, finished files stay and are not made again.

    Args:
        jobs: The files, with paths that are the same for every worker.
        options: How files are anonymized.
        retries: Further attempts at a file that failed.
        beam_options: Options of Beam, as on its command line.
        left_out: As for `Manifest`.

    Returns:
        The manifest entries of the files that failed, by name.

    Raises:
        RuntimeError: The runner failed.
    """
    if not any(option.startswith("--runner") for option in beam_options):
        beam_options = [f"--runner={DEFAULT_RUNNER}", *beam_options]
    try:
        with beam.Pipeline(options=PipelineOptions(list(beam_options))) as pipeline:
            # Reshuffle separates the two steps, which Beam would otherwise run fused in one worker.
            (
                pipeline
                | beam.Create(jobs)
                | beam.Reshuffle()
                | beam.ParDo(AnonymizeFileDoFn(options, retries))
            )
    except RuntimeError as error:
        # Beam wraps Ctrl-C, and an exit after SIGTERM, in this process too.
        signal_error = _find_signal(error)
        if signal_error is not None:
            raise signal_error from None
        raise
    return merge_records(jobs, options, left_out)


def _find_signal(error: BaseException | None) -> BaseException | None:
    """Return the KeyboardInterrupt or SystemExit during which an error arose; None without one."""
    while error is not None and not isinstance(error, (KeyboardInterrupt, SystemExit)):
        error = error.__context__
    return error


def merge_records(
    jobs: Sequence[Job], options: AnonymizeOptions, left_out: Mapping[str, dict] | None = None
) -> dict[str, dict[str, Any]]:
    """Merge the records of all files into the manifest.

    Args:
        jobs: The files, at least one.
        options: How they were anonymized.
        left_out: As for `Manifest`.

    Returns:
        The manifest entries of the files that failed, by name.
    """
    records = []
    for job in jobs:
        text = get_record_path(job, options).read_text(encoding="utf-8")
        records.append(json.loads(text))
    # Every worker has written its records in this run, with the same options.
    run_info = {key: records[0][key] for key in RUN_INFO_KEYS}
    manifest = Manifest(get_folder_manifest_path(options), run_info, left_out)
    # write() merges entries that are not on disk yet with those that are.
    for record in records:
        manifest.unsaved |= record["files"]
    manifest.write()
    failed = {}
    for job in jobs:
        entry = manifest.files[job.name]
        if entry["status"] != "done":
            failed[job.name] = entry
    return failed
