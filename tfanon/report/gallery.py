"""The pictures of a report: the same samples under every anonymizer, each f_A side by side, and what was rebuilt."""

import io

import numpy as np
from PIL import Image

from tfanon.media import contact_sheet
from tfanon.report import aggregate, page

SHEETS = ("images.png", "clips.png")  # of a run's pictures/
MOVING = "clips.gif"


def pages(runs, allowed):
    """The section of a report's page.  allowed: whose pictures it may hold, "synthetic", "real" (too) or "none"."""
    firsts = (
        list({(run.label, run.setting): run for run in reversed(runs)}.values())[::-1]
        if allowed != "none"
        else []
    )
    shown = [run for run in firsts if run.synthetic or allowed == "real"]
    hidden = [run.folder.name for run in firsts if run not in shown]
    said = (
        [f"Not shown, since they may show real people (--pictures=real): {', '.join(hidden)}."]
        if hidden
        else []
    )
    alike = {}
    for run in shown:
        alike.setdefault(run.setting, []).append(run)
    return page.bullets(said) + "".join(
        part for same in alike.values() for part in [*_sheets(same), *_rebuilt(same)]
    )


def _sheets(runs):
    """Of the first run whole; of the others f_A alone, since all else is the same there.  runs: of one setting."""
    first, *others = runs
    for name in SHEETS:
        yield from _file(first, first.folder / "pictures" / name)
        rows = {
            run.folder: row
            for run in runs
            if (row := _row(run, name, aggregate.TRAINED)) is not None
        }
        if others and rows:
            raw = _row(first, name, aggregate.RAW)
            named = {_name(run): rows[run.folder] for run in runs if run.folder in rows}
            sheet = contact_sheet.draw_sheet(
                named if raw is None else {aggregate.RAW: raw, **named}
            )
            yield page.picture(_png(sheet), "png", f"f_A side by side: {name}, seed {first.seed}")
        yield from (
            part
            for run in others
            if run.folder not in rows
            for part in _file(run, run.folder / "pictures" / name)
        )
    yield from _file(first, first.folder / "pictures" / MOVING)


def _row(run, name, anonymizer):
    """[n, side, side, 3] of one anonymizer in a run's sheet; None where there is none or it cannot be cut."""
    rows, path = [row["anonymizer"] for row in run.results["rows"]], run.folder / "pictures" / name
    if anonymizer not in rows or not path.is_file():
        return None
    try:
        sheet = np.asarray(Image.open(path).convert("RGB"))
        return contact_sheet.cut_sheet(sheet, len(rows), contact_sheet.SAMPLES_PER_SHEET)[
            rows.index(anonymizer)
        ]
    except ValueError:  # a test split of fewer pictures than a sheet has
        return None


def _rebuilt(runs):
    """What reconstruction attackers see, behind a fixed anonymizer once."""
    fixed = set()
    for run in runs:
        for path in sorted(run.folder.glob("evaluation/*/phases/*/sheet.png")):
            if path.parent.name not in fixed:
                yield from _file(run, path)
            if aggregate.TRAINED not in path.parent.name:
                fixed.add(path.parent.name)


def _file(run, path):
    """A picture file of a run, if it is there."""
    if path.is_file():
        yield page.picture(
            path.read_bytes(), path.suffix[1:], f"{_name(run)}: {path.relative_to(run.folder)}"
        )


def _name(run):
    return run.label or run.folder.name


def _png(sheet):
    content = io.BytesIO()
    Image.fromarray(sheet).save(content, "png")
    return content.getvalue()
