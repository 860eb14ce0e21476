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
from tfanon.inference.job_runner import Batch, about, load
from tfanon.inference.manifest import Manifest, of_folder, path_beside
from tfanon.inference.options import Command, pair
from tfanon.inference.preview import Preview
from tfanon.media import live_source as sources
from tfanon.media import video_reader


def main(arguments):
    given, settings = arguments[1:], config.from_flags(Command)
    if not given:
        raise app.UsageError("Name at least one input.")
    exit_status.unwind_on_sigterm()
    return exit_status.status("tfanon.anonymize", lambda: work(given, settings))


def work(given, settings):
    """The exit status of anonymizing `given` as the settings say."""
    once = [name for name in given if name == "-" or sources.is_live(name)]
    if once and len(given) > 1 or settings.output == "-" and len(given) > 1:
        raise ValueError(f"'{sources.shown((once or given)[0])}' must be the only input.")
    if once or settings.output == "-":
        refuse_to_keep(given[0] if once else "-", settings)
    plan = None if once or settings.output == "-" else jobs.plan_jobs(given, settings.output)
    anonymizer = load(settings)
    show = exit_status.unfailing(Preview()) if settings.preview else lambda pixels: None
    if given[0] == "-":
        return from_pipe(anonymizer, settings, show)
    if once:
        return from_stream(given[0], anonymizer, settings, show)
    if settings.output == "-":
        return to_pipe(given[0], anonymizer, settings, show)
    for line in plan.lines():
        print(line)
    batch = Batch(
        anonymizer,
        settings,
        manifest_for(plan.jobs, settings),
        not is_terminal(sys.stderr),
        show,
        tqdm.write,
        plan.entries(),
    )
    return 1 if batch.run(plan.jobs) or plan.unreadable else 0


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a standard stream is a terminal; None: the command was started without it."""
    return stream is not None and stream.isatty()


def standard_bytes(stream: TextIO | None, name: str) -> BinaryIO:
    """Standard input or output for raw frames.  Raises ValueError where it was closed."""
    found = getattr(stream, "buffer", None)
    if found is None:
        raise ValueError(f"Standard {name} is closed; '-' stands for raw frames there.")
    return found


def refuse_to_keep(end, settings):
    """Raises ValueError where sound or metadata are to be kept of a live source, or beside raw frames on a pipe.

    end: the camera's number, the address or '-', for the message.
    """
    for name in ("audio", "metadata"):
        if getattr(settings, name) == "keep":
            raise ValueError(
                f"--{name}=keep works from file to file; through '{sources.shown(end)}' go pictures "
                f"alone. Record to a file and anonymize that into a file, or give --{name}=drop."
            )


def manifest_for(todo, settings):
    """Path of the record."""
    single = len(todo) == 1 and todo[0].target == pathlib.Path(settings.output)
    return manifest_beside(settings) if single else of_folder(settings)


def manifest_beside(settings):
    """Path of the record of a single file."""
    return pathlib.Path(settings.manifest or path_beside(settings.output))


@contextlib.contextmanager
def counted(given, show):
    """`show`, which counts frames in a bar on a terminal too.  given: the input, for its name."""
    with tqdm(
        desc=exit_status.show_name(sources.shown(given)),
        unit="frame",
        leave=False,
        disable=not is_terminal(sys.stderr),
        dynamic_ncols=True,
    ) as bar:
        yield lambda pixels: (bar.update(), show(pixels))


def from_pipe(anonymizer, settings, show):
    """Raw frames on standard input, to a file or to standard output."""
    size = pair(settings.raw_size, "raw_size")
    if size is None:
        raise ValueError("Raw frames on standard input need --raw_size=HxW.")
    raw = sources.RawVideo(standard_bytes(sys.stdin, "input"), *size, settings.raw_rate)
    if settings.output == "-":
        with counted("-", show) as seen:
            output = standard_bytes(sys.stdout, "output")
            video.copy(raw, lambda form: sources.RawSink(output, form), anonymizer, seen)
        return 0
    target = free(settings)
    with recorded("-", anonymizer, settings) as note, counted("-", show) as seen:
        record = video.anonymize(
            raw, target, anonymizer, settings.encoding(), seen=seen, overwrite=settings.overwrite
        )
        note(target, record["frames"])
    line = f"- -> {target}: {record['frames']} frames, SHA-256 {record['sha256'][:12]}"
    print(exit_status.show_name(line))
    return 0


def to_pipe(given, anonymizer, settings, show):
    """A video file, as raw frames on standard output."""
    output = standard_bytes(sys.stdout, "output")
    with (
        video_reader.open_video(given, on_damage=settings.on_damage) as opened,
        counted(given, show) as seen,
    ):
        video.copy(opened, lambda form: sources.RawSink(output, form), anonymizer, seen)
    return 0


def from_stream(given, anonymizer, settings, show):
    """A camera or an address."""
    name = sources.shown(given)
    with recorder(name, anonymizer, settings) as frames, counted(given, show) as seen:
        record = live.run(
            given,
            frames,
            anonymizer,
            settings.max_latency,
            settings.max_seconds,
            settings.reconnect_seconds,
            seen,
            settings.authority,
        )
    line = (
        f"{name}: {record['frames']} frames in {record['seconds']:.1f} s, "
        f"{record['dropped']} dropped, {record['connections']} connections, "
        f"{' '.join(record['files'])}"
    )
    print(exit_status.show_name(line), file=sys.stderr)
    return 0


@contextlib.contextmanager
def recorder(given, anonymizer, settings):
    """Where live frames go."""
    if settings.output == "-":
        yield live.Pipe(standard_bytes(sys.stdout, "output"))
    elif settings.output:
        with recorded(given, anonymizer, settings) as note:
            yield live.Recorder(
                settings.output,
                settings.encoding(),
                settings.segment_seconds,
                settings.overwrite,
                note,
            )
    elif settings.preview:
        yield live.Nowhere()
    else:
        raise ValueError("Where do live frames go? Give -o FILE, -o -, or --preview.")


@contextlib.contextmanager
def recorded(given, anonymizer, settings):
    """note(path, frames), which puts a file of what comes once into the manifest as soon as it is there.

    A camera that is lost ends the block, and a kill the process: whatever was recorded until then stands in the record.
    Raises ValueError where the manifest is none, before anything has come.
    """
    manifest, noted = Manifest(manifest_beside(settings), about(anonymizer, settings)), []

    def note(path, frames):
        manifest.note(
            pathlib.Path(path).name,
            status="done",
            input=given,
            output=str(path),
            output_sha256=files.sha256(path),
            frames=frames,
        )
        noted.append(path)

    try:
        yield note
    finally:
        if noted:
            manifest.write()


def free(settings):
    """The output file's path.  Raises ValueError where it exists."""
    if not settings.output:
        raise ValueError("Where does the result go? Give -o FILE, or -o - for raw frames.")
    if os.path.exists(settings.output) and not settings.overwrite:
        raise ValueError(f"{settings.output} exists; give --overwrite, or another -o.")
    files.clear_leftovers(settings.output)
    return settings.output


def run():
    """Console command `tfanon-anonymize`."""
    config.define_flags(Command)
    app.run(main)


if __name__ == "__main__":
    run()
