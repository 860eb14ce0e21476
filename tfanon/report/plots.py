"""Which plots a report has, and what is drawn in each: (title, SVG, what it shows) one by one."""

from tfanon.core import component_spec
from tfanon.report import aggregate, event_files, svg

SHAPES = {True: "circle", False: "square"}
COLOURS = {"circle": 0, "square": 1, "diamond": 7}
NAMED = 8  # more marks than that have numbers for names
NEAR = 0.5  # of the way from chance to the best top-1: what leaves less of the action is far from all others
TRAINING = (
    ("L_T", "L_T, the action judge's loss behind f_A"),
    ("L_B/batch", "L_B, batch statistics"),
    ("L_B/inference", "L_B, moving averages"),
    ("rms", "RMS change of a clip"),
    ("active", "share of clips beyond B"),
    ("L_A", "L_A, what f_A minimises"),
)


def frontier(marks):
    """[(title, SVG)] of leak against top-1 in per cent, a mark per anonymizer: the whole box, and closer.

    The name of each is beside it, or, where they are many, its number: see `numbered`.
    """
    placed = [mark for mark in marks if mark.placed]
    names = (
        [str(number) for number, _ in enumerate(placed, 1)]
        if numbered(marks)
        else [mark.name for mark in placed]
    )
    dots = [_dot(mark, name) for mark, name in zip(placed, names)]
    chance = next((number for mark in placed if (number := mark.number("action_chance"))), None)
    rules = [("y", 100 * chance.mean, "chance")] if chance else []
    least = chance and 100 * chance.mean + NEAR * (max(dot.y for dot in dots) - 100 * chance.mean)
    near = [(mark, dot) for mark, dot in zip(placed, dots) if not chance or dot.y >= least]
    titles = ("leak above the floor, max over attackers, points", "action top-1, %")
    return (
        [
            (
                "From nothing leaked and chance on",
                svg.scatter(
                    dots,
                    *titles,
                    _stairs(placed),
                    rules,
                    ((0,), (100,)),
                    "Leak against action accuracy, a mark per anonymizer",
                ),
            ),
            (
                "Closer: where the action is read",
                svg.scatter(
                    [dot for _, dot in near],
                    *titles,
                    _stairs([mark for mark, _ in near]),
                    about="The same marks, closer",
                ),
            ),
        ]
        if placed
        else []
    )


def numbered(marks):
    """The names of the frontier's marks, the first of number 1; empty where the plot has room for names."""
    names = [mark.name for mark in marks if mark.placed]
    return names if len(names) > NAMED else []


def _stairs(placed):
    """Where the steps of those are that no other beats."""
    return [(dot.x, dot.y) for dot in map(_dot, aggregate.unbeaten(placed))]


def _dot(mark, name=""):
    leak, top1 = mark.number("leak"), mark.number("action_top1")
    shape = (
        "diamond"
        if mark.anonymizer == aggregate.RAW
        else SHAPES[not aggregate.fixed(mark.anonymizer)]
    )
    bars = tuple(tuple(min(100.0, 100 * bound) for bound in one.bounds) for one in (leak, top1))
    return svg.Dot(name, 100 * leak.mean, 100 * top1.mean, bars, shape, COLOURS[shape], mark.name)


def training(runs):
    """The minimax game of every run, one plot per quantity, a colour per label."""
    found = {run.folder: event_files.scalars(run.folder / "logs" / "anonymize") for run in runs}
    labels = list(dict.fromkeys(run.label for run in runs))
    plots = []
    for tag, about in TRAINING:
        lines = [
            svg.Line(
                _seeded(run, runs),
                event_files.thin(points),
                labels.index(run.label),
                _nth_seed(run, runs),
            )
            for run in runs
            if (points := found[run.folder].get(tag))
        ]
        bounds = {run.config.penalty_bound for run in runs}
        rules = [("y", bounds.pop(), "B")] if tag == "rms" and len(bounds) == 1 else []
        if lines:
            plots.append((about, svg.lines(_named_apart(lines), "step", tag, rules, about)))
    return plots


def learning(marks, runs, of):
    """(plots, {name: ([(step, held-out score), ..], its unit)}): one plot per attacker, a colour per anonymizer."""
    series = {}
    for number, mark in enumerate(marks):
        for attack in of(mark, runs):
            points = attack.get("curve") or _logged(attack["run"], mark, attack)
            if points:
                unit = (
                    event_files.DECIBELS if "psnr" in attack else event_files.POINTS
                )  # what a decoder raises is its PSNR
                series.setdefault((aggregate.title(attack), unit), []).append(
                    (mark, number, attack["run"], list(map(tuple, points)))
                )
    plots, named = [], {}
    for (attacker, unit), entries in series.items():
        single = len({run.seed for _, _, run, _ in entries}) == 1
        lines = [
            svg.Line(
                mark.name if single else f"{mark.name} #{run.seed}",
                event_files.thin([(step, unit.times * score) for step, score in points]),
                number,
                number // svg.COLOURS,
            )
            for mark, number, run, points in entries
        ]
        plots.append(
            (
                attacker,
                svg.lines(
                    _named_apart(lines),
                    "step",
                    f"held-out score, {unit.name}",
                    about=f"Learning curves of {attacker}",
                ),
            )
        )
        named |= {
            f"{mark.name}, {attacker}, seed {run.seed}": (points, unit)
            for mark, _, run, points in entries
        }
    return plots, named


def _logged(run, mark, attack):
    """The held-out scores of the run's own judge, from its TensorBoard files."""
    if attack["attacker"] != "judge":
        return None
    folder = (
        run.folder
        / "logs"
        / component_spec.make_file_name(f"privacy-{attack['probe']}-{mark.anonymizer}")
    )
    return event_files.scalars(folder).get("held_out")


def _named_apart(lines):
    """The lines, of which those beyond the first of a colour lose their name where there are too many to write."""
    if len(lines) <= 10:
        return lines
    seen, kept = set(), []
    for line in lines:
        kept.append(
            line if line.colour not in seen else svg.Line("", line.points, line.colour, line.dash)
        )
        seen.add(line.colour)
    return kept


def _seeded(run, runs):
    several = len({other.seed for other in runs}) > 1
    return (
        ", ".join(part for part in (run.label, f"seed {run.seed}" if several else "") if part)
        or "f_A"
    )


def _nth_seed(run, runs):
    return sorted({other.seed for other in runs}).index(run.seed)
