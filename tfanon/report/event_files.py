"""Curves from TensorBoard files, read without TensorFlow; whether an attacker had converged."""

import collections
import math
import pathlib
import struct
import typing
from collections.abc import Iterator, Sequence
from typing import Any

from google.protobuf import message
from tensorboard.compat.proto import event_pb2

MAX_CURVE_POINTS = 200  # in a plot
# An event is stored as its length (8 bytes), a checksum (4), its content, a checksum (4).
HEADER_BYTES, FRAME_BYTES = 12, 16
MIN_SCORES = 4  # fewer do not show whether a score still rises

Curve = Sequence[tuple[int, float]]


class ScoreUnit(typing.NamedTuple):
    """Unit of a held-out score.

    Attributes:
        name: Name of the unit.
        factor: Scores are multiplied by it to be shown.
        min_rise: A smaller rise, in this unit, counts as none.
    """

    name: str
    factor: float
    min_rise: float


POINTS = ScoreUnit("points", 100, 1.0)
DECIBELS = ScoreUnit("dB", 1, 0.5)


def read_scalars(folder: pathlib.Path) -> dict[str, list[tuple[int, float]]]:
    """Read all event files of a folder.

    Returns:
        Per tag its (step, value) pairs by rising step. A step that a resumed run wrote again counts
        once, with the later value.
    """

    def sort_by_start(path: pathlib.Path) -> tuple[list[str], str]:
        # events.out.tfevents.<seconds>.<host>...
        return path.name.split(".")[3:4], path.name

    curves: dict[str, dict[int, float]] = collections.defaultdict(dict)
    for path in sorted(folder.glob("events.out.tfevents.*"), key=sort_by_start):
        for event in _read_events(path.read_bytes()):
            for value in event.summary.value:
                number = _read_number(value)
                if number is not None:
                    # Files are sorted by the time of their start: a later one overwrites.
                    curves[value.tag][event.step] = number
    return {tag: sorted(points.items()) for tag, points in curves.items()}


def thin_curve(points: Curve) -> tuple[tuple[int, float], ...]:
    """Return at most MAX_CURVE_POINTS evenly spaced points, the last one among them."""
    interval = math.ceil(len(points) / MAX_CURVE_POINTS) or 1
    # From the end, so that the last point is kept.
    return tuple(points[::-1][::interval][::-1])


def measure_late_rise(points: Curve) -> float | None:
    """Return how much a held-out score rose over the last quarter of training.

    That is the best score of all minus the best before that quarter.

    Args:
        points: (step, score) pairs.

    Returns:
        None with fewer than MIN_SCORES finite scores.
    """
    scores = [(step, score) for step, score in points if math.isfinite(score)]
    if len(scores) < MIN_SCORES:
        return None
    first, last = scores[0][0], scores[-1][0]
    border = first + 0.75 * (last - first)
    best_before = max(score for step, score in scores if step <= border)
    return max(score for _, score in scores) - best_before


def _read_events(data: bytes) -> Iterator[Any]:
    """Yield the events of a file up to the first that is cut off or damaged."""
    position = 0
    while position + HEADER_BYTES <= len(data):
        (length,) = struct.unpack_from("<Q", data, position)
        # A killed process leaves its last event incomplete.
        if position + FRAME_BYTES + length > len(data):
            return
        start = position + HEADER_BYTES
        try:
            event = event_pb2.Event.FromString(data[start : start + length])
        except message.DecodeError:
            return
        yield event
        position += FRAME_BYTES + length


def _read_number(value: Any) -> float | None:
    """Return a finite float32 scalar, or None for anything else that a summary holds."""
    tensor = value.tensor
    # dtype 1 is DT_FLOAT; tf.summary.scalar writes nothing else.
    if value.metadata.plugin_data.plugin_name != "scalars" or tensor.dtype != 1:
        return None
    number = math.nan
    # TensorFlow stores a tensor as bytes or as a list of values.
    if len(tensor.tensor_content) == 4:
        (number,) = struct.unpack("<f", tensor.tensor_content)
    elif tensor.float_val:
        number = tensor.float_val[0]
    return number if math.isfinite(number) else None
