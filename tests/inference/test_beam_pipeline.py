"""An archive on Beam's direct runner: as a batch, and on several workers."""

import json
import os
import threading

import clips
import doubles
import pytest
from clips import Clip

from tfanon import anonymize_archive
from tfanon.anonymize_archive import ArchiveOptions
from tfanon.inference import job_runner, video

THREADS = ("direct_running_mode=multi_threading", "direct_num_workers=3")
pytest.importorskip("apache_beam", reason="Apache Beam is an extra", exc_type=ImportError)


@pytest.fixture
def folder(tmp_path):
    """A folder of three videos in two folders, and one that cannot be read."""
    (tmp_path / "in/deep").mkdir(parents=True)
    for number, name in enumerate(("a.mkv", "b.mkv", "deep/c.mkv")):
        clips.write(tmp_path / "in" / name, Clip(".mkv", frames=4 + number))
    (tmp_path / "in/broken.mkv").write_bytes(b"\x1a\x45\xdf\xa3" + bytes(99))
    return tmp_path


@pytest.fixture
def loads(monkeypatch):
    """The threads in which a model was loaded; it blackens."""
    found = []
    monkeypatch.setattr(
        job_runner,
        "load_anonymizer",
        lambda settings: (found.append(threading.get_ident()), doubles.blackening())[1],
    )
    return found


def work(folder, **settings):
    return anonymize_archive.run_archive(
        [str(folder / "in")], ArchiveOptions(output=str(folder / "out"), retries=0, **settings)
    )


def entries(folder):
    return json.loads((folder / "out/manifest.json").read_text())["files"]


def test_every_file_and_one_manifest(folder, loads, capsys):
    assert work(folder) == 1
    assert {name: entry["status"] for name, entry in entries(folder).items()} == {
        "a.mkv": "done",
        "b.mkv": "done",
        "broken.mkv": "failed",
        "deep/c.mkv": "done",
    }
    frames = clips.read(folder / "out/deep/c.mkv")
    assert len(frames) == entries(folder)["deep/c.mkv"]["frames"] == 6 and frames.max() < 8
    told = capsys.readouterr().out.splitlines()
    assert "broken.mkv: FAILED, nothing was written" in told[0] and told[1].startswith(
        "3 of 4 files are done in"
    )
    assert not (folder / "out/broken.mkv").exists()


def test_again_it_does_only_what_is_missing(folder, loads):
    work(folder)
    before = os.stat(folder / "out/a.mkv").st_mtime_ns
    (folder / "out/b.mkv").unlink()
    clips.write(folder / "in/broken.mkv", Clip(".mkv", frames=2))
    assert work(folder) == 0 and os.stat(folder / "out/a.mkv").st_mtime_ns == before
    assert len(clips.read(folder / "out/b.mkv")) == 5
    assert {entry["status"] for entry in entries(folder).values()} == {"done"}


def test_names_of_any_length_and_bytes(folder, loads):
    names = [b"x" * 251 + b".mkv", b"a\xff\n.mkv"]
    for name in names:
        clips.write(os.path.join(folder, "in", os.fsdecode(name)), Clip(".mkv", frames=2))
    (folder / "in/notes.txt").touch()
    for _ in range(2):
        assert work(folder) == 1
    found = entries(folder)
    assert len(found) == 6 and all(found[os.fsdecode(name)]["status"] == "done" for name in names)
    whole = json.loads((folder / "out/manifest.json").read_text())
    assert whole["left_out"] == {str(folder / "in"): {"other_endings": {".txt": 1}}}


def test_a_model_is_loaded_once_for_all_threads(folder, loads):
    assert work(folder, beam=THREADS) == 1
    assert (
        len(loads) == 2 and len(entries(folder)) == 4
    )  # once to see that it can be, before the pipeline starts


def test_what_fails_once_is_tried_again(folder, loads, monkeypatch):
    (folder / "in/broken.mkv").unlink()
    failed, whole = [], video.anonymize_video

    def failing(opened, target, *more):
        if target not in failed:
            failed.append(target)
            raise OSError("the network drive is away")
        return whole(opened, target, *more)

    monkeypatch.setattr(video, "anonymize_video", failing)
    assert work(folder) == 1 and len(failed) == 3 and not list((folder / "out").glob("*.mkv"))
    failed.clear()
    assert (
        anonymize_archive.run_archive(
            [str(folder / "in")], ArchiveOptions(output=str(folder / "out"), retries=1)
        )
        == 0
    )


@pytest.mark.parametrize("problem", [KeyboardInterrupt(), SystemExit(143)])
def test_a_signal_ends_it_as_it_ends_any_command(folder, monkeypatch, problem):
    def stopped(frames):
        raise problem

    monkeypatch.setattr(job_runner, "load_anonymizer", lambda settings: doubles.anonymizer(stopped))
    with pytest.raises(type(problem)):
        work(folder)
    assert not list((folder / "out").rglob("*.mkv"))


@pytest.mark.large
def test_several_processes(folder):
    assert (
        work(
            folder,
            mode="blacken",
            beam=("direct_running_mode=multi_processing", "direct_num_workers=2"),
        )
        == 1
    )
    assert all(
        clips.read(folder / "out" / name).max() < 8 for name in ("a.mkv", "b.mkv", "deep/c.mkv")
    )
    assert len(entries(folder)) == 4 and not (folder / "out/broken.mkv").exists()
