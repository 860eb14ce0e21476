"""What folders and patterns hold: the videos and images, and a count of what is left out."""

import collections
import dataclasses
import fnmatch
import os
import pathlib
from collections.abc import Iterable, Iterator, Sequence

from tfanon.core import exit_status
from tfanon.media import image_io, limits, video_writer

WILDCARDS = "*?["
MATCH_ALL = ("**", "*")  # the pattern that a folder stands for
COMMAND_LINE = "the command line"  # in whose name files are counted that were named one by one
KIND_NAMES = {  # of each kind of what is left out: one of it, several
    "hidden": ("hidden", "hidden"),
    "folders": ("folder", "folders"),
    "linked_folders": ("linked folder", "linked folders"),
    "special_files": ("pipe, socket or device", "pipes, sockets or devices"),
    "output_folder": ("output folder", "output folders"),
}
MAX_LISTED = 5  # endings, or folders that cannot be read, in one line


@dataclasses.dataclass
class LeftOut:
    """What a folder or a pattern holds and is not anonymized.

    Attributes:
        source: The folder or pattern, as it was given.
        endings: Number of files by their ending, in lower case.
        kinds: Number of everything else, by the keys of WORDS.
        unreadable: Why a folder cannot be read, by its path.
    """

    source: str
    endings: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    kinds: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    unreadable: dict = dataclasses.field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.endings or self.kinds or self.unreadable)

    def add_file(self, path: str | os.PathLike) -> None:
        """Count a file that is no video and no image by its ending."""
        self.endings[pathlib.Path(path).suffix.lower()] += 1

    def make_manifest_entry(self) -> dict:
        """The same as the manifest has it."""
        kinds = {kind: self.kinds[kind] for kind in KIND_NAMES}
        found = {"other_endings": dict(sorted(self.endings.items()))}
        found |= {**kinds, "unreadable": self.unreadable}
        return {kind: value for kind, value in found.items() if value}

    def format_line(self) -> str:
        """The same in one line for the terminal."""
        count = self.endings.total() + self.kinds.total() + len(self.unreadable)
        entries = "1 entry is" if count == 1 else f"{count} entries are"
        return exit_status.escape_name(f"{self.source}: {entries} left out: {self.describe()}")

    def describe(self) -> str:
        """The same without the source."""
        return ", ".join(self._parts())

    def _parts(self) -> Iterator[str]:
        if self.endings:
            endings = _join_first(ending or "none" for ending in sorted(self.endings))
            yield f"{self.endings.total()} with other endings ({endings})"
        for kind, (one, several) in KIND_NAMES.items():
            if count := self.kinds[kind]:
                yield f"{count} {one if count == 1 else several}"
        if self.unreadable:
            reasons = (f"{folder}: {reason}" for folder, reason in self.unreadable.items())
            yield f"{len(self.unreadable)} unreadable ({_join_first(reasons)})"


def _join_first(names: Iterable[str]) -> str:
    """The first few names, and that there are more."""
    names = list(names)
    more = ["..."] if len(names) > MAX_LISTED else []
    return ", ".join(names[:MAX_LISTED] + more)


def is_media(path: str | os.PathLike) -> bool:
    """Whether `path` ends as a video or an image does that can be read or written."""
    read = (*limits.VIDEO_ENDINGS, *limits.IMAGE_ENDINGS)
    return pathlib.Path(path).suffix.lower() in (
        *read,
        *video_writer.CONTAINER_FORMATS,
        *image_io.WRITE_FORMATS,
    )


def is_pattern(text: str) -> bool:
    """Whether `text` has one of the signs that stand for several names."""
    return any(sign in text for sign in WILDCARDS)


def split_pattern(pattern: str) -> tuple[pathlib.Path, tuple[str, ...]]:
    """The folders of a pattern before its first sign, and its parts from there on."""
    parts = pathlib.Path(pattern).parts
    count = next(number for number, part in enumerate(parts) if is_pattern(part))
    return pathlib.Path(*parts[:count]), parts[count:]


def find_media(
    base: pathlib.Path, parts: Sequence[str], output: pathlib.Path, left_out: LeftOut
) -> list[pathlib.Path]:
    """The videos and images below a folder that match a pattern, by their endings.

    Hidden files and folders, and links to folders, which may lead in circles, are left out unless
    the pattern names them. A link to nothing, and a file that may turn out to be unreadable, are
    among the files: they then fail by themselves.

    Args:
        base: The folder.
        parts: The pattern, name by name as fnmatch has it; '**' is any number of folders.
        output: A folder that is not entered.
        left_out: Counts what matches and is left out.

    Returns:
        Paths that begin with `base`, sorted, a folder's files before those of its folders.
    """
    parts = [*parts, "*"] if parts[-1] == "**" else parts
    parts = [part for part, after in zip(parts, [*parts[1:], ""]) if not part == after == "**"]
    found, waiting = {}, [(base, parts)]
    while waiting:
        folder, parts = waiting.pop()
        try:
            with os.scandir(folder) as listed:
                entries = sorted(listed, key=lambda entry: entry.name)
        except OSError as error:
            left_out.unreadable[str(folder)] = error.strerror
            continue
        below = []
        for entry in entries:
            below += _visit_entry(entry, parts, output, left_out, found)
        waiting += reversed(below)
    return list(found)


def _visit_entry(
    entry: os.DirEntry, parts: list[str], output: pathlib.Path, left_out: LeftOut, found: dict
) -> list[tuple[pathlib.Path, list[str]]]:
    """Take in one entry of a folder; returns the folders to enter, each with its pattern."""
    recursive = parts[0] == "**"
    part, *rest = parts[1:] if recursive else parts
    matches = fnmatch.fnmatchcase(entry.name, part)
    if entry.name[0] == "." and part[0] != ".":
        if matches:
            left_out.kinds["hidden"] += 1
        return []
    kind = _classify_entry(entry)
    if kind != "folder":
        if matches and not rest:
            _collect_file(pathlib.Path(entry), kind, left_out, found)
        return []
    if not matches and not recursive:
        return []
    if entry.is_symlink() and (recursive or is_pattern(part)):
        left_out.kinds["linked_folders"] += 1
        return []
    if is_same_file(entry, output):
        left_out.kinds["output_folder"] += 1
        return []
    ways = [parts] if recursive else []
    if matches and rest:
        ways.append(rest)
    if not ways:
        left_out.kinds["folders"] += 1
    return [(pathlib.Path(entry), way) for way in ways]


def _classify_entry(entry: os.DirEntry) -> str:
    """'folder', 'file', or 'special' for a pipe, a socket or a device."""
    try:
        if entry.is_dir():
            return "folder"
        return "file" if entry.is_file() or not os.path.exists(entry) else "special"
    except OSError:  # a link to itself, say: it fails when it is read
        return "file"


def _collect_file(path: pathlib.Path, kind: str, left_out: LeftOut, found: dict) -> None:
    """Note what matches and is no folder where it belongs."""
    if kind == "special":
        left_out.kinds["special_files"] += 1
    elif is_media(path):
        found[path] = None
    else:
        left_out.add_file(path)


def is_same_file(one: str | os.PathLike, other: str | os.PathLike) -> bool:
    """Whether two paths lead to one file or folder that is there."""
    return os.path.exists(one) and os.path.exists(other) and os.path.samefile(one, other)
