"""Tables of text for terminals and Markdown: names on the left, numbers on the right."""

from collections.abc import Sequence


def align_columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Pad the cells of a table: the first column to the left, all others to the right.

    Args:
        rows: Cells of each row, the heading included; all rows have the same number.

    Returns:
        A line per row.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for name, *cells in rows:
        padded = [name.ljust(widths[0]), *map(str.rjust, cells, widths[1:])]
        lines.append("  ".join(padded).rstrip())
    return lines


def format_markdown(rows: Sequence[Sequence[str]]) -> str:
    """Format a table in Markdown, aligned as in `align_columns`.

    Args:
        rows: Cells of each row, the heading first.
    """
    heading, *body = rows
    alignments = ["---", *["---:"] * (len(heading) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [heading, alignments, *body])
