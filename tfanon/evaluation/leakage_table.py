"""results.json of an evaluation for a terminal: a row per attack, a column per anonymizer, per cent above the floor."""

from tfanon.attacks.common import attack_run

MISSING = "-"


def format_leakage_table(results):
    """Action, attacks with their maximum and mean, reconstruction, flicker, gates and notes, as lines of text."""
    names = list(
        dict.fromkeys(
            entry["anonymizer"]
            for part in ("flicker", "actions", "attacks")
            for entry in results[part]
        )
    )
    lines = [
        ["", *names],
        *_make_action_rows(results, names),
        *_make_attack_rows(results, names),
        *_make_reconstruction_rows(results, names),
    ]
    flicker = {entry["anonymizer"]: entry["flicker"] for entry in results["flicker"]}
    lines.append(["flicker", *(_format_cell(flicker.get(name), 100, 2) for name in names)])
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = [
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip()
        for line in lines
    ]
    return "\n".join(
        [
            text[0],
            "-" * max(map(len, text)),
            *text[1:],
            "",
            *_describe_controls(results),
            *results["notes"],
        ]
    )


def describe_failed_controls(results):
    """The line that a report with failed gates must show; "" where all passed."""
    failed = [
        f"{gate['gate']} ({gate['attacker']}, {gate['probe']})"
        for gate in results["gates"]
        if not gate["passed"]
    ]
    return (
        f"THIS REPORT IS NOT TO BE TRUSTED: these gates failed: {'; '.join(failed)}."
        if failed
        else ""
    )


def _make_action_rows(results, names):
    values = {
        (entry["network"], entry["anonymizer"]): entry["action_top1"]
        for entry in results["actions"]
    }
    chance = {entry["network"]: entry["action_chance"] for entry in results["actions"]}
    return [
        [
            f"action top-1, {network} (chance {_format_cell(chance[network])})",
            *(_format_cell(values.get((network, name))) for name in names),
        ]
        for network in chance
    ]


def _make_attack_rows(results, names):
    """A row per attack, then the largest and the mean of each probe: their attributes and floors are not the same."""
    rows = {}
    for entry in results["attacks"]:
        if (leak := attack_run.get_leakage(entry)) is not None:
            rows.setdefault(_make_row_title(entry), {})[entry["anonymizer"]] = leak
    if not rows:
        return []
    lines = [
        [title, *(_format_cell(row.get(name)) for name in names)] for title, row in rows.items()
    ]
    for probe in dict.fromkeys(entry["probe"] for entry in results["attacks"] if "cmap" in entry):
        summary = [compute_max_and_mean(results["attacks"], name, probe) for name in names]
        lines += [
            [
                f"MOST that an attacker reads of attributes of {probe}",
                *(_format_cell(most) for most, _ in summary),
            ],
            [
                f"mean of the attackers of {probe}, without frozen",
                *(_format_cell(mean) for _, mean in summary),
            ],
        ]
    return lines


def compute_max_and_mean(attacks, name, probe):
    """(largest, mean) of what attackers read of a probe's attributes behind an anonymizer above their floors; None without.

    "frozen" is for comparison only and does not pull the mean down.
    """
    leaks = [
        entry["cmap_above_floor"]
        for entry in attacks
        if (entry["anonymizer"], entry["probe"]) == (name, probe)
        and "cmap" in entry
        and entry["attacker"] != "frozen"
    ]
    return (max(leaks), sum(leaks) / len(leaks)) if leaks else (None, None)


def _make_reconstruction_rows(results, names):
    rows = {}
    for entry in results["attacks"]:
        if "psnr" in entry:
            title = f"reconstruction, {entry['network']}, {entry['probe']}"
            rows.setdefault(f"{title}: PSNR dB", {})[entry["anonymizer"]] = _format_cell(
                entry["psnr"], 1
            )
            rows.setdefault(f"{title}: SSIM", {})[entry["anonymizer"]] = _format_cell(
                entry["ssim"], 1, 3
            )
    return [[title, *(row.get(name, MISSING) for name in names)] for title, row in rows.items()]


def _make_row_title(entry):
    start = "" if entry["start"] == attack_run.SCRATCH else f" from {entry['start']}"
    return f"{entry['attacker']}, {entry['network']}{start}, {entry['probe']}"


def _describe_controls(results):
    words = {
        True: "passed",
        False: "FAILED",
        "raw is read": "at least",
        "noise leaks nothing": "at most",
    }
    lines = [
        f"{words[gate['passed']]}: {gate['gate']} ({gate['attacker']}, {gate['network']}, {gate['probe']}): cMAP "
        f"{_format_cell(gate['value'])}, {words[gate['gate']]} {_format_cell(gate['bound'])}"
        for gate in results["gates"]
    ]
    return [
        *lines,
        *([describe_failed_controls(results)] if describe_failed_controls(results) else []),
    ]


def _format_cell(value, scale=100, digits=1):
    return MISSING if value is None or value != value else f"{scale * value:.{digits}f}"
