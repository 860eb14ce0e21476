"""Whether anything of an original is in what was left behind."""

import functools
import pathlib

import av
import clips
import numpy as np

CLOSE = 20  # grey levels of mean difference below which a decoded frame is the original's; strangers differ by 60


def no_raw_frames(folder, originals):
    """Assert that no file below `folder`, whatever its name and state, holds a frame of one of the originals.

    Encoded frames are looked for as bytes, raw ones as rows of pixels, and whatever can still be decoded is decoded.
    """
    for path in pathlib.Path(folder).rglob("*"):
        if path.is_file():
            data, found = path.read_bytes(), decoded(path)
            for frames, pieces in map(_original, map(str, originals)):
                assert not any(piece in data for piece in pieces), (
                    f"{path.name} holds bytes of an original"
                )
                for frame in found:
                    distances = np.abs(frames[:, ::4, ::4] - frame[::4, ::4]).mean((1, 2, 3))
                    assert distances.min() > CLOSE, f"{path.name} holds a frame"


def decoded(path):
    """The frames that can be got out of a file, whole or not."""
    frames = []
    try:
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                frames.append(frame.to_ndarray(format="rgb24"))
    except (av.FFmpegError, IndexError, ValueError):
        pass  # what was decoded before the damage is what the scan looks at
    return frames


@functools.cache
def _original(path):
    """(its frames, pieces of its bytes and of its pixels)."""
    frames = clips.read(path)
    rows = [frame[row].tobytes() for frame in frames[::7] for row in (0, frames.shape[1] // 2)]
    return frames.astype(np.int16), [*_packets(path), *rows]


def _packets(path):
    """A piece from the middle of each packet that is long enough to be no chance."""
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            data = bytes(packet)
            if len(data) >= 200:
                yield data[len(data) // 2 :][:64]
