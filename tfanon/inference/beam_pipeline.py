"""An archive as an Apache Beam pipeline, one file per element; the only module that knows Beam.

Every worker writes as tfanon.anonymize does: whole and checked, or not at all. What became of a file stands in a record
of its own, OUTPUT/.records/NAME.json, since workers cannot share a journal; the records become one manifest at the end.
"""

import json
import logging
import pathlib

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.utils import shared

from tfanon.core import files
from tfanon.inference import job_runner
from tfanon.inference.manifest import Manifest, get_folder_manifest_path

RECORDS_FOLDER = ".records"
# Beam's own choice would first try to download another direct runner.
DEFAULT_RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"


class AnonymizeFileDoFn(beam.DoFn):
    """An inputs.Job -> nothing; its record says what became of it.

    The model is loaded once per worker process, whichever number of threads it has.  retries: further attempts at a
    file that failed.
    """

    def __init__(self, settings, retries):
        self.settings, self.retries, self.shared_anonymizer = settings, retries, shared.Shared()

    def setup(self):
        """Called by Beam before the first element."""
        self.anonymizer = self.shared_anonymizer.acquire(
            lambda: job_runner.load_anonymizer(self.settings)
        )

    def process(self, job):
        """Called by Beam with each element."""
        for _ in range(1 + self.retries):
            one = job_runner.JobRunner(
                self.anonymizer,
                self.settings,
                get_record_path(job, self.settings),
                report_line=logging.info,
            )
            if not one.run([job]):
                return


def get_record_path(job, settings):
    """Path of the record of one file."""
    return files.shorten_path(pathlib.Path(settings.output) / RECORDS_FOLDER / f"{job.name}.json")


def run_pipeline(todo, settings, retries=2, options=(), left_out=None):
    """Anonymize the Jobs; returns {name: entry} of those that failed, and leaves one manifest for all.

    options: of Beam, as on its command line.  left_out: as for a Manifest.  Paths must be the same
    for every worker.
    Raises what the runner raises where the pipeline as a whole breaks; finished files stay and count when run again.
    """
    if not any(option.startswith("--runner") for option in options):
        options = [f"--runner={DEFAULT_RUNNER}", *options]
    try:
        with beam.Pipeline(options=PipelineOptions(list(options))) as pipeline:
            (
                pipeline
                | beam.Create(todo)
                | beam.Reshuffle()
                | beam.ParDo(AnonymizeFileDoFn(settings, retries))
            )
    except RuntimeError as problem:
        raise _find_signal(problem) or problem
    return merge_records(todo, settings, left_out)


def _find_signal(problem):
    """Ctrl-C or the exit that Beam met while it ran a file in this process, and made a RuntimeError of; None without."""
    while problem and not isinstance(problem, (KeyboardInterrupt, SystemExit)):
        problem = problem.__context__
    return problem


def merge_records(todo, settings, left_out=None):
    """The records become the manifest; returns {name: entry} of the failures.

    left_out: as for a Manifest.
    """
    records = [
        json.loads(get_record_path(job, settings).read_text(encoding="utf-8")) for job in todo
    ]
    about = {
        name: records[0][name]
        for name in ("model", "settings", "tested_size", "warnings", "versions")
    }
    manifest = Manifest(get_folder_manifest_path(settings), about, left_out)
    for record in records:
        manifest.unsaved |= record["files"]
    manifest.write()
    return {
        job.name: manifest.files[job.name]
        for job in todo
        if manifest.files[job.name]["status"] != "done"
    }
