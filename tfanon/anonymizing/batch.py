"""Many files, one after the other: what fails costs its own file and no other, and what is done is not done again."""

import contextlib
import os
import time
from importlib import metadata as installed

from tqdm import tqdm

import tfanon
from tfanon import files
from tfanon.anonymizing import video
from tfanon.anonymizing.anonymizer import Anonymizer
from tfanon.anonymizing.manifest import Manifest
from tfanon.anonymizing.settings import pair
from tfanon.media import limits, source, still

PACKAGES = ("tensorflow", "keras", "ai-edge-litert", "av", "numpy", "pillow")


class Batch:
    """The jobs of one command, under one manifest.

    anonymizer: an Anonymizer.  settings: a Settings.  quiet: without progress bars.  show(pixels): the preview.
    """

    def __init__(self, anonymizer, settings, manifest, quiet=True, show=lambda pixels: None, tell=print):
        self.anonymizer, self.settings, self.quiet, self.show, self.tell = anonymizer, settings, quiet, show, tell
        self.encoding = settings.encoding()
        self.manifest = Manifest(manifest, about(anonymizer, settings))

    def run(self, jobs):
        """Do what is not done yet; returns the number of failures.  One line per file goes to `tell`."""
        failures = 0
        with tqdm(jobs, unit="file", disable=self.quiet or len(jobs) < 2, dynamic_ncols=True) as bar:
            for job in bar:
                failures += not self._one(job)
        self.manifest.write()
        return failures

    def _one(self, job):
        """Whether the job's result is there, now or already."""
        try:
            files.clear_leftovers(job.target)
            self.tell(f"{job.given} -> {job.target}: done before" if self._finished(job) else self._made(job))
            return True
        except files.Appeared:  # by another command's hand: it is looked at as one that was there before
            return self._one(job)
        except Exception as error:  # the one place where everything is caught: the other files of a batch go on
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            with contextlib.suppress(OSError):  # the disk may be full; manifest.json is tried again at the end
                self.manifest.note(job.name, status="failed", input=str(job.given), error=reason)
            self.tell(f"{job.given}: FAILED, nothing was written: {reason}")
            return False

    def _finished(self, job):
        """Whether the result is there.  Raises ValueError where something else is there that must stay."""
        entry = job.name, job.given, job.target
        if self.manifest.finished(*entry):
            return True
        if self.settings.overwrite or not job.target.exists():
            return False
        self.manifest.read()  # another command may have made it since this one began
        if self.manifest.finished(*entry):
            return True
        raise ValueError(f"{job.target} exists and was not made from this input with these settings; "
                         "give --overwrite, or another -o.")

    def _made(self, job):
        """Make one result; returns its line."""
        begin, state, digest = time.monotonic(), os.stat(job.given), files.sha256(job.given)

        def written(path, record):  # noted before the file gets its name: a kill in between leaves no stranger there
            now = os.stat(job.given)
            if (now.st_mtime_ns, now.st_size) != (state.st_mtime_ns, state.st_size):
                raise ValueError(f"{job.given} changed while it was read.")
            self.manifest.note(
                job.name, status="done", input=str(job.given), input_sha256=digest, output=str(job.target),
                output_sha256=record["sha256"], frames=record["frames"], seconds=record["seconds"],
                sound=record["sound"], took=round(time.monotonic() - begin, 3))

        record = (self._video if limits.is_video(str(job.given)) else self._image)(job, written)
        took = time.monotonic() - begin
        sound = "" if record["sound"] == "none" else f", sound {record['sound']}"
        return (f"{job.given} -> {job.target}: {record['frames']} frames, {record['seconds']:.2f} s{sound}, in "
                f"{took:.2f} s ({record['frames'] / took:.1f} fps), SHA-256 {record['sha256'][:12]}")

    def _video(self, job, written):
        keep = self.settings.audio == "keep"
        with source.open_video(str(job.given), sound=keep) as opened, tqdm(
                total=opened.expected, desc=job.given.name, unit="frame", leave=False, disable=self.quiet,
                dynamic_ncols=True) as bar:
            return video.anonymize(opened, job.target, self.anonymizer, self.encoding,
                                   self.settings.metadata == "keep", lambda pixels: (bar.update(), self.show(pixels)),
                                   written, self.settings.overwrite)

    def _image(self, job, written):
        pixels = self.anonymizer(still.read_still(str(job.given)))
        with files.whole_file(job.target, replace=self.settings.overwrite) as unfinished:
            still.write_still(unfinished, pixels, self.encoding.quality)
            if still.read_still(str(unfinished)).shape != pixels.shape:
                raise ValueError(f"{job.target} could not be read back.")
            record = {"frames": 1, "seconds": 0.0, "sound": "none", "sha256": files.sha256(unfinished)}
            written(unfinished, record)
        self.show(pixels)
        return record


def load(settings):
    """The Anonymizer that the settings describe, and their limits on media, for this process.

    Raises ValueError as Anonymizer.load does.
    """
    limits.allow(**settings.limits())
    return Anonymizer.load(settings.model, settings.mode, pair(settings.working_size, "working_size"), settings.layout,
                           settings.overlap, settings.threads)


def about(anonymizer, settings):
    """What a manifest says of the run as a whole."""
    network = anonymizer.network
    shaping = settings.shaping() | {"working_size": list(network.size or ()), "batch": network.batch}
    return {"model": {"name": network.name, "sha256": network.sha256}, "settings": shaping, "versions": versions()}


def versions():
    """Of tfanon and of what it stands on, as far as it is installed."""
    found = {"tfanon": tfanon.__version__}
    for package in PACKAGES:
        try:
            found[package] = installed.version(package)
        except installed.PackageNotFoundError:
            continue
    return found

