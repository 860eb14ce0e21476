"""Write a report of finished runs and sweeps: an HTML page, and its numbers as JSON, CSV, LaTeX.

    python -m tfanon.report runs/seed0 runs/seed1 runs/seed2 --output=report
    python -m tfanon.report runs/sweep --output=report

The page needs no server. Runs of one experiment with several seeds become one row. If a control
failed, the page says so first, and the exit status is 1.
"""

import dataclasses
import json
import math
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

from tfanon.core import command_line, config, exit_status, files
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
from tfanon.report import tables as report_tables
from tfanon.report.aggregate import AnonymizerSummary
from tfanon.report.load_runs import FinishedRun
from tfanon.report.plots import Plot
from tfanon.report.tables import Table

SCHEMA_VERSION = 1

Control = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class ReportOptions:
    """Where the report goes and what it may show."""

    output: str = flag(
        "report", "Folder of report.html, report.json and tables/.", short="o", group="Output"
    )
    pictures: str = flag(
        "synthetic",
        "Pictures on the page: of synthetic people only, of real people too, or none.",
        choices=("synthetic", "real", "none"),
    )


def main(arguments: list[str]) -> int | None:
    """Write the report of the folders on the command line; return the exit status."""
    return exit_status.run_with_exit_status(
        "tfanon.report", lambda: write_report(arguments[1:], config.from_flags(ReportOptions))
    )


def write_report(paths: Sequence[str], options: ReportOptions) -> int:
    """Write the report; return the exit status, 1 if a control failed.

    Raises:
        ValueError: No folder is given, or one holds no results.
    """
    if not paths:
        raise ValueError("Give at least one run or sweep folder (--workdir, --sweep_dir).")
    runs, caveats = load_runs.load_runs(paths)
    summaries = aggregate.summarize_anonymizers(runs)
    controls = sections.list_controls(runs)
    caveats += sections.list_caveats(summaries, runs, controls)
    tables = make_tables(summaries, runs)
    # Learning curves are read once, for the plots and for the caveats.
    learning_plots, curves = plots.plot_learning(summaries, runs, sections.list_summary_attacks)
    caveats += sections.describe_unfinished_attackers(curves)
    folder = pathlib.Path(options.output)
    content = _format_report(
        summaries, runs, controls, caveats, tables, learning_plots, options.pictures
    )
    # Without a sync: a report can be made again.
    files.write_text_atomically(folder / "report.html", content, sync=False)
    # allow_nan=False: "NaN" is not JSON, and other readers would refuse the file.
    record = _replace_nan(make_record(summaries, runs, controls, caveats, tables))
    record_text = json.dumps(record, indent=1, allow_nan=False)
    files.write_text_atomically(folder / "report.json", f"{record_text}\n", sync=False)
    for table in tables:
        path = folder / "tables" / table.name
        csv, latex = report_tables.to_csv(table), report_tables.to_latex(table)
        files.write_text_atomically(f"{path}.csv", csv, sync=False)
        files.write_text_atomically(f"{path}.tex", latex, sync=False)
    print(f"{folder / 'report.html'}: {_count(summaries, runs)}, {len(caveats)} caveats.")
    failed = _describe_failures(controls)
    for sentence in failed:
        print(f"tfanon.report: {sentence}", file=sys.stderr)
    # The files are written all the same: the page says which control failed.
    return 1 if failed else 0


def make_tables(summaries: Sequence[AnonymizerSummary], runs: Sequence[FinishedRun]) -> list[Table]:
    """Make all tables, separately for each setting and privacy task."""
    tables = []
    done = set()
    groups = aggregate.group_summaries(summaries)
    for number, ((setting, probe), group) in enumerate(groups.items()):
        group_runs = [run for run in runs if run.setting == setting]
        candidates = [
            sections.make_results_table(group),
            sections.make_front_table(group),
            paired_differences.make_difference_table(group_runs, probe),
            sections.make_attacker_table(group, group_runs),
            sections.make_attribute_table(group, group_runs),
            sections.make_further_table(group),
        ]
        if setting not in done:  # the paper has one privacy task, images
            candidates += paper_tables.make_paper_tables(group, group_runs)
        done.add(setting)
        for table in candidates:
            # With one group, names and titles need no suffix.
            if table and len(groups) > 1:
                title = f"{table.title}: {_name_group(setting, probe)}"
                table = dataclasses.replace(table, name=f"{table.name}_{number}", title=title)
            if table:
                tables.append(table)
    return tables


def _name_group(setting: str, probe: str) -> str:
    """Return what the summaries of a group have in common."""
    task = f"attributes of {probe}" if probe else ""
    return ", ".join(filter(None, (setting, task)))


def make_record(
    summaries: Sequence[AnonymizerSummary],
    runs: Sequence[FinishedRun],
    controls: Sequence[Control],
    caveats: Sequence[str],
    tables: Sequence[Table],
) -> dict[str, Any]:
    """Return the content of report.json."""
    optimal = set()
    for group in aggregate.group_summaries(summaries).values():
        for summary in aggregate.find_pareto_optimal(group):
            optimal.add((summary.group, summary.name))
    anonymizers = []
    for summary in summaries:
        anonymizers.append(
            {
                "name": summary.name,
                "setting": summary.setting,
                "probe": summary.probe,
                "unbeaten": (summary.group, summary.name) in optimal,
                "seeds": {str(seed): scores for seed, scores in summary.by_seed.items()},
            }
        )
    described_runs = []
    for run in runs:
        described_runs.append(
            {
                "folder": str(run.folder),
                "seed": run.seed,
                "label": run.label,
                "setting": run.setting,
                "protocols": sorted(run.evaluations),
                "notes": _list_notes(run),
            }
        )
    return {
        "schema_version": SCHEMA_VERSION,
        "missing": list(caveats),
        # Keys of schema version 1; "gates" are controls, "missing" are caveats.
        "gates": list(controls),
        "runs": described_runs,
        "anonymizers": anonymizers,
        "tables": {table.name: report_tables.to_json(table) for table in tables},
    }


def _format_report(
    summaries: Sequence[AnonymizerSummary],
    runs: Sequence[FinishedRun],
    controls: Sequence[Control],
    caveats: Sequence[str],
    tables: Sequence[Table],
    learning_plots: Sequence[Plot],
    pictures: str,
) -> str:
    """Return report.html."""
    # A dict keeps the order, and each note once.
    notes: dict[str, None] = {}
    for run in runs:
        notes.update(dict.fromkeys(_list_notes(run)))
    seeds = sorted({run.seed for run in runs})
    subtitle = (
        f"{_count(summaries, runs)}, seeds {', '.join(map(str, seeds))}. Fractions in per cent "
        "unless stated otherwise."
    )
    own_tables = [table for table in tables if not table.name.startswith("paper")]
    tables_of_paper = [table for table in tables if table.name.startswith("paper")]
    control_tables = [_make_control_table(controls)] if controls else []
    alerts = [
        ("bad", "Not to be trusted: a control failed", _describe_failures(controls)),
        ("warn", "Caveats", caveats),
        ("warn", "Notes of the runs", list(notes)),
    ]
    content = [
        ("Pareto front", _format_fronts(summaries)),
        ("Results", page.format_tables(own_tables)),
        ("Controls", page.format_tables(control_tables)),
        (
            "Convergence of the attackers",
            page.format_plots(
                learning_plots, "The epoch is selected on held-out data; #: the seed."
            ),
        ),
        ("Training of f_A", page.format_plots(plots.plot_training(runs))),
        ("Pictures", gallery.make_gallery(runs, pictures)),
        (
            "Beside the paper",
            page.format_tables(tables_of_paper, paper_tables.COMPARISON_NOTE),
        ),
        ("Model card", page.format_paragraphs(sections.make_model_card(runs))),
    ]
    return page.format_page("Utility and privacy leakage", subtitle, alerts, content)


def _format_fronts(summaries: Sequence[AnonymizerSummary]) -> str:
    """Return the Pareto plots of each group with their keys."""
    note = (
        "Further left leaks less, higher keeps more utility. Circles: trained; squares: fixed; "
        "diamond: raw video. Bars: standard deviation over seeds, or the 95 % interval of one "
        "seed. Steps: the Pareto front."
    )
    parts = []
    for (setting, probe), group in aggregate.group_summaries(summaries).items():
        name = _name_group(setting, probe)
        group_note = f"{name}. {note}" if name else note
        parts.append(page.format_plots(plots.plot_pareto_front(group), group_note))
        parts.append(page.format_key(plots.list_numbered_names(group)))
    return "".join(parts)


def _count(summaries: Sequence[AnonymizerSummary], runs: Sequence[FinishedRun]) -> str:
    anonymizers = {(summary.setting, summary.name) for summary in summaries}
    return f"{len(runs)} runs, {len(anonymizers)} anonymizers"


def _make_control_table(controls: Sequence[Control]) -> Table:
    rows = []
    for control in controls:
        rows.append(
            (
                str(control.get("gate")),
                control["run"],
                str(control.get("attacker")),
                control.get("value"),
                control.get("bound"),
                "yes" if control.get("passed") else "NO",
            )
        )
    return Table(
        "gates",
        "Controls",
        ("control", "run", "attacker", "value", "bound", "passed"),
        tuple(rows),
        lead="Positive control: an attacker must succeed on raw data. Negative control: it must "
        "find nothing in noise. Otherwise no leakage is measured.",
    )


def _describe_failures(controls: Sequence[Control]) -> list[str]:
    """Return a sentence per control that failed."""
    sentences = []
    for control in controls:
        if not control.get("passed"):
            sentences.append(
                f'"{control.get("gate")}" in {control["run"]} ({control["protocol"]}): '
                f"{control.get('attacker')} reached {control.get('value')}, the bound is "
                f"{control.get('bound')}."
            )
    return sentences


def _list_notes(run: FinishedRun) -> list[str]:
    """Return the notes of a run and of its evaluations."""
    notes = []
    for results in (run.results, *run.evaluations.values()):
        notes += [str(note) for note in results.get("notes", [])]
    return notes


def _replace_nan(value: Any) -> Any:
    """Replace NaN and infinite numbers by null, since JSON has neither."""
    if isinstance(value, dict):
        return {key: _replace_nan(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_replace_nan(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def run() -> None:
    """Run the console command `tfanon-report`."""
    command_line.run_entry_point(main, [ReportOptions], __doc__)


if __name__ == "__main__":
    run()
