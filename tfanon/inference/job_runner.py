"""Many files, one after the other: what fails costs its own file and no other, and what is done is not done again."""

import contextlib
import os
import time
from importlib import metadata as installed

from tqdm import tqdm

import tfanon
from tfanon.core import exit_status, files
from tfanon.inference import video
from tfanon.inference.anonymizer import Anonymizer
from tfanon.inference.jobs import Job
from tfanon.inference.manifest import Manifest
from tfanon.inference.options import parse_size
from tfanon.media import image_io, limits, video_reader

RECORDED_PACKAGES = ("tensorflow", "keras", "ai-edge-litert", "av", "numpy", "pillow")


class JobRunner:
    """The jobs of one command, under one manifest.

    anonymizer: an Anonymizer.  settings: a Settings.  manifest: path of the record.
    quiet: without progress bars.  show(pixels): the preview.  tell(line): the report.  Neither is
    part of the work: what they raise is suppressed.
    left_out: {folder or pattern: what is left out of it}, for the record.
    """

    def __init__(
        self,
        anonymizer,
        settings,
        manifest,
        quiet=True,
        show_frame=lambda pixels: None,
        report_line=print,
        left_out=None,
    ):
        self.anonymizer, self.settings, self.quiet = anonymizer, settings, quiet
        self.show_frame, self.tell = (
            exit_status.suppress_errors(show_frame),
            exit_status.suppress_errors(report_line),
        )
        self.encoding = settings.encoding()
        self.manifest = Manifest(manifest, describe_run(anonymizer, settings), left_out)

    def run(self, jobs):
        """Do what is not done yet; returns the number of failures.  One line per file goes to `tell`."""
        with exit_status.tolerate_output_errors():  # the bars are no part of the work either
            return self._run_all(jobs)

    def _run_all(self, jobs: list[Job]) -> int:
        failures = 0
        with tqdm(
            jobs, unit="file", disable=self.quiet or len(jobs) < 2, dynamic_ncols=True
        ) as bar:
            for job in bar:
                failures += not self._one(job)
        self.manifest.write()
        return failures

    def _one(self, job):
        """Whether the job's result is there, now or already."""
        try:
            files.remove_leftovers(job.target)
            done = f"{job.given} -> {job.target}: done before" if self._is_finished(job) else None
            self.tell(exit_status.escape_name(done or self._make_result(job)))
            return True
        except (
            files.OutputExistsError
        ):  # by another command's hand: it is looked at as one that was there before
            return self._one(job)
        except (
            Exception
        ) as error:  # the one place where everything is caught: the other files of a batch go on
            reason = describe_error(error, job)
            with contextlib.suppress(
                OSError
            ):  # the disk may be full; manifest.json is tried again at the end
                self.manifest.add_entry(
                    job.name, status="failed", input=str(job.given), error=reason
                )
            self.tell(
                exit_status.escape_name(f"{job.given}: FAILED, nothing was written: {reason}")
            )
            return False

    def _is_finished(self, job):
        """Whether the result is there.  Raises ValueError where something else is there that must stay."""
        entry = job.name, job.given, job.target
        if self.manifest.finished(*entry):
            return True
        if self.settings.overwrite or not job.target.exists():
            return False
        self.manifest.read()  # another command may have made it since this one began
        if self.manifest.finished(*entry):
            return True
        raise ValueError(
            f"{job.target} exists and was not made from this input with these settings; "
            "give --overwrite, or another -o."
        )

    def _make_result(self, job):
        """Make one result; returns its line."""
        begin, state, digest = time.monotonic(), os.stat(job.given), files.compute_sha256(job.given)

        def written(
            path, record
        ):  # noted before the file gets its name: a kill in between leaves no stranger there
            now = os.stat(job.given)
            if (now.st_mtime_ns, now.st_size) != (state.st_mtime_ns, state.st_size):
                raise ValueError(f"{job.given} changed while it was read.")
            self.manifest.add_entry(
                job.name,
                status="done",
                input=str(job.given),
                input_sha256=digest,
                output=str(job.target),
                output_sha256=record["sha256"],
                frames=record["frames"],
                seconds=record["seconds"],
                sound=record["sound"],
                notes=record["notes"],
                took=round(time.monotonic() - begin, 3),
            )

        record = (
            self._anonymize_video if limits.is_video_path(str(job.given)) else self._anonymize_image
        )(job, written)
        return _format_result_line(job, record, time.monotonic() - begin)

    def _anonymize_video(self, job, written):
        keep = self.settings.audio == "keep"
        with (
            video_reader.open_video(
                str(job.given), keep, on_damage=self.settings.on_damage
            ) as opened,
            tqdm(
                total=opened.expected_frames,
                desc=exit_status.escape_name(job.given.name),
                unit="frame",
                leave=False,
                disable=self.quiet,
                dynamic_ncols=True,
            ) as bar,
        ):
            return video.anonymize_video(
                opened,
                job.target,
                self.anonymizer,
                self.encoding,
                self.settings.metadata == "keep",
                lambda pixels: (bar.update(), self.show_frame(pixels)),
                written,
                self.settings.overwrite,
            )

    def _anonymize_image(self, job, written):
        pixels = self.anonymizer(image_io.read_full_image(str(job.given)))
        with files.write_atomically(job.target, replace=self.settings.overwrite) as unfinished:
            image_io.write_image(unfinished, pixels, self.encoding.quality)
            if image_io.read_full_image(str(unfinished)).shape != pixels.shape:
                raise ValueError(f"{job.target} could not be read back.")
            record = {
                "frames": 1,
                "seconds": 0.0,
                "sound": "none",
                "notes": [],
                "sha256": files.compute_sha256(unfinished),
            }
            written(unfinished, record)
        self.show_frame(pixels)
        return record


def _format_result_line(job: Job, record: dict, took: float) -> str:
    """The line of a file that was made.  took: in seconds."""
    sound = "" if record["sound"] == "none" else f", sound {record['sound']}"
    notes = "".join(f"; {note}" for note in record["notes"])
    return (
        f"{job.given} -> {job.target}: {record['frames']} frames, {record['seconds']:.2f} s"
        f"{sound}, in {took:.2f} s ({record['frames'] / took:.1f} fps), "
        f"SHA-256 {record['sha256'][:12]}{notes}"
    )


def describe_error(error: Exception, job: Job) -> str:
    """Why a file could not be made, in one line."""
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        place = error.filename2 or error.filename
        known = place in (None, job.given, str(job.given))
        text = error.strerror if known else f"{error.strerror}: {place}"
    for path in (str(job.given), str(job.target)):  # a line break in a name does not end the line
        text = text.replace(path, exit_status.escape_name(path))
    lines = text.strip().splitlines() or [type(error).__name__]
    return exit_status.escape_name(lines[0])


def load_anonymizer(settings):
    """The Anonymizer that the settings describe, and their limits on media, for this process.

    Raises ValueError as Anonymizer.load does.
    """
    limits.set_limits(**settings.limits())
    return Anonymizer.load(
        settings.model,
        settings.mode,
        parse_size(settings.network_size, "network_size"),
        settings.layout,
        settings.overlap,
        settings.threads,
        settings.allow_untested_size,
    )


def describe_run(anonymizer, settings):
    """What a manifest says of the run as a whole."""
    network = anonymizer.network
    shaping = settings.get_output_options() | {
        "network_size": list(network.size or ()),
        "batch": network.batch,
    }
    return {
        "model": {"name": network.name, "sha256": network.sha256},
        "settings": shaping,
        "tested_size": list(network.tested_size or ()),
        "warnings": list(anonymizer.warnings),
        "versions": get_package_versions(),
    }


def get_package_versions():
    """Of tfanon and of what it stands on, as far as it is installed."""
    found = {"tfanon": tfanon.__version__}
    for package in RECORDED_PACKAGES:
        try:
            found[package] = installed.version(package)
        except installed.PackageNotFoundError:
            continue
    return found
