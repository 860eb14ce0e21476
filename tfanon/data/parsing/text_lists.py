"""Finding and reading the lists that a data set's authors distribute; what is wrong is one ValueError with a name."""

import json
import os

import numpy as np
from absl import logging

ARCHIVE_ENDINGS = (".rar", ".zip", ".tar", ".tar.gz", ".tgz")
MAX_LIST_BYTES = 1 << 28  # bytes of a list; the longest real one has four million


def find_first_existing(folder, candidates, description, download_hint):
    """The first of `places`, relative to `folder`, that exists.

    what: what is looked for.  get: a sentence on where it can be had, for the ValueError where none is there.
    """
    for place in candidates:
        if os.path.exists(path := os.path.normpath(os.path.join(folder, place))):
            return path
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    archives = [name for name in names if name.lower().endswith(ARCHIVE_ENDINGS)]
    hint = (
        f"{archives[0]} is there: unpack it; tfanon unpacks no archives."
        if archives
        else download_hint
    )
    raise ValueError(f"No {description} in {folder}: looked for {', '.join(candidates)}. {hint}")


def read_text(path, download_hint=""):
    """The text of a list.  get: a sentence on where it can be had."""
    try:
        if os.path.getsize(path) > MAX_LIST_BYTES:
            raise ValueError(
                f"{path} has more than {MAX_LIST_BYTES} bytes: it is no list of a data set."
            )
        with open(path, encoding="utf-8-sig") as file:
            return file.read()
    except FileNotFoundError:
        raise ValueError(f"There is no {path}. {download_hint}".rstrip()) from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text in UTF-8: {error}.") from None


def read_lines(path, download_hint=""):
    """The lines of a list without what ends them, blank ones left out."""
    return [line.strip() for line in read_text(path, download_hint).split("\n") if line.strip()]


def read_json(path, expected_type=dict):
    """The value in a JSON file.  kind: what it must be."""
    try:
        value = json.loads(read_text(path))
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is no JSON: {error}.") from None
    if not isinstance(value, expected_type):
        raise ValueError(
            f"{path} must hold a {expected_type.__name__}, not a {type(value).__name__}."
        )
    return value


def merge_official_splits(names):
    """(sorted paths, {number: array of words}) of {number: {path: word}}; "unused" is what a split does not name."""
    paths = tuple(sorted(set().union(*names.values())))
    return paths, {
        number: np.array([words.get(path, "unused") for path in paths])
        for number, words in names.items()
    }


def check_files_exist(examples, config):
    """The examples, if their files are there.

    The reader puts the next file in the place of a missing one; here they are counted and named beforehand, and more
    than --max_bad_fraction of them, or any with --on_bad_video=raise, is a ValueError.
    """
    missing = [
        path
        for path in dict.fromkeys(examples.paths)
        if isinstance(path, str) and not os.path.isfile(path)
    ]
    if not missing:
        return examples
    files = len(set(examples.paths))
    message = f"{len(missing)} of {files} files are not there; the first: {missing[0]}"
    if config.on_bad_video == "raise" or len(missing) > config.max_bad_fraction * files:
        raise ValueError(
            f"{message} (--on_bad_video and --max_bad_fraction say how many may be missing; "
            "`python -m tfanon.data verify` lists them.)"
        )
    logging.warning("%s. Others take their places.", message)
    return examples
