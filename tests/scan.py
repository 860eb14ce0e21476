"""Whether anything of an original is in what was left behind."""

import pathlib

import av
import clips
import numpy as np

CLOSE = 20  # grey levels of mean difference below which a decoded frame is the original's; strangers differ by 60


def no_raw_frames(folder, originals):
    """Assert that no file below `folder`, whatever its name and state, holds a frame of one of the originals.

    Encoded frames are looked for as bytes, raw ones as rows of pixels, and whatever can still be decoded is decoded.
    """
    pictures = {len(clips.read(path)): clips.read(path) for path in originals}
    pieces = [piece for path in originals for piece in _packets(path)] + [
        frame[row].tobytes() for frames in pictures.values() for frame in frames[::7] for row in (0, frames.shape[1] // 2)]
    for path in pathlib.Path(folder).rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert not any(piece in data for piece in pieces), f"{path.name} holds bytes of an original"
            for frame in decoded(path):
                for frames in pictures.values():
                    assert frame.shape != frames[0].shape or np.abs(
                        frames.astype(np.int16) - frame).mean((1, 2, 3)).min() > CLOSE, f"{path.name} holds a frame"


def decoded(path):
    """The frames that can be got out of a file, whole or not."""
    frames = []
    try:
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                frames.append(frame.to_ndarray(format="rgb24"))
    except (av.FFmpegError, IndexError, ValueError):
        pass
    return frames


def _packets(path):
    """A piece from the middle of each packet that is long enough to be no chance."""
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            data = bytes(packet)
            if len(data) >= 200:
                yield data[len(data) // 2:][:64]
