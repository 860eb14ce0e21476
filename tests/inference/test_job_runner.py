"""Many files: each for itself, nothing twice, and a line and an entry for every one."""

import io
import json
import os
import pathlib
import sys

import clips
import doubles
import numpy as np
import pytest
from clips import Clip

from tfanon.core import files
from tfanon.inference import job_runner, jobs
from tfanon.inference.options import AnonymizeOptions
from tfanon.media import image_io


@pytest.fixture
def folder(tmp_path):
    """A folder with two videos, a picture, and a file that only looks like a video."""
    (tmp_path / "in/deep").mkdir(parents=True)
    clips.write(tmp_path / "in/a.mp4", Clip(sound=True))
    clips.write(tmp_path / "in/deep/b.mkv", Clip(".mkv", frames=5))
    image_io.write_image(tmp_path / "in/c.png", clips.picture(0, (20, 30)))
    (tmp_path / "in/broken.mp4").write_bytes(b"\x00\x00\x00\x18ftypisom" + bytes(99))
    return tmp_path


def run(folder, anonymizer=None, **settings):
    """(failures, lines, the manifest's files)."""
    lines = []
    settings = AnonymizeOptions(output=str(folder / "out"), **settings)
    todo = jobs.plan_jobs([str(folder / "in")], settings.output).jobs
    done = job_runner.JobRunner(
        anonymizer or doubles.inverting(),
        settings,
        folder / "out/manifest.json",
        report_line=lines.append,
    )
    return done.run(todo), lines, json.loads((folder / "out/manifest.json").read_text())


def outputs(folder):
    return {
        str(path.relative_to(folder / "out"))
        for path in (folder / "out").rglob("*")
        if path.is_file()
    }


def test_what_fails_costs_only_itself(folder):
    failures, lines, manifest = run(folder)
    assert failures == 1 and outputs(folder) == {"a.mp4", "deep/b.mkv", "c.png", "manifest.json"}
    failed = manifest["files"]["broken.mp4"]
    assert (
        failed["status"] == "failed" and "broken.mp4" in failed["error"] and "output" not in failed
    )
    assert [
        line for line in lines if "FAILED, nothing was written" in line and "broken.mp4" in line
    ]
    picture = image_io.read_full_image(str(folder / "out/c.png"))
    assert np.array_equal(picture, 255 - clips.picture(0, (20, 30)))


def test_the_manifest_tells_what_was_made_of_what(folder):
    _, lines, manifest = run(folder)
    entry = manifest["files"]["a.mp4"]
    assert entry["input_sha256"] == files.compute_sha256(folder / "in/a.mp4")
    assert entry["output_sha256"] == files.compute_sha256(folder / "out/a.mp4")
    assert (entry["status"], entry["frames"], entry["seconds"], entry["sound"]) == (
        "done",
        24,
        0.96,
        "dropped",
    )
    assert manifest["model"] == {"name": "double", "sha256": "0" * 64}
    assert manifest["settings"]["audio"] == "drop" and {"tfanon", "av", "numpy"} <= set(
        manifest["versions"]
    )
    line = next(line for line in lines if "in/a.mp4" in line)
    assert (
        "24 frames, 0.96 s, sound dropped" in line
        and entry["output_sha256"][:12] in line
        and "fps" in line
    )


def test_the_same_command_again_does_what_is_missing(folder):
    run(folder)
    before = {name: os.stat(folder / "out" / name).st_mtime_ns for name in ("a.mp4", "c.png")}
    (folder / "out/deep/b.mkv").unlink()
    clips.write(folder / "in/broken.mp4")
    failures, lines, manifest = run(folder)
    assert failures == 0 and all(entry["status"] == "done" for entry in manifest["files"].values())
    assert before == {name: os.stat(folder / "out" / name).st_mtime_ns for name in before}
    assert sum("done before" in line for line in lines) == 2


def test_an_output_is_replaced_only_when_asked(folder):
    run(folder)
    kept = (folder / "out/a.mp4").read_bytes()
    failures, lines, _ = run(folder, quality=40)
    assert failures == 4 and (folder / "out/a.mp4").read_bytes() == kept
    assert sum("give --overwrite" in line for line in lines) == 3
    failures, _, manifest = run(folder, quality=40, overwrite=True)
    assert failures == 1 and (folder / "out/a.mp4").read_bytes() != kept
    assert manifest["files"]["a.mp4"]["output_sha256"] == files.compute_sha256(folder / "out/a.mp4")


def test_leftovers_of_a_killed_run_are_cleared(folder):
    (folder / "out").mkdir()
    gone = folder / "out/.unfinished-999999999-a.mp4"
    mine = folder / f"out/.unfinished-{os.getppid()}-a.mp4"
    gone.write_bytes(b"half"), mine.write_bytes(b"half")
    run(folder)
    assert not gone.exists() and mine.exists()  # the other one's writer is alive


def test_an_input_that_changes_meanwhile_fails(folder):
    def touching(frames):
        os.utime(folder / "in/a.mp4")
        return 255 - frames

    failures, lines, _ = run(folder, doubles.anonymizer(touching))
    assert failures == 2 and any("in/a.mp4 changed while it was read" in line for line in lines)
    assert "a.mp4" not in outputs(folder)


def test_an_input_that_is_gone_at_its_turn_costs_only_itself(folder):
    run(folder)
    settings = AnonymizeOptions(output=str(folder / "out"))
    todo = jobs.plan_jobs([str(folder / "in")], settings.output).jobs
    (folder / "in/a.mp4").unlink()
    lines = []
    done = job_runner.JobRunner(
        doubles.inverting(), settings, folder / "out/manifest.json", report_line=lines.append
    )
    assert done.run(todo) == 2 and sum("done before" in line for line in lines) == 2
    assert any("in/a.mp4: FAILED" in line and "No such file" in line for line in lines)


def begun(folder, given="in", anonymizer=None, **settings):
    """A function that runs a batch whose command has begun, and returns (failures, lines)."""
    settings, lines = AnonymizeOptions(output=str(folder / "out"), **settings), []
    todo = jobs.plan_jobs([str(folder / given)], settings.output).jobs
    done = job_runner.JobRunner(
        anonymizer or doubles.inverting(),
        settings,
        folder / "out/manifest.json",
        report_line=lines.append,
    )
    return lambda: (done.run(todo), lines)


def test_two_commands_into_one_folder_share_its_record(folder):
    (folder / "in/broken.mp4").unlink()
    one, other = begun(folder, "in/deep"), begun(folder)
    assert one()[0] == other()[0] == 0
    manifest = json.loads((folder / "out/manifest.json").read_text())
    assert list(manifest["files"]) == ["a.mp4", "b.mkv", "c.png", "deep/b.mkv"]


def test_the_same_command_twice_at_once_does_nothing_twice(folder):
    (folder / "in/broken.mp4").unlink()
    one, other = begun(folder), begun(folder)
    assert one()[0] == 0
    failures, lines = other()
    assert failures == 0 and sum("done before" in line for line in lines) == 3


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_that_appears_meanwhile_is_replaced_only_when_asked(folder, overwrite):
    def slow(frames):
        (folder / "out/a.mp4").write_bytes(b"another's")
        return 255 - frames

    failures, lines = begun(folder, "in/a.mp4", doubles.anonymizer(slow), overwrite=overwrite)()
    assert failures == 1 - overwrite and overwrite == (
        (folder / "out/a.mp4").read_bytes() != b"another's"
    )
    entry = json.loads((folder / "out/manifest.json").read_text())["files"]["a.mp4"]
    assert entry["status"] == ("done" if overwrite else "failed") and outputs(folder) == {
        "a.mp4",
        "manifest.json",
    }
    assert overwrite or "a.mp4 exists and was not made from this input" in lines[0]


def test_a_result_that_another_command_finishes_first_counts(folder):
    one = begun(folder, "in/c.png")

    def slow(frames):
        one()
        return 255 - frames

    failures, lines = begun(folder, "in/c.png", doubles.anonymizer(slow))()
    assert failures == 0 and "done before" in lines[0]


def test_frames_that_must_not_be_shown_are_not_written(folder):
    failures, lines, _ = run(folder, doubles.anonymizer(lambda x: x))
    assert failures == 4 and outputs(folder) == {"manifest.json"}
    assert sum("came back unchanged" in line for line in lines) == 3


def test_what_is_told_and_shown_is_no_part_of_the_work(folder):
    def failing(_):
        raise UnicodeEncodeError("ascii", "\udcff", 0, 1, "surrogates not allowed")

    settings = AnonymizeOptions(output=str(folder / "out"))
    plan = jobs.plan_jobs([str(folder / "in")], settings.output)
    done = job_runner.JobRunner(
        doubles.inverting(),
        settings,
        folder / "out/manifest.json",
        show_frame=failing,
        report_line=failing,
    )
    assert done.run(plan.jobs) == 1
    assert outputs(folder) == {"a.mp4", "deep/b.mkv", "c.png", "manifest.json"}


def test_bars_are_no_part_of_the_work(folder, monkeypatch):
    class Full:
        encoding = "ascii"

        def write(self, text):
            raise OSError(28, "No space left on device")

        flush = isatty = lambda self: False

    (folder / "in/broken.mp4").unlink()
    settings = AnonymizeOptions(output=str(folder / "out"))
    todo = jobs.plan_jobs([str(folder / "in")], settings.output).jobs
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", Full())
        done = job_runner.JobRunner(
            doubles.inverting(),
            settings,
            folder / "m.json",
            quiet=False,
            report_line=lambda line: None,
        )
        assert done.run(todo) == 0


NAMES = [
    b"a\xff.mkv",
    b"b\nc.mkv",
    b"q\"'$(x)`.mkv",
    b"\x1b[2J.mkv",
    b"x" * 251 + b".mkv",
    "\u00e9".encode() * 125 + b".mkv",
]
PICTURE = b"i\xff" * 80 + b".png"


@pytest.mark.parametrize("locale", ["utf-8", "ascii"])
def test_files_of_any_name(folder, monkeypatch, locale):
    given = os.fsencode(folder / "names/deep")
    os.makedirs(given)
    clip = pathlib.Path(clips.write(folder / "x.mkv", Clip(".mkv", frames=2))).read_bytes()
    for name in NAMES:
        pathlib.Path(os.fsdecode(os.path.join(given, name))).write_bytes(clip)
    image_io.write_image(os.fsdecode(os.path.join(given, PICTURE)), clips.picture(0, (20, 30)))
    pathlib.Path(os.fsdecode(os.path.join(given, b"broken\xff\n.mkv"))).write_bytes(b"no video")
    printed = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(printed, encoding=locale))
    settings, manifest = AnonymizeOptions(output=str(folder / "out")), folder / "out/manifest.json"
    todo = jobs.plan_jobs([str(folder / "names")], settings.output).jobs
    for _ in range(2):
        assert job_runner.JobRunner(doubles.inverting(), settings, manifest).run(todo) == 1
    assert set(os.listdir(os.fsencode(folder / "out/deep"))) == {*NAMES, PICTURE}
    entries = json.loads(manifest.read_text(encoding="ascii"))["files"]
    assert {os.fsencode(name) for name in entries} == {
        b"deep/" + name for name in (*NAMES, PICTURE, b"broken\xff\n.mkv")
    }
    lines = printed.getvalue().decode(locale).splitlines()
    assert len(lines) == 2 * len(entries)
    assert sum("done before" in line for line in lines) == len(entries) - 1
    (failed,) = {line for line in lines if "FAILED" in line}
    reason = failed.partition(r"deep/broken\xff\n.mkv: FAILED, nothing was written: ")[2]
    assert len(reason.removeprefix(f"{folder}/names/deep/broken")) > 10


def test_a_fault_of_the_disk_reads_well(folder):
    job = jobs.Job(folder / "in/a.mp4", folder / "out/a.mp4", "a.mp4")
    for error, words in [
        (PermissionError(13, "Permission denied", str(job.given)), "Permission denied"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (
            IsADirectoryError(21, "Is a directory", "x", None, str(job.target)),
            f"Is a directory: {job.target}",
        ),
        (ValueError("two\nlines"), "two"),
        (MemoryError(), "MemoryError"),
    ]:
        assert job_runner.describe_error(error, job) == words


def test_what_is_left_out_stands_in_the_manifest(folder):
    (folder / "in/notes.txt").touch()
    settings = AnonymizeOptions(output=str(folder / "out"))
    plan = jobs.plan_jobs([str(folder / "in")], settings.output)
    manifest = folder / "m.json"
    job_runner.JobRunner(
        doubles.inverting(), settings, manifest, left_out=plan.get_left_out_entries()
    ).run(plan.jobs)
    left_out = json.loads(manifest.read_text())["left_out"]
    assert left_out == {str(folder / "in"): {"other_endings": {".txt": 1}}}


def test_one_name_in_two_containers_is_two_results(folder):
    (folder / "two").mkdir()
    clips.write(folder / "two/x.mp4", Clip(frames=2))
    clips.write(folder / "two/x.mpg", Clip(".mpg", "mpeg1video", frames=3, bframes=0))
    failures, _ = begun(folder, "two")()
    assert failures == 0
    assert [len(clips.read(folder / "out" / name)) for name in ("x.mp4", "x.mpg.mp4")] == [2, 3]
    again = begun(folder, "two/x.mpg")()
    assert again[0] == 0 and "done before" in again[1][0]


def test_progress_is_nested(folder, capsys):
    settings = AnonymizeOptions(output=str(folder / "out"))
    todo = jobs.plan_jobs([str(folder / "in")], settings.output).jobs
    job_runner.JobRunner(
        doubles.inverting(), settings, folder / "m.json", quiet=False, report_line=lambda line: None
    ).run(todo)
    shown = capsys.readouterr().err
    assert "4/4" in shown and "a.mp4:" in shown and "/24 [" in shown
    job_runner.JobRunner(
        doubles.inverting(), settings, folder / "m.json", report_line=lambda line: None
    ).run(todo)
    assert capsys.readouterr().err == ""


def test_the_inputs_are_untouched(folder):
    before = {path: path.read_bytes() for path in pathlib.Path(folder / "in").rglob("*.*")}
    run(folder, overwrite=True)
    assert before == {path: path.read_bytes() for path in pathlib.Path(folder / "in").rglob("*.*")}
