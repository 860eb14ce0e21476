"""Plots as SVG text: points with error bars, lines, round ticks, labels that do not overlap.

Colours are classes (s0 .. s7) of the page's style sheet, so that one picture serves light and dark
screens and paper; shapes and dashes differ too. All text is escaped.
"""

import dataclasses
import html
import math
from collections.abc import Iterable, Sequence

WIDTH, HEIGHT = 620, 400  # pixels
LEFT, RIGHT, TOP, BOTTOM = 58, 18, 14, 46  # margins in pixels
# Size of a letter in pixels, as far as placing a label needs it.
LETTER_WIDTH, LINE_HEIGHT = 7.2, 14
COLOUR_COUNT = 8
DASHES = ("", "6 3", "2 3", "8 3 2 3")
TICK_STEPS = (1, 2, 2.5, 5, 10)  # times a power of ten
BAR_CLEARANCE = 9  # pixels that a label stays above an error bar, which would cross it out
SIDE_GAP, END_GAP = 10, 6  # pixels between a point or the end of a line and its label

XY = tuple[float, float]
Rule = tuple[str, float, str]
# x, y, name, colour
Label = tuple[float, float, str, int]


@dataclasses.dataclass(frozen=True)
class Dot:
    """A point of a scatter plot.

    Attributes:
        name: Label beside it.
        x: Value on the x axis.
        y: Value on the y axis.
        bars: Error bars ((x low, x high), (y low, y high)); empty: none.
        shape: circle, square or diamond.
        colour: Index of its colour.
        about: Tooltip; empty: the name.
    """

    name: str
    x: float
    y: float
    bars: tuple[XY, ...] = ()
    shape: str = "circle"
    colour: int = 0
    about: str = ""


@dataclasses.dataclass(frozen=True)
class Line:
    """A curve.

    Attributes:
        name: Label at its end; empty: none.
        points: (x, y) by rising x.
        colour: Index of its colour.
        dash: Index of its dash pattern.
    """

    name: str
    points: tuple[XY, ...]
    colour: int = 0
    dash: int = 0


def draw_scatter(
    dots: Sequence[Dot],
    x_title: str,
    y_title: str,
    frontier: Sequence[XY] = (),
    rules: Sequence[Rule] = (),
    reach: tuple[Sequence[float], Sequence[float]] = ((), ()),
    about: str = "",
) -> str:
    """Draw points with error bars and labels.

    Args:
        dots: The points.
        x_title: Title of the x axis.
        y_title: Title of the y axis.
        frontier: (x, y) by rising x, joined by steps.
        rules: Dashed lines (axis "x" or "y", value, name).
        reach: Values that the x axis and the y axis must include.
        about: Description for screen readers.

    Returns:
        The SVG.
    """
    xs, ys = list(reach[0]), list(reach[1])
    for dot in dots:
        xs.append(dot.x)
        ys.append(dot.y)
        if dot.bars:
            xs += dot.bars[0]
            ys += dot.bars[1]
    for axis, value, _ in rules:
        (xs if axis == "x" else ys).append(value)
    axes = Axes(xs, ys)
    parts = [axes.draw(x_title, y_title)]
    # Named at the right end: the dots begin at the left.
    parts += [axes.draw_rule(*rule, at_end=True) for rule in rules]
    if len(frontier) > 1:
        # Steps, not slopes: nothing was measured between two points.
        corners = [frontier[0]]
        for before, after in zip(frontier, frontier[1:], strict=False):
            corners += [(after[0], before[1]), after]
        parts.append(f'<polyline class="frontier" points="{axes.format_path(corners)}"/>')
    parts += [axes.draw_bars(dot) for dot in dots if dot.bars]
    # After the bars, so that points lie above them.
    parts += [_draw_dot(axes.x(dot.x), axes.y(dot.y), dot) for dot in dots]
    labels = []
    for dot in dots:
        clearance = BAR_CLEARANCE if dot.bars else 0
        labels.append((axes.x(dot.x), axes.y(dot.y) - clearance, dot.name, dot.colour))
    parts += place_names(labels, axes)
    return _wrap_svg(parts, axes, about)


def draw_lines(
    curves: Sequence[Line],
    x_title: str,
    y_title: str,
    rules: Sequence[Rule] = (),
    about: str = "",
    width: float = WIDTH,
    height: float = 300,
) -> str:
    """Draw curves with their names at their ends; curves without points are left out.

    Args:
        curves: The curves.
        x_title: Title of the x axis.
        y_title: Title of the y axis.
        rules: Dashed lines (axis "x" or "y", value, name).
        about: Description for screen readers.
        width: In pixels.
        height: In pixels.

    Returns:
        The SVG.
    """
    curves = [curve for curve in curves if curve.points]
    xs = [x for curve in curves for x, _ in curve.points]
    ys = [y for curve in curves for _, y in curve.points]
    ys += [value for axis, value, _ in rules if axis == "y"]
    longest = max((len(curve.name) for curve in curves), default=0)
    # At most 40 % of the picture: longer names are shortened.
    room = min(LETTER_WIDTH * longest + 10, 0.4 * width)
    axes = Axes(xs, ys, width, height, right=max(RIGHT, room))
    parts = [axes.draw(x_title, y_title)]
    parts += [axes.draw_rule(*rule) for rule in rules]
    labels = []
    for curve in curves:
        pattern = DASHES[curve.dash % len(DASHES)]
        dash = f' stroke-dasharray="{pattern}"' if pattern else ""
        kind = f"line s{curve.colour % COLOUR_COUNT}"
        path = axes.format_path(curve.points)
        parts.append(f'<polyline class="{kind}"{dash} points="{path}"/>')
        if curve.name:
            x, y = curve.points[-1]
            labels.append((axes.x(x), axes.y(y), _shorten_name(curve.name, room), curve.colour))
    parts += place_names(labels, axes, beside=True)
    return _wrap_svg(parts, axes, about)


class Axes:
    """Axes around some values: the place of each value in the picture.

    Args:
        xs: Values that the x axis must include.
        ys: Values that the y axis must include.
        width: Of the picture in pixels.
        height: Of the picture in pixels.
        right: Right margin in pixels.
    """

    def __init__(
        self,
        xs: Iterable[float],
        ys: Iterable[float],
        width: float = WIDTH,
        height: float = HEIGHT,
        right: float = RIGHT,
    ) -> None:
        self.width, self.height, self.right = width, height, right
        self.x_ticks, self.y_ticks = choose_ticks(xs, 6), choose_ticks(ys, 5)

    def x(self, value: float) -> float:
        """Return the place of a value on the x axis in pixels."""
        return _interpolate(value, self.x_ticks, LEFT, self.width - self.right)

    def y(self, value: float) -> float:
        """Return the place of a value on the y axis in pixels, from the top."""
        return _interpolate(value, self.y_ticks, self.height - BOTTOM, TOP)

    def format_path(self, points: Iterable[XY]) -> str:
        """Return points as an SVG list of coordinates."""
        return " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in points)

    def draw(self, x_title: str, y_title: str) -> str:
        """Return grid, numbers and titles."""
        bottom, end = self.height - BOTTOM, self.width - self.right
        parts = []
        for value in self.y_ticks:
            y = self.y(value)
            parts.append(
                f'<line class="grid" x1="{LEFT}" x2="{end:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
            )
            parts.append(format_text(LEFT - 8, y + 4, _format_tick(value, self.y_ticks), "end"))
        for value in self.x_ticks:
            x = self.x(value)
            parts.append(
                f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" y2="{bottom + 5}"/>'
            )
            number = _format_tick(value, self.x_ticks)
            parts.append(format_text(x, bottom + 19, number, "middle"))
        parts.append(f'<line class="axis" x1="{LEFT}" x2="{end:.1f}" y1="{bottom}" y2="{bottom}"/>')
        parts.append(format_text((LEFT + end) / 2, self.height - 8, x_title, "middle"))
        middle = (TOP + bottom) / 2
        title = format_text(14, middle, y_title, "middle")
        parts.append(f'<g transform="rotate(-90 14 {middle:.0f})">{title}</g>')
        return "".join(parts)

    def draw_rule(self, axis: str, value: float, name: str, at_end: bool = False) -> str:
        """Return a dashed line at a value with its name.

        Args:
            axis: "x" or "y".
            value: Where on that axis.
            name: Written at the lower or left end.
            at_end: Write the name of a horizontal line at its right end.
        """
        if axis == "x":
            x, low = self.x(value), self.height - BOTTOM
            line = f'<line class="rule" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{low}"/>'
            return line + format_text(x - 5, low - 8, name, "end", "quiet")
        y, end = self.y(value), self.width - self.right
        line = f'<line class="rule" x1="{LEFT}" x2="{end:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
        if at_end:
            return line + format_text(end - 6, y - 5, name, "end", "quiet")
        return line + format_text(LEFT + 6, y - 5, name, "start", "quiet")

    def draw_bars(self, dot: Dot) -> str:
        """Return the error bars of a point."""
        (left, right), (low, high) = dot.bars
        x, y = self.x(dot.x), self.y(dot.y)
        path = (
            f"M{self.x(left):.1f} {y:.1f}H{self.x(right):.1f}"
            f"M{x:.1f} {self.y(low):.1f}V{self.y(high):.1f}"
        )
        return f'<path class="bar s{dot.colour % COLOUR_COUNT}" d="{path}"/>'


def choose_ticks(values: Iterable[float], count: int) -> list[float]:
    """Return at least two round, evenly spaced numbers around all values, about `count` of them."""
    finite = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(finite), max(finite)
    # All values are equal: a tenth to both sides.
    if high - low < 1e-9 * max(1.0, abs(high)):
        low, high = low - (abs(low) or 1) * 0.1, high + (abs(high) or 1) * 0.1
    smallest = (high - low) / count
    unit = 10.0 ** math.floor(math.log10(smallest))
    steps = [unit * factor for factor in TICK_STEPS]
    # 0.999 and 1e-9: rounding errors must not add a tick.
    step = next(step for step in steps if step >= smallest * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [step * k for k in range(first, last + 1)]


def place_names(labels: Iterable[Label], axes: Axes, beside: bool = False) -> list[str]:
    """Place labels beside their points, moved up and down until none overlaps another.

    Args:
        labels: (x, y, name, colour).
        axes: The axes of the plot.
        beside: Write all labels to the right, where the axes leave room; otherwise labels in the
            right part of the picture are written to the left.

    Returns:
        SVG texts.
    """
    # Left end and top of each label, its width, whether it is on the left, and the label itself.
    boxes: list[tuple[float, float, float, bool, Label]] = []
    # From the top, so that a label that must move only moves down.
    for label in sorted(labels, key=lambda label: label[1]):
        x, y, name, _ = label
        width = LETTER_WIDTH * len(name)
        leftwards = not beside and x + SIDE_GAP + width > axes.width - 2
        start = x + (END_GAP if beside else SIDE_GAP)
        if leftwards:
            start = x - SIDE_GAP - width
        top = y - LINE_HEIGHT / 2
        while any(_overlaps(start, top, width, box) for box in boxes):
            # In small steps, so that a label stays as near to its point as it can.
            top += 2
        boxes.append((start, top, width, leftwards, label))
    overhang = 0.0
    if beside:
        lowest = [top + LINE_HEIGHT - (axes.height - BOTTOM) for _, top, *_ in boxes]
        overhang = max([0.0, *lowest])
    drawn = []
    for start, top, width, leftwards, label in boxes:
        # Names move up by what does not fit below, but none above the top of the axes.
        raised = top - min(overhang, max(0.0, top - TOP))
        drawn.append(_draw_label(start, raised, width, leftwards, label))
    return drawn


def _overlaps(
    start: float, top: float, width: float, box: tuple[float, float, float, bool, Label]
) -> bool:
    """Whether a label at a place would overlap one that is placed."""
    other_start, other_top, other_width, *_ = box
    is_beside = start >= other_start + other_width or other_start >= start + width
    return not is_beside and abs(top - other_top) < LINE_HEIGHT


def _shorten_name(name: str, room: float) -> str:
    """Return a name that fits into a width; its end is kept, since it distinguishes names."""
    letters = int((room - 10) / LETTER_WIDTH)
    if len(name) <= letters:
        return name
    return "\N{HORIZONTAL ELLIPSIS}" + name[-letters + 1 :]


def _draw_label(start: float, top: float, width: float, leftwards: bool, label: Label) -> str:
    """Return a label; if it had to move far, with a thin line to its point."""
    x, y, name, colour = label
    middle = top + LINE_HEIGHT / 2
    lead = ""
    if abs(middle - y) > LINE_HEIGHT:
        end = start + (width if leftwards else 0)
        lead = f'<line class="lead" x1="{x:.1f}" y1="{y:.1f}" x2="{end:.1f}" y2="{middle:.1f}"/>'
    kind = f"name t{colour % COLOUR_COUNT}"
    if leftwards:
        return lead + format_text(start + width, middle + 4, name, "end", kind)
    return lead + format_text(start, middle + 4, name, "start", kind)


def format_text(x: float, y: float, text: str, anchor: str, kind: str = "number") -> str:
    """Return an SVG text.

    Args:
        x: In pixels.
        y: Baseline in pixels.
        text: Any text; it is escaped.
        anchor: start, middle or end.
        kind: Its classes in the style sheet.
    """
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text class="{kind}" {place}>{html.escape(str(text))}</text>'


def _draw_dot(x: float, y: float, dot: Dot) -> str:
    """Return a circle, square or diamond with its tooltip."""
    kind = f'class="dot s{dot.colour % COLOUR_COUNT}"'
    tooltip = f"<title>{html.escape(dot.about or dot.name)}</title>"
    if dot.shape == "square":
        place = f'x="{x - 5:.1f}" y="{y - 5:.1f}" width="10" height="10"'
        return f"<rect {kind} {place}>{tooltip}</rect>"
    if dot.shape == "diamond":
        return f'<path {kind} d="M{x:.1f} {y - 7:.1f}l7 7l-7 7l-7 -7z">{tooltip}</path>'
    return f'<circle {kind} cx="{x:.1f}" cy="{y:.1f}" r="6">{tooltip}</circle>'


def _wrap_svg(parts: Iterable[str], axes: Axes, about: str) -> str:
    size = f"0 0 {axes.width:g} {axes.height:g}"
    return (
        f'<svg viewBox="{size}" role="img" aria-label="{html.escape(about)}" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )


def _interpolate(value: float, ticks: Sequence[float], first: float, last: float) -> float:
    """Return the place of a value between the first and the last tick."""
    return first + (value - ticks[0]) / (ticks[-1] - ticks[0]) * (last - first)


def _format_tick(value: float, ticks: Sequence[float]) -> str:
    """Return a number with as many digits as the step between ticks needs."""
    # A rounding error of step * k.
    if abs(value) <= 1e-12:
        return "0"
    step = ticks[1] - ticks[0]
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    if round(step, digits) != round(step, 12):  # such as 2.5
        digits += 1
    return f"{value:,.{digits}f}".replace("-", "\N{MINUS SIGN}")
