"""Files appear when they are complete; one process at a time holds a lock; names fit a disk."""

import os
import threading

import pytest

from tfanon.core import files


def test_file_gets_its_name_when_it_is_complete(tmp_path):
    path = tmp_path / "folder" / "a.weights.h5"
    with files.write_atomically(path) as unfinished:
        assert unfinished.name.endswith("a.weights.h5") and str(os.getpid()) in unfinished.name
        unfinished.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new" and os.listdir(path.parent) == ["a.weights.h5"]


def test_failure_leaves_only_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with (
        pytest.raises(OSError, match="disk"),
        files.write_atomically(path, sync=False) as unfinished,
    ):
        unfinished.write_text("half")
        raise OSError("disk full")
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize(
    "name",
    [
        "x" * 244 + ".weights.h5",
        "\u00e9" * 125 + "z.mp4",
        os.fsdecode(b"\xff" * 251 + b".mp4"),
        "n\nl" * 83 + ".mp4",
    ],
)
def test_files_with_long_names_are_written(tmp_path, name):
    path = tmp_path / name
    with files.write_atomically(path) as unfinished:
        assert unfinished.name.endswith(name[-11:]) and str(os.getpid()) in unfinished.name
        assert len(os.fsencode(unfinished.name)) <= 143
        unfinished.write_text("new")
    assert path.read_text() == "new" and os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("length", [9, 120, 225, 255])
def test_leftovers_of_ended_processes_are_removed(tmp_path, length):
    name = "x" * (length - 4) + ".mp4"
    shortened = files.shorten_name(name, files.MAX_UNFINISHED_NAME_BYTES)
    dead = {f".unfinished-999999999-{shortened}"}
    if length < 230:  # as earlier versions named them
        dead.add(f".unfinished-999999999-{name}")
    kept = {f".unfinished-{os.getpid()}-{shortened}", ".unfinished-999999999-other.mp4"}
    for leftover in dead | kept:
        (tmp_path / leftover).touch()
    files.remove_leftovers(tmp_path / name)
    assert set(os.listdir(tmp_path)) == kept


def test_names_are_shortened_by_their_bytes():
    assert files.shorten_name("x" * 255) == "x" * 255
    names = ["\u00e9" * 128 + end for end in (".mp4.manifest.json", ".mkv.manifest.json")]
    names += ["e" * 256, "f" * 256]
    shortened = [files.shorten_name(name) for name in names]
    assert len(set(shortened)) == len(names) and all(
        len(os.fsencode(name)) <= 255 for name in shortened
    )
    assert shortened[0].startswith("\u00e9" * 100) and shortened[0].endswith(
        "\u00e9.mp4.manifest.json"
    )
    assert shortened == [files.shorten_name(name) for name in names]
    assert str(files.shorten_path("a/" + "e" * 256)) == f"a/{shortened[2]}"
    assert str(files.shorten_path("a/b.json")) == "a/b.json"


def test_lock_is_held_by_one_block_at_a_time(tmp_path):
    path = tmp_path / "folder" / ".lock"
    with files.lock_file(path):
        with pytest.raises(BlockingIOError), files.lock_file(path, wait=False):
            pass
    with files.lock_file(path, wait=False):
        assert path.exists()


def test_file_that_was_created_meanwhile_is_kept(tmp_path):
    path = tmp_path / "a.txt"
    with pytest.raises(
        files.OutputExistsError,
        match="a.txt was created meanwhile by another process and is kept; use --overwrite",
    ):
        with files.write_atomically(path, replace=False) as unfinished:
            unfinished.write_text("mine")
            path.write_text("another's")
    assert path.read_text() == "another's" and os.listdir(tmp_path) == ["a.txt"]


def test_waiting_for_a_lock_yields_the_current_file(tmp_path):
    path, begun, exists = tmp_path / "journal", threading.Event(), []

    def wait():
        begun.set()
        with files.lock_file(path) as journal:
            journal.write("second")
            exists.append(path.exists())

    waiting = threading.Thread(target=wait)
    with files.lock_file(path) as journal:
        waiting.start()
        begun.wait()
        waiting.join(0.2)  # by now it waits for the lock
        journal.write("first")
        path.unlink()
    waiting.join()
    assert exists == [True] and path.read_text() == "second"


def test_sha256_matches_the_standard(tmp_path):
    # The first example of FIPS 180-4.
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    (tmp_path / "abc").write_bytes(b"abc")
    assert files.compute_sha256(tmp_path / "abc") == digest
