"""An archive on Beam's direct runner: as a batch, and on several workers."""

import json
import os
import pathlib
import threading

import clips
import doubles
import pytest
from clips import Clip

from tfanon import anonymize_archive
from tfanon.anonymize_archive import ArchiveOptions
from tfanon.inference import job_runner, video

THREADS = ("direct_running_mode=multi_threading", "direct_num_workers=3")
PROCESSES = ("direct_running_mode=multi_processing", "direct_num_workers=2")
pytest.importorskip("apache_beam", reason="Apache Beam is an extra", exc_type=ImportError)


@pytest.fixture
def folder(tmp_path):
    """A folder of three videos in two folders, and one that cannot be read."""
    (tmp_path / "in/deep").mkdir(parents=True)
    for number, name in enumerate(("a.mkv", "b.mkv", "deep/c.mkv")):
        clips.write_clip(tmp_path / "in" / name, Clip(".mkv", frames=4 + number))
    (tmp_path / "in/broken.mkv").write_bytes(b"\x1a\x45\xdf\xa3" + bytes(99))
    return tmp_path


@pytest.fixture
def loading_threads(monkeypatch):
    """The threads in which a model, which blackens, was loaded."""
    threads = []

    def load_blackening_anonymizer(options):
        threads.append(threading.get_ident())
        return doubles.make_blackening_anonymizer()

    monkeypatch.setattr(job_runner, "load_anonymizer", load_blackening_anonymizer)
    return threads


def run(folder: pathlib.Path, retries: int = 0, **options) -> int:
    """Return the exit status."""
    archive_options = ArchiveOptions(output=str(folder / "out"), retries=retries, **options)
    return anonymize_archive.run_archive([str(folder / "in")], archive_options)


def read_manifest(folder: pathlib.Path) -> dict:
    return json.loads((folder / "out/manifest.json").read_text())


def read_entries(folder: pathlib.Path) -> dict[str, dict]:
    return read_manifest(folder)["files"]


def test_every_file_and_one_manifest(folder, loading_threads, capsys):
    assert run(folder) == 1
    assert {name: entry["status"] for name, entry in read_entries(folder).items()} == {
        "a.mkv": "done",
        "b.mkv": "done",
        "broken.mkv": "failed",
        "deep/c.mkv": "done",
    }
    frames = clips.read_frames(folder / "out/deep/c.mkv")
    assert len(frames) == read_entries(folder)["deep/c.mkv"]["frames"] == 6 and frames.max() < 8
    lines = capsys.readouterr().out.splitlines()
    assert "broken.mkv: FAILED, nothing was written" in lines[0]
    assert lines[1].startswith("3 of 4 files are done in")
    assert not (folder / "out/broken.mkv").exists()


def test_same_command_again_does_what_is_missing(folder, loading_threads):
    run(folder)
    before = os.stat(folder / "out/a.mkv").st_mtime_ns
    (folder / "out/b.mkv").unlink()
    clips.write_clip(folder / "in/broken.mkv", Clip(".mkv", frames=2))
    assert run(folder) == 0 and os.stat(folder / "out/a.mkv").st_mtime_ns == before
    assert len(clips.read_frames(folder / "out/b.mkv")) == 5
    assert {entry["status"] for entry in read_entries(folder).values()} == {"done"}


def test_names_of_any_length_and_bytes(folder, loading_threads):
    names = [b"x" * 251 + b".mkv", b"a\xff\n.mkv"]
    for name in names:
        clips.write_clip(os.path.join(folder, "in", os.fsdecode(name)), Clip(".mkv", frames=2))
    (folder / "in/notes.txt").touch()
    for _ in range(2):
        assert run(folder) == 1
    entries = read_entries(folder)
    assert len(entries) == 6
    assert all(entries[os.fsdecode(name)]["status"] == "done" for name in names)
    left_out = read_manifest(folder)["left_out"]
    assert left_out == {str(folder / "in"): {"other_endings": {".txt": 1}}}


def test_model_is_loaded_once_for_all_threads(folder, loading_threads):
    assert run(folder, beam=THREADS) == 1
    # Once more before the pipeline starts, to see that it can be loaded.
    assert len(loading_threads) == 2 and len(read_entries(folder)) == 4


def test_file_that_fails_once_is_tried_again(folder, loading_threads, monkeypatch):
    (folder / "in/broken.mkv").unlink()
    failed, anonymize_video = [], video.anonymize_video

    def fail_once(opened, target, *arguments):
        if target not in failed:
            failed.append(target)
            raise OSError("the network drive is away")
        return anonymize_video(opened, target, *arguments)

    monkeypatch.setattr(video, "anonymize_video", fail_once)
    assert run(folder) == 1 and len(failed) == 3 and not list((folder / "out").glob("*.mkv"))
    failed.clear()
    assert run(folder, retries=1) == 0


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(143)])
def test_signal_ends_the_pipeline(folder, monkeypatch, error):
    def stop(frames):
        raise error

    monkeypatch.setattr(
        job_runner, "load_anonymizer", lambda options: doubles.make_anonymizer(stop)
    )
    with pytest.raises(type(error)):
        run(folder)
    assert not list((folder / "out").rglob("*.mkv"))


@pytest.mark.large
def test_several_processes(folder):
    assert run(folder, mode="blacken", beam=PROCESSES) == 1
    for name in ("a.mkv", "b.mkv", "deep/c.mkv"):
        assert clips.read_frames(folder / "out" / name).max() < 8
    assert len(read_entries(folder)) == 4 and not (folder / "out/broken.mkv").exists()
