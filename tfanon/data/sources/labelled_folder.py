"""Any folder with a `labels.csv`: a column `path`, relative to the folder, and columns of labels.

Flags choose the columns. A private column becomes binary attributes:

- two values: one attribute, 'column=value' of the value that is last in alphabetical order;
- more values: one attribute per value, in alphabetical order;
- 'age:18:40': numbers cut into the bands 'age<18', 'age=18..40' (without 40) and 'age>=40'. The
  bands are then treated as values, in rising order; a band without any row is left out.

Values and classes are those of the whole file, so they are the same for every split.

A split column says `train` or `test`. Rows with another word are in neither split; a word that
looks like a misspelling of the two is refused. Clips must be videos. A file that is listed twice
counts once, and its labels must agree.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from absl import logging

from tfanon.core.config import Config
from tfanon.data.batch import Examples
from tfanon.data.parsing.label_table import LabelTable, get_column, read_table, resolve_paths
from tfanon.data.parsing.split_names import MAX_WORDS_SHOWN, SPLITS, read_split_names
from tfanon.media.limits import VIDEO_ENDINGS, is_video_path

SPLIT_FLAGS = {
    "clips": "split_column",
    "images": "image_split_column",
    "private_clips": "clip_private_split_column",
}
ATTRIBUTE_FLAGS = {"images": "private_columns", "private_clips": "clip_private_columns"}


@dataclasses.dataclass(eq=False)
class RowLabels:
    """What the chosen columns say about each row of a table.

    Attributes:
        labels: int32 `[n]`, the class of each row; None without actions.
        classes: Names of the classes.
        attributes: float32 `[n, P]` of 0 and 1; None without private columns.
        attribute_names: Names of the attributes.
        used_columns: By column, the value of each row, or its band if the column is cut. Rows of
            one file must agree on them.
    """

    labels: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    attributes: np.ndarray | None = None
    attribute_names: tuple[str, ...] = ()
    used_columns: dict[str, Sequence[Any]] = dataclasses.field(default_factory=dict)


def load(kind: str, folder: str, config: Config) -> dict[str, Examples]:
    """Load the training and test rows of a labelled folder.

    Args:
        kind: "clips": classes of --action_column, groups of --group_column. "images": attributes
            of --private_columns, if there are any. "private_clips": attributes of
            --clip_private_columns in the split of --clip_private_split_column, with groups.
        folder: Folder of the data set.
        config: Settings of the experiment.

    Returns:
        Examples of "train" and of "test".

    Raises:
        ValueError: The message names the folder, file, line, column or split.
    """
    table = read_table(folder)
    if kind == "clips":
        row_labels = _read_actions(table, config.action_column)
    else:
        flag = ATTRIBUTE_FLAGS[kind]
        row_labels = _make_attributes(table, getattr(config, flag), f"--{flag}")
    groups: tuple[str, ...] = ()
    if config.group_column and kind == "clips":
        groups = tuple(get_column(table, config.group_column, "--group_column"))
        row_labels.used_columns[config.group_column] = groups
    paths = resolve_paths(table, folder)
    split_flag = SPLIT_FLAGS[kind]
    split_column = getattr(config, split_flag)
    split_names = read_split_names(table, split_column, f"--{split_flag}")
    if kind != "images":
        _check_videos(table, split_names)
    if kind == "private_clips":
        groups = _find_disjoint_groups(table, split_names, config.group_column)
    examples = Examples(
        paths,
        row_labels.labels,
        row_labels.classes,
        row_labels.attributes,
        row_labels.attribute_names,
        groups=groups,
    )
    split_names = _mark_repeats(table, paths, split_names, row_labels.used_columns)
    return _cut_splits(examples, split_names, split_column, table)


def _read_actions(table: LabelTable, column: str) -> RowLabels:
    """Make classes of the values of a column, in alphabetical order."""
    values = get_column(table, column, "--action_column")
    # Of all rows, so that train and test number the classes alike.
    classes = tuple(sorted(set(values)))
    labels = np.array([classes.index(value) for value in values], np.int32)
    return RowLabels(labels, classes, used_columns={column: values})


def _make_attributes(table: LabelTable, columns: Sequence[str], flag: str) -> RowLabels:
    """Make binary attributes of private columns; a column may have cuts, as in 'age:18:40'."""
    indicators, names = [], []
    used_columns: dict[str, Sequence[Any]] = {}
    for column in columns:
        name, *cuts = column.split(":")
        values: Sequence[Any] = get_column(table, name, flag)
        # Sorted values give attributes and their columns a fixed order.
        titles: dict[Any, str] = {value: f"{name}={value}" for value in sorted(set(values))}
        if cuts:
            numbers = _parse_numbers(table, values, name)
            values, titles = _cut_into_bands(name, numbers, _parse_cuts(column, cuts, flag))
        # An attribute that every row has: its average precision is 1 for any attacker.
        if len(titles) == 1:
            raise ValueError(
                f"{flag}: the column '{name}' of {table.path} has only one value, so there is "
                "nothing to hide."
            )
        used_columns[name] = values
        shown = list(titles)
        if len(shown) == 2:
            shown = shown[1:]  # the first is the absence of the second
        for value in shown:
            indicators.append([row_value == value for row_value in values])
            names.append(titles[value])
    if not names:
        return RowLabels()
    attributes = np.array(indicators, np.float32).T
    return RowLabels(attributes=attributes, attribute_names=tuple(names), used_columns=used_columns)


def _parse_cuts(column: str, cuts: Sequence[str], flag: str) -> list[float]:
    """Return the limits between the bands of a column."""
    try:
        limits = [float(cut) for cut in cuts]
    except ValueError:
        limits = []
    if not limits or limits != sorted(set(limits)):
        raise ValueError(
            f"{flag}: '{column}' must be a column and rising numbers, such as age:18:40."
        )
    return limits


def _parse_numbers(table: LabelTable, values: Sequence[str], name: str) -> np.ndarray:
    """Return the values of a column as finite numbers."""
    numbers = np.empty(len(values))
    for row, value in enumerate(values):
        try:
            numbers[row] = float(value)
        except ValueError:
            numbers[row] = np.nan
        # "nan" and "inf" are numbers for float(), but belong in no band.
        if not np.isfinite(numbers[row]):
            raise ValueError(
                f"{table.path}: '{value}' in {table.describe_row(row)} of the column '{name}' is "
                "not a number."
            )
    return numbers


def _cut_into_bands(
    name: str, numbers: np.ndarray, cuts: Sequence[float]
) -> tuple[list[int], dict[int, str]]:
    """Return the band of each number, and the title of each band that has rows.

    A number that equals a cut is in the band above it.
    """
    inner = [f"{name}={low:g}..{high:g}" for low, high in zip(cuts, cuts[1:], strict=False)]
    titles = [f"{name}<{cuts[0]:g}", *inner, f"{name}>={cuts[-1]:g}"]
    # Band k lies above k cuts; plain ints, since they are compared with enumerate's.
    bands = np.digitize(numbers, cuts).tolist()
    return bands, {band: title for band, title in enumerate(titles) if band in bands}


def _check_videos(table: LabelTable, split_names: Sequence[str]) -> None:
    """Raise ValueError if a row of a split is an image although clips are loaded."""
    paths = [row["path"] for row in table.rows]
    images = []
    for row, name in enumerate(split_names):
        # Images in unused rows are allowed.
        if name in SPLITS and not is_video_path(paths[row]):
            images.append(row)
    if images:
        more = f" (and {len(images) - 1} more)" if len(images) > 1 else ""
        first = images[0]
        raise ValueError(
            f"{table.path}: '{paths[first]}' in {table.describe_row(first)} is an image{more}; "
            f"clips must be videos, with names that end in {' '.join(VIDEO_ENDINGS)}. "
            "--image_source loads images."
        )


def _mark_repeats(
    table: LabelTable,
    paths: Sequence[str],
    split_names: Sequence[str],
    used_columns: Mapping[str, Sequence[Any]],
) -> list[str]:
    """Replace the split of rows that repeat an earlier row of the same split by "".

    ValueError if rows of the splits contradict each other about one file.
    """
    kept = list(split_names)
    first_row_of_file: dict[str, int] = {}
    first_row_in_split: dict[tuple[str, str], int] = {}
    for row, (path, name) in enumerate(zip(paths, split_names, strict=True)):
        if name not in SPLITS:
            continue
        # Across splits too: one file has one truth.
        earlier = first_row_of_file.setdefault(path, row)
        _check_agreement(table, earlier, row, used_columns)
        # Within a split only: a file in train and test stays in both, and data.splits reports it.
        if first_row_in_split.setdefault((path, name), row) != row:
            kept[row] = ""
    repeats = kept.count("")
    if repeats:
        logging.warning(
            "%s: rows that repeat earlier ones: %d, the first in %s; each file counts once.",
            table.path,
            repeats,
            table.describe_row(kept.index("")),
        )
    return kept


def _check_agreement(
    table: LabelTable, earlier: int, later: int, used_columns: Mapping[str, Sequence[Any]]
) -> None:
    """Raise ValueError if two rows of one file have different values in a column that is used."""
    for column, values in used_columns.items():
        if values[earlier] != values[later]:
            one, other = table.rows[earlier], table.rows[later]
            raise ValueError(
                f"{table.path}: the file '{other['path']}' has two values of '{column}': "
                f"'{one[column]}' in {table.describe_row(earlier)}, '{other[column]}' in "
                f"{table.describe_row(later)}."
            )


def _cut_splits(
    examples: Examples, split_names: Sequence[str], column: str, table: LabelTable
) -> dict[str, Examples]:
    """Divide the rows into train and test; rows with other words are in neither."""
    for split in SPLITS:
        if split not in split_names:
            words = sorted({name for name in split_names if name})
            raise ValueError(
                f"{table.path}: the split '{split}' is empty; the column '{column}' has: "
                f"{', '.join(words[:MAX_WORDS_SHOWN])}."
            )
    names = np.array(split_names)
    return {split: examples.take(names == split) for split in SPLITS}


def _find_disjoint_groups(
    table: LabelTable, split_names: Sequence[str], column: str
) -> tuple[str, ...]:
    """Return the group of each row, or none if a group is in both splits.

    A group in both splits is an identity, which is then the private attribute itself.
    """
    if not column or column not in table.columns:
        return ()
    groups = tuple(row[column] for row in table.rows)
    groups_of_split: dict[str, set[str]] = {split: set() for split in SPLITS}
    for group, name in zip(groups, split_names, strict=True):
        if name in groups_of_split:
            groups_of_split[name].add(group)
    # Splits of an identity task have the same people on purpose.
    shared = groups_of_split["train"] & groups_of_split["test"]
    return () if shared else groups
