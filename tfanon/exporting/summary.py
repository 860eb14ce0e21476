"""export.json as a table: cost of each file, its distance from Keras, its utility and leakage."""

from collections.abc import Sequence
from typing import Any

from tfanon.summaries import text_table

MISSING = "-"
HEAD = (
    "file",
    "MB",
    "CPU ms",
    "ms, 1 thread",
    "ms, 2 threads",
    "peak MiB",
    "largest",
    "PSNR dB",
)

Row = list[str]


def format_export_table(record: dict[str, Any], markdown: bool = False) -> str:
    """Format one line per file that was kept, after Keras where quality was measured.

    Args:
        record: Content of export.json.
        markdown: As a Markdown table instead of aligned text.
    """
    keras_measured = record.get("keras", {})
    tasks = [name for name, value in keras_measured.items() if isinstance(value, dict)]
    head = list(HEAD)
    rows: list[Row] = []
    if "keras" in record:
        missing = [MISSING] * (len(HEAD) - 1)
        # The reference row: Keras has no file, so nothing was measured of it but quality.
        rows.append(["Keras", *missing, *_format_quality(keras_measured, tasks)])
        head += ["top-1", *(f"{task} cMAP" for task in tasks)]
    for name, entry in record["artefacts"].items():
        cost = _format_cost(record, name, entry)
        rows.append([*cost, *_format_quality(entry.get("judged"), tasks)])
    if markdown:
        return text_table.format_markdown([head, *rows])
    return "\n".join(text_table.align_columns([head, *rows]))


def _format_cost(record: dict[str, Any], name: str, entry: dict[str, Any]) -> Row:
    """Return the cells of HEAD for one file."""
    times = entry.get("milliseconds", {})
    comparisons = []
    for key, comparison in record["comparisons"].items():
        # JPEG's own loss would hide the loss of the file.
        if key.split(":")[0] == name and comparison["dtype"] != "string":
            comparisons.append(comparison)
    # Of all signatures of a SavedModel, the worst.
    largest = max(comparison["largest_difference"] for comparison in comparisons)
    return [
        name,
        _format_number(entry.get("bytes"), 1e6, 2),
        _format_number(entry.get("cpu_milliseconds"), 1, 1),
        _format_number(times.get("1"), 1, 1),
        _format_number(times.get("2"), 1, 1),
        _format_number(entry.get("peak_mib"), 1, 0),
        f"{largest:.2g}",
        _format_number(min(comparison["psnr"] for comparison in comparisons), 1, 1),
    ]


def _format_quality(measured: dict[str, Any] | None, tasks: Sequence[str]) -> Row:
    """Return top-1 and the cMAP of each privacy task in per cent; nothing if not measured."""
    if measured is None or "action_top1" not in measured:
        return []
    leakage = [f"{100 * measured[task]['cmap']:.1f}" for task in tasks]
    return [f"{100 * measured['action_top1']:.1f}", *leakage]


def _format_number(value: float | None, unit: float, digits: int) -> str:
    if value is None:
        return MISSING
    return f"{value / unit:.{digits}f}"
