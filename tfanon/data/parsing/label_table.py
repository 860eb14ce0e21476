"""Reads the `labels.csv` of a labelled folder and checks it row by row.

Every message names the line, so that a table can be corrected in an editor.
"""

import collections
import csv
import dataclasses
import io
import os
import re

from tfanon.media.limits import check_ending

TABLE_NAME = "labels.csv"
# Separators of tables that look like ours; spreadsheets choose one by the language of the system.
OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}


@dataclasses.dataclass(frozen=True, eq=False)
class LabelTable:
    """The rows of a `labels.csv`.

    Attributes:
        path: Path of the file.
        columns: Names of the columns, in the order of the file.
        rows: The cells of each row by column, stripped of spaces.
        line_numbers: Line of the file on which each row begins; the column names are usually in
            line 1.
    """

    path: str
    columns: tuple[str, ...]
    rows: tuple[dict[str, str], ...]
    line_numbers: tuple[int, ...]

    def describe_row(self, row: int) -> str:
        """Return the place of a row as an editor shows it, such as "line 5"."""
        return f"line {self.line_numbers[row]}"


def read_table(folder: str) -> LabelTable:
    """Read the table of a folder; blank lines and rows of empty cells are skipped.

    Args:
        folder: The labelled folder.

    Raises:
        ValueError: The folder or the table does not exist, or the table is not comma-separated
            values in UTF-8; the message names the line.
    """
    if not os.path.isdir(folder):
        raise ValueError(
            f"The folder {folder} does not exist: check --data_dir and --clip_folder or "
            "--image_folder."
        )
    path = os.path.join(folder, TABLE_NAME)
    if not os.path.isfile(path):
        raise ValueError(
            f"{folder} has no {TABLE_NAME}: add a table with a column 'path' and columns of labels."
        )
    # An empty file is a table without columns: the missing column `path` is then reported.
    (header_line, columns), *records = _read_records(path) or [(1, [])]
    _check_columns(path, header_line, columns)
    rows, line_numbers = [], []
    for line, cells in records:
        # Spreadsheets add empty cells at the end of a row.
        # In a row of other length the labels have probably moved to other columns.
        if any(cells[len(columns) :]) or len(cells) < len(columns):
            raise ValueError(
                f"{path}: line {line} has {len(cells)} cells, but the table has {len(columns)} "
                f"columns: {', '.join(columns)}. Put cells that contain commas in double quotes."
            )
        rows.append(dict(zip(columns, cells, strict=False)))
        line_numbers.append(line)
    if not rows:
        raise ValueError(f"{path} has no rows.")
    return LabelTable(path, tuple(columns), tuple(rows), tuple(line_numbers))


def get_column(table: LabelTable, name: str, flag: str) -> list[str]:
    """Return the values of a column.

    Args:
        table: The table.
        name: Name of the column.
        flag: Flag that chose the column, for the error message.

    Raises:
        ValueError: The column does not exist or has an empty cell.
    """
    # An empty name would match a column without a heading.
    if not name or name not in table.columns:
        columns = ", ".join(column for column in table.columns if column)
        raise ValueError(f"{flag}: {table.path} has no column '{name}'; it has: {columns}.")
    values = [row[name] for row in table.rows]
    if "" in values:
        place = table.describe_row(values.index(""))
        raise ValueError(f"{table.path}: the column '{name}' is empty in {place}.")
    return values


def resolve_paths(table: LabelTable, folder: str) -> tuple[str, ...]:
    """Return the full path of each row.

    Two spellings of one file, such as "a.mp4" and "./a.mp4", give the same path.

    Args:
        table: The table.
        folder: Folder that the column `path` is relative to.

    Raises:
        ValueError: A path points outside the folder, is neither a video nor an image by its
            file extension, or does not exist.
    """
    paths = []
    for row, name in enumerate(get_column(table, "path", "path")):
        # Split at backslashes too: the table may have been written on Windows.
        relative = os.path.normpath(name)
        if os.path.isabs(name) or re.split(r"[/\\]", relative)[0] == "..":
            raise ValueError(
                f"{table.path}: the path '{name}' in {table.describe_row(row)} points outside the "
                "folder."
            )
        try:
            check_ending(name)
        except ValueError as error:
            raise ValueError(f"{table.path}: {table.describe_row(row)}: {error}") from None
        paths.append(os.path.join(folder, relative))
    missing = [row for row, path in enumerate(paths) if not os.path.isfile(path)]
    if missing:
        first = missing[0]
        raise ValueError(
            f"{table.path}: {len(missing)} of {len(paths)} files are missing; the first: "
            f"{paths[first]} ({table.describe_row(first)})."
        )
    return tuple(paths)


def _read_records(path: str) -> list[tuple[int, list[str]]]:
    """Return first line and cells of each record that is not empty."""
    text = _read_text(path)
    # Strict: without it an unclosed quotation mark makes one cell of the rest of the file.
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    records, line = [], 1
    try:
        for record in reader:
            cells = [cell.strip() for cell in record]
            if any(cells):
                records.append((line, cells))
            # A quoted cell may span lines, so records are not lines.
            line = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(
            f"{path} is not a table of comma-separated values: {error}, in the row that "
            f"begins in line {line}."
        ) from None
    return records


def _read_text(path: str) -> str:
    """Read the text of a table unchanged, without its byte-order mark."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            text = file.read()
    except UnicodeDecodeError as error:
        message = f"{path} is not a table of comma-separated values in UTF-8: {error}."
        raise ValueError(message) from None
    # Python's csv takes it for a letter.
    if "\0" in text:
        line = len(text[: text.index("\0")].splitlines()) or 1
        raise ValueError(
            f"{path} is not a table of comma-separated values: line {line} contains a zero byte."
        )
    return text


def _check_columns(path: str, line: int, columns: list[str]) -> None:
    """Raise ValueError if the first row of a table does not name its columns."""
    only_cell = columns[0] if len(columns) == 1 else ""
    for separator, name in OTHER_SEPARATORS.items():
        # A single column that contains "path" and another separator: a table of another dialect.
        parts = [part.strip(' "') for part in only_cell.split(separator)]
        if len(parts) > 1 and "path" in parts:
            raise ValueError(f"{path} is separated by {name}; separate the table by commas.")
    counts = collections.Counter(columns)
    repeated = [column for column, count in counts.items() if column and count > 1]
    if repeated:
        raise ValueError(f"{path}: line {line} names the column '{repeated[0]}' twice.")
