"""Plots as SVG text: points with error bars and lines, axes with round ticks, names beside what they name.

Colours are classes (s0 .. s7) of the page's style sheet, so that one picture serves light, dark and paper; marks and
dashes differ in shape too. Every text is escaped.
"""

import dataclasses
import html
import math

WIDTH, HEIGHT = 620, 400
LEFT, RIGHT, TOP, BOTTOM = 58, 18, 14, 46
LETTER, LINE = (
    7.2,
    14,
)  # width and height of a letter, in pixels, as far as placing a name needs them
COLOURS = 8
DASHES = ("", "6 3", "2 3", "8 3 2 3")


@dataclasses.dataclass(frozen=True)
class Dot:
    """A point of a scatter plot.  bars: ((x low, x high), (y low, y high)).  shape: circle, square or diamond.

    about: what it shows under a pointer; empty: its name.
    """

    name: str
    x: float
    y: float
    bars: tuple = ()
    shape: str = "circle"
    colour: int = 0
    about: str = ""


@dataclasses.dataclass(frozen=True)
class Line:
    """A curve.  points: [(x, y), ..], x rising.  name: written at its end; empty: not named."""

    name: str
    points: tuple
    colour: int = 0
    dash: int = 0


def scatter(dots, x_title, y_title, frontier=(), rules=(), reach=((), ()), about=""):
    """Dots with error bars and names.

    frontier: [(x, y), ..] rising in x, joined by stairs.  rules: dashed lines [(axis "x" or "y", value, name), ..].
    reach: x and y values that the axes must reach.  about: what a screen reader says.
    """
    xs = [value for dot in dots for value in (dot.x, *(dot.bars[0] if dot.bars else ()))]
    ys = [value for dot in dots for value in (dot.y, *(dot.bars[1] if dot.bars else ()))]
    xs, ys = [*xs, *reach[0]], [*ys, *reach[1]]
    frame = Frame(
        xs + [v for axis, v, _ in rules if axis == "x"],
        ys + [v for axis, v, _ in rules if axis == "y"],
    )
    parts = [
        frame.axes(x_title, y_title),
        *(frame.rule(*rule, last=True) for rule in rules),
    ]  # dots begin at the left
    if len(frontier) > 1:
        steps = [((two[0], one[1]), two) for one, two in zip(frontier, frontier[1:])]
        corners = [frontier[0], *(corner for step in steps for corner in step)]
        parts.append(f'<polyline class="frontier" points="{frame.path(corners)}"/>')
    parts += [frame.bars(dot) for dot in dots if dot.bars]
    parts += [_shape(frame.x(dot.x), frame.y(dot.y), dot) for dot in dots]
    up = 9  # above the bar, which would strike the name out
    places = [
        (frame.x(dot.x), frame.y(dot.y) - up * bool(dot.bars), dot.name, dot.colour) for dot in dots
    ]
    parts += names(places, frame)
    return _picture(parts, frame, about)


def lines(curves, x_title, y_title, rules=(), about="", width=WIDTH, height=300):
    """Curves with their names at their ends; a curve without points is left out."""
    curves = [curve for curve in curves if curve.points]
    xs = [x for curve in curves for x, _ in curve.points]
    ys = [y for curve in curves for _, y in curve.points] + [
        value for axis, value, _ in rules if axis == "y"
    ]
    room = min(LETTER * max((len(curve.name) for curve in curves), default=0) + 10, 0.4 * width)
    frame = Frame(xs, ys, width, height, right=max(RIGHT, room))
    parts = [frame.axes(x_title, y_title), *(frame.rule(*rule) for rule in rules)]
    for curve in curves:
        dash = (
            f' stroke-dasharray="{DASHES[curve.dash % len(DASHES)]}"'
            if curve.dash % len(DASHES)
            else ""
        )
        parts.append(
            f'<polyline class="line s{curve.colour % COLOURS}"{dash} points="{frame.path(curve.points)}"/>'
        )
    ends = [
        (
            frame.x(curve.points[-1][0]),
            frame.y(curve.points[-1][1]),
            _short(curve.name, room),
            curve.colour,
        )
        for curve in curves
        if curve.name
    ]
    return _picture(parts + names(ends, frame, beside=True), frame, about)


class Frame:
    """Axes around some values: where each lies in the picture."""

    def __init__(self, xs, ys, width=WIDTH, height=HEIGHT, right=RIGHT):
        self.width, self.height, self.right = width, height, right
        self.x_ticks, self.y_ticks = ticks(xs, 6), ticks(ys, 5)

    def x(self, value):
        return _between(value, self.x_ticks, LEFT, self.width - self.right)

    def y(self, value):
        return _between(value, self.y_ticks, self.height - BOTTOM, TOP)

    def path(self, points):
        return " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in points)

    def axes(self, x_title, y_title):
        """Grid, numbers and titles."""
        bottom, end = self.height - BOTTOM, self.width - self.right
        parts = []
        for value in self.y_ticks:
            y = self.y(value)
            parts.append(
                f'<line class="grid" x1="{LEFT}" x2="{end:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
                + text(LEFT - 8, y + 4, _number(value, self.y_ticks), "end")
            )
        for value in self.x_ticks:
            x = self.x(value)
            parts.append(
                f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" y2="{bottom + 5}"/>'
                + text(x, bottom + 19, _number(value, self.x_ticks), "middle")
            )
        parts.append(f'<line class="axis" x1="{LEFT}" x2="{end:.1f}" y1="{bottom}" y2="{bottom}"/>')
        parts.append(text((LEFT + end) / 2, self.height - 8, x_title, "middle"))
        middle = (TOP + bottom) / 2
        parts.append(
            f'<g transform="rotate(-90 14 {middle:.0f})">{text(14, middle, y_title, "middle")}</g>'
        )
        return "".join(parts)

    def rule(self, axis, value, name, last=False):
        """A dashed line at a value, named at its lower or left end, or, where it is of y and `last`, at its right one."""
        if axis == "x":
            x = self.x(value)
            return (
                f'<line class="rule" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{self.height - BOTTOM}"/>'
                + text(x - 5, self.height - BOTTOM - 8, name, "end", "quiet")
            )
        y = self.y(value)
        return (
            f'<line class="rule" x1="{LEFT}" x2="{self.width - self.right:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
            + text(
                self.width - self.right - 6 if last else LEFT + 6,
                y - 5,
                name,
                "end" if last else "start",
                "quiet",
            )
        )

    def bars(self, dot):
        (left, right), (low, high) = dot.bars
        x, y = self.x(dot.x), self.y(dot.y)
        return (
            f'<path class="bar s{dot.colour % COLOURS}" d="M{self.x(left):.1f} {y:.1f}H{self.x(right):.1f}'
            f'M{x:.1f} {self.y(low):.1f}V{self.y(high):.1f}"/>'
        )


def ticks(values, count):
    """At least two round numbers, evenly spread, from below the least value to above the largest."""
    values = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(values), max(values)
    if high - low < 1e-9 * max(1.0, abs(high)):
        low, high = low - (abs(low) or 1) * 0.1, high + (abs(high) or 1) * 0.1
    rough = (high - low) / count
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 2.5, 5, 10) if unit * factor >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [step * k for k in range(first, last + 1)]


def names(entries, frame, beside=False):
    """Texts beside (x, y, name, colour), moved up and down until none lies on another.

    beside: all to the right, where the frame has left room; otherwise to the left in the right part of the picture.
    """
    boxes = []
    for x, y, name, colour in sorted(entries, key=lambda entry: entry[1]):
        wide = LETTER * len(name)
        leftwards = not beside and x + 10 + wide > frame.width - 2
        start = x - 10 - wide if leftwards else x + (6 if beside else 10)
        top = y - LINE / 2
        while any(
            start < other[0] + other[2] and other[0] < start + wide and abs(top - other[1]) < LINE
            for other in boxes
        ):
            top += 2
        boxes.append((start, top, wide, leftwards, name, colour, x, y))
    over = (
        max([0.0, *(top + LINE - (frame.height - BOTTOM) for _, top, *_ in boxes)])
        if beside
        else 0.0
    )
    return [
        _name(start, top - min(over, max(0.0, top - TOP)), wide, *rest)
        for start, top, wide, *rest in boxes
    ]


def _short(name, room):
    """A name that fits, its end being what tells one from another."""
    letters = int((room - 10) / LETTER)
    return name if len(name) <= letters else "\N{HORIZONTAL ELLIPSIS}" + name[-letters + 1 :]


def _name(start, top, wide, leftwards, name, colour, x, y):
    middle = top + LINE / 2
    lead = ""
    if abs(middle - y) > LINE:  # it had to move far: a thin line says whose name it is
        end = start + (wide if leftwards else 0)
        lead = f'<line class="lead" x1="{x:.1f}" y1="{y:.1f}" x2="{end:.1f}" y2="{middle:.1f}"/>'
    at, anchor = (start + wide, "end") if leftwards else (start, "start")
    return lead + text(at, middle + 4, name, anchor, f"name t{colour % COLOURS}")


def text(x, y, words, anchor, kind="number"):
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html.escape(str(words))}</text>'


def _shape(x, y, dot):
    kind = f'class="dot s{dot.colour % COLOURS}"'
    told = f"<title>{html.escape(dot.about or dot.name)}</title>"
    if dot.shape == "square":
        return f'<rect {kind} x="{x - 5:.1f}" y="{y - 5:.1f}" width="10" height="10">{told}</rect>'
    if dot.shape == "diamond":
        return f'<path {kind} d="M{x:.1f} {y - 7:.1f}l7 7l-7 7l-7 -7z">{told}</path>'
    return f'<circle {kind} cx="{x:.1f}" cy="{y:.1f}" r="6">{told}</circle>'


def _picture(parts, frame, about):
    return (
        f'<svg viewBox="0 0 {frame.width:g} {frame.height:g}" role="img" aria-label="{html.escape(about)}" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )


def _between(value, ticks_, first, last):
    return first + (value - ticks_[0]) / (ticks_[-1] - ticks_[0]) * (last - first)


def _number(value, ticks_):
    digits = max(0, -math.floor(math.log10(ticks_[1] - ticks_[0]) + 1e-9))
    step = ticks_[1] - ticks_[0]
    if round(step, digits) != round(step, 12):  # a step of 2.5
        digits += 1
    return f"{value:,.{digits}f}".replace("-", "\N{MINUS SIGN}") if abs(value) > 1e-12 else "0"
