"""Files that appear only when they are complete, locks, names that fit a disk, and digests."""

import contextlib
import glob
import hashlib
import json
import os
import pathlib
import re
import sys
from collections.abc import Iterator
from typing import IO, Any, TextIO

MAX_NAME_BYTES = 255  # on ext4, XFS, Btrfs, APFS and most other file systems
# After '.unfinished-PID-': encrypted home folders allow 143 bytes in all.
MAX_UNFINISHED_NAME_BYTES = 119
KEPT_SUFFIX_CHARACTERS = 24  # enough for suffixes such as .manifest.json and .weights.h5
IS_WINDOWS = os.name == "nt"


class OutputExistsError(ValueError):
    """A file with the name of the output was created while the output was being written."""


@contextlib.contextmanager
def write_atomically(
    path: str | os.PathLike[str], sync: bool = True, replace: bool = True
) -> Iterator[pathlib.Path]:
    """Write a file under a temporary name in its folder, and rename it when it is complete.

    If writing fails, the temporary file is removed. If the process is killed, the old file or the
    new one is there, never half of one. The temporary name contains the process id, so that two
    processes may write one file, and keeps the extension, which Keras and PyAV look at.

    Args:
        path: Path of the file.
        sync: Whether to wait until the data is on the disk, so that the file survives a power cut.
        replace: Whether a file of that name may be replaced.

    Yields:
        The temporary path to write to.

    Raises:
        OutputExistsError: There is a file of that name and it may not be replaced.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    name = shorten_name(path.name, MAX_UNFINISHED_NAME_BYTES)
    # A rename is atomic within one file system only, hence in the same folder.
    unfinished = path.with_name(f".unfinished-{os.getpid()}-{name}")
    try:
        yield unfinished
        if sync:
            _sync_to_disk(unfinished)
        # os.link would leave no gap here, but memory cards and buckets have no hard links.
        if not replace and path.exists():
            raise OutputExistsError(
                f"{path} was created meanwhile by another process and is kept; use --overwrite or "
                "another -o."
            )
        # Synced before the rename: otherwise a power cut may leave the name with an empty file.
        os.replace(unfinished, path)
        if sync:
            # The new name is an entry of the folder, which is written on its own.
            _sync_to_disk(path.parent)
    finally:
        unfinished.unlink(missing_ok=True)


def write_text_atomically(path: str | os.PathLike[str], text: str, sync: bool = True) -> None:
    """Write a text file as UTF-8; a crash leaves the old file or the complete new one.

    Args:
        path: Path of the file.
        text: What it will contain; lines end in a line feed on every system.
        sync: Whether to wait until the text is on the disk.
    """
    with write_atomically(path, sync) as unfinished:
        unfinished.write_text(text, encoding="utf-8", newline="\n")


def write_json_atomically(
    path: str | os.PathLike[str], value: Any, indent: int = 1, sort_keys: bool = True
) -> None:
    """Write a JSON file in ASCII; a crash leaves the old file or the complete new one.

    Args:
        path: Path of the file.
        value: Anything that JSON can hold.
        indent: Spaces per level.
        sort_keys: Whether keys are sorted; otherwise their order is kept.

    Raises:
        TypeError: JSON cannot hold `value`; an old file stays.
    """
    text = json.dumps(value, indent=indent, sort_keys=sort_keys)
    write_text_atomically(path, f"{text}\n")


@contextlib.contextmanager
def lock_file(path: str | os.PathLike[str], wait: bool = True) -> Iterator[TextIO]:
    """Lock a file for this block; it is created if it is missing.

    The lock excludes other processes and other threads. It is freed at the end of the process at
    the latest, also of one that is killed. Its holder may remove the file.

    Args:
        path: Path of the file.
        wait: Whether to wait while another process holds the lock.

    Yields:
        The file, open for appending.

    Raises:
        BlockingIOError: Another process holds the lock, and ``wait`` is False.
        OSError: The file cannot be opened, or its file system has no locks.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        # "a" neither truncates a file that another process reads nor fails if it is missing.
        with open(path, "a", encoding="utf-8") as file:
            _acquire_lock(file, path, wait)
            # Its holder may have removed the file meanwhile, and another may hold the new one.
            if _is_same_file(file, path):
                yield file
                return


def remove_leftovers(path: str | os.PathLike[str]) -> None:
    """Remove unfinished files of write_atomically whose processes have ended.

    Args:
        path: The file that was to be written.
    """
    path = pathlib.Path(path)
    # Earlier versions did not shorten names.
    names = {shorten_name(path.name, MAX_UNFINISHED_NAME_BYTES), path.name}
    for name in names:
        for unfinished in path.parent.glob(f".unfinished-*-{glob.escape(name)}"):
            # An unfinished file whose process still runs is being written right now.
            owner = re.match(r"\.unfinished-(\d+)-", unfinished.name)
            if owner and not _is_process_running(int(owner[1])):
                unfinished.unlink(missing_ok=True)


def shorten_name(name: str, max_bytes: int = MAX_NAME_BYTES) -> str:
    """Shorten the name of a file to what a disk can store.

    Args:
        name: The name.
        max_bytes: Largest number of bytes.

    Returns:
        The name itself if it fits. Otherwise its beginning, a digest that keeps two long names
        apart, and its last ``KEPT_SUFFIX_CHARACTERS`` characters, which contain the extension.
    """
    name_bytes = os.fsencode(name)
    if len(name_bytes) <= max_bytes:
        return name
    end = f"~{hashlib.sha256(name_bytes).hexdigest()[:16]}{name[-KEPT_SUFFIX_CHARACTERS:]}"
    begin = name_bytes[: max_bytes - len(os.fsencode(end))]
    # "ignore" drops a character that was cut in two.
    return begin.decode(sys.getfilesystemencoding(), "ignore") + end


def shorten_path(path: str | os.PathLike[str]) -> pathlib.Path:
    """Shorten the last part of a path, for names made from another name and a suffix."""
    path = pathlib.Path(path)
    return path.with_name(shorten_name(path.name))


def compute_sha256(path: str | os.PathLike[str]) -> str:
    """Compute the hexadecimal SHA-256 digest of a file, which is read in pieces."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _acquire_lock(file: IO[str], path: pathlib.Path, wait: bool) -> None:
    """Lock an open file until it is closed; raise BlockingIOError if another process holds it."""
    # Here: children that decode media import this module as well, and never lock.
    import filelock

    try:
        # Not FileLock: it empties the file that it locks, here a journal. And without locks of the
        # file system it falls back to files that are locks while they exist, also after a kill.
        is_locked = filelock.lock_descriptor(file.fileno(), blocking=wait)
    except OSError as error:
        raise OSError(
            f"{path} cannot be locked ({error.strerror}). Use a folder on a file system with "
            "locks, such as a local disk or NFS 4."
        ) from error
    if not is_locked:
        raise BlockingIOError(f"{path} is locked by another process.")


def _sync_to_disk(path: pathlib.Path) -> None:
    """Wait until a file, or the list of files of a folder, is on the disk."""
    if IS_WINDOWS and path.is_dir():
        return  # cannot be opened there
    # fsync needs a descriptor only. A folder cannot be opened for writing; on Windows a file must.
    access = os.O_RDWR if IS_WINDOWS else os.O_RDONLY
    descriptor = os.open(path, access)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_same_file(file: IO[str], path: pathlib.Path) -> bool:
    """Return whether an open file is the one at a path."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


def _is_process_running(process_id: int) -> bool:
    if IS_WINDOWS:
        return True  # unknown: os.kill would end the process there
    try:
        os.kill(process_id, 0)  # sends nothing
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it is running under another user
    return True
