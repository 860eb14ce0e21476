"""Many files: each fails alone, nothing is done twice, and every file has a line and an entry."""

import io
import json
import os
import pathlib
import sys
from collections.abc import Callable

import clips
import doubles
import numpy as np
import pytest
from clips import Clip

from tfanon.core import files
from tfanon.inference import job_runner, jobs
from tfanon.inference.anonymizer import Anonymizer
from tfanon.inference.job_runner import JobRunner
from tfanon.inference.options import AnonymizeOptions
from tfanon.media import image_io

BROKEN_MP4 = b"\x00\x00\x00\x18ftypisom" + bytes(99)


@pytest.fixture
def folder(tmp_path):
    """A folder with two videos, an image, and a file that only looks like a video."""
    (tmp_path / "in/deep").mkdir(parents=True)
    clips.write_clip(tmp_path / "in/a.mp4", Clip(sound=True))
    clips.write_clip(tmp_path / "in/deep/b.mkv", Clip(".mkv", frames=5))
    image_io.write_image(tmp_path / "in/c.png", clips.make_texture(0, (20, 30)))
    (tmp_path / "in/broken.mp4").write_bytes(BROKEN_MP4)
    return tmp_path


def prepare(
    folder: pathlib.Path, source: str = "in", anonymizer: Anonymizer | None = None, **options
) -> Callable[[], tuple[int, list[str]]]:
    """Begin a command; return the function that runs it, for the failures and the lines."""
    lines = []
    options = AnonymizeOptions(output=str(folder / "out"), **options)
    plan = jobs.plan_jobs([str(folder / source)], options.output)
    runner = JobRunner(
        anonymizer or doubles.make_inverting_anonymizer(),
        options,
        folder / "out/manifest.json",
        report_line=lines.append,
    )
    return lambda: (runner.run(plan.jobs), lines)


def read_manifest(folder: pathlib.Path) -> dict:
    return json.loads((folder / "out/manifest.json").read_text())


def run(folder: pathlib.Path, anonymizer: Anonymizer | None = None, **options):
    """Run a command; return the failures, the lines, and the manifest."""
    failures, lines = prepare(folder, "in", anonymizer, **options)()
    return failures, lines, read_manifest(folder)


def run_with_arguments(folder: pathlib.Path, manifest: pathlib.Path, **arguments) -> int:
    """Run a command with arguments of the JobRunner; return the failures."""
    options = AnonymizeOptions(output=str(folder / "out"))
    plan = jobs.plan_jobs([str(folder / "in")], options.output)
    runner = JobRunner(doubles.make_inverting_anonymizer(), options, manifest, **arguments)
    return runner.run(plan.jobs)


def list_outputs(folder: pathlib.Path) -> set[str]:
    output = folder / "out"
    return {str(path.relative_to(output)) for path in output.rglob("*") if path.is_file()}


def count_lines(text: str, lines: list[str]) -> int:
    return sum(text in line for line in lines)


def test_failing_file_costs_only_itself(folder):
    failures, lines, manifest = run(folder)
    assert failures == 1
    assert list_outputs(folder) == {"a.mp4", "deep/b.mkv", "c.png", "manifest.json"}
    entry = manifest["files"]["broken.mp4"]
    assert entry["status"] == "failed" and "broken.mp4" in entry["error"]
    assert "output" not in entry
    failed_lines = [line for line in lines if "FAILED, nothing was written" in line]
    assert count_lines("broken.mp4", failed_lines)
    image = image_io.read_full_image(str(folder / "out/c.png"))
    assert np.array_equal(image, 255 - clips.make_texture(0, (20, 30)))


def test_manifest_records_what_was_made_of_what(folder):
    _, lines, manifest = run(folder)
    entry = manifest["files"]["a.mp4"]
    assert entry["input_sha256"] == files.compute_sha256(folder / "in/a.mp4")
    assert entry["output_sha256"] == files.compute_sha256(folder / "out/a.mp4")
    assert (entry["status"], entry["frames"]) == ("done", 24)
    assert (entry["seconds"], entry["sound"]) == (0.96, "dropped")
    assert manifest["model"] == {"name": "double", "sha256": "0" * 64}
    assert manifest["settings"]["audio"] == "drop"
    assert {"tfanon", "av", "numpy"} <= set(manifest["versions"])
    line = next(line for line in lines if "in/a.mp4" in line)
    assert "24 frames, 0.96 s, sound dropped" in line and "fps" in line
    assert entry["output_sha256"][:12] in line


def test_same_command_again_does_what_is_missing(folder):
    run(folder)
    before = {name: os.stat(folder / "out" / name).st_mtime_ns for name in ("a.mp4", "c.png")}
    (folder / "out/deep/b.mkv").unlink()
    clips.write_clip(folder / "in/broken.mp4")
    failures, lines, manifest = run(folder)
    assert failures == 0
    assert all(entry["status"] == "done" for entry in manifest["files"].values())
    assert before == {name: os.stat(folder / "out" / name).st_mtime_ns for name in before}
    assert count_lines("done before", lines) == 2


def test_output_is_replaced_only_on_request(folder):
    run(folder)
    kept = (folder / "out/a.mp4").read_bytes()
    failures, lines, _ = run(folder, quality=40)
    assert failures == 4 and (folder / "out/a.mp4").read_bytes() == kept
    assert count_lines("give --overwrite", lines) == 3
    failures, _, manifest = run(folder, quality=40, overwrite=True)
    assert failures == 1 and (folder / "out/a.mp4").read_bytes() != kept
    assert manifest["files"]["a.mp4"]["output_sha256"] == files.compute_sha256(folder / "out/a.mp4")


def test_leftovers_of_a_killed_run_are_removed(folder):
    (folder / "out").mkdir()
    of_dead_process = folder / "out/.unfinished-999999999-a.mp4"
    of_living_process = folder / f"out/.unfinished-{os.getppid()}-a.mp4"
    of_dead_process.write_bytes(b"half")
    of_living_process.write_bytes(b"half")
    run(folder)
    assert not of_dead_process.exists() and of_living_process.exists()


def test_input_that_changes_meanwhile_fails(folder):
    def touch_input(frames):
        os.utime(folder / "in/a.mp4")
        return 255 - frames

    failures, lines, _ = run(folder, doubles.make_anonymizer(touch_input))
    assert failures == 2 and count_lines("in/a.mp4 changed while it was read", lines)
    assert "a.mp4" not in list_outputs(folder)


def test_input_that_disappears_before_its_turn_costs_only_itself(folder):
    run(folder)
    run_again = prepare(folder)
    (folder / "in/a.mp4").unlink()
    failures, lines = run_again()
    assert failures == 2 and count_lines("done before", lines) == 2
    failed_lines = [line for line in lines if "in/a.mp4: FAILED" in line]
    assert count_lines("No such file", failed_lines)


def test_two_commands_into_one_folder_share_its_manifest(folder):
    (folder / "in/broken.mp4").unlink()
    run_first, run_second = prepare(folder, "in/deep"), prepare(folder)
    assert run_first()[0] == run_second()[0] == 0
    assert list(read_manifest(folder)["files"]) == ["a.mp4", "b.mkv", "c.png", "deep/b.mkv"]


def test_same_command_twice_at_once_does_nothing_twice(folder):
    (folder / "in/broken.mp4").unlink()
    run_first, run_second = prepare(folder), prepare(folder)
    assert run_first()[0] == 0
    failures, lines = run_second()
    assert failures == 0 and count_lines("done before", lines) == 3


@pytest.mark.parametrize("overwrite", [False, True])
def test_file_that_appears_meanwhile_is_replaced_only_on_request(folder, overwrite):
    def write_other_file(frames):
        (folder / "out/a.mp4").write_bytes(b"another's")
        return 255 - frames

    anonymizer = doubles.make_anonymizer(write_other_file)
    failures, lines = prepare(folder, "in/a.mp4", anonymizer, overwrite=overwrite)()
    is_replaced = (folder / "out/a.mp4").read_bytes() != b"another's"
    assert failures == 1 - overwrite and overwrite == is_replaced
    status = read_manifest(folder)["files"]["a.mp4"]["status"]
    assert status == ("done" if overwrite else "failed")
    assert list_outputs(folder) == {"a.mp4", "manifest.json"}
    assert overwrite or "a.mp4 exists and was not made from this input" in lines[0]


def test_result_that_another_command_finishes_first_counts(folder):
    run_first = prepare(folder, "in/c.png")

    def let_first_command_finish(frames):
        run_first()
        return 255 - frames

    anonymizer = doubles.make_anonymizer(let_first_command_finish)
    failures, lines = prepare(folder, "in/c.png", anonymizer)()
    assert failures == 0 and "done before" in lines[0]


def test_unsafe_frames_are_not_written(folder):
    failures, lines, _ = run(folder, doubles.make_anonymizer(lambda frames: frames))
    assert failures == 4 and list_outputs(folder) == {"manifest.json"}
    assert count_lines("came back unchanged", lines) == 3


def test_errors_of_preview_and_report_are_suppressed(folder):
    def fail(_):
        raise UnicodeEncodeError("ascii", "\udcff", 0, 1, "surrogates not allowed")

    manifest = folder / "out/manifest.json"
    assert run_with_arguments(folder, manifest, show_frame=fail, report_line=fail) == 1
    assert list_outputs(folder) == {"a.mp4", "deep/b.mkv", "c.png", "manifest.json"}


def test_errors_of_progress_bars_are_suppressed(folder, monkeypatch):
    class FullDisk:
        encoding = "ascii"

        def write(self, text):
            raise OSError(28, "No space left on device")

        flush = isatty = lambda self: False

    (folder / "in/broken.mp4").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", FullDisk())
        failures = run_with_arguments(
            folder, folder / "m.json", quiet=False, report_line=lambda line: None
        )
        assert failures == 0


VIDEO_NAMES = [
    b"a\xff.mkv",
    b"b\nc.mkv",
    b"q\"'$(x)`.mkv",
    b"\x1b[2J.mkv",
    b"x" * 251 + b".mkv",
    "\u00e9".encode() * 125 + b".mkv",
]
IMAGE_NAME = b"i\xff" * 80 + b".png"
BROKEN_NAME = b"broken\xff\n.mkv"


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_files_of_any_name(folder, monkeypatch, encoding):
    source = os.fsencode(folder / "names/deep")
    os.makedirs(source)
    clip = pathlib.Path(clips.write_clip(folder / "x.mkv", Clip(".mkv", frames=2))).read_bytes()
    for name in VIDEO_NAMES:
        pathlib.Path(os.fsdecode(os.path.join(source, name))).write_bytes(clip)
    image_path = os.fsdecode(os.path.join(source, IMAGE_NAME))
    image_io.write_image(image_path, clips.make_texture(0, (20, 30)))
    pathlib.Path(os.fsdecode(os.path.join(source, BROKEN_NAME))).write_bytes(b"no video")
    printed = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(printed, encoding=encoding))
    options = AnonymizeOptions(output=str(folder / "out"))
    manifest = folder / "out/manifest.json"
    plan = jobs.plan_jobs([str(folder / "names")], options.output)
    for _ in range(2):
        runner = JobRunner(doubles.make_inverting_anonymizer(), options, manifest)
        assert runner.run(plan.jobs) == 1
    assert set(os.listdir(os.fsencode(folder / "out/deep"))) == {*VIDEO_NAMES, IMAGE_NAME}
    entries = json.loads(manifest.read_text(encoding="ascii"))["files"]
    all_names = (*VIDEO_NAMES, IMAGE_NAME, BROKEN_NAME)
    assert {os.fsencode(name) for name in entries} == {b"deep/" + name for name in all_names}
    lines = printed.getvalue().decode(encoding).splitlines()
    assert len(lines) == 2 * len(entries)
    assert count_lines("done before", lines) == len(entries) - 1
    (failed_line,) = {line for line in lines if "FAILED" in line}
    reason = failed_line.partition(r"deep/broken\xff\n.mkv: FAILED, nothing was written: ")[2]
    assert len(reason.removeprefix(f"{folder}/names/deep/broken")) > 10


def test_errors_are_described_in_one_line(folder):
    job = jobs.Job(folder / "in/a.mp4", folder / "out/a.mp4", "a.mp4")
    for error, description in [
        (PermissionError(13, "Permission denied", str(job.input_path)), "Permission denied"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (
            IsADirectoryError(21, "Is a directory", "x", None, str(job.output_path)),
            f"Is a directory: {job.output_path}",
        ),
        (ValueError("two\nlines"), "two"),
        (MemoryError(), "MemoryError"),
    ]:
        assert job_runner.describe_error(error, job) == description


def test_left_out_entries_are_in_the_manifest(folder):
    (folder / "in/notes.txt").touch()
    plan = jobs.plan_jobs([str(folder / "in")], str(folder / "out"))
    manifest = folder / "m.json"
    run_with_arguments(folder, manifest, left_out=plan.get_left_out_entries())
    left_out = json.loads(manifest.read_text())["left_out"]
    assert left_out == {str(folder / "in"): {"other_endings": {".txt": 1}}}


def test_same_name_in_two_containers_gives_two_results(folder):
    (folder / "two").mkdir()
    clips.write_clip(folder / "two/x.mp4", Clip(frames=2))
    clips.write_clip(folder / "two/x.mpg", Clip(".mpg", "mpeg1video", frames=3, bframes=0))
    failures, _ = prepare(folder, "two")()
    assert failures == 0
    for name, frame_count in (("x.mp4", 2), ("x.mpg.mp4", 3)):
        assert len(clips.read_frames(folder / "out" / name)) == frame_count
    failures, lines = prepare(folder, "two/x.mpg")()
    assert failures == 0 and "done before" in lines[0]


def test_progress_bars_are_nested_or_hidden(folder, capsys):
    manifest = folder / "m.json"
    run_with_arguments(folder, manifest, quiet=False, report_line=lambda line: None)
    printed = capsys.readouterr().err
    assert "4/4" in printed and "a.mp4:" in printed and "/24 [" in printed
    run_with_arguments(folder, manifest, report_line=lambda line: None)
    assert capsys.readouterr().err == ""


def test_inputs_are_untouched(folder):
    before = {path: path.read_bytes() for path in (folder / "in").rglob("*.*")}
    run(folder, overwrite=True)
    assert before == {path: path.read_bytes() for path in (folder / "in").rglob("*.*")}
