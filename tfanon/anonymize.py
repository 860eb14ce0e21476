"""Anonymize images, videos, folders, cameras and streams.

    python -m tfanon.anonymize INPUT... -o OUTPUT --model=runs/quickstart
    python -m tfanon.anonymize videos/ -o anonymized/ --mode=blur
    python -m tfanon.anonymize rtsp://camera/stream -o out.mkv --model=anonymizer.tflite

An input is a file, a pattern, a folder, the number of a camera, an address, or '-' for raw RGB
frames on standard input. Output files appear only after they are complete and verified. A file that
fails leaves no output and makes the exit status 1. Re-running the same command processes only the
files that are not done yet.

Files that a folder or a pattern contains but that are left out (other endings, hidden names, linked
folders) are counted in one line and in the manifest. A folder that cannot be read makes the exit
status 1, since files may be missing. Printing errors, such as a closed pipe, do not stop the work.
"""

import contextlib
import pathlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, TextIO

import numpy as np
from absl import app
from tqdm import tqdm

from tfanon.core import command_line, config, exit_status, files
from tfanon.inference import jobs, live, video
from tfanon.inference.anonymizer import Anonymizer
from tfanon.inference.job_runner import (
    FrameCallback,
    JobRunner,
    describe_run,
    load_anonymizer,
    show_progress,
)
from tfanon.inference.manifest import Manifest, get_file_manifest_path, get_folder_manifest_path
from tfanon.inference.options import AnonymizeCommandOptions, AnonymizeOptions, parse_size
from tfanon.inference.preview import PreviewWindow
from tfanon.media import live_source, video_reader

PIPE = "-"  # stands for raw frames on standard input or output


def main(arguments: Sequence[str]) -> int:
    """Run the command.

    Args:
        arguments: Name of the program and the inputs.

    Returns:
        The exit status.

    Raises:
        app.UsageError: There is no input.
    """
    inputs = arguments[1:]
    options = config.from_flags(AnonymizeCommandOptions)
    if not inputs:
        raise app.UsageError("Name at least one input.")
    exit_status.exit_on_sigterm()  # so that unfinished files are removed
    return exit_status.run_with_exit_status(
        "tfanon.anonymize", lambda: anonymize_inputs(inputs, options)
    )


def anonymize_inputs(inputs: Sequence[str], options: AnonymizeCommandOptions) -> int:
    """Anonymize inputs of any kind.

    Args:
        inputs: At least one.
        options: Options of the command.

    Returns:
        The exit status: 1 where a file failed or a folder could not be read.

    Raises:
        ValueError: The inputs and the options do not fit together, or an input is at fault.
    """
    one_time_inputs = [name for name in inputs if _is_one_time_input(name)]
    to_pipe = options.output == PIPE
    if len(inputs) > 1 and (one_time_inputs or to_pipe):
        name = one_time_inputs[0] if one_time_inputs else inputs[0]
        raise ValueError(f"'{live_source.redact_address(name)}' must be the only input.")
    # All of this is checked before a model is loaded, which takes seconds.
    plan = None
    if one_time_inputs or to_pipe:
        refuse_kept_tracks(inputs[0] if one_time_inputs else PIPE, options)
    else:
        plan = jobs.plan_jobs(inputs, options.output)
    anonymizer = load_anonymizer(options)
    # The preview is not part of the work: an error in it must not end the command.
    show_frame = exit_status.suppress_errors(PreviewWindow() if options.preview else _show_nothing)
    if plan is not None:
        return anonymize_files(plan, anonymizer, options, show_frame)
    if inputs[0] == PIPE:
        return anonymize_raw_frames(anonymizer, options, show_frame)
    if one_time_inputs:
        return anonymize_live_source(inputs[0], anonymizer, options, show_frame)
    return anonymize_to_pipe(inputs[0], anonymizer, options, show_frame)


def _is_one_time_input(name: str) -> bool:
    """Return whether an input, such as a camera, cannot be read a second time."""
    return name == PIPE or live_source.is_live_input(name)


def _show_nothing(pixels: np.ndarray) -> None:
    """Stand in for a preview."""


def is_quiet() -> bool:
    """Return whether progress bars are left out, as standard error is no terminal or is closed."""
    return sys.stderr is None or not sys.stderr.isatty()


def get_binary_stream(stream: TextIO | None, name: str) -> BinaryIO:
    """Return standard input or output for raw frames.

    Args:
        stream: `sys.stdin` or `sys.stdout`.
        name: "input" or "output", for the message.

    Raises:
        ValueError: The stream was closed before the command was started.
    """
    binary_stream = getattr(stream, "buffer", None)
    if binary_stream is None:
        raise ValueError(f"Standard {name} is closed; '-' stands for raw frames there.")
    return binary_stream


def refuse_kept_tracks(source: str, options: AnonymizeOptions) -> None:
    """Refuse to keep sound or metadata of a live source, or beside raw frames on a pipe.

    Args:
        source: Number of the camera, address or '-', for the message.
        options: Options of the command.

    Raises:
        ValueError: They are to be kept.
    """
    for name in ("audio", "metadata"):
        if getattr(options, name) == "keep":
            raise ValueError(
                f"--{name}=keep works from file to file only; "
                f"'{live_source.redact_address(source)}' carries frames alone. Record to a file "
                f"and anonymize that into a file, or give --{name}=drop."
            )


def get_manifest_path(planned_jobs: Sequence[jobs.Job], options: AnonymizeOptions) -> pathlib.Path:
    """Return the path of the manifest of a plan: of its folder, or of its only file."""
    output = pathlib.Path(options.output)
    if len(planned_jobs) == 1 and planned_jobs[0].output_path == output:
        return get_single_manifest_path(options)
    return get_folder_manifest_path(options)


def get_single_manifest_path(options: AnonymizeOptions) -> pathlib.Path:
    """Return the path of the manifest of a single output file."""
    return pathlib.Path(options.manifest or get_file_manifest_path(options.output))


def anonymize_files(
    plan: jobs.JobPlan,
    anonymizer: Anonymizer,
    options: AnonymizeCommandOptions,
    show_frame: FrameCallback,
) -> int:
    """Anonymize the files of a plan, one line each; return the exit status."""
    for line in plan.describe_left_out():
        print(line)
    runner = JobRunner(
        anonymizer,
        options,
        get_manifest_path(plan.jobs, options),
        quiet=is_quiet(),
        show_frame=show_frame,
        report_line=tqdm.write,  # keeps the lines apart from the progress bars
        left_out=plan.get_left_out_entries(),
    )
    failures = runner.run(plan.jobs)
    return 1 if failures or plan.has_unreadable_folder else 0


def anonymize_raw_frames(
    anonymizer: Anonymizer, options: AnonymizeCommandOptions, show_frame: FrameCallback
) -> int:
    """Anonymize raw frames on standard input, to a file or to standard output.

    Returns:
        The exit status.

    Raises:
        ValueError: The size of the frames is not given, or the output file exists.
    """
    size = parse_size(options.raw_size, "raw_size")
    if size is None:
        raise ValueError("Raw frames on standard input need --raw_size=HxW.")
    pipe = get_binary_stream(sys.stdin, "input")
    raw_video = live_source.RawVideoReader(pipe, *size, options.raw_rate)
    if options.output == PIPE:
        output_pipe = get_binary_stream(sys.stdout, "output")
        _write_raw_frames(raw_video, PIPE, output_pipe, anonymizer, show_frame)
        return 0
    target = claim_output_path(options)
    with (
        record_in_manifest(PIPE, anonymizer, options) as add_file,
        show_progress(PIPE, show_frame, is_quiet()) as on_frame,
    ):
        record = video.anonymize_video(
            raw_video,
            target,
            anonymizer,
            options.make_encoding(),
            on_frame=on_frame,
            overwrite=options.overwrite,
        )
        add_file(target, record["frames"])
    line = f"- -> {target}: {record['frames']} frames, SHA-256 {record['sha256'][:12]}"
    print(exit_status.escape_name(line))
    return 0


def anonymize_to_pipe(
    path: str,
    anonymizer: Anonymizer,
    options: AnonymizeCommandOptions,
    show_frame: FrameCallback,
) -> int:
    """Anonymize a video file, as raw frames on standard output; return the exit status."""
    pipe = get_binary_stream(sys.stdout, "output")  # refused before the file is opened
    with video_reader.open_video(path, on_damage=options.on_damage) as opened:
        _write_raw_frames(opened, path, pipe, anonymizer, show_frame)
    return 0


def _write_raw_frames(
    opened: video.InputVideo,
    name: str,
    pipe: BinaryIO,
    anonymizer: Anonymizer,
    show_frame: FrameCallback,
) -> None:
    """Write anonymized frames of a video, whose name is given for the progress bar, to a pipe."""
    with show_progress(name, show_frame, is_quiet()) as on_frame:
        video.write_anonymized_frames(
            opened, lambda info: live_source.RawVideoWriter(pipe, info), anonymizer, on_frame
        )


def anonymize_live_source(
    source: str,
    anonymizer: Anonymizer,
    options: AnonymizeCommandOptions,
    show_frame: FrameCallback,
) -> int:
    """Anonymize a camera or an address; return the exit status.

    Raises:
        MediaError: The source stays lost, or no frame was in time.
    """
    name = live_source.redact_address(source)
    with (
        open_recorder(name, anonymizer, options) as recorder,
        show_progress(name, show_frame, is_quiet()) as on_frame,
    ):
        record = live.anonymize_live(
            source,
            recorder,
            anonymizer,
            options.max_latency,
            options.max_seconds,
            options.reconnect_seconds,
            on_frame,
            options.ca_file,
        )
    line = (
        f"{name}: {record['frames']} frames in {record['seconds']:.1f} s, "
        f"{record['dropped']} dropped, {record['connections']} connections, "
        f"{' '.join(record['files'])}"
    )
    # Standard output may hold raw frames.
    print(exit_status.escape_name(line), file=sys.stderr)
    return 0


@contextlib.contextmanager
def open_recorder(
    name: str, anonymizer: Anonymizer, options: AnonymizeCommandOptions
) -> Iterator[live.Recorder]:
    """Open what the output option names for the frames of a live source.

    Args:
        name: The source, for the manifest.
        anonymizer: The anonymizer.
        options: Options of the command.

    Yields:
        The recorder.

    Raises:
        ValueError: There is neither an output nor a preview, or the output exists.
    """
    if options.output == PIPE:
        yield live.PipeRecorder(get_binary_stream(sys.stdout, "output"))
    elif options.output:
        with record_in_manifest(name, anonymizer, options) as add_file:
            yield live.FileRecorder(
                options.output,
                options.make_encoding(),
                options.segment_seconds,
                options.overwrite,
                add_file,
            )
    elif options.preview:
        yield live.NullRecorder()
    else:
        raise ValueError("No output for live frames: give -o FILE, -o -, or --preview.")


@contextlib.contextmanager
def record_in_manifest(
    name: str, anonymizer: Anonymizer, options: AnonymizeOptions
) -> Iterator[Callable[[str, int], None]]:
    """Keep the manifest of files that are recorded from an input that cannot be read again.

    A lost camera ends the block, and a kill ends the process: what was recorded until then is in
    the manifest.

    Args:
        name: The input.
        anonymizer: The anonymizer.
        options: Options of the command.

    Yields:
        A function of path and number of frames that adds a finished file.

    Raises:
        ValueError: The manifest's file is something else; raised before a frame is read.
    """
    manifest = Manifest(get_single_manifest_path(options), describe_run(anonymizer, options))
    recorded_paths = []

    def add_file(path: str, frame_count: int) -> None:
        manifest.add_entry(
            pathlib.Path(path).name,
            status="done",
            input=name,
            output=str(path),
            output_sha256=files.compute_sha256(path),
            frames=frame_count,
        )
        recorded_paths.append(path)

    try:
        yield add_file
    finally:
        # A recording that failed at once leaves no manifest.
        if recorded_paths:
            manifest.write()


def claim_output_path(options: AnonymizeOptions) -> str:
    """Return the path of the output file, free of what an earlier process left there.

    Raises:
        ValueError: There is no output, or the file exists and is not to be replaced.
    """
    if not options.output:
        raise ValueError("No output: give -o FILE, or -o - for raw frames on standard output.")
    video.claim_path(options.output, options.overwrite)
    return options.output


def run() -> None:
    """Run the console command `tfanon-anonymize`."""
    command_line.run_entry_point(main, [AnonymizeCommandOptions], __doc__)


if __name__ == "__main__":
    run()
