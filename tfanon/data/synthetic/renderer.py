"""Draw the people of the synthetic data set with numpy alone, as anti-aliased capsules.

Every shape is a signed distance in pixels (negative inside), turned into coverage over one pixel's
width. Everything that stands still is drawn once per clip, and each limb only inside the box that
it sweeps.
"""

import dataclasses

import numpy as np

from tfanon.data.synthetic import poses

PREVALENCE = {  # private attributes: the share of people who have each
    "dark_skin": 0.4,
    "long_hair": 0.45,
    "glasses": 0.4,
    "hat": 0.35,
    "striped_top": 0.45,
    "dark_trousers": 0.5,
    "tree": 0.4,
}
ATTRIBUTE_NAMES = tuple(PREVALENCE)
# In body heights, as in `poses`.
HEAD, HEAD_RADIUS = (0.0, 0.885), 0.11
ARM_WIDTH, LEG_WIDTH, HAND_WIDTH = 0.036, 0.048, 0.042
HAIR_COLOURS = (
    (0.10, 0.08, 0.07),
    (0.36, 0.20, 0.10),
    (0.80, 0.62, 0.25),
    (0.55, 0.55, 0.57),
)
DARK_SKIN, LIGHT_SKIN = (0.42, 0.27, 0.18), (0.93, 0.75, 0.62)
DARK, GLASS, LIPS = (0.05, 0.05, 0.05), (0.75, 0.88, 0.95), (0.6, 0.2, 0.2)
TRUNK, CROWN = (0.40, 0.26, 0.14), (0.16, 0.46, 0.17)

Colour = np.ndarray | tuple[float, float, float]  # RGB in [0, 1]
Point = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Person:
    """One identity in front of one background; nothing in it depends on the action.

    Attributes:
        has: {attribute: whether the person has it}.
        colours: {part: RGB in [0, 1]}.
        height: Of the body, as a share of the picture's height.
        foot: x and y (down) of the ground between the feet, as shares of the picture.
        moving_leg: -1 (left) or 1.
        tree_side: -1 (left) or 1.
        background_seed: Seed of the background.
    """

    has: dict[str, bool]
    colours: dict[str, np.ndarray]
    height: float
    foot: Point
    moving_leg: int
    tree_side: int
    background_seed: int


def draw_person(rng: np.random.Generator) -> Person:
    """Draw a Person at random: each attribute independently, then everything else that varies.

    The order of the draws decides what the data set looks like; it must not change.
    """
    # In the order of PREVALENCE, which is part of the order of the draws.
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


def _draw_colours(has: dict[str, bool], rng: np.random.Generator) -> dict[str, np.ndarray]:
    skin_tone = np.array(DARK_SKIN if has["dark_skin"] else LIGHT_SKIN)
    skin = skin_tone * rng.uniform(0.92, 1.06)
    # Each branch draws one number, so that the colours drawn later do not depend on the attribute.
    if has["dark_trousers"]:
        trousers = _convert_hsv(rng.random(), 0.5, 0.25)
    else:
        trousers = _convert_hsv(rng.random(), 0.3, 0.85)
    hair = np.array(HAIR_COLOURS[rng.integers(len(HAIR_COLOURS))])
    return {
        "skin": skin,
        "trousers": trousers,
        "hair": hair,
        "top": _convert_hsv(rng.random(), 0.75, rng.uniform(0.55, 0.9)),
        "stripe": np.full(3, 0.96),
        "hat": _convert_hsv(rng.random(), 0.7, rng.uniform(0.4, 0.9)),
        "shoe": np.full(3, rng.uniform(0.1, 0.3)),
    }


def _convert_hsv(hue: float, saturation: float, value: float) -> np.ndarray:
    """Convert HSV to RGB, all in [0, 1]."""
    wheel = np.clip(np.abs((hue * 6 + np.array((0, 4, 2))) % 6 - 3) - 1, 0, 1)
    return value * (1 - saturation * (1 - wheel))


def draw_frames(person: Person, phases: np.ndarray, size: int) -> np.ndarray:
    """Draw the frames of one person.

    Args:
        person: Who is shown.
        phases: Poses ``[T, 2]``; see `poses.compute_joints`.
        size: Side of the picture in pixels.

    Returns:
        uint8 RGB ``[T, size, size, 3]``.
    """
    joints: poses.Joints = {}
    for name, joint in poses.compute_joints(phases, person.moving_leg).items():
        joints[name] = _to_pixels(person, joint, size)
    body_height = person.height * size
    background = _draw_background(person, size).transpose(2, 0, 1)[:, None]
    # From back to front; what stands still is painted first and copied into every frame.
    still = Canvas(np.ascontiguousarray(background), body_height)
    if person.has["tree"]:
        _draw_tree(still, person, size)
    moving, standing = ("left", "right") if person.moving_leg < 0 else ("right", "left")
    first_joints = {name: joint[:1] for name, joint in joints.items()}
    _draw_leg(still, person, standing, first_joints)
    _draw_torso(still, person, size)
    _draw_head(still, person, size)
    canvas = Canvas(np.repeat(still.planes, len(phases), axis=1), body_height)
    _draw_leg(canvas, person, moving, joints)
    for side in ("left", "right"):
        _draw_arm(canvas, person, side, joints)
    # astype truncates, so + 0.5 rounds.
    pixels = (np.clip(canvas.planes, 0, 1) * 255 + 0.5).astype(np.uint8)
    return pixels.transpose(1, 2, 3, 0)


def _to_pixels(person: Person, points: np.ndarray | Point, size: int) -> np.ndarray:
    """Convert body heights (y up, from the ground) to pixels (y down), ``[n, 2]``."""
    points = np.asarray(points, np.float32).reshape(-1, 2)
    shares = np.array(person.foot) + points * (person.height, -person.height)
    return (shares * size).astype(np.float32)


class Canvas:
    """Frames being painted.

    Colour is the first axis because numpy is several times faster over long rows than over triples.

    Args:
        planes: float32 ``[3, T, H, W]`` in [0, 1], painted in place.
        unit: The body's height in pixels.
    """

    def __init__(self, planes: np.ndarray, unit: float) -> None:
        self.planes, self.unit = planes, unit

    def draw_capsule(
        self,
        start: np.ndarray,
        end: np.ndarray,
        width: float,
        colour: Colour,
        stripe: Colour | None = None,
        outline: float = 0.9,
    ) -> None:
        """Paint all points within `width` of a segment.

        Args:
            start: ``[T, 2]`` in pixels.
            end: ``[T, 2]`` in pixels.
            width: Radius of the capsule, in body heights.
            colour: Of the capsule; it is darker toward the edge.
            stripe: A second colour, in bands across the segment.
            outline: Width of the dark outline in pixels; it keeps an arm visible in front of a
                shirt of the same colour.
        """
        radius = width * self.unit
        corners = np.concatenate([start, end])
        # Room for the outline and its soft edge. A negative start would count from the far end.
        low = np.clip(np.floor(corners.min(0) - radius - 2).astype(int), 0, None)
        high = np.ceil(corners.max(0) + radius + 3).astype(int)
        box = self.planes[:, :, low[1] : high[1], low[0] : high[0]]
        y = (low[1] + np.arange(box.shape[2])).astype(np.float32)
        x = (low[0] + np.arange(box.shape[3])).astype(np.float32)
        along, distance = _measure_segment_distance(start, end, x, y[:, None])
        # The outline has a quarter of the brightness.
        shade = 0.25 + 0.75 * np.clip(radius - distance + 0.5, 0, 1)
        cover = np.clip(radius + outline - distance + 0.5, 0, 1)
        # Four bands along the segment.
        band = 0 if stripe is None else np.float32(along * 4 % 2 >= 1)
        second_colour = colour if stripe is None else stripe
        first_channels = np.asarray(colour, np.float32)
        second_channels = np.asarray(second_colour, np.float32)
        for plane, first, second in zip(box, first_channels, second_channels, strict=True):
            plane += cover * (shade * (first + band * (second - first)) - plane)


def _measure_segment_distance(
    start: np.ndarray, end: np.ndarray, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the position along a segment in [0, 1] and the distance in pixels, ``[T, H, W]``."""
    delta = end - start
    dx, dy = delta[:, 0, None, None], delta[:, 1, None, None]
    px, py = x - start[:, 0, None, None], y - start[:, 1, None, None]
    # 1e-6: the ends of a disc are one point.
    along = np.clip((px * dx + py * dy) / np.maximum(dx * dx + dy * dy, 1e-6), 0, 1)
    return along, np.sqrt(np.square(px - along * dx) + np.square(py - along * dy))


def _draw_leg(canvas: Canvas, person: Person, side: str, joints: poses.Joints) -> None:
    hip, knee, foot = joints[f"{side}_hip"], joints[f"{side}_knee"], joints[f"{side}_foot"]
    outward = -1 if side == "left" else 1
    toe = foot + np.array((0.05 * canvas.unit * outward, 0), np.float32)
    canvas.draw_capsule(foot, toe, 0.03, person.colours["shoe"])
    canvas.draw_capsule(knee, foot, LEG_WIDTH, person.colours["trousers"])
    canvas.draw_capsule(hip, knee, LEG_WIDTH * 1.1, person.colours["trousers"])


def _draw_arm(canvas: Canvas, person: Person, side: str, joints: poses.Joints) -> None:
    shoulder, elbow = joints[f"{side}_shoulder"], joints[f"{side}_elbow"]
    hand = joints[f"{side}_hand"]
    stripe = person.colours["stripe"] if person.has["striped_top"] else None
    canvas.draw_capsule(shoulder, elbow, ARM_WIDTH * 1.1, person.colours["top"], stripe)
    canvas.draw_capsule(elbow, hand, ARM_WIDTH, person.colours["skin"])
    canvas.draw_capsule(hand, hand, HAND_WIDTH, person.colours["skin"], outline=0.3)


def _draw_torso(canvas: Canvas, person: Person, size: int) -> None:
    """Draw a pelvis, a neck and a shirt of overlapping capsules, with stripes if it has them."""

    def draw(start: Point, end: Point, width: float, part: str, outline: float = 0.9) -> None:
        start_pixel, end_pixel = _to_pixels(person, start, size), _to_pixels(person, end, size)
        canvas.draw_capsule(start_pixel, end_pixel, width, person.colours[part], outline=outline)

    draw((-0.05, 0.47), (0.05, 0.47), 0.055, "trousers")
    draw((0, 0.72), (0, 0.80), 0.04, "skin")
    draw((-0.06, 0.56), (0.06, 0.56), 0.058, "top")
    draw((-0.075, 0.70), (0.075, 0.70), 0.068, "top")
    draw((-0.065, 0.63), (0.065, 0.63), 0.066, "top", outline=0)
    if person.has["striped_top"]:
        for height in (0.725, 0.66, 0.595, 0.53):
            draw((-0.10, height), (0.10, height), 0.017, "stripe", outline=0)


def _draw_head(canvas: Canvas, person: Person, size: int) -> None:
    """Draw hair, face, eyes or glasses, and the hat; points are in head radii from the centre."""

    def locate(point: Point) -> np.ndarray:
        x, y = HEAD[0] + point[0] * HEAD_RADIUS, HEAD[1] + point[1] * HEAD_RADIUS
        return _to_pixels(person, (x, y), size)

    def draw(start: Point, end: Point, width: float, colour: Colour, outline: float = 0.9) -> None:
        canvas.draw_capsule(
            locate(start), locate(end), width * HEAD_RADIUS, colour, outline=outline
        )

    hair, skin, hat = person.colours["hair"], person.colours["skin"], person.colours["hat"]
    draw((0, 0.12), (0, 0.12), 1.08, hair)
    if person.has["long_hair"]:
        for side in (-1, 1):
            draw((side * 0.85, 0.1), (side * 0.95, -1.25), 0.32, hair)
    draw((0, -0.12), (0, -0.2), 0.84, skin, outline=0.2)
    draw((-0.25, -0.62), (0.25, -0.62), 0.07, LIPS, outline=0)
    for side in (-1, 1):
        if person.has["glasses"]:
            draw((side * 0.4, -0.05), (side * 0.4, -0.05), 0.38, DARK, outline=0)
            draw((side * 0.4, -0.05), (side * 0.4, -0.05), 0.2, GLASS, outline=0)
        else:
            draw((side * 0.36, -0.05), (side * 0.36, -0.05), 0.1, DARK, outline=0)
    if person.has["hat"]:
        draw((-0.5, 0.85), (0.5, 0.85), 0.42, hat)
        draw((-1.1, 0.6), (1.1, 0.6), 0.14, hat)


def _draw_tree(canvas: Canvas, person: Person, size: int) -> None:
    """Draw the landmark, a tree beside the person; arms may pass in front of it."""
    x, ground = 0.5 + 0.32 * person.tree_side, person.foot[1] - 0.12

    def locate(dx: float, y: float) -> np.ndarray:
        return np.array([[(x + dx) * size, y * size]], np.float32)

    canvas.draw_capsule(locate(0, ground), locate(0, 0.35), 0.035, TRUNK)
    for dx, y in ((-0.055, 0.40), (0.055, 0.40), (0, 0.31), (0, 0.38)):
        canvas.draw_capsule(locate(dx, y), locate(dx, y), 0.105, CROWN, outline=0.5)


def _draw_background(person: Person, size: int) -> np.ndarray:
    """Draw a wall and a floor of random colour with patches and grain, ``[size, size, 3]``."""
    # A generator of its own: the number of its draws depends on the size of the picture.
    rng = np.random.default_rng(person.background_seed)
    picture = np.empty((size, size, 3), np.float32)
    horizon = int((person.foot[1] - 0.10) * size)
    # Both values are drawn before both hues.
    wall_value, floor_value = rng.uniform(0.45, 0.9), rng.uniform(0.3, 0.7)
    picture[:horizon] = _convert_hsv(rng.random(), rng.uniform(0.05, 0.4), wall_value)
    picture[horizon:] = _convert_hsv(rng.random(), rng.uniform(0.05, 0.4), floor_value)
    patches = np.zeros((size, size, 3))
    for deviation, shape in ((0.06, (6, 6, 1)), (0.025, (6, 6, 3)), (0.04, (20, 20, 1))):
        patches = patches + _interpolate_grid(rng.normal(0, deviation, shape), size)
    wave = _draw_wave(rng, size)
    grain = rng.normal(0, 0.015, picture.shape)
    return np.clip(picture + patches + wave + grain, 0, 1).astype(np.float32)


def _draw_wave(rng: np.random.Generator, size: int) -> np.ndarray:
    """Draw a faint sine wave of random direction and wavelength, ``[size, size, 1]``."""
    x, y = np.meshgrid(np.arange(size), np.arange(size))
    cycles = rng.uniform(-0.08, 0.08) * x + rng.uniform(-0.08, 0.08) * y + rng.random()
    return (0.04 * np.sin(2 * np.pi * cycles))[..., None]


def _interpolate_grid(grid: np.ndarray, size: int) -> np.ndarray:
    """Interpolate a coarse grid linearly to ``[size, size, channels]``."""
    positions = np.linspace(0, len(grid) - 1, size)
    weights = np.clip(1 - np.abs(positions[:, None] - np.arange(len(grid))), 0, 1)
    return np.einsum("yi,xj,ijc->yxc", weights, weights, grid, optimize=True)
