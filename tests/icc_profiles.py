"""Small ICC profiles (ICC.1:2001-04) for tests: RGB, grey, and CMYK by a table of two steps."""

import itertools
import struct
from collections.abc import Callable

import numpy as np

Xyz = tuple[float, float, float]
Primaries = tuple[Xyz, Xyz, Xyz]

D50 = (0.9642, 1.0, 0.8249)  # white of the space that profiles are connected in
# XYZ of red, green and blue under D50, as published with the profiles of that name.
DISPLAY_P3 = ((0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841))
ADOBE_RGB = ((0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446))
SRGB = ((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141))
ADOBE_GAMMA = 563 / 256


def make_rgb(primaries: Primaries, gamma: float | None = None) -> bytes:
    """A profile of three primaries; its curve is a gamma, or that of sRGB."""
    curve = _srgb_curve() if gamma is None else _gamma_curve(gamma)
    names = (b"rXYZ", b"gXYZ", b"bXYZ")
    tags = {name: _point(point) for name, point in zip(names, primaries)}
    return _profile(b"RGB ", b"XYZ ", {**tags, b"rTRC": curve, b"gTRC": curve, b"bTRC": curve})


def make_grey(gamma: float) -> bytes:
    """A profile of one channel."""
    return _profile(b"GRAY", b"XYZ ", {b"kTRC": _gamma_curve(gamma)})


def make_cmyk(lightness: Callable[[float, float, float, float], float]) -> bytes:
    """A profile that shows inks as greys; lightness: of (C, M, Y, K) to L*, all in [0, 1]."""
    grid = bytearray()
    for inks in itertools.product((0, 1), repeat=4):
        grid += bytes([round(255 * lightness(*inks)), 128, 128])
    straight = bytes(range(256))
    unit = b"".join(struct.pack(">i", value << 16) for value in (1, 0, 0, 0, 1, 0, 0, 0, 1))
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + unit + straight * 4 + bytes(grid) + straight * 3
    return _profile(b"CMYK", b"Lab ", {b"A2B0": table}, kind=b"prtr")


def to_srgb(pixels: np.ndarray, primaries: Primaries, gamma: float | None = None) -> np.ndarray:
    """Levels [..., 3] in a space of make_rgb to levels of sRGB, without ICC: float [..., 3]."""
    level = np.asarray(pixels) / 255
    light = _srgb_light(level) if gamma is None else level**gamma
    linear = light @ np.array(primaries) @ np.linalg.inv(np.array(SRGB))
    linear = np.clip(linear, 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return 255 * encoded


def _srgb_light(level: np.ndarray) -> np.ndarray:
    return np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)


def _profile(
    space: bytes, connection: bytes, tags: dict[bytes, bytes], kind: bytes = b"mntr"
) -> bytes:
    text = b"test\0"
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78),
        b"wtpt": _point(D50),
        **tags,
    }
    place, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        table += name + struct.pack(">II", place + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I4sI4s4s4s", place + len(body), b"", 0x02400000, kind, space, connection)
    head += bytes(12) + b"acsp" + bytes(28) + _fixed(D50)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def _fixed(values: tuple[float, ...]) -> bytes:
    return b"".join(struct.pack(">i", round(65536 * value)) for value in values)


def _point(values: tuple[float, ...]) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(values)


def _gamma_curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(256 * gamma))


def _srgb_curve() -> bytes:
    light = _srgb_light(np.linspace(0, 1, 1024))
    return (
        b"curv\0\0\0\0" + struct.pack(">I", 1024) + np.rint(65535 * light).astype(">u2").tobytes()
    )
