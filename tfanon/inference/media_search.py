"""Searches folders and patterns for videos and images, and counts what is left out."""

import collections
import dataclasses
import fnmatch
import os
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tfanon.core import exit_status
from tfanon.media import image_io, limits, video_writer

WILDCARDS = "*?["
RECURSIVE = "**"  # any number of folders
MATCH_ALL = (RECURSIVE, "*")  # the pattern that a folder stands for
COMMAND_LINE = "the command line"  # source of files that were named one by one
KIND_NAMES = {  # singular and plural of each kind of entry that is left out
    "hidden": ("hidden", "hidden"),
    "folders": ("folder", "folders"),
    "linked_folders": ("linked folder", "linked folders"),
    "special_files": ("pipe, socket or device", "pipes, sockets or devices"),
    "output_folder": ("output folder", "output folders"),
}
MEDIA_ENDINGS = frozenset(
    (
        *limits.VIDEO_ENDINGS,
        *limits.IMAGE_ENDINGS,
        *video_writer.CONTAINER_FORMATS,
        *image_io.WRITE_FORMATS,
    )
)
MAX_LISTED = 5  # endings, or folders that cannot be read, in one line


@dataclasses.dataclass
class LeftOut:
    """What a folder or a pattern contains and is not anonymized; true if there is anything.

    Attributes:
        source: The folder or pattern, as given on the command line.
        endings: Number of files by their ending, in lower case.
        kinds: Number of everything else, by the keys of `KIND_NAMES`.
        unreadable: Why a folder cannot be read, by its path.
    """

    source: str
    endings: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    kinds: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    unreadable: dict[str, str] = dataclasses.field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.endings or self.kinds or self.unreadable)

    def add_file(self, path: str | os.PathLike) -> None:
        """Count a file that is neither a video nor an image by its ending."""
        self.endings[pathlib.Path(path).suffix.lower()] += 1

    def make_manifest_entry(self) -> dict[str, Any]:
        """Return the counts as the manifest stores them, without those that are zero."""
        entry: dict[str, Any] = {"other_endings": dict(sorted(self.endings.items()))}
        for kind in KIND_NAMES:
            entry[kind] = self.kinds[kind]
        entry["unreadable"] = self.unreadable
        return {kind: value for kind, value in entry.items() if value}

    def format_line(self) -> str:
        """Return one line for the terminal, with the source."""
        count = self.endings.total() + self.kinds.total() + len(self.unreadable)
        entries = "1 entry is" if count == 1 else f"{count} entries are"
        return exit_status.escape_name(f"{self.source}: {entries} left out: {self.describe()}")

    def describe(self) -> str:
        """Return the counts in one line, without the source."""
        return ", ".join(self._describe_counts())

    def _describe_counts(self) -> Iterator[str]:
        if self.endings:
            endings = _join_first(ending or "none" for ending in sorted(self.endings))
            yield f"{self.endings.total()} with other endings ({endings})"
        for kind, (singular, plural) in KIND_NAMES.items():
            count = self.kinds[kind]
            if count:
                yield f"{count} {singular if count == 1 else plural}"
        if self.unreadable:
            reasons = (f"{folder}: {reason}" for folder, reason in self.unreadable.items())
            yield f"{len(self.unreadable)} unreadable ({_join_first(reasons)})"


def _join_first(names: Iterable[str]) -> str:
    """Return the first few names, and '...' if there are more."""
    names = list(names)
    more = ["..."] if len(names) > MAX_LISTED else []
    return ", ".join(names[:MAX_LISTED] + more)


def is_media(path: str | os.PathLike) -> bool:
    """Return whether a path has the ending of a video or image that can be read or written."""
    return pathlib.Path(path).suffix.lower() in MEDIA_ENDINGS


def is_pattern(text: str) -> bool:
    """Return whether a text contains a wildcard."""
    return any(sign in text for sign in WILDCARDS)


def split_pattern(pattern: str) -> tuple[pathlib.Path, tuple[str, ...]]:
    """Split a pattern into the folder before its first wildcard and its parts from there on."""
    parts = pathlib.Path(pattern).parts
    count = next(number for number, part in enumerate(parts) if is_pattern(part))
    return pathlib.Path(*parts[:count]), parts[count:]


def find_media(
    base: pathlib.Path, parts: Sequence[str], output: pathlib.Path, left_out: LeftOut
) -> list[pathlib.Path]:
    """Find the videos and images below a folder that match a pattern, by their endings.

    Hidden files and folders, and links to folders, which may lead in circles, are left out unless
    the pattern names them. A link to nothing, and a file that may turn out to be unreadable, are
    among the files: they then fail one by one.

    Args:
        base: The folder.
        parts: The pattern, name by name as fnmatch has it; '**' is any number of folders.
        output: A folder that is not entered.
        left_out: Counts what matches and is left out.

    Returns:
        Paths that begin with `base`, sorted, a folder's files before those of its folders.
    """
    pattern = _normalize_pattern(parts)
    media: dict[pathlib.Path, None] = {}  # a set that keeps the order
    waiting = [(base, pattern)]
    while waiting:
        folder, pattern = waiting.pop()
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            left_out.unreadable[str(folder)] = error.strerror or str(error)
            continue
        subfolders = []
        for entry in entries:
            subfolders += _visit_entry(entry, pattern, output, left_out, media)
        # The last one is popped first.
        waiting += reversed(subfolders)
    return list(media)


def _normalize_pattern(parts: Sequence[str]) -> list[str]:
    """Return a pattern that ends in a file name and has no two '**' in a row."""
    parts = [*parts, "*"] if parts[-1] == RECURSIVE else list(parts)
    following = [*parts[1:], ""]
    pairs = zip(parts, following, strict=True)
    return [part for part, after in pairs if not part == after == RECURSIVE]


def _visit_entry(
    entry: os.DirEntry,
    pattern: list[str],
    output: pathlib.Path,
    left_out: LeftOut,
    media: dict[pathlib.Path, None],
) -> list[tuple[pathlib.Path, list[str]]]:
    """Collect one entry of a folder; return the folders to enter, each with its pattern."""
    recursive = pattern[0] == RECURSIVE
    part, *rest = pattern[1:] if recursive else pattern
    matches = fnmatch.fnmatchcase(entry.name, part)
    # As in a shell, a wildcard does not match a leading dot.
    if entry.name[0] == "." and part[0] != ".":
        if matches:
            left_out.kinds["hidden"] += 1
        return []
    kind = _classify_entry(entry)
    if kind != "folder":
        if matches and not rest:
            _collect_file(pathlib.Path(entry), kind, left_out, media)
        return []
    if not matches and not recursive:
        return []
    # A link that the pattern names is followed; one that a wildcard matches is not.
    if entry.is_symlink() and (recursive or is_pattern(part)):
        left_out.kinds["linked_folders"] += 1
        return []
    if is_same_file(entry, output):
        left_out.kinds["output_folder"] += 1
        return []
    patterns_below = [pattern] if recursive else []
    if matches and rest:
        patterns_below.append(rest)
    if not patterns_below:
        left_out.kinds["folders"] += 1
    return [(pathlib.Path(entry), pattern_below) for pattern_below in patterns_below]


def _classify_entry(entry: os.DirEntry) -> str:
    """Return 'folder', 'file', or 'special' for a pipe, a socket or a device."""
    try:
        if entry.is_dir():
            return "folder"
        return "file" if entry.is_file() or not os.path.exists(entry) else "special"
    except OSError:  # a link to itself, for example: it fails when it is read
        return "file"


def _collect_file(
    path: pathlib.Path, kind: str, left_out: LeftOut, media: dict[pathlib.Path, None]
) -> None:
    """Add a file that matches to the media, or to what is left out."""
    if kind == "special":
        left_out.kinds["special_files"] += 1
    elif is_media(path):
        media[path] = None
    else:
        left_out.add_file(path)


def is_same_file(path: str | os.PathLike, other: str | os.PathLike) -> bool:
    """Return whether two paths lead to the same existing file or folder."""
    return os.path.exists(path) and os.path.exists(other) and os.path.samefile(path, other)
