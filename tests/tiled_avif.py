"""An AVIF picture in several tiles, as phones store large ones; Pillow encodes the tiles."""

import io
import struct

import numpy as np
from PIL import Image

TILE = 64  # the smallest side of a tile that the standard allows
HIDDEN = 1  # flag of an item that is not shown by itself


def make_tiled_avif(pixels: np.ndarray) -> bytes:
    """A file of one picture, uint8 [2 * TILE, 2 * TILE, 3], in four tiles."""
    corners = ((0, 0), (0, TILE), (TILE, 0), (TILE, TILE))
    tiles = [_encode(pixels[top : top + TILE, left : left + TILE]) for top, left in corners]
    configuration = _find_box(tiles[0], b"av1C")
    codes = [_find_box(tile, b"mdat")[8:] for tile in tiles]
    size = 2 * TILE
    # Rows and columns less one, then width and height.
    grid = struct.pack(">BBBBHH", 0, 0, 1, 1, size, size)
    properties = [
        _full(b"ispe", struct.pack(">II", TILE, TILE)),
        _full(b"ispe", struct.pack(">II", size, size)),
        configuration,
        _full(b"pixi", bytes([3, 8, 8, 8])),
    ]
    names = [_full(b"infe", struct.pack(">HH4sx", 1, 0, b"grid"), version=2)]
    for number in range(2, 6):
        names.append(
            _full(b"infe", struct.pack(">HH4sx", number, 0, b"av01"), version=2, flags=HIDDEN)
        )
    uses = struct.pack(">I", 5) + struct.pack(">HBBB", 1, 2, 2, 4)
    for number in range(2, 6):
        uses += struct.pack(">HBBBB", number, 3, 1, 0x80 | 3, 4)
    references = _box(b"dimg", struct.pack(">HHHHHH", 1, 4, 2, 3, 4, 5))
    head = _box(b"ftyp", b"avif" + bytes(4) + b"avifmif1miaf")
    places = [0] * 5
    for _ in range(2):  # first for its length, then with the places that follow from it
        locations = struct.pack(">BBH", 0x44, 0, 5)
        for number, (place, code) in enumerate(zip(places, [grid, *codes]), 1):
            locations += struct.pack(">HHHII", number, 0, 1, place, len(code))
        parts = (
            _full(b"hdlr", bytes(4) + b"pict" + bytes(13)),
            _full(b"pitm", struct.pack(">H", 1)),
            _full(b"iloc", locations),
            _full(b"iinf", struct.pack(">H", 5) + b"".join(names)),
            _full(b"iref", references),
            _box(b"iprp", _box(b"ipco", b"".join(properties)) + _full(b"ipma", uses)),
        )
        meta = _full(b"meta", b"".join(parts))
        place = len(head) + len(meta) + 8
        for number, code in enumerate([grid, *codes]):
            places[number] = place
            place += len(code)
    return head + meta + _box(b"mdat", grid + b"".join(codes))


def _encode(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(
        file, "AVIF", quality=95, subsampling="4:4:4", speed=10
    )
    return file.getvalue()


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def _full(kind: bytes, content: bytes, version: int = 0, flags: int = 0) -> bytes:
    return _box(kind, struct.pack(">I", version << 24 | flags) + content)


def _find_box(content: bytes, kind: bytes) -> bytes:
    """The first box of a kind, with its header."""
    place = content.index(kind) - 4
    return content[place : place + struct.unpack_from(">I", content, place)[0]]
