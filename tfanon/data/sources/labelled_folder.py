"""Any folder with a `labels.csv`: a column `path`, relative to the folder, and columns of labels.

Flags choose the columns.

A private column becomes binary attributes, as the rest of tfanon knows them:
- two values: one attribute, 'column=value' of the value that is last in the alphabet;
- more values: one attribute per value, in alphabetical order;
- 'age:18:40': numbers cut into the bands 'age<18', 'age=18..40' (without 40) and 'age>=40', which
  are its values; of two bands the upper one is the attribute. A band without any row is left out.
Values and classes are those of the whole file, so every split has the same ones.

A split column says `train` or `test`; rows of another word are in neither, and a word that is
nearly one of the two is refused. The clips of a split are videos. A file that is listed twice
counts once, and cannot have two labels.
"""

import collections
import csv
import dataclasses
import io
import os
import re

import numpy as np
from absl import logging

from tfanon.data.batch import Examples
from tfanon.media.limits import VIDEO_ENDINGS, check_ending, is_video_path

TABLE_NAME = "labels.csv"
SPLITS = ("train", "test")
SPLIT_SYNONYMS = {"training": "train", "trn": "train", "testing": "test"}
OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}  # of other tables


@dataclasses.dataclass(frozen=True, eq=False)
class LabelTable:
    """The rows of a `labels.csv`.

    Attributes:
        path: Of the file.
        columns: Their names, in the order of the file.
        rows: Of each row its cells by column, without spaces around them.
        lines: The line of the file on which each row begins; that of the column names is usually 1.
    """

    path: str
    columns: tuple[str, ...]
    rows: tuple[dict[str, str], ...]
    lines: tuple[int, ...]

    def where(self, row: int) -> str:
        """The place of a row, as an editor shows it."""
        return f"line {self.lines[row]}"


def load(kind, folder, config):
    """{"train": Examples, "test": Examples}.

    kind: "clips" (labels of --action_column, groups of --group_column), "images" (attributes of
    --private_columns, or none) or "private_clips" (attributes of --clip_private_columns under
    --clip_private_split_column, and the groups).
    Raises ValueError that names the folder, file, line, column or split at fault.
    """
    table = read_table(folder)
    attributes, names, labels, classes = None, (), None, ()
    if kind == "clips":
        split_flag, split_column = "split_column", config.split_column
        values = _get_column(table, config.action_column, "--action_column")
        classes = tuple(sorted(set(values)))
        labels = np.array([classes.index(value) for value in values], np.int32)
        described = {config.action_column: values}
    else:
        flag, split_flag = {
            "images": ("private_columns", "image_split_column"),
            "private_clips": ("clip_private_columns", "clip_private_split_column"),
        }[kind]
        split_column = getattr(config, split_flag)
        attributes, names, described = _make_attributes(table, getattr(config, flag), f"--{flag}")
    groups = ()
    if config.group_column and kind == "clips":
        groups = tuple(_get_column(table, config.group_column, "--group_column"))
        described[config.group_column] = groups
    paths = _resolve_paths(table, folder)
    words = _read_split_names(table, split_column, f"--{split_flag}")
    if kind != "images":
        _check_videos(table, words)
    examples = Examples(paths, labels, classes, attributes, names, groups=groups)
    if kind == "private_clips":
        examples = dataclasses.replace(
            examples, groups=_find_disjoint_groups(table, words, config.group_column)
        )
    return _cut_splits(examples, _mark_repeats(table, paths, words, described), split_column, table)


def read_table(folder: str) -> LabelTable:
    """Read the table of a folder.

    Blank lines and rows of empty cells are left out.

    Raises:
        ValueError: The folder or the table is not there, or it is no table of comma separated
            values in UTF-8; the message names the line.
    """
    if not os.path.isdir(folder):
        raise ValueError(
            f"There is no folder {folder}: --data_dir and --clip_folder or --image_folder name it."
        )
    path = os.path.join(folder, TABLE_NAME)
    if not os.path.isfile(path):
        raise ValueError(
            f"There is no {TABLE_NAME} in {folder}: a table with a column 'path' and columns of labels."
        )
    (first, columns), *records = _read_records(path) or [(1, [])]
    _check_columns(path, first, columns)
    rows, lines = [], []
    for line, cells in records:
        if any(cells[len(columns) :]) or len(cells) < len(columns):
            raise ValueError(
                f"{path}: line {line} has {len(cells)} cells, and the table {len(columns)} "
                f"columns: {', '.join(columns)}. A cell with a comma in it is written in "
                "double quotes."
            )
        rows.append(dict(zip(columns, cells)))
        lines.append(line)
    if not rows:
        raise ValueError(f"{path} has no rows.")
    return LabelTable(path, tuple(columns), tuple(rows), tuple(lines))


def _read_records(path: str) -> list[tuple[int, list[str]]]:
    """(line on which it begins, cells) of each record that is not empty."""
    text = _read_text(path)
    # Strict: an open quotation mark is an error, and no cell that holds the rest of the file.
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    found, line = [], 1
    try:
        for record in reader:
            cells = [cell.strip() for cell in record]
            if any(cells):
                found.append((line, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(
            f"{path} is no table of comma separated values: {error}, in the row that "
            f"begins in line {line}."
        ) from None
    return found


def _read_text(path: str) -> str:
    """The text of a table, as it is, without a byte-order mark."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            text = file.read()
    except UnicodeDecodeError as error:
        message = f"{path} is no table of comma separated values in UTF-8: {error}."
        raise ValueError(message) from None
    if "\0" in text:
        line = len(text[: text.index("\0")].splitlines()) or 1
        raise ValueError(
            f"{path} is no table of comma separated values: a zero byte in line {line}."
        )
    return text


def _check_columns(path: str, line: int, columns: list[str]) -> None:
    """Raise ValueError where the first row of a table does not name its columns."""
    alone = columns[0] if len(columns) == 1 else ""
    for separator, name in OTHER_SEPARATORS.items():
        parts = [part.strip(' "') for part in alone.split(separator)]
        if len(parts) > 1 and "path" in parts:
            raise ValueError(
                f"{path} is separated by {name}; tfanon reads tables separated by commas."
            )
    counts = collections.Counter(columns)
    repeated = [column for column, count in counts.items() if column and count > 1]
    if repeated:
        raise ValueError(f"{path}: line {line} names the column '{repeated[0]}' twice.")


def _get_column(table: LabelTable, name: str, flag: str) -> list[str]:
    """The values of a column."""
    if not name or name not in table.columns:
        there = ", ".join(column for column in table.columns if column)
        raise ValueError(f"{flag}: {table.path} has no column '{name}'; it has: {there}.")
    values = [row[name] for row in table.rows]
    if "" in values:
        where = table.where(values.index(""))
        raise ValueError(f"{table.path}: the column '{name}' is empty in {where}.")
    return values


def _resolve_paths(table: LabelTable, folder: str) -> tuple[str, ...]:
    """Full paths of all rows, spelt in one way; each in the folder, of a known kind, and there."""
    paths = []
    for row, name in enumerate(_get_column(table, "path", "path")):
        below = os.path.normpath(name)
        if os.path.isabs(name) or re.split(r"[/\\]", below)[0] == "..":
            raise ValueError(
                f"{table.path}: the path '{name}' in {table.where(row)} leads out of the folder."
            )
        try:
            check_ending(name)
        except ValueError as error:
            raise ValueError(f"{table.path}: {table.where(row)}: {error}") from None
        paths.append(os.path.join(folder, below))
    missing = [row for row, path in enumerate(paths) if not os.path.isfile(path)]
    if missing:
        first = missing[0]
        raise ValueError(
            f"{table.path}: {len(missing)} of {len(paths)} files are not there; the first: "
            f"{paths[first]} ({table.where(first)})."
        )
    return tuple(paths)


def _check_videos(table: LabelTable, words: list[str]) -> None:
    """Raise ValueError where a row of a split is an image and clips are wanted."""
    paths = [row["path"] for row in table.rows]
    images = [
        row for row, word in enumerate(words) if word in SPLITS and not is_video_path(paths[row])
    ]
    if images:
        more = f" (and {len(images) - 1} more)" if images[1:] else ""
        first = images[0]
        raise ValueError(
            f"{table.path}: '{paths[first]}' in {table.where(first)} is an image{more}; "
            f"clips are videos, whose names end in {' '.join(VIDEO_ENDINGS)}. Images "
            "belong to --image_source."
        )


def _read_split_names(table: LabelTable, column: str, flag: str) -> list[str]:
    """What a split column says of each row.

    Of 'COLUMN=VALUE': test where the column has that value, else train.
    """
    name, left_out, value = column.partition("=")
    words = _get_column(table, name, flag)
    if left_out and value not in words:
        there = ", ".join(sorted(set(words))[:10])
        raise ValueError(f"{flag}: no row of {table.path} has {column}; the column has: {there}.")
    if left_out:
        return ["test" if word == value else "train" for word in words]
    _check_split_names(table, name, words)
    return words


def _check_split_names(table: LabelTable, column: str, words: list[str]) -> None:
    """Raise ValueError for a word that is nearly a split's; count the rows of other words."""
    counts = collections.Counter(words)
    for word in counts:
        meant = find_intended_split(word)
        if meant:
            row = words.index(word)
            more = f" (and {counts[word] - 1} more rows)" if counts[word] > 1 else ""
            raise ValueError(
                f"{table.path}: '{word}' in {table.where(row)}{more} of the column "
                f"'{column}' is not a split, and nearly '{meant}': write '{meant}', or for "
                "rows in neither split a word that is no misspelling, such as 'unused'."
            )
    others = {word: count for word, count in sorted(counts.items()) if word not in SPLITS}
    if others and len(others) < len(counts):
        listed = ", ".join(f"{word}: {count}" for word, count in list(others.items())[:10])
        logging.info(
            "%s: rows in neither split by the column '%s': %d (%s).",
            table.path,
            column,
            sum(others.values()),
            listed,
        )


def find_intended_split(word: str) -> str:
    """The split that a word misspells; '' for a split's own name and for a word of another meaning.

    Misspelt is what differs in capitals or in signs around the word, in one letter that is added,
    missing, wrong or has changed places with its neighbour, and SYNONYMS. Words such as 'test2' and
    'testB' are meant.
    """
    if word in SPLITS or re.search(r"\d", word) or re.fullmatch("(train|test)[A-Z]", word):
        return ""
    plain = word.casefold().strip(" .,:;_-'\"()[]")
    plain = SPLIT_SYNONYMS.get(plain, plain)
    for split in SPLITS:
        if plain == split or _is_one_edit_apart(plain, split):
            return split
    return ""


def _is_one_edit_apart(one: str, other: str) -> bool:
    """Whether one letter added, left out, replaced or swapped makes one word of the other."""
    if len(one) > len(other):
        one, other = other, one
    same = 0  # letters that both begin with
    while same < len(one) and one[same] == other[same]:
        same += 1
    left, right = one[same:], other[same:]
    if len(one) < len(other):
        return left == right[1:]
    return left[1:] == right[1:] or (left[:2] == right[1::-1] and left[2:] == right[2:])


def _mark_repeats(
    table: LabelTable, paths: tuple[str, ...], words: list[str], described: dict[str, list]
) -> list[str]:
    """The words, '' for a row that says of a file what an earlier row of its split has said.

    Args:
        described: Of each column that is used the value of each row.

    Raises:
        ValueError: Rows of the splits say different things of one file.
    """
    kept, first = list(words), {}
    for row, (path, word) in enumerate(zip(paths, words)):
        if word not in SPLITS:
            continue
        before = first.setdefault(path, row)
        for column, values in described.items():
            if values[before] != values[row]:
                one, other = table.rows[before], table.rows[row]
                raise ValueError(
                    f"{table.path}: the file '{other['path']}' has two values of "
                    f"'{column}': '{one[column]}' in {table.where(before)}, "
                    f"'{other[column]}' in {table.where(row)}."
                )
        if first.setdefault((path, word), row) != row:
            kept[row] = ""
    repeats = kept.count("")
    if repeats:
        logging.warning(
            "%s: rows that repeat earlier ones: %d, the first in %s; each file counts once.",
            table.path,
            repeats,
            table.where(kept.index("")),
        )
    return kept


def _cut_splits(examples, words, column, table):
    """Cut by train and test; rows of other words are in neither."""
    there = ", ".join(sorted({word for word in words if word})[:10])
    words = np.array(words)
    for split in SPLITS:
        if split not in words:
            raise ValueError(
                f"{table.path}: the split '{split}' is empty; the column '{column}' has: {there}."
            )
    return {split: examples.take(words == split) for split in SPLITS}


def _find_disjoint_groups(table, words, column):
    """The group of each row where none is in train and test, as where identity is private."""
    if not column or column not in table.columns:
        return ()
    groups = tuple(row[column] for row in table.rows)
    train, test = (
        {group for group, word in zip(groups, words) if word == split} for split in SPLITS
    )
    return () if train & test else groups


def _make_attributes(table, columns, flag):
    """(float32 [n, P], names, {column: value or band of each row}); (None, (), {}) of none."""
    ones, names, described = [], [], {}
    for column in columns:
        name, *cuts = column.split(":")
        values = _get_column(table, name, flag)
        if cuts:
            values, titles = _cut_into_bands(
                name, _parse_numbers(table, values, name), _parse_cuts(column, cuts, flag)
            )
        else:
            titles = {value: f"{name}={value}" for value in sorted(set(values))}
        if len(titles) == 1:
            raise ValueError(
                f"{flag}: the column '{name}' of {table.path} has one value only, so there "
                "is nothing to hide."
            )
        described[name] = values
        for value in list(titles)[1:] if len(titles) == 2 else titles:
            ones.append([other == value for other in values])
            names.append(titles[value])
    return (np.array(ones, np.float32).T, tuple(names), described) if names else (None, (), {})


def _parse_cuts(column, cuts, flag):
    try:
        limits = [float(cut) for cut in cuts]
    except ValueError:
        limits = []
    if not limits or limits != sorted(set(limits)):
        raise ValueError(
            f"{flag}: '{column}' must be a column and rising numbers, such as age:18:40."
        )
    return limits


def _parse_numbers(table, values, name):
    numbers = np.empty(len(values))
    for row, value in enumerate(values):
        try:
            numbers[row] = float(value)
        except ValueError:
            numbers[row] = np.nan
        if not np.isfinite(numbers[row]):
            raise ValueError(
                f"{table.path}: '{value}' in {table.where(row)} of the column '{name}' is "
                "no number."
            )
    return numbers


def _cut_into_bands(name, numbers, cuts):
    """(band of each number, {band: title}); a number equal to a cut is in the band above it."""
    inner = [f"{name}={low:g}..{high:g}" for low, high in zip(cuts, cuts[1:])]
    titles = [f"{name}<{cuts[0]:g}", *inner, f"{name}>={cuts[-1]:g}"]
    bands = np.digitize(numbers, cuts)
    return list(bands), {band: title for band, title in enumerate(titles) if band in bands}
