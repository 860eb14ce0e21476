"""One table in four forms: HTML, CSV, LaTeX, and plain values for report.json. Every text is escaped in each."""

import csv
import dataclasses
import html
import io
import re

from tfanon.report.aggregate import Number

NONE, PLUS_MINUS = "-", "\N{PLUS-MINUS SIGN}"
LATEX = {
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


@dataclasses.dataclass(frozen=True)
class Table:
    """name: of its files.  rows: cells are text, a Number (a share, shown in per cent), a float as it is, or None.

    intervals: whether the page shows them under a mean and its deviation too.
    """

    name: str
    title: str
    head: tuple
    rows: tuple
    notes: tuple = ()
    lead: str = ""
    intervals: bool = False


def in_words(cell):
    """A cell as it is printed."""
    if cell is None:
        return NONE
    if isinstance(cell, Number):
        if cell.std is not None:
            return f"{100 * cell.mean:.1f} {PLUS_MINUS} {100 * cell.std:.1f}"
        return f"{100 * cell.mean:.1f}{f' ({_interval(cell)})' if cell.interval else ''}"
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell)


def _interval(number):
    return f"{100 * number.interval[0]:.1f}\N{EN DASH}{100 * number.interval[1]:.1f}"


def to_html(table):
    """A <section> with the table, its notes below it."""
    table = _without_empty(table)
    words = [
        not all(_is_number(row[place]) for row in table.rows) for place in range(len(table.head))
    ]
    head = "".join(
        f"<th scope=col{' class=t' if left else ''}>{html.escape(name)}</th>"
        for name, left in zip(table.head, words)
    )
    body = "".join(
        f"<tr><th scope=row>{html.escape(in_words(row[0]))}</th>"
        f"{''.join(_td(cell, table.intervals) for cell in row[1:])}</tr>"
        for row in table.rows
    )
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in table.notes)
    return (
        f'<section class="table"><h3>{html.escape(table.title)}</h3>'
        + (f"<p>{html.escape(table.lead)}</p>" if table.lead else "")
        + f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
        + (f'<ol class="notes">{notes}</ol>' if notes else "")
        + "</section>"
    )


def _without_empty(table):
    """The table without the columns that no row fills."""
    kept = [
        place
        for place in range(len(table.head))
        if place == 0 or any(row[place] is not None for row in table.rows)
    ]
    return dataclasses.replace(
        table,
        head=tuple(table.head[place] for place in kept),
        rows=tuple(tuple(row[place] for place in kept) for row in table.rows),
    )


def _td(cell, intervals):
    more = intervals and isinstance(cell, Number) and cell.std is not None and cell.interval
    return (
        f"<td{' class=n' if _is_number(cell) else ''}>{html.escape(in_words(cell))}"
        + (f"<small>{_interval(cell)}</small>" if more else "")
        + "</td>"
    )


def _is_number(cell):
    return not isinstance(cell, str) or re.fullmatch(r"[\d.?]+", cell) is not None


def to_csv(table):
    """Numbers as shares, each with the columns beside it that some row fills: std, low, high."""
    columns = [
        _columns(name, [row[place] for row in table.rows]) for place, name in enumerate(table.head)
    ]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_harmless(name) for names, _ in columns for name in names])
    for line in range(len(table.rows)):
        writer.writerow([cell for _, cells in columns for cell in cells[line]])
    return out.getvalue()


def _columns(name, cells):
    """(names, [values of each row]) of one column of the table."""
    numbers = [cell for cell in cells if isinstance(cell, Number)]
    parts = {"": lambda cell: cell.mean}
    if any(cell.std is not None for cell in numbers):
        parts["std"] = lambda cell: cell.std
    if any(cell.interval for cell in numbers):
        parts |= {
            "low": lambda cell: cell.interval and cell.interval[0],
            "high": lambda cell: cell.interval and cell.interval[1],
        }
    return [f"{name} {part}".strip() for part in parts], [
        [
            _csv(value(cell)) if isinstance(cell, Number) else _csv(None if part else cell)
            for part, value in parts.items()
        ]
        for cell in cells
    ]


def _csv(value):
    return (
        "" if value is None else repr(value) if isinstance(value, float) else _harmless(str(value))
    )


def _harmless(words):
    """A spreadsheet takes =, +, - and @ in front for a formula; a file may be named like that."""
    return f"'{words}" if words[:1] in ("=", "+", "-", "@", "\t", "\r") else words


def to_latex(table):
    """A tabular between booktabs' rules; notes as comments."""
    table = _without_empty(table)
    rows = [
        " & ".join(escape_latex(in_words(cell)) for cell in row) + r" \\"
        for row in (table.head, *table.rows)
    ]
    notes = "".join(f"% {escape_latex(note)}\n" for note in (table.title, *table.notes))
    return (
        f"{notes}\\begin{{tabular}}{{l{'r' * (len(table.head) - 1)}}}\n\\toprule\n{rows[0]}\n\\midrule\n"
        + "\n".join(rows[1:])
        + "\n\\bottomrule\n\\end{tabular}\n"
    )


def escape_latex(words):
    return re.sub(r"[\r\n]+", " ", "".join(LATEX.get(letter, letter) for letter in words))


def to_json(table):
    """{"title", "head", "rows", "notes"}; a Number becomes {"mean", "std", "interval", "values"}."""
    return {
        "title": table.title,
        "head": list(table.head),
        "notes": list(table.notes),
        "rows": [[plain(cell) for cell in row] for row in table.rows],
    }


def plain(cell):
    """A cell as JSON holds it."""
    if not isinstance(cell, Number):
        return cell
    return {
        "mean": cell.mean,
        "std": cell.std,
        "interval": list(cell.interval) if cell.interval else None,
        "values": list(cell.values),
    }
