"""Finds and reads the lists that the authors of a data set distribute.

Whatever is wrong with a list becomes one ValueError that names the file.
"""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from absl import logging

from tfanon.core.config import Config
from tfanon.data.batch import Examples

ARCHIVE_ENDINGS = (".rar", ".zip", ".tar", ".tar.gz", ".tgz")
MAX_LIST_BYTES = 1 << 28  # the longest published list has four million bytes


def find_first_existing(
    folder: str, candidates: Sequence[str], description: str, download_hint: str
) -> str:
    """Return the first candidate that exists.

    Args:
        folder: Folder of the data set.
        candidates: Paths relative to `folder`, in order of preference.
        description: What the candidates hold, such as "clips"; for the error message.
        download_hint: A sentence that says where to download it; for the error message.

    Returns:
        The full path.

    Raises:
        ValueError: No candidate exists. If `folder` holds an archive, the message says to unpack
            it.
    """
    for candidate in candidates:
        # "." is a candidate too.
        path = os.path.normpath(os.path.join(folder, candidate))
        if os.path.exists(path):
            return path
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    # The usual reason why files are missing.
    archives = [name for name in names if name.lower().endswith(ARCHIVE_ENDINGS)]
    hint = download_hint
    if archives:
        hint = f"Unpack {archives[0]} first: tfanon does not unpack archives."
    raise ValueError(
        f"No {description} found in {folder}; looked for {', '.join(candidates)}. {hint}"
    )


def read_text(path: str, download_hint: str = "") -> str:
    """Read a text file in UTF-8, without its byte-order mark.

    Args:
        path: The file.
        download_hint: A sentence that says where to download it; for the error message.

    Raises:
        ValueError: The file is missing, larger than MAX_LIST_BYTES or not in UTF-8.
    """
    try:
        # A wrong path may lead to a video or an archive.
        if os.path.getsize(path) > MAX_LIST_BYTES:
            raise ValueError(
                f"{path} is too large for a list of a data set: more than {MAX_LIST_BYTES} bytes."
            )
        with open(path, encoding="utf-8-sig") as file:
            return file.read()
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist. {download_hint}".rstrip()) from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not a text file in UTF-8: {error}.") from None


def read_lines(path: str, download_hint: str = "") -> list[str]:
    """Read the lines of a text file, stripped, without blank ones.

    Args:
        path: The file.
        download_hint: As in `read_text`.

    Raises:
        ValueError: As in `read_text`.
    """
    # Only "\n" ends a line: names of files may hold other separators that splitlines() knows.
    lines = [line.strip() for line in read_text(path, download_hint).split("\n")]
    return [line for line in lines if line]


def read_json(path: str, expected_type: type = dict) -> Any:
    """Read a JSON file.

    Args:
        path: The file.
        expected_type: Python type that the value must have.

    Raises:
        ValueError: As in `read_text`, or the file is not JSON or holds another type.
    """
    try:
        value = json.loads(read_text(path))
    # RecursionError: brackets that are nested too deep.
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is not valid JSON: {error}.") from None
    if not isinstance(value, expected_type):
        raise ValueError(
            f"{path} must hold a {expected_type.__name__}, not a {type(value).__name__}."
        )
    return value


def merge_official_splits(
    names: Mapping[str, Mapping[str, str]],
) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
    """Combine several official splits of the same files into one table.

    Args:
        names: For each split number, "train", "test" or "unused" by path.

    Returns:
        The sorted paths of all splits, and for each split number an array with one name per path;
        it is "unused" for paths that the split does not mention.
    """
    all_paths: set[str] = set()
    for names_by_path in names.values():
        all_paths.update(names_by_path)
    # Sorted, since a set has no order and shuffling starts from the order of the paths.
    paths = tuple(sorted(all_paths))
    splits = {}
    for number, names_by_path in names.items():
        splits[number] = np.array([names_by_path.get(path, "unused") for path in paths])
    return paths, splits


def check_files_exist(examples: Examples, config: Config) -> Examples:
    """Count missing files before training instead of while reading.

    The reader replaces a missing file by the next one, so a data set that is largely missing would
    go unnoticed.

    Args:
        examples: Rows of one split.
        config: Its `on_bad_video` and `max_bad_fraction` decide how many files may be missing.

    Returns:
        The same examples.

    Raises:
        ValueError: More files are missing than the config allows.
    """
    distinct = dict.fromkeys(examples.paths)
    # A path may also be a record of TensorFlow Datasets, which is no file of its own.
    missing = [path for path in distinct if isinstance(path, str) and not os.path.isfile(path)]
    if not missing:
        return examples
    message = f"{len(missing)} of {len(distinct)} files are missing; the first: {missing[0]}"
    too_many = len(missing) > config.max_bad_fraction * len(distinct)
    if config.on_bad_video == "raise" or too_many:
        raise ValueError(
            f"{message} (--on_bad_video and --max_bad_fraction set how many may be missing; "
            "`python -m tfanon.data verify` lists them.)"
        )
    logging.warning("%s. Other files are read in their place.", message)
    return examples
