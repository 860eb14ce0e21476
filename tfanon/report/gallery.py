"""Pictures of a report: the same samples through every anonymizer, and reconstructions."""

import io
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

from tfanon.media import contact_sheet
from tfanon.report import aggregate, page
from tfanon.report.load_runs import FinishedRun

SHEET_FILES = ("images.png", "clips.png")  # in a run's pictures/
ANIMATION_FILE = "clips.gif"


def make_gallery(runs: Sequence[FinishedRun], allowed: str) -> str:
    """Return the section with pictures.

    Args:
        runs: The runs; of each experiment the first seed is shown.
        allowed: Whose pictures the page may hold: "synthetic", "real" (both) or "none".
    """
    if allowed == "none":
        return ""
    experiments: dict[tuple[str, str], FinishedRun] = {}
    for run in runs:
        experiments.setdefault((run.label, run.setting), run)
    hidden = []
    by_setting: dict[str, list[FinishedRun]] = {}
    for run in experiments.values():
        # Sheets may show raw video too.
        if run.synthetic or allowed == "real":
            by_setting.setdefault(run.setting, []).append(run)
        else:
            hidden.append(run.folder.name)
    parts = []
    if hidden:
        sentence = "Not shown, since they may show real people (--pictures=real): "
        parts.append(page.format_list([f"{sentence}{', '.join(hidden)}."]))
    for same_setting in by_setting.values():
        parts += _embed_sheets(same_setting)
        parts += _embed_reconstructions(same_setting)
    return "".join(parts)


def _embed_sheets(runs: Sequence[FinishedRun]) -> Iterator[str]:
    """Yield the sheets of the first run, and a sheet of the f_A of all runs.

    Args:
        runs: Of one setting, so that all other rows of their sheets are the same.
    """
    first, *others = runs
    # Rows of fixed anonymizers are the same in every run: shown once, in the first.
    for name in SHEET_FILES:
        yield from _embed_file(first, first.folder / "pictures" / name)
        rows = {}
        for run in runs:
            row = _cut_row(run, name, aggregate.TRAINED)
            if row is not None:
                rows[run.folder] = row
        if others and rows:
            sheet_rows = {}
            raw = _cut_row(first, name, aggregate.RAW)
            if raw is not None:
                sheet_rows[aggregate.RAW] = raw
            for run in runs:
                if run.folder in rows:
                    sheet_rows[_get_title(run)] = rows[run.folder]
            content = _encode_png(contact_sheet.draw_sheet(sheet_rows))
            caption = f"f_A side by side: {name}, seed {first.seed}"
            yield page.embed_picture(content, "png", caption)
        for run in others:
            if run.folder not in rows:
                yield from _embed_file(run, run.folder / "pictures" / name)
    yield from _embed_file(first, first.folder / "pictures" / ANIMATION_FILE)


def _cut_row(run: FinishedRun, name: str, anonymizer: str) -> np.ndarray | None:
    """Return `[n, side, side, 3]` of one anonymizer in a run's sheet; None if it cannot be cut."""
    names = [row["anonymizer"] for row in run.results["rows"]]
    path = run.folder / "pictures" / name
    if anonymizer not in names or not path.is_file():
        return None
    try:
        sheet = np.asarray(Image.open(path).convert("RGB"))
        rows = contact_sheet.cut_sheet(sheet, len(names), contact_sheet.SAMPLES_PER_SHEET)
    except ValueError:  # a test split of fewer images than a sheet has columns
        return None
    return rows[names.index(anonymizer)]


def _embed_reconstructions(runs: Sequence[FinishedRun]) -> Iterator[str]:
    """Yield the sheets of reconstruction attacks, on a fixed anonymizer only once."""
    shown = set()
    for run in runs:
        for path in sorted(run.folder.glob("evaluation/*/phases/*/sheet.png")):
            phase = path.parent.name
            if phase not in shown:
                yield from _embed_file(run, path)
            # Each run has its own f_A, but shares the attacks on fixed anonymizers.
            if aggregate.TRAINED not in phase:
                shown.add(phase)


def _embed_file(run: FinishedRun, path: pathlib.Path) -> Iterator[str]:
    """Yield a picture file of a run if it exists."""
    if path.is_file():
        caption = f"{_get_title(run)}: {path.relative_to(run.folder)}"
        yield page.embed_picture(path.read_bytes(), path.suffix[1:], caption)


def _get_title(run: FinishedRun) -> str:
    return run.label or run.folder.name


def _encode_png(sheet: np.ndarray) -> bytes:
    content = io.BytesIO()
    Image.fromarray(sheet).save(content, "png")
    return content.getvalue()
