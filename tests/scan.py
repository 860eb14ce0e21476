"""Whether anything of an original video is in the files that a command left behind."""

import functools
import pathlib
from collections.abc import Iterable, Iterator

import av
import clips
import numpy as np

# Mean difference in grey levels below which a decoded frame is the original's; frames of other
# videos differ by 60.
MAX_SAME_FRAME_DIFFERENCE = 20
# Shorter packets may be equal by chance.
MIN_PACKET_BYTES = 200
PIECE_BYTES = 64


def assert_no_raw_frames(folder: str | pathlib.Path, originals: Iterable[str | pathlib.Path]):
    """Assert that no file in a folder, whatever its name and state, holds a frame of an original.

    Encoded frames are searched as bytes and raw ones as rows of pixels; whatever can still be
    decoded is decoded and compared.
    """
    references = [_read_original(str(path)) for path in originals]
    for path in pathlib.Path(folder).rglob("*"):
        if not path.is_file():
            continue
        data = path.read_bytes()
        decoded = decode_frames(path)
        for frames, pieces in references:
            assert not any(piece in data for piece in pieces), (
                f"{path.name} holds bytes of an original"
            )
            for frame in decoded:
                distances = np.abs(frames[:, ::4, ::4] - frame[::4, ::4]).mean((1, 2, 3))
                assert distances.min() > MAX_SAME_FRAME_DIFFERENCE, f"{path.name} holds a frame"


def decode_frames(path: pathlib.Path) -> list[np.ndarray]:
    """The frames that can be decoded from a file, be it complete or not."""
    frames = []
    try:
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                frames.append(frame.to_ndarray(format="rgb24"))
    except (av.FFmpegError, IndexError, ValueError):
        pass  # frames before the damage are compared all the same
    return frames


@functools.cache
def _read_original(path: str) -> tuple[np.ndarray, list[bytes]]:
    """Frames of a video, and pieces of its bytes and of its pixels."""
    frames = clips.read_frames(path)
    middle = frames.shape[1] // 2
    pieces = list(_cut_packets(path))
    for frame in frames[::7]:
        pieces += [frame[0].tobytes(), frame[middle].tobytes()]
    return frames.astype(np.int16), pieces


def _cut_packets(path: str) -> Iterator[bytes]:
    """Yield a piece from the middle of each packet that is long enough."""
    with av.open(path) as container:
        for packet in container.demux(video=0):
            data = bytes(packet)
            if len(data) >= MIN_PACKET_BYTES:
                yield data[len(data) // 2 :][:PIECE_BYTES]
