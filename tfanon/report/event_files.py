"""Curves out of a run's TensorBoard files, read without TensorFlow, and whether an attacker had stopped learning."""

import collections
import math
import struct
import typing

from google.protobuf import message
from tensorboard.compat.proto import event_pb2

MOST = 200  # points of a curve in a plot


class Unit(typing.NamedTuple):
    """Of a held-out score.  times: what it is shown multiplied by; flat: less than that is no rise, as shown."""

    name: str
    times: float
    flat: float


POINTS, DECIBELS = Unit("points", 100, 1.0), Unit("dB", 1, 0.5)


def scalars(folder):
    """{tag: [(step, value), ..]} of all event files of a folder, steps rising; of two with a step the later counts."""
    found = collections.defaultdict(dict)
    for path in sorted(
        folder.glob("events.out.tfevents.*"),
        key=lambda path: (path.name.split(".")[3:4], path.name),
    ):
        for event in _events(path.read_bytes()):
            for value in event.summary.value:
                number = _number(value)
                if number is not None:
                    found[value.tag][event.step] = number
    return {tag: sorted(points.items()) for tag, points in found.items()}


def thin(points):
    """At most MOST points, the last one among them."""
    every = -(-len(points) // MOST)
    return tuple(points[::-1][:: every or 1][::-1])


def rise(points):
    """How much a held-out score rose over the last quarter of training: the best of all less the best before it.

    points: [(step, score), ..].  None where fewer than four tell nothing.
    """
    scores = [(step, score) for step, score in points if math.isfinite(score)]
    if len(scores) < 4:
        return None
    border = scores[0][0] + 0.75 * (scores[-1][0] - scores[0][0])
    before = max(score for step, score in scores if step <= border)
    return max(score for _, score in scores) - before


def _events(data):
    """The events of a file of TFRecords, up to the first that a kill has cut off or a disk has damaged."""
    at = 0
    while at + 12 <= len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        if at + 16 + length > len(data):
            return
        try:
            event = event_pb2.Event.FromString(data[at + 12 : at + 12 + length])
        except message.DecodeError:
            return
        yield event
        at += 16 + length


def _number(value):
    """A finite float32 scalar, or None for whatever else a summary holds."""
    tensor = value.tensor
    if value.metadata.plugin_data.plugin_name != "scalars" or tensor.dtype != 1:
        return None
    number = (
        struct.unpack("<f", tensor.tensor_content)[0]
        if len(tensor.tensor_content) == 4
        else (tensor.float_val[0] if tensor.float_val else math.nan)
    )
    return number if math.isfinite(number) else None
