"""What is to be anonymized, and where each result goes; decided, and refused, before anything is read."""

import dataclasses
import glob
import os
import pathlib

from tfanon.media import limits, sink, still

GLOB = "*?["
OTHER_ENDING = {".mpg": ".mp4", ".mpeg": ".mp4"}  # containers that are read and not written


@dataclasses.dataclass(frozen=True)
class Job:
    """One file and its result.  name: the result's path below the output folder, or its own name."""

    given: pathlib.Path
    target: pathlib.Path
    name: str


def jobs(inputs, output):
    """The Jobs for paths, patterns and folders; a folder is mirrored below `output` with all its folders.

    inputs: at least one.  output: a file where there is one file to read and the name ends as a video's or an image's,
    otherwise a folder.
    Raises ValueError where an input is not there or nothing in it can be read, where two results would have one name,
    and where a result would replace an input.
    """
    if not output:
        raise ValueError("Where does the result go? Give -o FILE, -o FOLDER, or -o - for raw frames.")
    output = pathlib.Path(output)
    if len(inputs) == 1 and os.path.isfile(inputs[0]) and is_media(output) and not output.is_dir():
        found = [Job(pathlib.Path(inputs[0]), output, output.name)]
        limits.check_ending(inputs[0])
        if limits.is_video(inputs[0]) != limits.is_video(str(output)):
            raise ValueError(f"{inputs[0]} cannot become {output}: one is a video, the other an image.")
    else:
        found = [Job(path, output / name, name) for given in inputs for path, name in _named(given, output)]
    _refuse_collisions(found)
    return found


def _named(given, output):
    """(path, name below the output folder) of each file of one input."""
    if os.path.isfile(given):
        limits.check_ending(given)
        return [_pair(pathlib.Path(given), pathlib.Path(given).parent)]
    if os.path.isdir(given):
        base, paths = pathlib.Path(given), _below(given, output)
    elif any(sign in given for sign in GLOB):
        base, paths = _fixed_part(given), [path for path in map(pathlib.Path, sorted(glob.glob(given, recursive=True)))
                                           if path.is_file() and is_media(path) and not _inside(path, output)]
    else:
        raise ValueError(f"{given}: no such file or folder.")
    if not paths:
        raise ValueError(f"{given}: no video and no image in it; their names end in "
                         f"{' '.join(limits.VIDEO_ENDINGS + limits.IMAGE_ENDINGS)}.")
    return [_pair(path, base) for path in paths]


def _pair(path, base):
    name = path.relative_to(base)
    ending = name.suffix.lower()
    return path, str(name.with_suffix(OTHER_ENDING.get(ending, name.suffix)))


def _below(folder, output):
    """Media files of a folder and its folders, sorted; hidden ones and the output folder are left out."""
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders
                            if name[0] != "." and not _same(os.path.join(place, name), output))
        paths = (pathlib.Path(place, name) for name in sorted(names) if name[0] != ".")
        found += [path for path in paths if path.is_file() and is_media(path)]
    return found


def _fixed_part(pattern):
    """The folders of a pattern before its first sign."""
    parts = pathlib.Path(pattern).parts
    count = next(number for number, part in enumerate(parts) if any(sign in part for sign in GLOB))
    return pathlib.Path(*parts[:count])


def _refuse_collisions(found):
    taken = {}
    for job in found:
        if _same(job.given, job.target):
            raise ValueError(f"{job.given} would be replaced by its own result; give another -o.")
        if (other := taken.setdefault(job.target, job.given)) != job.given:
            raise ValueError(f"{other} and {job.given} would both become {job.target}; anonymize them one by one.")
    results = {os.path.realpath(target) for target in taken}
    for job in found:
        if os.path.realpath(job.given) in results:
            raise ValueError(f"{job.given} is an input, and another input's result would replace it.")


def _same(one, other):
    return os.path.exists(one) and os.path.exists(other) and os.path.samefile(one, other)


def _inside(path, folder):
    return pathlib.Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def is_media(path):
    """Whether the name of `path` ends as a video's or an image's."""
    return path.suffix.lower() in (*sink.CONTAINERS, *still.FORMATS, *OTHER_ENDING)
