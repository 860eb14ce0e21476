"""Any folder with a `labels.csv`: a column `path`, relative to the folder, and columns of labels chosen by flags.

A private column becomes binary attributes, as the rest of tfanon knows them:
- two values: one attribute, 'column=value' of the value that is last in the alphabet;
- more values: one attribute per value, in alphabetical order;
- 'age:18:40': numbers cut into the bands 'age<18', 'age=18..40' (without 40) and 'age>=40', which are its values;
  of two bands the upper one is the attribute. A band without any row is left out.
Values and classes are those of the whole file, so every split has the same ones.
"""

import csv
import dataclasses
import os

import numpy as np

from tfanon.data.batch import Examples
from tfanon.media.limits import check_ending

TABLE = "labels.csv"


def load(kind, folder, config):
    """{"train": Examples, "test": Examples}.

    kind: "clips" (labels of --action_column, groups of --group_column), "images" (attributes of --private_columns, or
    none) or "private_clips" (attributes of --clip_private_columns under --clip_private_split_column, and the groups).
    Raises ValueError that names the folder, file, column or split at fault, and what there is instead.
    """
    rows, table = _read(folder)
    if kind == "clips":
        split_flag, split_column = "split_column", config.split_column
        values = _column(rows, config.action_column, "--action_column", table)
        classes = tuple(sorted(set(values)))
        labels = np.array([classes.index(value) for value in values], np.int32)
        groups = tuple(_column(rows, config.group_column, "--group_column", table)) if config.group_column else ()
        examples = Examples(_paths(rows, folder, table), labels, classes, groups=groups)
    else:
        flag, split_flag = {"images": ("private_columns", "image_split_column"),
                            "private_clips": ("clip_private_columns", "clip_private_split_column")}[kind]
        split_column = getattr(config, split_flag)
        attributes, names = _attributes(rows, getattr(config, flag), f"--{flag}", table)
        examples = Examples(_paths(rows, folder, table), attributes=attributes, attribute_names=names)
    words = _words(rows, split_column, f"--{split_flag}", table)
    if kind == "private_clips":
        examples = dataclasses.replace(examples, groups=_apart(rows, words, config.group_column))
    return _splits(examples, words, split_column, table)


def _read(folder):
    """(rows as dicts, path of the table)."""
    if not os.path.isdir(folder):
        raise ValueError(f"There is no folder {folder}: --data_dir and --clip_folder or --image_folder name it.")
    table = os.path.join(folder, TABLE)
    if not os.path.isfile(table):
        raise ValueError(f"There is no {TABLE} in {folder}: a table with a column 'path' and columns of labels.")
    try:
        with open(table, newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{table} is no table of comma separated values in UTF-8: {error}.") from None
    if not rows:
        raise ValueError(f"{table} has no rows.")
    return rows, table


def _column(rows, name, flag, table):
    """The values of a column, without spaces around them."""
    if name not in rows[0]:
        there = ", ".join(str(column) for column in rows[0] if column)
        raise ValueError(f"{flag}: {table} has no column '{name}'; it has: {there}.")
    values = [(row[name] or "").strip() for row in rows]
    if "" in values:
        raise ValueError(f"{table}: the column '{name}' is empty in {_where(values.index(''))}.")
    return values


def _paths(rows, folder, table):
    """Full paths of all rows; each inside the folder, of a known kind, and there."""
    paths = []
    for number, name in enumerate(_column(rows, "path", "path", table)):
        parts = name.replace("\\", "/").split("/")
        if os.path.isabs(name) or ".." in parts:
            raise ValueError(f"{table}: the path '{name}' in {_where(number)} leads out of the folder.")
        check_ending(name)
        paths.append(os.path.join(folder, name))
    missing = [path for path in paths if not os.path.isfile(path)]
    if missing:
        raise ValueError(f"{table}: {len(missing)} of {len(paths)} files are not there; the first: {missing[0]}")
    return tuple(paths)


def _words(rows, column, flag, table):
    """What a split column says of each row; of 'COLUMN=VALUE': test where the column has that value, else train."""
    name, left_out, value = column.partition("=")
    words = _column(rows, name, flag, table)
    if left_out and value not in words:
        raise ValueError(f"{flag}: no row of {table} has {column}; the column has: {', '.join(sorted(set(words))[:10])}.")
    return ["test" if word == value else "train" for word in words] if left_out else words


def _splits(examples, words, column, table):
    """Cut by train and test; rows of other words are in neither."""
    words = np.array(words)
    for split in ("train", "test"):
        if split not in words:
            there = ", ".join(sorted(set(words))[:10])
            raise ValueError(f"{table}: the split '{split}' is empty; the column '{column}' has: {there}.")
    return {split: examples.take(words == split) for split in ("train", "test")}


def _apart(rows, words, column):
    """The group of each row where none is in train and test, as people are whose identity is private; else none."""
    if not column or column not in rows[0]:
        return ()
    groups = tuple((row[column] or "").strip() for row in rows)
    train, test = ({group for group, word in zip(groups, words) if word == split} for split in ("train", "test"))
    return () if train & test else groups


def _attributes(rows, columns, flag, table):
    """(float32 [n, P], names); (None, ()) where no column is private."""
    ones, names = [], []
    for column in columns:
        name, *cuts = column.split(":")
        values = _column(rows, name, flag, table)
        if cuts:
            values, titles = _bands(name, _numbers(values, name, table), _cuts(column, cuts, flag))
        else:
            titles = {value: f"{name}={value}" for value in sorted(set(values))}
        if len(titles) == 1:
            raise ValueError(f"{flag}: the column '{name}' of {table} has one value only, so there is nothing to hide.")
        for value in list(titles)[1:] if len(titles) == 2 else titles:
            ones.append([other == value for other in values])
            names.append(titles[value])
    return (np.array(ones, np.float32).T, tuple(names)) if names else (None, ())


def _cuts(column, cuts, flag):
    try:
        limits = [float(cut) for cut in cuts]
    except ValueError:
        limits = []
    if not limits or limits != sorted(set(limits)):
        raise ValueError(f"{flag}: '{column}' must be a column and rising numbers, such as age:18:40.")
    return limits


def _numbers(values, name, table):
    numbers = np.empty(len(values))
    for row, value in enumerate(values):
        try:
            numbers[row] = float(value)
        except ValueError:
            numbers[row] = np.nan
        if not np.isfinite(numbers[row]):
            raise ValueError(f"{table}: '{value}' in {_where(row)} of the column '{name}' is no number.")
    return numbers


def _bands(name, numbers, cuts):
    """(band of each number, {band: title}); a number equal to a cut belongs to the band above it."""
    inner = [f"{name}={low:g}..{high:g}" for low, high in zip(cuts, cuts[1:])]
    titles = [f"{name}<{cuts[0]:g}", *inner, f"{name}>={cuts[-1]:g}"]
    bands = np.digitize(numbers, cuts)
    return list(bands), {band: title for band, title in enumerate(titles) if band in bands}


def _where(row):
    """Row numbers as an editor shows them: the head of the table is line 1."""
    return f"line {row + 2}"
