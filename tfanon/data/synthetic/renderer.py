"""Draws the people of the synthetic data set with numpy alone: anti-aliased capsules, discs and boxes.

Every shape is a signed distance in pixels (negative inside), turned into coverage over one pixel's width. What stands
still is drawn once per clip, and each limb only inside the box that it sweeps.
"""

import dataclasses

import numpy as np

from tfanon.data.synthetic import poses

PREVALENCE = {
    "dark_skin": 0.4,
    "long_hair": 0.45,
    "glasses": 0.4,
    "hat": 0.35,
    "striped_top": 0.45,
    "dark_trousers": 0.5,
    "tree": 0.4,
}  # private attributes: the share of people who have each
NAMES = tuple(PREVALENCE)
HEAD, HEAD_RADIUS = (0.0, 0.885), 0.11  # in body heights, as in motions.py
ARM_WIDTH, LEG_WIDTH, HAND_WIDTH = 0.036, 0.048, 0.042


@dataclasses.dataclass(frozen=True)
class Person:
    """One identity before one background; nothing in it depends on the action."""

    has: dict  # attribute -> bool
    colours: dict  # part -> RGB in [0, 1]
    height: float  # of the body, as a share of the picture's height
    foot: tuple  # x and y (down) of the ground between the feet, as shares of the picture
    moving_leg: int
    tree_side: int
    background_seed: int


def draw_person(rng):
    """Draw a Person: each attribute on its own, then what else differs between people."""
    has = {name: bool(rng.random() < share) for name, share in PREVALENCE.items()}
    height = rng.uniform(0.71, 0.77)
    foot = (rng.uniform(0.45, 0.55), rng.uniform(0.92, 0.95))
    sides = rng.choice((-1, 1), 2)
    return Person(
        has,
        _draw_colours(has, rng),
        height,
        foot,
        int(sides[0]),
        int(sides[1]),
        int(rng.integers(2**31)),
    )


def _draw_colours(has, rng):
    skin = np.array((0.42, 0.27, 0.18) if has["dark_skin"] else (0.93, 0.75, 0.62)) * rng.uniform(
        0.92, 1.06
    )
    trousers = (
        _hue(rng.random(), 0.5, 0.25) if has["dark_trousers"] else _hue(rng.random(), 0.3, 0.85)
    )
    hair = np.array(
        [(0.10, 0.08, 0.07), (0.36, 0.20, 0.10), (0.80, 0.62, 0.25), (0.55, 0.55, 0.57)][
            rng.integers(4)
        ]
    )
    return {
        "skin": skin,
        "trousers": trousers,
        "hair": hair,
        "top": _hue(rng.random(), 0.75, rng.uniform(0.55, 0.9)),
        "stripe": np.full(3, 0.96),
        "hat": _hue(rng.random(), 0.7, rng.uniform(0.4, 0.9)),
        "shoe": np.full(3, rng.uniform(0.1, 0.3)),
    }


def _hue(hue, saturation, value):
    """HSV to RGB, all in [0, 1]."""
    wheel = np.clip(np.abs((hue * 6 + np.array((0, 4, 2))) % 6 - 3) - 1, 0, 1)
    return value * (1 - saturation * (1 - wheel))


def draw(person, phases, size):
    """Frames of one person: uint8 [T, size, size, 3] RGB.

    phases: [T, 2], see motions.limbs.  size: side of the picture in pixels.
    """
    joints = {
        name: _pixels(person, joint, size)
        for name, joint in poses.limbs(phases, person.moving_leg).items()
    }
    unit = person.height * size
    still = Canvas(
        np.ascontiguousarray(_background(person, size).transpose(2, 0, 1)[:, None]), unit
    )
    if person.has["tree"]:
        _tree(still, person, size)
    moving, standing = ("left", "right") if person.moving_leg < 0 else ("right", "left")
    _leg(still, person, standing, {name: joint[:1] for name, joint in joints.items()})
    _torso(still, person, size)
    _head(still, person, size)
    canvas = Canvas(np.repeat(still.planes, len(phases), axis=1), unit)
    _leg(canvas, person, moving, joints)
    for side in ("left", "right"):
        _arm(canvas, person, side, joints)
    return np.uint8(np.clip(canvas.planes, 0, 1) * 255 + 0.5).transpose(1, 2, 3, 0)


def _pixels(person, points, size):
    """Body heights (y up, from the ground) to pixels (y down)."""
    points = np.asarray(points, np.float32).reshape(-1, 2)
    return ((np.array(person.foot) + points * (person.height, -person.height)) * size).astype(
        np.float32
    )


class Canvas:
    """Frames being painted: planes [3, T, H, W] float32 in [0, 1]; `unit` is the body's height in pixels.

    Colour comes first because numpy is several times faster over long rows than over triples.
    """

    def __init__(self, planes, unit):
        self.planes, self.unit = planes, unit

    def capsule(self, start, end, width, colour, stripe=None, outline=0.9):
        """Paint all points within `width` body heights of the segment from start to end, both [T, 2] in pixels.

        stripe: a second colour, in bands across the segment.  outline: its breadth in pixels; it keeps an arm visible
        before a shirt of the same colour.
        """
        radius = width * self.unit
        corners = np.concatenate([start, end])
        low = np.clip(np.floor(corners.min(0) - radius - 2).astype(int), 0, None)
        high = np.ceil(corners.max(0) + radius + 3).astype(int)
        box = self.planes[:, :, low[1] : high[1], low[0] : high[0]]
        y, x = (low[axis] + np.arange(box.shape[3 - axis], dtype=np.float32) for axis in (1, 0))
        along, distance = _segment_distance(start, end, np.float32(x), np.float32(y)[:, None])
        shade = 0.25 + 0.75 * np.clip(radius - distance + 0.5, 0, 1)
        cover = np.clip(radius + outline - distance + 0.5, 0, 1)
        band = 0 if stripe is None else np.float32(along * 4 % 2 >= 1)
        for plane, own, other in zip(
            box, np.float32(colour), np.float32(colour if stripe is None else stripe)
        ):
            plane += cover * (shade * (own + band * (other - own)) - plane)


def _segment_distance(start, end, x, y):
    """Position along the segment in [0, 1] and distance to it in pixels, both [T, H, W]."""
    column = lambda points, axis: points[:, axis, None, None]  # noqa: E731
    dx, dy = column(end - start, 0), column(end - start, 1)
    px, py = x - column(start, 0), y - column(start, 1)
    along = np.clip((px * dx + py * dy) / np.maximum(dx * dx + dy * dy, 1e-6), 0, 1)
    return along, np.sqrt(np.square(px - along * dx) + np.square(py - along * dy))


def _leg(canvas, person, side, joints):
    hip, knee, foot = (joints[f"{side}_{name}"] for name in ("hip", "knee", "foot"))
    toe = foot + np.array((0.05 * canvas.unit * (-1 if side == "left" else 1), 0), np.float32)
    canvas.capsule(foot, toe, 0.03, person.colours["shoe"])
    canvas.capsule(knee, foot, LEG_WIDTH, person.colours["trousers"])
    canvas.capsule(hip, knee, LEG_WIDTH * 1.1, person.colours["trousers"])


def _arm(canvas, person, side, joints):
    shoulder, elbow, hand = (joints[f"{side}_{name}"] for name in ("shoulder", "elbow", "hand"))
    canvas.capsule(shoulder, elbow, ARM_WIDTH * 1.1, person.colours["top"], _stripe(person))
    canvas.capsule(elbow, hand, ARM_WIDTH, person.colours["skin"])
    canvas.capsule(hand, hand, HAND_WIDTH, person.colours["skin"], outline=0.3)


def _stripe(person):
    return person.colours["stripe"] if person.has["striped_top"] else None


def _torso(canvas, person, size):
    """A pelvis, a neck and a shirt of five overlapping bands, which are its stripes where it has stripes."""
    at = lambda *point: _pixels(person, point, size)  # noqa: E731
    canvas.capsule(at(-0.05, 0.47), at(0.05, 0.47), 0.055, person.colours["trousers"])
    canvas.capsule(at(0, 0.72), at(0, 0.80), 0.04, person.colours["skin"])
    canvas.capsule(at(-0.06, 0.56), at(0.06, 0.56), 0.058, person.colours["top"])
    canvas.capsule(at(-0.075, 0.70), at(0.075, 0.70), 0.068, person.colours["top"])
    canvas.capsule(at(-0.065, 0.63), at(0.065, 0.63), 0.066, person.colours["top"], outline=0)
    for height in (0.725, 0.66, 0.595, 0.53) if person.has["striped_top"] else ():
        canvas.capsule(
            at(-0.10, height), at(0.10, height), 0.017, person.colours["stripe"], outline=0
        )


def _head(canvas, person, size):
    at = lambda x, y: _pixels(person, (HEAD[0] + x * HEAD_RADIUS, HEAD[1] + y * HEAD_RADIUS), size)  # noqa: E731
    part = lambda start, end, width, colour, **more: canvas.capsule(  # noqa: E731
        at(*start), at(*end), width * HEAD_RADIUS, colour, **more
    )
    hair, skin, dark = person.colours["hair"], person.colours["skin"], np.full(3, 0.05)
    part((0, 0.12), (0, 0.12), 1.08, hair)
    for side in (-1, 1) if person.has["long_hair"] else ():
        part((side * 0.85, 0.1), (side * 0.95, -1.25), 0.32, hair)
    part((0, -0.12), (0, -0.2), 0.84, skin, outline=0.2)
    part((-0.25, -0.62), (0.25, -0.62), 0.07, (0.6, 0.2, 0.2), outline=0)
    for side in (-1, 1):
        if person.has["glasses"]:
            part((side * 0.4, -0.05), (side * 0.4, -0.05), 0.38, dark, outline=0)
            part((side * 0.4, -0.05), (side * 0.4, -0.05), 0.2, (0.75, 0.88, 0.95), outline=0)
        else:
            part((side * 0.36, -0.05), (side * 0.36, -0.05), 0.1, dark, outline=0)
    if person.has["hat"]:
        part((-0.5, 0.85), (0.5, 0.85), 0.42, person.colours["hat"])
        part((-1.1, 0.6), (1.1, 0.6), 0.14, person.colours["hat"])


def _tree(canvas, person, size):
    """The landmark: a trunk and a crown beside the person, seen behind the arms."""
    x, ground = 0.5 + 0.32 * person.tree_side, person.foot[1] - 0.12
    at = lambda dx, y: np.array([[(x + dx) * size, y * size]], np.float32)  # noqa: E731
    canvas.capsule(at(0, ground), at(0, 0.35), 0.035, (0.40, 0.26, 0.14))
    for dx, y in ((-0.055, 0.40), (0.055, 0.40), (0, 0.31), (0, 0.38)):
        canvas.capsule(at(dx, y), at(dx, y), 0.105, (0.16, 0.46, 0.17), outline=0.5)


def _background(person, size):
    """A wall and a floor of random colour, each with coarse patches and fine grain: [size, size, 3]."""
    rng = np.random.default_rng(person.background_seed)
    picture = np.empty((size, size, 3), np.float32)
    horizon = int((person.foot[1] - 0.10) * size)
    for rows, value in (
        (slice(0, horizon), rng.uniform(0.45, 0.9)),
        (slice(horizon, None), rng.uniform(0.3, 0.7)),
    ):
        picture[rows] = _hue(rng.random(), rng.uniform(0.05, 0.4), value)
    patches = sum(
        _stretch(rng.normal(0, *about), size)
        for about in ((0.06, (6, 6, 1)), (0.025, (6, 6, 3)), (0.04, (20, 20, 1)))
    )
    x, y = np.meshgrid(np.arange(size), np.arange(size))
    wave = 0.04 * np.sin(
        2 * np.pi * (rng.uniform(-0.08, 0.08) * x + rng.uniform(-0.08, 0.08) * y + rng.random())
    )
    return np.clip(
        picture + patches + wave[..., None] + rng.normal(0, 0.015, picture.shape), 0, 1
    ).astype(np.float32)


def _stretch(grid, size):
    """Linear interpolation of a coarse grid to [size, size, channels]."""
    place = np.linspace(0, len(grid) - 1, size)
    weights = np.clip(1 - np.abs(place[:, None] - np.arange(len(grid))), 0, 1)
    return np.einsum("yi,xj,ijc->yxc", weights, weights, grid, optimize=True)
