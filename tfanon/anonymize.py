"""Anonymize images, videos, folders, cameras and streams:

    python -m tfanon.anonymize INPUT... -o OUTPUT --model=runs/quickstart
    python -m tfanon.anonymize videos/ -o anonymized/ --mode=blur
    python -m tfanon.anonymize rtsp://camera/stream -o out.mkv --model=anonymizer.tflite

An input is a file, a pattern, a folder, a camera's number, an address, or '-' for raw RGB frames on standard input. A
result appears under its name when it is whole and checked; what fails leaves nothing and makes the exit status 1. The
same command again does what is not done yet. `--help` explains the flags.

What a folder or a pattern holds and is left out (other endings, hidden names, linked folders) is
counted in one line and in the manifest. A folder that cannot be read makes the exit status 1:
nobody knows what was not done. Printing is no part of the work: a terminal that cannot show a name,
or a pipe that nobody reads, stops nothing.
"""

import contextlib
import os
import pathlib
import sys
from typing import BinaryIO, TextIO

from absl import app
from tqdm import tqdm

from tfanon.core import config, exit_status, files
from tfanon.inference import jobs, live, video
from tfanon.inference.job_runner import JobRunner, describe_run, load_anonymizer
from tfanon.inference.manifest import Manifest, get_folder_manifest_path, get_file_manifest_path
from tfanon.inference.options import AnonymizeCommandOptions, parse_size
from tfanon.inference.preview import PreviewWindow
from tfanon.media import live_source as sources
from tfanon.media import video_reader


def main(arguments):
    given, settings = arguments[1:], config.from_flags(AnonymizeCommandOptions)
    if not given:
        raise app.UsageError("Name at least one input.")
    exit_status.exit_on_sigterm()
    return exit_status.run_with_exit_status(
        "tfanon.anonymize", lambda: anonymize_inputs(given, settings)
    )


def anonymize_inputs(given, settings):
    """The exit status of anonymizing `given` as the settings say."""
    once = [name for name in given if name == "-" or sources.is_live_input(name)]
    if once and len(given) > 1 or settings.output == "-" and len(given) > 1:
        raise ValueError(f"'{sources.redact_address((once or given)[0])}' must be the only input.")
    if once or settings.output == "-":
        refuse_kept_tracks(given[0] if once else "-", settings)
    plan = None if once or settings.output == "-" else jobs.plan_jobs(given, settings.output)
    anonymizer = load_anonymizer(settings)
    show = exit_status.suppress_errors(PreviewWindow()) if settings.preview else lambda pixels: None
    if given[0] == "-":
        return anonymize_raw_frames(anonymizer, settings, show)
    if once:
        return anonymize_live_source(given[0], anonymizer, settings, show)
    if settings.output == "-":
        return anonymize_to_pipe(given[0], anonymizer, settings, show)
    for line in plan.lines():
        print(line)
    batch = JobRunner(
        anonymizer,
        settings,
        get_manifest_path(plan.jobs, settings),
        not is_terminal(sys.stderr),
        show,
        tqdm.write,
        plan.get_left_out_entries(),
    )
    return 1 if batch.run(plan.jobs) or plan.unreadable else 0


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a standard stream is a terminal; None: the command was started without it."""
    return stream is not None and stream.isatty()


def get_binary_stream(stream: TextIO | None, name: str) -> BinaryIO:
    """Standard input or output for raw frames.  Raises ValueError where it was closed."""
    found = getattr(stream, "buffer", None)
    if found is None:
        raise ValueError(f"Standard {name} is closed; '-' stands for raw frames there.")
    return found


def refuse_kept_tracks(end, settings):
    """Raises ValueError where sound or metadata are to be kept of a live source, or beside raw frames on a pipe.

    end: the camera's number, the address or '-', for the message.
    """
    for name in ("audio", "metadata"):
        if getattr(settings, name) == "keep":
            raise ValueError(
                f"--{name}=keep works from file to file; through '{sources.redact_address(end)}' go pictures "
                f"alone. Record to a file and anonymize that into a file, or give --{name}=drop."
            )


def get_manifest_path(todo, settings):
    """Path of the record."""
    single = len(todo) == 1 and todo[0].target == pathlib.Path(settings.output)
    return get_single_manifest_path(settings) if single else get_folder_manifest_path(settings)


def get_single_manifest_path(settings):
    """Path of the record of a single file."""
    return pathlib.Path(settings.manifest or get_file_manifest_path(settings.output))


@contextlib.contextmanager
def count_frames(given, show):
    """`show`, which counts frames in a bar on a terminal too.  given: the input, for its name."""
    with tqdm(
        desc=exit_status.escape_name(sources.redact_address(given)),
        unit="frame",
        leave=False,
        disable=not is_terminal(sys.stderr),
        dynamic_ncols=True,
    ) as bar:
        yield lambda pixels: (bar.update(), show(pixels))


def anonymize_raw_frames(anonymizer, settings, show):
    """Raw frames on standard input, to a file or to standard output."""
    size = parse_size(settings.raw_size, "raw_size")
    if size is None:
        raise ValueError("Raw frames on standard input need --raw_size=HxW.")
    raw = sources.RawVideoReader(get_binary_stream(sys.stdin, "input"), *size, settings.raw_rate)
    if settings.output == "-":
        with count_frames("-", show) as seen:
            output = get_binary_stream(sys.stdout, "output")
            video.write_anonymized_frames(
                raw, lambda form: sources.RawVideoWriter(output, form), anonymizer, seen
            )
        return 0
    target = claim_output_path(settings)
    with record_in_manifest("-", anonymizer, settings) as note, count_frames("-", show) as seen:
        record = video.anonymize_video(
            raw,
            target,
            anonymizer,
            settings.encoding(),
            on_frame=seen,
            overwrite=settings.overwrite,
        )
        note(target, record["frames"])
    line = f"- -> {target}: {record['frames']} frames, SHA-256 {record['sha256'][:12]}"
    print(exit_status.escape_name(line))
    return 0


def anonymize_to_pipe(given, anonymizer, settings, show):
    """A video file, as raw frames on standard output."""
    output = get_binary_stream(sys.stdout, "output")
    with (
        video_reader.open_video(given, on_damage=settings.on_damage) as opened,
        count_frames(given, show) as seen,
    ):
        video.write_anonymized_frames(
            opened, lambda form: sources.RawVideoWriter(output, form), anonymizer, seen
        )
    return 0


def anonymize_live_source(given, anonymizer, settings, show):
    """A camera or an address."""
    name = sources.redact_address(given)
    with open_recorder(name, anonymizer, settings) as frames, count_frames(given, show) as seen:
        record = live.anonymize_live(
            given,
            frames,
            anonymizer,
            settings.max_latency,
            settings.max_seconds,
            settings.reconnect_seconds,
            seen,
            settings.ca_file,
        )
    line = (
        f"{name}: {record['frames']} frames in {record['seconds']:.1f} s, "
        f"{record['dropped']} dropped, {record['connections']} connections, "
        f"{' '.join(record['files'])}"
    )
    print(exit_status.escape_name(line), file=sys.stderr)
    return 0


@contextlib.contextmanager
def open_recorder(given, anonymizer, settings):
    """Where live frames go."""
    if settings.output == "-":
        yield live.PipeRecorder(get_binary_stream(sys.stdout, "output"))
    elif settings.output:
        with record_in_manifest(given, anonymizer, settings) as note:
            yield live.FileRecorder(
                settings.output,
                settings.encoding(),
                settings.segment_seconds,
                settings.overwrite,
                note,
            )
    elif settings.preview:
        yield live.NullRecorder()
    else:
        raise ValueError("Where do live frames go? Give -o FILE, -o -, or --preview.")


@contextlib.contextmanager
def record_in_manifest(given, anonymizer, settings):
    """note(path, frames), which puts a file of what comes once into the manifest as soon as it is there.

    A camera that is lost ends the block, and a kill the process: whatever was recorded until then stands in the record.
    Raises ValueError where the manifest is none, before anything has come.
    """
    manifest, noted = (
        Manifest(get_single_manifest_path(settings), describe_run(anonymizer, settings)),
        [],
    )

    def note(path, frames):
        manifest.add_entry(
            pathlib.Path(path).name,
            status="done",
            input=given,
            output=str(path),
            output_sha256=files.compute_sha256(path),
            frames=frames,
        )
        noted.append(path)

    try:
        yield note
    finally:
        if noted:
            manifest.write()


def claim_output_path(settings):
    """The output file's path.  Raises ValueError where it exists."""
    if not settings.output:
        raise ValueError("Where does the result go? Give -o FILE, or -o - for raw frames.")
    if os.path.exists(settings.output) and not settings.overwrite:
        raise ValueError(f"{settings.output} exists; give --overwrite, or another -o.")
    files.remove_leftovers(settings.output)
    return settings.output


def run():
    """Console command `tfanon-anonymize`."""
    config.define_flags(AnonymizeCommandOptions)
    app.run(main)


if __name__ == "__main__":
    run()
