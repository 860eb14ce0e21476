"""Files that are whole or not there, and what identifies their content."""

import contextlib
import fcntl
import glob
import hashlib
import os
import pathlib
import re
import sys

MAX_NAME_BYTES = 255  # bytes of a file name on ext4, XFS, Btrfs, APFS and most other file systems
MAX_UNFINISHED_NAME_BYTES = 119  # behind '.unfinished-PID-': encrypted homes hold 143 bytes in all
KEPT_SUFFIX_CHARACTERS = 24  # characters, such as those of .manifest.json and .weights.h5


class OutputExistsError(ValueError):
    """A file has appeared under the name that was free when another began to be written for it."""


@contextlib.contextmanager
def write_atomically(path, sync=True, replace=True):
    """A temporary name beside `path`, renamed to it at the end, removed if writing fails; a kill leaves old or new.

    sync: have the disk confirm it, so that a power cut too leaves the old file or the new.
    replace: a file of that name.  Raises Appeared where there is one and it is not to be replaced.
    The process id keeps two writers of one file apart; the endings stay, since Keras and PyAV read them.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    name = shorten_name(path.name, MAX_UNFINISHED_NAME_BYTES)
    unfinished = path.with_name(f".unfinished-{os.getpid()}-{name}")
    try:
        yield unfinished
        if sync:
            _sync_to_disk(unfinished)
        if (
            not replace and path.exists()
        ):  # os.link would leave no gap here, but cards and buckets know no hard links
            raise OutputExistsError(
                f"{path} has appeared meanwhile and stays as it is; give --overwrite, or another -o."
            )
        os.replace(unfinished, path)
        if sync:
            _sync_to_disk(path.parent)
    finally:
        unfinished.unlink(missing_ok=True)


@contextlib.contextmanager
def lock_file(path, wait=True):
    """The lock of a file, which is made where it is missing, for this block alone; the end of a process frees it too.

    Gives the file, open to append to.  Whoever has the lock may remove the file.
    wait: for whoever has it.  Raises BlockingIOError where another has it and is not waited for.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with open(path, "a", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            if _is_same_file(
                lock, path
            ):  # else it was removed while it was waited for, and another may have the new one
                yield lock
                return


def remove_leftovers(path):
    """Remove what processes that are no more left of whole_file(path)."""
    path = pathlib.Path(path)
    names = {
        shorten_name(path.name, MAX_UNFINISHED_NAME_BYTES),
        path.name,
    }  # long ones were once kept whole
    for name in names:
        for unfinished in path.parent.glob(f".unfinished-*-{glob.escape(name)}"):
            owner = re.match(r"\.unfinished-(\d+)-", unfinished.name)
            if owner and not _is_process_running(int(owner[1])):
                unfinished.unlink(missing_ok=True)


def shorten_name(name: str, max_bytes: int = MAX_NAME_BYTES) -> str:
    """A file name of at most `longest` bytes (255, as most disks hold) that stands for `name`.

    Returns `name` itself where it fits.  Otherwise its beginning, a mark that two long names never
    share, and its last 24 characters, which hold its ending.
    """
    name_bytes = os.fsencode(name)
    if len(name_bytes) <= max_bytes:
        return name
    end = f"~{hashlib.sha256(name_bytes).hexdigest()[:16]}{name[-KEPT_SUFFIX_CHARACTERS:]}"
    begin = name_bytes[: max_bytes - len(os.fsencode(end))]
    return begin.decode(sys.getfilesystemencoding(), "ignore") + end  # no half of a character


def shorten_path(path: str | os.PathLike) -> pathlib.Path:
    """The path with its last name as fit_name has it: that of another file and something more."""
    path = pathlib.Path(path)
    return path.with_name(shorten_name(path.name))


def compute_sha256(path):
    """Hexadecimal digest of a file, read in pieces."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_to_disk(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_same_file(file, path):
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


def _is_process_running(process):
    try:
        os.kill(process, 0)  # sends nothing
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it runs, and is somebody else's
    return True
