"""A table in four forms: HTML, CSV, LaTeX and plain values for report.json; all text is escaped."""

import csv
import dataclasses
import html
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any

from tfanon.report.aggregate import Statistic

MISSING, PLUS_MINUS = "-", "\N{PLUS-MINUS SIGN}"
LATEX_ESCAPES = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    PLUS_MINUS: r"$\pm$",
    "\N{GREEK SMALL LETTER LAMDA}": r"$\lambda$",
    "\N{UPWARDS ARROW}": r"$\uparrow$",
    "\N{RIGHTWARDS ARROW}": r"$\rightarrow$",
    "\N{DOWNWARDS ARROW}": r"$\downarrow$",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    "\N{EN DASH}": "--",
    "\N{NO-BREAK SPACE}": "~",
}


Cell = str | Statistic | float | int | None


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of the report.

    Attributes:
        name: Name of its files.
        title: Heading.
        head: Names of the columns.
        rows: Cells: text, a Statistic (a fraction, shown in per cent), a number as it is, or None.
        notes: Sentences below the table.
        lead: Sentences above the table.
        intervals: Whether the page shows intervals under mean and deviation too.
    """

    name: str
    title: str
    head: tuple[str, ...]
    rows: tuple[Sequence[Cell], ...]
    notes: tuple[str, ...] = ()
    lead: str = ""
    intervals: bool = False


def format_cell(cell: Cell) -> str:
    """Return a cell as it is printed."""
    if cell is None:
        return MISSING
    if isinstance(cell, Statistic):
        mean = f"{100 * cell.mean:.1f}"
        if cell.std is not None:
            return f"{mean} {PLUS_MINUS} {100 * cell.std:.1f}"
        return f"{mean} ({_format_interval(cell.interval)})" if cell.interval else mean
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell)


def _format_interval(interval: tuple[float, float]) -> str:
    low, high = interval
    return f"{100 * low:.1f}\N{EN DASH}{100 * high:.1f}"


def to_html(table: Table) -> str:
    """Return a <section> with the table and its notes."""
    table = _drop_empty_columns(table)
    head = []
    for column, name in enumerate(table.head):
        is_numeric = all(_is_number(row[column]) for row in table.rows)
        head.append(f"<th scope=col{'' if is_numeric else ' class=t'}>{html.escape(name)}</th>")
    body = []
    for row in table.rows:
        cells = [_format_html_cell(cell, table.intervals) for cell in row[1:]]
        # Names of folders and flags are text of the user.
        title = html.escape(format_cell(row[0]))
        body.append(f"<tr><th scope=row>{title}</th>{''.join(cells)}</tr>")
    parts = ['<section class="table">', f"<h3>{html.escape(table.title)}</h3>"]
    if table.lead:
        parts.append(f"<p>{html.escape(table.lead)}</p>")
    parts.append(
        f'<div class="wide"><table><thead><tr>{"".join(head)}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )
    if table.notes:
        notes = "".join(f"<li>{html.escape(note)}</li>" for note in table.notes)
        parts.append(f'<ol class="notes">{notes}</ol>')
    parts.append("</section>")
    return "".join(parts)


def _drop_empty_columns(table: Table) -> Table:
    """Return the table without columns that are empty in every row, but always with the first."""
    kept = [0]
    # Scores that no run has measured.
    for column in range(1, len(table.head)):
        if any(row[column] is not None for row in table.rows):
            kept.append(column)

    def choose(row: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(row[column] for column in kept)

    rows = tuple(choose(row) for row in table.rows)
    return dataclasses.replace(table, head=choose(table.head), rows=rows)


def _format_html_cell(cell: Cell, intervals: bool) -> str:
    kind = " class=n" if _is_number(cell) else ""
    text = html.escape(format_cell(cell))
    if intervals and isinstance(cell, Statistic) and cell.std is not None and cell.interval:
        text += f"<small>{_format_interval(cell.interval)}</small>"
    return f"<td{kind}>{text}</td>"


def _is_number(cell: Cell) -> bool:
    """Whether a cell is aligned as a number; digits with "?" are numbers that are not known."""
    return not isinstance(cell, str) or re.fullmatch(r"[\d.?]+", cell) is not None


def to_csv(table: Table) -> str:
    """Return the table as CSV.

    A Statistic is a fraction, with further columns for what some row has: std, low, high.
    """
    names: list[str] = []
    columns: list[list[Any]] = []
    for column, name in enumerate(table.head):
        cells = [row[column] for row in table.rows]
        for part in _list_csv_parts(cells):
            names.append(_disarm_formula(f"{name} {part}".strip()))
            columns.append([_format_csv_part(cell, part) for cell in cells])
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(zip(*columns, strict=True))
    return out.getvalue()


def _list_csv_parts(cells: Iterable[Cell]) -> list[str]:
    """Return what of a column gets a CSV column: "" (the mean or value), std, low, high."""
    statistics = [cell for cell in cells if isinstance(cell, Statistic)]
    parts = [""]
    # Only parts that some row has: empty columns would be noise.
    if any(statistic.std is not None for statistic in statistics):
        parts.append("std")
    if any(statistic.interval for statistic in statistics):
        parts += ["low", "high"]
    return parts


def _format_csv_part(cell: Cell, part: str) -> str:
    value: Cell = None if part else cell
    if isinstance(cell, Statistic):
        low, high = cell.interval or (None, None)
        value = {"": cell.mean, "std": cell.std, "low": low, "high": high}[part]
    if value is None:
        return ""
    # repr loses no digit; the printed table rounds.
    return repr(value) if isinstance(value, float) else _disarm_formula(str(value))


def _disarm_formula(text: str) -> str:
    """Quote text that a spreadsheet would take for a formula; a file may be named like one."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def to_latex(table: Table) -> str:
    """Return a tabular with the rules of booktabs; notes are comments."""
    table = _drop_empty_columns(table)
    lines = []
    for row in (table.head, *table.rows):
        cells = [escape_latex(format_cell(cell)) for cell in row]
        lines.append(" & ".join(cells) + r" \\")
    head, *body = lines
    notes = "".join(f"% {escape_latex(note)}\n" for note in (table.title, *table.notes))
    columns = "l" + "r" * (len(table.head) - 1)
    return "\n".join(
        [
            f"{notes}\\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            head,
            r"\midrule",
            "\n".join(body),
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def escape_latex(text: str) -> str:
    """Return text for LaTeX, on one line."""
    # In one pass, so that the backslash of an escape is not escaped itself.
    escaped = "".join(LATEX_ESCAPES.get(letter, letter) for letter in text)
    # A line break would end the comment that a note is.
    return re.sub(r"[\r\n]+", " ", escaped)


def to_json(table: Table) -> dict[str, Any]:
    """Return {"title", "head", "rows", "notes"} of plain values, see `convert_cell`."""
    return {
        "title": table.title,
        "head": list(table.head),
        "notes": list(table.notes),
        "rows": [list(map(convert_cell, row)) for row in table.rows],
    }


def convert_cell(cell: Cell) -> Any:
    """Return a cell for JSON; a Statistic becomes {"mean", "std", "interval", "values"}."""
    if not isinstance(cell, Statistic):
        return cell
    return {
        "mean": cell.mean,
        "std": cell.std,
        "interval": list(cell.interval) if cell.interval else None,
        "values": list(cell.values),
    }
