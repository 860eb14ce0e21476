"""The results of an evaluation as a table for the terminal.

One row per attack, one column per anonymizer; leakage in per cent above chance.
"""

from typing import Any

from tfanon.attacks.common import attack_run
from tfanon.evaluation.runner import NEGATIVE_CONTROL, POSITIVE_CONTROL
from tfanon.summaries import text_table

MISSING = "-"
# results.json names a control by what it expects; people read what kind of control it is.
CONTROL_TITLES = {
    POSITIVE_CONTROL: "positive control (raw video)",
    NEGATIVE_CONTROL: "negative control (noise)",
}
BOUND_WORDS = {POSITIVE_CONTROL: "at least", NEGATIVE_CONTROL: "at most"}


def format_leakage_table(results: dict[str, Any]) -> str:
    """Format the results of an evaluation as text.

    Args:
        results: As `runner.run_protocol` returns them.

    Returns:
        Lines with action accuracy, attacks with their maximum and mean, reconstruction, flicker,
        controls and notes.
    """
    names = _list_anonymizers(results)
    flicker = {entry["anonymizer"]: entry["flicker"] for entry in results["flicker"]}
    flicker_cells = [_format_cell(flicker.get(name), digits=2) for name in names]
    rows = [
        ["", *names],
        *_make_action_rows(results, names),
        *_make_attack_rows(results, names),
        *_make_reconstruction_rows(results, names),
        ["flicker", *flicker_cells],
    ]
    header, *body = text_table.align_columns(rows)
    rule = "-" * max(len(line) for line in [header, *body])
    lines = [header, rule, *body, "", *_describe_controls(results), *results["notes"]]
    return "\n".join(lines)


def describe_failed_controls(results: dict[str, Any]) -> str:
    """Describe the controls that failed.

    Args:
        results: As `runner.run_protocol` returns them.

    Returns:
        A line that every report must show; empty if all controls passed.
    """
    failed = []
    for control in results["gates"]:
        if not control["passed"]:
            title = CONTROL_TITLES[control["gate"]]
            failed.append(f"{title}: {control['attacker']}, {control['probe']}")
    if not failed:
        return ""
    return f"DO NOT TRUST THIS REPORT. Failed controls: {'; '.join(failed)}."


def compute_max_and_mean(
    attacks: list[attack_run.Entry], name: str, task: str
) -> tuple[float, float] | tuple[None, None]:
    """Compute the largest and the mean leakage above chance of attacks on one privacy task.

    The frozen attacker is for comparison only and is left out.

    Args:
        attacks: Entries of results.json.
        name: Name of the anonymizer.
        task: Name of the privacy task.

    Returns:
        (largest, mean) of cMAP minus chance level; (None, None) if there is no attack.
    """
    leakages = []
    for entry in attacks:
        is_attack_on_task = (entry["anonymizer"], entry["probe"]) == (name, task)
        if is_attack_on_task and "cmap" in entry and entry["attacker"] != "frozen":
            leakages.append(entry["cmap_above_floor"])
    if not leakages:
        return None, None
    return max(leakages), sum(leakages) / len(leakages)


def _list_anonymizers(results: dict[str, Any]) -> list[str]:
    """Return the names of the anonymizers in the order in which they appear."""
    names: dict[str, None] = {}
    for part in ("flicker", "actions", "attacks"):
        for entry in results[part]:
            names[entry["anonymizer"]] = None
    return list(names)


def _make_action_rows(results: dict[str, Any], names: list[str]) -> list[list[str]]:
    """Return a row per action evaluator."""
    accuracy, chance = {}, {}
    for entry in results["actions"]:
        accuracy[entry["network"], entry["anonymizer"]] = entry["action_top1"]
        chance[entry["network"]] = entry["action_chance"]
    rows = []
    for network, chance_level in chance.items():
        title = f"action top-1, {network} (chance {_format_cell(chance_level)})"
        cells = [_format_cell(accuracy.get((network, name))) for name in names]
        rows.append([title, *cells])
    return rows


def _make_attack_rows(results: dict[str, Any], names: list[str]) -> list[list[str]]:
    """Return a row per attack, then the largest and the mean leakage of each privacy task.

    Tasks are summarized separately: their attributes and chance levels differ.
    """
    attacks = results["attacks"]
    leakages: dict[str, dict[str, float]] = {}
    for entry in attacks:
        leakage = attack_run.get_leakage(entry)
        if leakage is not None:
            row = leakages.setdefault(_make_row_title(entry), {})
            row[entry["anonymizer"]] = leakage
    if not leakages:
        return []
    rows = []
    for title, row in leakages.items():
        rows.append([title, *(_format_cell(row.get(name)) for name in names)])
    for task in dict.fromkeys(entry["probe"] for entry in attacks if "cmap" in entry):
        largest = [f"largest leakage of attributes of {task}, without frozen"]
        mean = [f"mean leakage of attributes of {task}, without frozen"]
        for name in names:
            max_leakage, mean_leakage = compute_max_and_mean(attacks, name, task)
            largest.append(_format_cell(max_leakage))
            mean.append(_format_cell(mean_leakage))
        rows += [largest, mean]
    return rows


def _make_reconstruction_rows(results: dict[str, Any], names: list[str]) -> list[list[str]]:
    """Return the similarity of reconstructions and raw frames, two rows per decoder and task."""
    cells: dict[str, dict[str, str]] = {}
    for entry in results["attacks"]:
        if "psnr" in entry:
            title = f"reconstruction, {entry['network']}, {entry['probe']}"
            psnr = cells.setdefault(f"{title}: PSNR dB", {})
            psnr[entry["anonymizer"]] = _format_cell(entry["psnr"], scale=1)
            ssim = cells.setdefault(f"{title}: SSIM", {})
            ssim[entry["anonymizer"]] = _format_cell(entry["ssim"], scale=1, digits=3)
    rows = []
    for title, row in cells.items():
        rows.append([title, *(row.get(name, MISSING) for name in names)])
    return rows


def _make_row_title(entry: attack_run.Entry) -> str:
    start = "" if entry["start"] == attack_run.SCRATCH else f" from {entry['start']}"
    return f"{entry['attacker']}, {entry['network']}{start}, {entry['probe']}"


def _describe_controls(results: dict[str, Any]) -> list[str]:
    """Return a line per control, and the warning if one failed."""
    lines = []
    for control in results["gates"]:
        outcome = "passed" if control["passed"] else "FAILED"
        attacker = f"{control['attacker']}, {control['network']}, {control['probe']}"
        value, bound = _format_cell(control["value"]), _format_cell(control["bound"])
        lines.append(
            f"{outcome}: {CONTROL_TITLES[control['gate']]}: {attacker}: cMAP {value}, must be "
            f"{BOUND_WORDS[control['gate']]} {bound}"
        )
    warning = describe_failed_controls(results)
    if warning:
        lines.append(warning)
    return lines


def _format_cell(value: float | None, scale: float = 100, digits: int = 1) -> str:
    """Format a number in per cent, or MISSING for None and NaN."""
    if value is None or value != value:
        return MISSING
    return f"{scale * value:.{digits}f}"
