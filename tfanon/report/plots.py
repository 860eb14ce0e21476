"""Plots of a report, each as (title, SVG)."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tfanon.core import component_spec
from tfanon.report import aggregate, event_files, svg
from tfanon.report.aggregate import AnonymizerSummary
from tfanon.report.event_files import Curve, ScoreUnit
from tfanon.report.load_runs import FinishedRun

# Shape of a point by whether the anonymizer is trained; raw video is a diamond.
POINT_SHAPES = {True: "circle", False: "square"}
SHAPE_COLOURS = {"circle": 0, "square": 1, "diamond": 7}
MAX_NAMED_POINTS = 8  # more get numbers and a key
MAX_NAMED_LINES = 10  # of more, one per colour gets a name
# The close-up shows points above this fraction of the way from chance to the best top-1.
CLOSE_UP_FRACTION = 0.5
TRAINING_CURVES = (
    ("L_T", "L_T, loss of the action network on anonymized video"),
    ("L_B/batch", "L_B, batch statistics"),
    ("L_B/inference", "L_B, moving averages"),
    ("rms", "RMS change of a clip"),
    ("active", "fraction of clips beyond B"),
    ("L_A", "L_A, the loss of f_A"),
)

Plot = tuple[str, str]
# A curve, the summary it belongs to, the number of the summary, and its run.
_CurveEntry = tuple[AnonymizerSummary, int, FinishedRun, list[tuple[int, float]]]


def plot_pareto_front(summaries: Sequence[AnonymizerSummary]) -> list[Plot]:
    """Plot leakage against top-1 in per cent, one point per anonymizer: overview and close-up.

    Each point has its name beside it, or its number if there are many: see `list_numbered_names`.
    """
    placed = [summary for summary in summaries if summary.placed]
    if not placed:
        return []
    names = [summary.name for summary in placed]
    if list_numbered_names(summaries):
        # Many names would cover the points.
        names = [str(number) for number in range(1, len(placed) + 1)]
    dots = [_make_dot(summary, name) for summary, name in zip(placed, names, strict=True)]
    titles = ("leakage above chance, max over attackers, points", "action top-1, %")
    chance = _find_action_chance(placed)
    close = list(zip(placed, dots, strict=True))
    rules = []
    if chance is not None:
        rules.append(("y", chance, "chance"))
        best = max(dot.y for dot in dots)
        # Anonymizers below would squeeze all useful ones into a corner.
        border = chance + CLOSE_UP_FRACTION * (best - chance)
        close = [(summary, dot) for summary, dot in close if dot.y >= border]
    overview = svg.draw_scatter(
        dots,
        *titles,
        _list_front_points(placed),
        rules,
        # The overview reaches from no leakage to full accuracy, whatever was measured.
        ((0,), (100,)),
        "Leakage against action accuracy, one point per anonymizer",
    )
    close_up = svg.draw_scatter(
        [dot for _, dot in close],
        *titles,
        _list_front_points([summary for summary, _ in close]),
        about="The same points, close-up",
    )
    return [("From chance to full accuracy", overview), ("Close-up of the useful ones", close_up)]


def list_numbered_names(summaries: Iterable[AnonymizerSummary]) -> list[str]:
    """Return the names of the points of the Pareto plot, number 1 first; empty if names fit."""
    names = [summary.name for summary in summaries if summary.placed]
    return names if len(names) > MAX_NAMED_POINTS else []


def _find_action_chance(summaries: Iterable[AnonymizerSummary]) -> float | None:
    """Return the chance level of top-1 in per cent, if known."""
    for summary in summaries:
        chance = summary.number("action_chance")
        if chance is not None:
            return 100 * chance.mean
    return None


def _list_front_points(summaries: Iterable[AnonymizerSummary]) -> list[svg.XY]:
    """Return the points that no other dominates, by rising leakage."""
    dots = [_make_dot(summary) for summary in aggregate.find_pareto_optimal(summaries)]
    return [(dot.x, dot.y) for dot in dots]


def _make_dot(summary: AnonymizerSummary, name: str = "") -> svg.Dot:
    leakage, top1 = summary.number("leak"), summary.number("action_top1")
    assert leakage is not None and top1 is not None  # `placed` has checked it
    shape = POINT_SHAPES[not aggregate.is_fixed(summary.anonymizer)]
    if summary.anonymizer == aggregate.RAW:
        shape = "diamond"
    colour = SHAPE_COLOURS[shape]
    bars = (_scale_bounds(leakage), _scale_bounds(top1))
    x, y = 100 * leakage.mean, 100 * top1.mean
    return svg.Dot(name, x, y, bars, shape, colour, summary.name)


def _scale_bounds(statistic: aggregate.Statistic) -> tuple[float, float]:
    """Return an error bar in per cent, at most 100."""
    low, high = statistic.bounds
    # A standard deviation may reach beyond 100 %, which no score can.
    return min(100.0, 100 * low), min(100.0, 100 * high)


def plot_training(runs: Sequence[FinishedRun]) -> list[Plot]:
    """Plot the adversarial training of every run: one plot per quantity, one colour per label."""
    scalars = {}
    for run in runs:
        scalars[run.folder] = event_files.read_scalars(run.folder / "logs" / "anonymize")
    labels = list(dict.fromkeys(run.label for run in runs))
    seeds = sorted({run.seed for run in runs})
    bounds = {run.config.penalty_bound for run in runs}
    plots = []
    for tag, about in TRAINING_CURVES:
        lines = []
        for run in runs:
            points = scalars[run.folder].get(tag)
            if points:
                name = _name_run(run, several_seeds=len(seeds) > 1)
                colour, dash = labels.index(run.label), seeds.index(run.seed)
                lines.append(svg.Line(name, event_files.thin_curve(points), colour, dash))
        rules = []
        # Runs with several B have no common line.
        if tag == "rms" and len(bounds) == 1:
            rules = [("y", min(bounds), "B")]
        if lines:
            drawing = svg.draw_lines(_drop_repeated_names(lines), "step", tag, rules, about)
            plots.append((about, drawing))
    return plots


def plot_learning(
    summaries: Sequence[AnonymizerSummary],
    runs: Sequence[FinishedRun],
    list_attacks: Callable[[AnonymizerSummary, Sequence[FinishedRun]], Iterable[dict[str, Any]]],
) -> tuple[list[Plot], dict[str, tuple[Curve, ScoreUnit]]]:
    """Plot the held-out score of each attacker during its training, one colour per anonymizer.

    Args:
        summaries: The anonymizers.
        runs: The runs.
        list_attacks: Returns the attacks of a summary, each with its "run".

    Returns:
        The plots, and the curves by name with their unit.
    """
    entries: dict[tuple[str, ScoreUnit], list[_CurveEntry]] = {}
    for number, summary in enumerate(summaries):
        for attack in list_attacks(summary, runs):
            # The curve of the run's own attacker is in its TensorBoard files only.
            points = attack.get("curve") or _read_logged_curve(attack["run"], summary, attack)
            if points:
                # The score of a reconstruction is its PSNR.
                unit = event_files.DECIBELS if "psnr" in attack else event_files.POINTS
                curve = [(step, score) for step, score in points]
                entry = (summary, number, attack["run"], curve)
                entries.setdefault((aggregate.format_attacker(attack), unit), []).append(entry)
    plots = []
    curves: dict[str, tuple[Curve, ScoreUnit]] = {}
    for (attacker, unit), same_attacker in entries.items():
        lines = _make_learning_lines(same_attacker, unit)
        title = f"held-out score, {unit.name}"
        about = f"Learning curves of {attacker}"
        drawing = svg.draw_lines(_drop_repeated_names(lines), "step", title, about=about)
        plots.append((attacker, drawing))
        for summary, _, run, curve in same_attacker:
            curves[f"{summary.name}, {attacker}, seed {run.seed}"] = (curve, unit)
    return plots, curves


def _make_learning_lines(entries: Sequence[_CurveEntry], unit: ScoreUnit) -> list[svg.Line]:
    """Return one line per anonymizer and seed."""
    one_seed = len({run.seed for _, _, run, _ in entries}) == 1
    lines = []
    for summary, number, run, curve in entries:
        name = summary.name if one_seed else f"{summary.name} #{run.seed}"
        scaled = [(step, unit.factor * score) for step, score in curve]
        # Colours repeat after COLOUR_COUNT, so dashes distinguish them.
        dash = number // svg.COLOUR_COUNT
        lines.append(svg.Line(name, event_files.thin_curve(scaled), number, dash))
    return lines


def _read_logged_curve(
    run: FinishedRun, summary: AnonymizerSummary, attack: dict[str, Any]
) -> Curve | None:
    """Return the held-out scores of the run's own attacker from its TensorBoard files."""
    if attack["attacker"] != aggregate.OWN_ATTACKER:
        return None
    phase = component_spec.make_file_name(f"privacy-{attack['probe']}-{summary.anonymizer}")
    return event_files.read_scalars(run.folder / "logs" / phase).get("held_out")


def _drop_repeated_names(lines: Sequence[svg.Line]) -> Sequence[svg.Line]:
    """Keep one name per colour if there are too many lines to name all."""
    if len(lines) <= MAX_NAMED_LINES:
        return lines
    named = set()
    kept = []
    for line in lines:
        name = "" if line.colour in named else line.name
        kept.append(svg.Line(name, line.points, line.colour, line.dash))
        named.add(line.colour)
    return kept


def _name_run(run: FinishedRun, several_seeds: bool) -> str:
    parts = [run.label, f"seed {run.seed}" if several_seeds else ""]
    return ", ".join(filter(None, parts)) or "f_A"
