"""The plan of a command: which files are anonymized and where each result goes.

It is made, or refused, before anything is read.
"""

import collections
import dataclasses
import hashlib
import os
import pathlib
import tempfile
import unicodedata
from collections.abc import Sequence
from typing import Any

from tfanon.core import files
from tfanon.inference import media_search
from tfanon.inference.media_search import LeftOut, is_media
from tfanon.media import image_io, limits, video_writer

MARK_CHARACTERS = 8  # of the digest that makes a name unique

# An input file, and the folder below which its result keeps the same folders.
FoundFile = tuple[pathlib.Path, str | pathlib.Path]


@dataclasses.dataclass(frozen=True)
class Job:
    """One file and its result.

    Attributes:
        input_path: The file.
        output_path: The result.
        name: Path of the result below the output folder; its file name where there is none.
    """

    input_path: pathlib.Path
    output_path: pathlib.Path
    name: str


@dataclasses.dataclass(frozen=True)
class JobPlan:
    """What a command is to do.

    Attributes:
        jobs: One for each file.
        left_out: One for each folder, for each pattern, and for the files that were named one by
            one; also where nothing is left out.
    """

    jobs: list[Job]
    left_out: list[LeftOut]

    @property
    def has_unreadable_folder(self) -> bool:
        """Whether a folder could not be read, so that files in it may be missing from the plan."""
        return any(entry.unreadable for entry in self.left_out)

    def describe_left_out(self) -> list[str]:
        """Return one line for each input from which something is left out."""
        return [entry.format_line() for entry in self.left_out if entry]

    def get_left_out_entries(self) -> dict[str, dict[str, Any]]:
        """Return what is left out of each input, as the manifest stores it."""
        return {entry.source: entry.make_manifest_entry() for entry in self.left_out}


def plan_jobs(inputs: Sequence[str], output: str) -> JobPlan:
    """Plan the results of paths, patterns and folders; a folder is mirrored below the output.

    A result is named like its file. Where that has an ending that can be read but not written,
    '.mp4' is appended, or '.jpg' for an image: x.mpg becomes x.mpg.mp4, whether or not there is an
    x.mp4, now or when the command is run again. Where two inputs contain a file of the same name,
    the folders of the inputs become part of all names.

    Args:
        inputs: At least one. Of several that are named one by one, those that are neither a video
            nor an image are left out; a single one is refused.
        output: A file where there is one file to read and the name ends like a video or an image;
            otherwise a folder.

    Returns:
        The plan.

    Raises:
        ValueError: An input does not exist, there is nothing to do, or a result would replace an
            input.
    """
    if not output:
        raise ValueError(
            "No output: give -o FILE, -o FOLDER, or -o - for raw frames on standard output."
        )
    output_path = pathlib.Path(output)
    is_single = len(inputs) == 1 and _is_existing_file(inputs[0])
    if is_single and is_media(output_path) and not output_path.is_dir():
        plan = JobPlan([_make_single_job(inputs[0], output_path)], [])
    else:
        plan = _plan_folder(inputs, output_path)
    _refuse_to_replace_inputs(plan.jobs)
    return plan


def _is_existing_file(name: str) -> bool:
    """Return whether a path exists and is not a folder; a broken link counts as a file."""
    return os.path.lexists(name) and not os.path.isdir(name)


def _make_single_job(name: str, output_path: pathlib.Path) -> Job:
    """Return the job that turns one file into another."""
    _check_file(name)
    if limits.is_video_path(name) != limits.is_video_path(output_path):
        raise ValueError(f"{name} cannot become {output_path}: one is a video, the other an image.")
    return Job(pathlib.Path(name), output_path, output_path.name)


def _check_file(name: str) -> None:
    """Raise ValueError unless this is a file with the ending of a video or an image."""
    limits.check_ending(name)
    if _is_special(name):
        raise ValueError(
            f"{name} is a pipe, a socket or a device. Give a file, or '-' for raw frames on "
            "standard input."
        )


def _is_special(name: str) -> bool:
    """Return whether this exists and is neither a file nor a folder."""
    return os.path.exists(name) and not os.path.isfile(name) and not os.path.isdir(name)


def _plan_folder(inputs: Sequence[str], output: pathlib.Path) -> JobPlan:
    """Plan results that go into a folder."""
    found_files: list[FoundFile] = []
    left_out: list[LeftOut] = []
    named_left_out = LeftOut(media_search.COMMAND_LINE)
    for name in inputs:
        if _is_existing_file(name):
            if len(inputs) == 1:
                _check_file(name)
            found_files += _collect_named_file(name, named_left_out)
        else:
            left_out.append(LeftOut(name))
            found_files += _search_folder_or_pattern(name, output, left_out[-1])
    left_out.append(named_left_out)
    if not found_files:
        raise ValueError(_describe_missing_media(", ".join(inputs), left_out))
    return JobPlan(_name_jobs(found_files, output), left_out)


def _collect_named_file(name: str, left_out: LeftOut) -> list[FoundFile]:
    """Return a file that was named by itself, or nothing where it is left out."""
    if _is_special(name):
        left_out.kinds["special_files"] += 1
        return []
    if not is_media(name):
        left_out.add_file(name)
        return []
    path = pathlib.Path(name)
    return [(path, path.parent)]


def _search_folder_or_pattern(
    name: str, output: pathlib.Path, left_out: LeftOut
) -> list[FoundFile]:
    """Return what a folder contains or a pattern matches."""
    is_folder = os.path.isdir(name)
    parts: Sequence[str]
    if is_folder:
        base, parts = pathlib.Path(name), media_search.MATCH_ALL
    elif media_search.is_pattern(name):
        base, parts = media_search.split_pattern(name)
    else:
        raise ValueError(f"{name}: no such file or folder.")
    paths = media_search.find_media(base, parts, output, left_out)
    if not paths and not left_out and not is_folder:
        raise ValueError(_describe_missing_media(name, []))
    return [(path, base) for path in paths]


def _describe_missing_media(inputs: str, left_out: Sequence[LeftOut]) -> str:
    """Say that there is nothing to do, and why."""
    descriptions = "; ".join(entry.describe() for entry in left_out if entry)
    reason = f" (left out: {descriptions})" if descriptions else ""
    endings = " ".join(limits.VIDEO_ENDINGS + limits.IMAGE_ENDINGS)
    return f"{inputs}: no videos or images found{reason}; their names end in {endings}."


def _name_jobs(found_files: Sequence[FoundFile], output: pathlib.Path) -> list[Job]:
    """Return one job per file, however often the file was found, each with a name of its own."""
    origins = _list_origins(found_files)
    names = {_make_result_name(origin) for _, origin in origins}
    if len(names) < len(origins):  # the folders of the inputs make them different
        folders = [os.path.abspath(folder) for _, folder in found_files]
        common_folder = os.path.commonpath(folders)
        origins = _list_origins([(path, common_folder) for path, _ in found_files])
    unique_names = _make_names_unique([origin for _, origin in origins], output)
    jobs = []
    for (path, _), name in zip(origins, unique_names, strict=True):
        jobs.append(Job(path, output / name, name))
    return jobs


def _list_origins(found_files: Sequence[FoundFile]) -> list[tuple[pathlib.Path, str]]:
    """Return each file with its path below the folder that it was found in, without repeats."""
    paths = {}
    for path, folder in found_files:
        origin = os.path.relpath(path, folder)
        # Two spellings of a path are one file.
        paths[os.path.abspath(path), origin] = path
    return [(path, origin) for (_, origin), path in paths.items()]


def _make_names_unique(origins: Sequence[str], output: pathlib.Path) -> list[str]:
    """Return the results' paths below the output folder, no two of them the same file on the disk.

    Those that would be the same file get a mark, which depends on their own paths alone.

    Args:
        origins: Paths of the inputs below their own folders, no two alike.
        output: The output folder.
    """
    names = keys = [_make_result_name(origin) for origin in origins]
    # Where macOS ignores case, it also ignores whether accented letters are composed.
    folded = [unicodedata.normalize("NFC", name).casefold() for name in names]
    if len(set(folded)) < len(set(names)) and _is_case_insensitive(output):
        keys = folded
    count = collections.Counter(keys)
    unique_names = []
    for name, key, origin in zip(names, keys, origins, strict=True):
        unique_names.append(name if count[key] == 1 else _add_hash_mark(name, origin))
    return unique_names


def _make_result_name(origin: str) -> str:
    """Return a result's path below the output folder, for an input's path below its own folder."""
    path = pathlib.Path(origin)
    ending = path.suffix.lower()
    if ending in video_writer.CONTAINER_FORMATS or ending in image_io.WRITE_FORMATS:
        return str(path)
    added_ending = ".mp4" if limits.is_video_path(origin) else ".jpg"
    return str(files.shorten_path(f"{path}{added_ending}"))


def _add_hash_mark(name: str, origin: str) -> str:
    """Insert a short digest of the input's path before the ending of a result's path."""
    path = pathlib.Path(name)
    mark = hashlib.sha256(os.fsencode(origin)).hexdigest()[:MARK_CHARACTERS]
    return str(files.shorten_path(path.with_name(f"{path.stem}~{mark}{path.suffix}")))


def _is_case_insensitive(folder: pathlib.Path) -> bool:
    """Return whether the disk of a folder treats 'A' and 'a' as the same name.

    The folder need not exist yet. Where that cannot be tried, the answer is yes.
    """
    existing = folder.absolute()
    while not existing.is_dir():
        existing = existing.parent
    try:
        # The prefix has lower-case letters, so that the upper-case name is another one.
        with tempfile.NamedTemporaryFile(prefix=".case-", dir=existing) as file:
            upper_name = os.path.basename(file.name).upper()
            return os.path.exists(os.path.join(existing, upper_name))
    except OSError:
        return True


def _refuse_to_replace_inputs(jobs: Sequence[Job]) -> None:
    """Raise ValueError where a result would replace a file that is to be read."""
    for job in jobs:
        if media_search.is_same_file(job.input_path, job.output_path):
            raise ValueError(
                f"{job.input_path} would be replaced by its own result; give another -o."
            )
    # By their paths, since most results do not exist yet.
    results = {os.path.realpath(job.output_path) for job in jobs}
    for job in jobs:
        if os.path.realpath(job.input_path) in results:
            raise ValueError(
                f"{job.input_path} is an input, and another input's result would replace it; give "
                "another -o."
            )
