"""Anonymizes many files: a failure costs its own file only, and nothing is done twice."""

import contextlib
import os
import pathlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import metadata
from typing import Any

import numpy as np
from tqdm import tqdm

import tfanon
from tfanon.core import exit_status, files
from tfanon.inference import video
from tfanon.inference.anonymizer import Anonymizer
from tfanon.inference.jobs import Job
from tfanon.inference.manifest import Manifest
from tfanon.inference.options import AnonymizeOptions, parse_size
from tfanon.media import image_io, limits, video_reader

# Packages whose versions a manifest records: those that can change an output.
RECORDED_PACKAGES = ("tensorflow", "keras", "ai-edge-litert", "av", "numpy", "pillow")

FrameCallback = Callable[[np.ndarray], Any]
OnWritten = Callable[[pathlib.Path, dict[str, Any]], None]


class JobRunner:
    """Runs the jobs of one command and keeps their manifest.

    Args:
        anonymizer: The anonymizer.
        options: How files are read and written.
        manifest: Path of the manifest.
        quiet: Show no progress bars.
        show_frame: Called with each anonymized frame, for a preview.
        report_line: Called with one line per file.
        left_out: What is left out of each input folder or pattern, for the manifest.

    `show_frame` and `report_line` are not part of the work: their errors are suppressed.
    """

    def __init__(
        self,
        anonymizer: Anonymizer,
        options: AnonymizeOptions,
        manifest: str | os.PathLike,
        quiet: bool = True,
        show_frame: FrameCallback = lambda pixels: None,
        report_line: Callable[[str], Any] = print,
        left_out: Mapping[str, dict] | None = None,
    ) -> None:
        self.anonymizer = anonymizer
        self.options = options
        self.quiet = quiet
        self.show_frame = exit_status.suppress_errors(show_frame)
        self.report_line = exit_status.suppress_errors(report_line)
        self.encoding = options.make_encoding()
        self.manifest = Manifest(manifest, describe_run(anonymizer, options), left_out)

    def run(self, jobs: Sequence[Job]) -> int:
        """Run the jobs that are not done yet, and report one line per file.

        Args:
            jobs: The jobs.

        Returns:
            The number of files that failed.
        """
        # Progress bars are not part of the work either.
        with exit_status.tolerate_output_errors():
            return self._run_all(jobs)

    def _run_all(self, jobs: Sequence[Job]) -> int:
        failures = 0
        hides_bar = self.quiet or len(jobs) < 2  # a single file has a bar of its own
        with tqdm(jobs, unit="file", disable=hides_bar, dynamic_ncols=True) as bar:
            for job in bar:
                failures += not self._run_job(job)
        self.manifest.write()
        return failures

    def _run_job(self, job: Job) -> bool:
        """Return whether the result exists, made now or before."""
        try:
            files.remove_leftovers(job.output_path)  # of a killed process
            if self._is_finished(job):
                line = f"{job.input_path} -> {job.output_path}: done before"
            else:
                line = self._make_result(job)
            self.report_line(exit_status.escape_name(line))
            return True
        except files.OutputExistsError:
            # Another command has made it meanwhile: treat it like a file that existed before.
            return self._run_job(job)
        # The only place that catches everything: the other files of a batch go on.
        except Exception as error:
            reason = describe_error(error, job)
            # The disk may be full; the entry is written again with manifest.json.
            with contextlib.suppress(OSError):
                self.manifest.add_entry(
                    job.name, status="failed", input=str(job.input_path), error=reason
                )
            line = f"{job.input_path}: FAILED, nothing was written: {reason}"
            self.report_line(exit_status.escape_name(line))
            return False

    def _is_finished(self, job: Job) -> bool:
        """Return whether the result exists; raise ValueError where another file must stay."""
        names = job.name, job.input_path, job.output_path
        if self.manifest.is_finished(*names):
            return True
        if self.options.overwrite or not job.output_path.exists():
            return False
        # Another command may have made it since this one began.
        self.manifest.reload()
        if self.manifest.is_finished(*names):
            return True
        raise ValueError(
            f"{job.output_path} exists and was not made from this input with these settings; "
            "give --overwrite, or another -o."
        )

    def _make_result(self, job: Job) -> str:
        """Anonymize one file; return the line that reports it."""
        start = time.monotonic()
        # Compared again at the end: the digest must be that of the file that was anonymized.
        state = os.stat(job.input_path)
        digest = files.compute_sha256(job.input_path)

        # Called before the file gets its name: a kill in between leaves no file without an entry.
        def add_entry(unfinished: pathlib.Path, record: dict[str, Any]) -> None:
            current_state = os.stat(job.input_path)
            if (current_state.st_mtime_ns, current_state.st_size) != (
                state.st_mtime_ns,
                state.st_size,
            ):
                raise ValueError(f"{job.input_path} changed while it was read.")
            self.manifest.add_entry(
                job.name,
                status="done",
                input=str(job.input_path),
                input_sha256=digest,
                output=str(job.output_path),
                output_sha256=record["sha256"],
                frames=record["frames"],
                seconds=record["seconds"],
                sound=record["sound"],
                notes=record["notes"],
                took=round(time.monotonic() - start, 3),
            )

        if limits.is_video_path(job.input_path):
            record = self._anonymize_video(job, add_entry)
        else:
            record = self._anonymize_image(job, add_entry)
        return _format_result_line(job, record, time.monotonic() - start)

    def _anonymize_video(self, job: Job, on_written: OnWritten) -> dict[str, Any]:
        """Anonymize a video; return the record of `video.anonymize_video`."""
        with (
            video_reader.open_video(
                str(job.input_path),
                self.options.audio == "keep",
                on_damage=self.options.on_damage,
            ) as opened,
            show_progress(
                job.input_path.name, self.show_frame, self.quiet, opened.expected_frames
            ) as on_frame,
        ):
            return video.anonymize_video(
                opened,
                job.output_path,
                self.anonymizer,
                self.encoding,
                self.options.metadata == "keep",
                on_frame,
                on_written,
                self.options.overwrite,
            )

    def _anonymize_image(self, job: Job, on_written: OnWritten) -> dict[str, Any]:
        """Anonymize an image; return a record like that of a video."""
        pixels = self.anonymizer(image_io.read_full_image(str(job.input_path)))
        overwrite = self.options.overwrite
        with files.write_atomically(job.output_path, replace=overwrite) as unfinished:
            image_io.write_image(unfinished, pixels, self.encoding.quality)
            # A file that cannot be read back does not get its name.
            if image_io.read_full_image(str(unfinished)).shape != pixels.shape:
                raise ValueError(f"{job.output_path} could not be read back.")
            record = {
                "frames": 1,
                "seconds": 0.0,
                "sound": "none",
                "notes": [],
                "sha256": files.compute_sha256(unfinished),
            }
            on_written(unfinished, record)
        self.show_frame(pixels)
        return record


@contextlib.contextmanager
def show_progress(
    name: str, show_frame: FrameCallback, quiet: bool, total: int | None = None
) -> Iterator[FrameCallback]:
    """Count the frames of one input in a progress bar.

    Args:
        name: Name of the input.
        show_frame: The preview.
        quiet: Show no progress bar.
        total: Expected number of frames; None if unknown.

    Yields:
        A function that counts a frame and shows it.
    """
    with tqdm(
        total=total,
        desc=exit_status.escape_name(name),
        unit="frame",
        leave=False,
        disable=quiet,
        dynamic_ncols=True,
    ) as bar:

        def on_frame(pixels: np.ndarray) -> None:
            bar.update()
            show_frame(pixels)

        yield on_frame


def _format_result_line(job: Job, record: Mapping[str, Any], seconds: float) -> str:
    """Return the line that reports a file, which took some seconds."""
    sound = "" if record["sound"] == "none" else f", sound {record['sound']}"
    notes = "".join(f"; {note}" for note in record["notes"])
    return (
        f"{job.input_path} -> {job.output_path}: {record['frames']} frames, "
        f"{record['seconds']:.2f} s{sound}, in {seconds:.2f} s "
        f"({record['frames'] / seconds:.1f} fps), SHA-256 {record['sha256'][:12]}{notes}"
    )


def describe_error(error: Exception, job: Job) -> str:
    """Return in one line why a file could not be made.

    Args:
        error: The error.
        job: The file; its own paths are left out of the line, which names them anyway.
    """
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        path = error.filename2 or error.filename  # the second is the target of a rename
        is_input = path in (None, job.input_path, str(job.input_path))
        text = error.strerror if is_input else f"{error.strerror}: {path}"
    for path in (str(job.input_path), str(job.output_path)):
        # A line break in a name does not end the line.
        text = text.replace(path, exit_status.escape_name(path))
    lines = text.strip().splitlines() or [type(error).__name__]
    return exit_status.escape_name(lines[0])


def load_anonymizer(options: AnonymizeOptions) -> Anonymizer:
    """Load the anonymizer that the options describe, and set their limits on media files.

    Args:
        options: The options; the limits hold for this process.

    Raises:
        ValueError: As `Anonymizer.load`.
    """
    limits.set_limits(**options.limits())
    return Anonymizer.load(
        options.model,
        options.mode,
        parse_size(options.network_size, "network_size"),
        options.layout,
        options.overlap,
        options.threads,
        options.allow_untested_size,
    )


def describe_run(anonymizer: Anonymizer, options: AnonymizeOptions) -> dict[str, Any]:
    """Return what the manifest records about the run as a whole."""
    network = anonymizer.network
    output_options = options.get_output_options() | {
        "network_size": list(network.size or ()),
        "batch": network.batch,
    }
    return {
        "model": {"name": network.name, "sha256": network.sha256},
        "settings": output_options,
        "tested_size": list(network.tested_size or ()),
        "warnings": list(anonymizer.warnings),
        "versions": get_package_versions(),
    }


def get_package_versions() -> dict[str, str]:
    """Return the versions of tfanon and of the packages that it uses, as far as installed."""
    versions = {"tfanon": tfanon.__version__}
    for package in RECORDED_PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    return versions
