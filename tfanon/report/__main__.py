"""One page about finished runs and sweeps, that opens from disk; its numbers as JSON, CSV and LaTeX beside it:

    python -m tfanon.report runs/seed0 runs/seed1 runs/seed2 --output=report
    python -m tfanon.report runs/sweep --output=report

Runs of one experiment under several seeds become one row. Where a gate has failed, the page says so first and the exit
status is 1.
"""

import dataclasses
import json
import pathlib
import sys

from absl import app

from tfanon.core import config, exit_status, files
from tfanon.core.config import flag
from tfanon.report import (
    aggregate,
    gallery,
    load_runs,
    page,
    paired_differences,
    paper_tables,
    plots,
    sections,
)
from tfanon.report import (
    tables as sheets,
)

SCHEMA_VERSION = 1


@dataclasses.dataclass(frozen=True)
class Settings:
    """Where the report goes and what it may show."""

    output: str = flag("report", "Folder of report.html, report.json and tables/.", short="o")
    pictures: str = flag(
        "synthetic",
        "Whose pictures the page holds; real: people of real data sets too.",
        choices=("synthetic", "real", "none"),
    )


def main(arguments):
    return exit_status.run_with_exit_status(
        "tfanon.report", lambda: work(arguments[1:], config.from_flags(Settings))
    )


def work(paths, settings):
    """Write the report; returns the exit status."""
    if not paths:
        raise ValueError(
            "Whose report? Give folders of runs (--workdir of tfanon.train) or of sweeps."
        )
    runs, missing = load_runs.load(paths)
    marks, gates = aggregate.marks(runs), sections.gates(runs)
    missing += sections.missing(marks, runs, gates)
    found = tables(marks, runs)
    drawn, series = plots.learning(marks, runs, sections.of)
    missing += sections.still_learning(series)
    failed = [gate for gate in gates if not gate.get("passed")]
    folder = pathlib.Path(settings.output)
    _write(folder / "report.html", _page(marks, runs, gates, missing, found, drawn, settings))
    numbers = _clean(record(marks, runs, gates, missing, found))
    _write(folder / "report.json", json.dumps(numbers, indent=1, allow_nan=False) + "\n")
    for table in found:
        _write(folder / "tables" / f"{table.name}.csv", sheets.to_csv(table))
        _write(folder / "tables" / f"{table.name}.tex", sheets.to_latex(table))
    print(f"{folder / 'report.html'}: {_counts(marks, runs)}, {len(missing)} things missing.")
    for gate in failed:
        print(f"tfanon.report: {_failed(gate)}", file=sys.stderr)
    return 1 if failed else 0


def tables(marks, runs):
    """Every Table of the report, those of each setting of data and judges, and of each probe, apart."""
    found, printed = [], set()
    groups = aggregate.grouped(marks)
    for number, ((setting, probe), own) in enumerate(groups.items()):
        ours = [run for run in runs if run.setting == setting]
        theirs = (
            paper_tables.tables(own, ours) if setting not in printed else []
        )  # it has one probe, pictures
        printed.add(setting)
        for table in (
            sections.per_anonymizer(own),
            sections.worth(own),
            paired_differences.table(ours, probe),
            sections.per_attacker(own, ours),
            sections.per_attribute(own, ours),
            sections.further(own),
            *theirs,
        ):
            if table and len(groups) > 1:
                table = dataclasses.replace(
                    table,
                    name=f"{table.name}_{number}",
                    title=f"{table.title}: {_said(setting, probe)}",
                )
            found += [table] if table else []
    return found


def _said(setting, probe):
    """What a group of marks has in common, in words."""
    return ", ".join(part for part in (setting, f"attributes of {probe}" if probe else "") if part)


def record(marks, runs, gates, missing, found):
    """What report.json holds."""
    unbeaten = {
        (mark.group, mark.name)
        for own in aggregate.grouped(marks).values()
        for mark in aggregate.unbeaten(own)
    }
    return {
        "schema_version": SCHEMA_VERSION,
        "missing": missing,
        "gates": gates,
        "runs": [
            {
                "folder": str(run.folder),
                "seed": run.seed,
                "label": run.label,
                "setting": run.setting,
                "protocols": sorted(run.evaluations),
                "notes": _notes(run),
            }
            for run in runs
        ],
        "anonymizers": [
            {
                "name": mark.name,
                "setting": mark.setting,
                "probe": mark.probe,
                "unbeaten": (mark.group, mark.name) in unbeaten,
                "seeds": {str(seed): values for seed, values in mark.by_seed.items()},
            }
            for mark in marks
        ],
        "tables": {table.name: sheets.to_json(table) for table in found},
    }


def _page(marks, runs, gates, missing, found, drawn, settings):
    failed = [_failed(gate) for gate in gates if not gate.get("passed")]
    ours = [table for table in found if not table.name.startswith("paper")]
    theirs = [table for table in found if table.name.startswith("paper")]
    notes = list(dict.fromkeys(note for run in runs for note in _notes(run)))
    frontiers = [(_said(*group), alike) for group, alike in aggregate.grouped(marks).items()]
    about = (
        "Further left leaks less, higher keeps more. Circles: trained; squares: fixed; diamond: raw video. Bars: "
        "deviation over seeds, or the 95 % interval of one. Stairs: what no other beats."
    )
    return page.write(
        "What is left and what leaks",
        f"{_counts(marks, runs)}, seeds "
        f"{', '.join(map(str, sorted({run.seed for run in runs})))}. Shares in per cent unless said otherwise.",
        [
            ("bad", "Not to be trusted: a gate failed", failed),
            ("warn", "What is missing", missing),
            ("warn", "Said by the runs", notes),
        ],
        [
            (
                "Frontier",
                "".join(
                    page.plots(plots.frontier(alike), f"{said}. {about}" if said else about)
                    + page.numbered(plots.numbered(alike))
                    for said, alike in frontiers
                ),
            ),
            ("Results", page.tables(ours)),
            ("Gates", page.tables([_gate_table(gates)] if gates else [])),
            (
                "How far the attackers had learned",
                page.plots(drawn, "The held-out slice chooses the epoch; #: the seed."),
            ),
            ("Training of f_A", page.plots(plots.training(runs))),
            ("Pictures", gallery.pages(runs, settings.pictures)),
            ("Beside the paper", page.tables(theirs, paper_tables.APART)),
            ("Model card", page.paragraphs(sections.card(runs))),
        ],
    )


def _counts(marks, runs):
    return f"{len(runs)} runs, {len({(mark.setting, mark.name) for mark in marks})} anonymizers"


def _gate_table(gates):
    return sheets.Table(
        "gates",
        "Gates",
        ("gate", "run", "attacker", "value", "bound", "passed"),
        tuple(
            (
                str(gate.get("gate")),
                gate["run"],
                str(gate.get("attacker")),
                gate.get("value"),
                gate.get("bound"),
                "yes" if gate.get("passed") else "NO",
            )
            for gate in gates
        ),
        lead="On raw data an attacker must be strong, on pure noise it must find nothing; else no leak is measured.",
    )


def _failed(gate):
    return (
        f'"{gate.get("gate")}" in {gate["run"]} ({gate["protocol"]}): {gate.get("attacker")} came to '
        f"{gate.get('value')}, the bound is {gate.get('bound')}."
    )


def _notes(run):
    return [
        str(note)
        for found in (run.results, *run.evaluations.values())
        for note in found.get("notes", [])
    ]


def _clean(value):
    """NaN and what is infinite become null: JSON has neither."""
    if isinstance(value, dict):
        return {key: _clean(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(part) for part in value]
    return (
        None
        if isinstance(value, float) and (value != value or abs(value) == float("inf"))
        else value
    )


def _write(path, words):
    with files.write_atomically(path, sync=False) as unfinished:
        unfinished.write_text(words, encoding="utf-8")


def run():
    """Console command `tfanon-report`."""
    config.define_flags(Settings)
    app.run(main)


if __name__ == "__main__":
    run()
