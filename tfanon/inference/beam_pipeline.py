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
from tfanon.inference.manifest import Manifest, of_folder

RECORDS = ".records"
# Beam's own choice would first try to download another direct runner.
RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"


class Anonymize(beam.DoFn):
    """An inputs.Job -> nothing; its record says what became of it.

    The model is loaded once per worker process, whichever number of threads it has.  retries: further attempts at a
    file that failed.
    """

    def __init__(self, settings, retries):
        self.settings, self.retries, self.once = settings, retries, shared.Shared()

    def setup(self):
        """Called by Beam before the first element."""
        self.anonymizer = self.once.acquire(lambda: job_runner.load(self.settings))

    def process(self, job):
        """Called by Beam with each element."""
        for _ in range(1 + self.retries):
            one = job_runner.Batch(
                self.anonymizer, self.settings, record_of(job, self.settings), tell=logging.info
            )
            if not one.run([job]):
                return


def record_of(job, settings):
    """Path of the record of one file."""
    return files.fit_path(pathlib.Path(settings.output) / RECORDS / f"{job.name}.json")


def run(todo, settings, retries=2, options=(), left_out=None):
    """Anonymize the Jobs; returns {name: entry} of those that failed, and leaves one manifest for all.

    options: of Beam, as on its command line.  left_out: as for a Manifest.  Paths must be the same
    for every worker.
    Raises what the runner raises where the pipeline as a whole breaks; finished files stay and count when run again.
    """
    if not any(option.startswith("--runner") for option in options):
        options = [f"--runner={RUNNER}", *options]
    try:
        with beam.Pipeline(options=PipelineOptions(list(options))) as pipeline:
            (
                pipeline
                | beam.Create(todo)
                | beam.Reshuffle()
                | beam.ParDo(Anonymize(settings, retries))
            )
    except RuntimeError as problem:
        raise _signal(problem) or problem
    return collected(todo, settings, left_out)


def _signal(problem):
    """Ctrl-C or the exit that Beam met while it ran a file in this process, and made a RuntimeError of; None without."""
    while problem and not isinstance(problem, (KeyboardInterrupt, SystemExit)):
        problem = problem.__context__
    return problem


def collected(todo, settings, left_out=None):
    """The records become the manifest; returns {name: entry} of the failures.

    left_out: as for a Manifest.
    """
    records = [json.loads(record_of(job, settings).read_text(encoding="utf-8")) for job in todo]
    about = {
        name: records[0][name]
        for name in ("model", "settings", "tested_size", "warnings", "versions")
    }
    manifest = Manifest(of_folder(settings), about, left_out)
    for record in records:
        manifest.unsaved |= record["files"]
    manifest.write()
    return {
        job.name: manifest.files[job.name]
        for job in todo
        if manifest.files[job.name]["status"] != "done"
    }
