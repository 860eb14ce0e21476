"""Files appear when they are complete; one process at a time holds a lock; names fit a disk."""

import errno
import fcntl
import json
import os
import pathlib
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from tfanon.core import files

ROOT = pathlib.Path(__file__).parents[2]
LOCK_CODE = """
import sys
from tfanon.core import files
with files.lock_file(sys.argv[1]) as file:
    print("locked", flush=True)
    sys.stdin.read()
"""
# What earlier versions did.
FLOCK_CODE = """
import fcntl, sys
with open(sys.argv[1], "a") as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    print("locked", flush=True)
    sys.stdin.read()
"""
TRY_FLOCK_CODE = """
import fcntl, sys
with open(sys.argv[1], "a") as file:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit("busy")
"""


@pytest.fixture
def start_holder() -> Iterator:
    """Start a process that runs code, and wait until it has a lock."""
    processes = []

    def start(code: str, path: pathlib.Path) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", code, path],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        assert process.stdout is not None and process.stdout.readline() == "locked\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


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


@pytest.mark.parametrize("code", [LOCK_CODE, FLOCK_CODE], ids=["this version", "flock"])
def test_lock_ends_with_its_process(tmp_path, start_holder, code):
    path = tmp_path / ".lock"
    holder = start_holder(code, path)
    with pytest.raises(BlockingIOError, match=".lock is locked by another process"):
        with files.lock_file(path, wait=False):
            pass
    holder.kill()  # cannot be caught: no code of the process frees the lock
    holder.wait()
    with files.lock_file(path, wait=False) as file:
        file.write("ours")
    assert os.listdir(tmp_path) == [".lock"] and path.read_text() == "ours"


def test_waiting_ends_with_the_process_that_holds_the_lock(tmp_path, start_holder):
    path, order = tmp_path / ".lock", []
    holder = start_holder(FLOCK_CODE, path)

    def wait():
        with files.lock_file(path):
            order.append("locked")

    waiting = threading.Thread(target=wait)
    waiting.start()
    waiting.join(0.2)
    order.append("killed")
    holder.kill()
    waiting.join()
    assert order == ["killed", "locked"]


def test_lock_excludes_earlier_versions(tmp_path):
    command = [sys.executable, "-c", TRY_FLOCK_CODE, tmp_path / "journal"]
    with files.lock_file(tmp_path / "journal") as journal:
        journal.write("kept")
        assert subprocess.run(command, capture_output=True, text=True).stderr == "busy\n"
    assert subprocess.run(command).returncode == 0
    assert (tmp_path / "journal").read_text() == "kept"


@pytest.mark.parametrize("wait", [True, False])
def test_file_system_without_locks_gives_one_line(tmp_path, monkeypatch, wait):
    def fail(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", fail)
    with pytest.raises(OSError) as error, files.lock_file(tmp_path / ".lock", wait):
        pass
    # Not "in use": who asks without waiting would report another process.
    assert not isinstance(error.value, BlockingIOError)
    assert str(error.value) == (
        f"{tmp_path / '.lock'} cannot be locked (No locks available). Use a folder on a file "
        "system with locks, such as a local disk or NFS 4."
    )


def test_files_are_written_without_fcntl(tmp_path):
    code = """
import sys, warnings
sys.modules["fcntl"] = None
warnings.simplefilter("ignore")
from tfanon.core import files
files.write_text_atomically(sys.argv[1], "text")
try:
    with files.lock_file(sys.argv[1]):
        pass
except OSError as error:
    print(error)
"""
    path = tmp_path / "a.txt"
    done = subprocess.run(
        [sys.executable, "-c", code, path], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert path.read_text() == "text" and done.stdout.startswith(f"{path} cannot be locked (")


def test_windows_syncs_no_folder_and_ends_no_process(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "IS_WINDOWS", True)
    opened, open_file = [], os.open

    def record(path, flags, *mode):
        opened.append((pathlib.Path(path).name.rpartition("-")[2], flags & os.O_RDWR))
        return open_file(path, flags, *mode)

    def fail(*_):
        raise AssertionError("os.kill ends any process there")

    with files.write_atomically(tmp_path / "a.txt") as unfinished:
        unfinished.write_text("new")
        monkeypatch.setattr(os, "open", record)
    assert opened == [("a.txt", os.O_RDWR)] and (tmp_path / "a.txt").read_text() == "new"
    monkeypatch.setattr(os, "kill", fail)
    (tmp_path / ".unfinished-999999999-a.txt").touch()
    files.remove_leftovers(tmp_path / "a.txt")
    assert len(os.listdir(tmp_path)) == 2


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


def test_text_is_utf8_with_line_feeds(tmp_path):
    path = tmp_path / "folder" / "a.txt"
    files.write_text_atomically(path, "old")
    files.write_text_atomically(path, "caf\u00e9\n", sync=False)
    assert path.read_bytes() == b"caf\xc3\xa9\n" and os.listdir(path.parent) == ["a.txt"]


def test_json_is_ascii_with_sorted_keys_or_in_order(tmp_path):
    path, value = tmp_path / "a.json", {"b": ["\u00e9"], "a": 1.5}
    files.write_json_atomically(path, value)
    assert path.read_bytes() == b'{\n "a": 1.5,\n "b": [\n  "\\u00e9"\n ]\n}\n'
    files.write_json_atomically(path, value, indent=2, sort_keys=False)
    assert path.read_bytes() == b'{\n  "b": [\n    "\\u00e9"\n  ],\n  "a": 1.5\n}\n'
    with pytest.raises(TypeError):
        files.write_json_atomically(path, {"a": object()})
    assert json.loads(path.read_text()) == value and os.listdir(tmp_path) == ["a.json"]


def test_sha256_matches_the_standard(tmp_path):
    # The first example of FIPS 180-4.
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    (tmp_path / "abc").write_bytes(b"abc")
    assert files.compute_sha256(tmp_path / "abc") == digest
