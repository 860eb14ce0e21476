"""What is to be anonymized, and where each result goes; decided before anything is read."""

import collections
import dataclasses
import hashlib
import os
import pathlib
import tempfile
import unicodedata
from collections.abc import Sequence

from tfanon.core import files
from tfanon.inference import media_search
from tfanon.inference.media_search import LeftOut, is_media
from tfanon.media import image_io, limits, video_writer


@dataclasses.dataclass(frozen=True)
class Job:
    """One file and its result.  name: the result's path below the output folder, or its name."""

    given: pathlib.Path
    target: pathlib.Path
    name: str


@dataclasses.dataclass(frozen=True)
class JobPlan:
    """What a command is to do.

    Attributes:
        jobs: One for each file.
        left_out: One for each folder, for each pattern, and for the files that were named one by
            one; those of which nothing is left out, too.
    """

    jobs: list[Job]
    left_out: list[LeftOut]

    @property
    def unreadable(self) -> bool:
        """Whether a folder could not be read: nobody knows then what was not done."""
        return any(each.unreadable for each in self.left_out)

    def lines(self) -> list[str]:
        """One line for each input of which something is left out."""
        return [each.format_line() for each in self.left_out if each]

    def get_left_out_entries(self) -> dict[str, dict]:
        """What is left out of each input, as the manifest has it."""
        return {each.source: each.make_manifest_entry() for each in self.left_out}


def plan_jobs(inputs: Sequence[str], output: str) -> JobPlan:
    """The Plan for paths, patterns and folders; a folder is mirrored below `output`.

    A result is named as its file. To an ending that is read and not written, '.mp4' is added, or
    '.jpg' for an image: x.mpg becomes x.mpg.mp4, whether or not there is an x.mp4, now or when the
    command is run again. Where two inputs hold a file of the same name, the folders that they lie
    in become part of all names.

    Args:
        inputs: At least one. Of several that are named one by one, those that are no video and no
            image are left out; one alone is refused.
        output: A file where there is one file to read and the name ends as a video's or an
            image's; otherwise a folder.

    Raises:
        ValueError: An input is not there, there is nothing to do, or a result would replace an
            input.
    """
    if not output:
        raise ValueError(
            "Where does the result go? Give -o FILE, -o FOLDER, or -o - for raw frames."
        )
    target = pathlib.Path(output)
    alone = len(inputs) == 1 and os.path.lexists(inputs[0]) and not os.path.isdir(inputs[0])
    if alone and is_media(target) and not target.is_dir():
        found = JobPlan([_job_for_file(inputs[0], target)], [])
    else:
        found = _plan_folder(inputs, target)
    _refuse_to_replace_inputs(found.jobs)
    return found


def _job_for_file(given: str, target: pathlib.Path) -> Job:
    """The Job that makes one file of another."""
    _check_file(given)
    if limits.is_video_path(given) != limits.is_video_path(str(target)):
        raise ValueError(f"{given} cannot become {target}: one is a video, the other an image.")
    return Job(pathlib.Path(given), target, target.name)


def _check_file(given: str) -> None:
    """Raise ValueError unless this is a file with the ending of a video or an image."""
    limits.check_ending(given)
    if _is_special(given):
        raise ValueError(
            f"{given} is a pipe, a socket or a device. Give a file, or '-' for raw "
            "frames on standard input."
        )


def _is_special(given: str) -> bool:
    """Whether this is there and neither a file nor a folder."""
    return os.path.exists(given) and not os.path.isfile(given) and not os.path.isdir(given)


def _plan_folder(inputs: Sequence[str], output: pathlib.Path) -> JobPlan:
    """The Plan for results that go into a folder."""
    found, left_out, named = [], [], LeftOut(media_search.COMMAND_LINE)
    for given in inputs:
        if os.path.lexists(given) and not os.path.isdir(given):
            if len(inputs) == 1:
                _check_file(given)
            found += _collect_named_file(given, named)
        else:
            left_out.append(LeftOut(given))
            found += _search_folder_or_pattern(given, output, left_out[-1])
    left_out.append(named)
    if not found:
        raise ValueError(_describe_missing_media(", ".join(inputs), left_out))
    return JobPlan(_name_jobs(found, output), left_out)


def _collect_named_file(given: str, left_out: LeftOut) -> list[tuple[pathlib.Path, pathlib.Path]]:
    """(path, its folder) of a file that was named by itself, or nothing where it is left out."""
    path = pathlib.Path(given)
    if _is_special(given):
        left_out.kinds["special_files"] += 1
    elif not is_media(given):
        left_out.add_file(given)
    else:
        return [(path, path.parent)]
    return []


def _search_folder_or_pattern(
    given: str, output: pathlib.Path, left_out: LeftOut
) -> list[tuple[pathlib.Path, pathlib.Path]]:
    """(path, folder below which it keeps its folders) of what a folder or a pattern holds."""
    is_folder = os.path.isdir(given)
    if is_folder:
        base, parts = pathlib.Path(given), media_search.MATCH_ALL
    elif media_search.is_pattern(given):
        base, parts = media_search.split_pattern(given)
    else:
        raise ValueError(f"{given}: no such file or folder.")
    paths = media_search.find_media(base, parts, output, left_out)
    if not paths and not left_out and not is_folder:
        raise ValueError(_describe_missing_media(given, []))
    return [(path, base) for path in paths]


def _describe_missing_media(given: str, left_out: Sequence[LeftOut]) -> str:
    """That there is nothing to do, and why."""
    parts = "; ".join(each.describe() for each in left_out if each)
    held = f" (left out: {parts})" if parts else ""
    endings = " ".join(limits.VIDEO_ENDINGS + limits.IMAGE_ENDINGS)
    return f"{given}: no video and no image in it{held}; their names end in {endings}."


def _name_jobs(
    found: Sequence[tuple[pathlib.Path, pathlib.Path]], output: pathlib.Path
) -> list[Job]:
    """The Jobs for (path, folder below which it keeps its folders), each file once."""
    pairs = _list_origins(found)
    names = {_make_result_name(origin) for _, origin in pairs}
    if len(names) < len(pairs):  # the folders of the inputs tell them apart
        common = os.path.commonpath([os.path.abspath(base) for _, base in found])
        pairs = _list_origins([(path, common) for path, _ in found])
    names = _make_names_unique([origin for _, origin in pairs], output)
    return [Job(path, output / name, name) for (path, _), name in zip(pairs, names, strict=True)]


def _list_origins(
    found: Sequence[tuple[pathlib.Path, str | pathlib.Path]],
) -> list[tuple[pathlib.Path, str]]:
    """(path, its path below the folder that it comes with), without repeats."""
    pairs = {(os.path.abspath(path), os.path.relpath(path, base)): path for path, base in found}
    return [(path, origin) for (_, origin), path in pairs.items()]


def _make_names_unique(origins: Sequence[str], output: pathlib.Path) -> list[str]:
    """The results' paths below the output folder, no two of them one file on the disk.

    Those that would be one file get a mark, which depends on their own paths alone.

    Args:
        origins: Paths of the inputs below their own folders, no two alike.
        output: The output folder.
    """
    names = keys = [_make_result_name(origin) for origin in origins]
    folded = [unicodedata.normalize("NFC", name).casefold() for name in names]
    if len(set(folded)) < len(set(names)) and _is_case_insensitive(output):
        keys = folded
    count = collections.Counter(keys)
    found = []
    for name, key, origin in zip(names, keys, origins, strict=True):
        found.append(name if count[key] == 1 else _add_hash_mark(name, origin))
    return found


def _make_result_name(origin: str) -> str:
    """The result's path below the output folder.  origin: the input's below its own folder."""
    path = pathlib.Path(origin)
    ending = path.suffix.lower()
    if ending in video_writer.CONTAINER_FORMATS or ending in image_io.WRITE_FORMATS:
        return str(path)
    added = ".mp4" if limits.is_video_path(origin) else ".jpg"
    return str(files.shorten_path(f"{path}{added}"))


def _add_hash_mark(name: str, origin: str) -> str:
    path = pathlib.Path(name)
    mark = hashlib.sha256(os.fsencode(origin)).hexdigest()[:8]
    return str(files.shorten_path(path.with_name(f"{path.stem}~{mark}{path.suffix}")))


def _is_case_insensitive(folder: pathlib.Path) -> bool:
    """Whether the disk of `folder`, which may not be there yet, takes 'A' and 'a' for one name.

    Where that cannot be tried: yes.
    """
    place = folder.absolute()
    while not place.is_dir():
        place = place.parent
    try:
        with tempfile.NamedTemporaryFile(prefix=".case-", dir=place) as file:
            return os.path.exists(os.path.join(place, os.path.basename(file.name).upper()))
    except OSError:
        return True


def _refuse_to_replace_inputs(found: Sequence[Job]) -> None:
    """Raise ValueError where a result would replace a file that is to be read."""
    for job in found:
        if media_search.is_same_file(job.given, job.target):
            raise ValueError(f"{job.given} would be replaced by its own result; give another -o.")
    results = {os.path.realpath(job.target) for job in found}
    for job in found:
        if os.path.realpath(job.given) in results:
            raise ValueError(
                f"{job.given} is an input, and another input's result would replace "
                "it; give another -o."
            )
