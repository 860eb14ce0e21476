"""Finding and reading the lists that a data set's authors distribute; what is wrong is one ValueError with a name."""

import json
import os

import numpy as np
from absl import logging

ARCHIVES = (".rar", ".zip", ".tar", ".tar.gz", ".tgz")
LARGEST = 1 << 28  # bytes of a list; the longest real one has four million


def find(folder, places, what, get):
    """The first of `places`, relative to `folder`, that exists.

    what: what is looked for.  get: a sentence on where it can be had, for the ValueError where none is there.
    """
    for place in places:
        if os.path.exists(path := os.path.normpath(os.path.join(folder, place))):
            return path
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    archives = [name for name in names if name.lower().endswith(ARCHIVES)]
    hint = f"{archives[0]} is there: unpack it; tfanon unpacks no archives." if archives else get
    raise ValueError(f"No {what} in {folder}: looked for {', '.join(places)}. {hint}")


def read_text(path, get=""):
    """The text of a list.  get: a sentence on where it can be had."""
    try:
        if os.path.getsize(path) > LARGEST:
            raise ValueError(f"{path} has more than {LARGEST} bytes: it is no list of a data set.")
        with open(path, encoding="utf-8-sig") as file:
            return file.read()
    except FileNotFoundError:
        raise ValueError(f"There is no {path}. {get}".rstrip()) from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text in UTF-8: {error}.") from None


def lines(path, get=""):
    """The lines of a list without what ends them, blank ones left out."""
    return [line.strip() for line in read_text(path, get).split("\n") if line.strip()]


def read_json(path, kind=dict):
    """The value in a JSON file.  kind: what it must be."""
    try:
        value = json.loads(read_text(path))
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is no JSON: {error}.") from None
    if not isinstance(value, kind):
        raise ValueError(f"{path} must hold a {kind.__name__}, not a {type(value).__name__}.")
    return value


def official(names):
    """(sorted paths, {number: array of words}) of {number: {path: word}}; "unused" is what a split does not name."""
    paths = tuple(sorted(set().union(*names.values())))
    return paths, {
        number: np.array([words.get(path, "unused") for path in paths])
        for number, words in names.items()
    }


def check_there(examples, config):
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
