"""Writes frames to a video file, or an image to a JPEG.

A file appears under its name only when it is complete.
"""

import fractions
import pathlib
from collections.abc import Iterable
from typing import cast

import av
import numpy as np
import tensorflow as tf
from av.container import OutputContainer

from tfanon.core import files
from tfanon.media import limits
from tfanon.media.encoding_options import QSCALE_UNITS

ARRAY_VIDEO_FORMATS = {".mp4": "mp4", ".avi": "avi"}
# x264 without macroblock trees, which read memory that nothing wrote, and with only those
# instructions that give the same result on every processor. mpeg4 has quality 3 of 31.
ENCODER_OPTIONS = {
    "libx264": {"crf": "20", "preset": "veryfast", "x264-params": "mbtree=0:cpu-independent=1"},
    "mpeg4": {"flags": "+qscale", "global_quality": str(3 * QSCALE_UNITS)},
}
DEFAULT_JPEG_QUALITY = 92


def write_video(
    path: str | pathlib.Path,
    frames: Iterable[np.ndarray],
    fps: int | fractions.Fraction = 25,
    codec: str = "libx264",
    gop: int = 16,
    crf: int | None = None,
) -> None:
    """Encode frames to a video file, replacing it if it exists.

    The bytes of the file depend on the frames alone, not on the run or the processor.

    Example:
        write_video("clip.mp4", np.zeros((16, 64, 64, 3), np.uint8), fps=25)

    Args:
        path: Name of the file; ends in .mp4 or .avi.
        frames: uint8 RGB ``[H, W, 3]`` each; H and W are even, as the codecs halve colour planes.
        fps: Frames per second.
        codec: "libx264" or "mpeg4".
        gop: Frames between key frames, at most; decoding a clip starts at the key frame before it.
        crf: Quality of libx264, from 0 (lossless) to 51; None: 20.

    Raises:
        ValueError: The ending or the codec is unknown, there are no frames, or a frame has another
            shape or type.
    """
    ending = pathlib.Path(path).suffix.lower()
    if ending not in ARRAY_VIDEO_FORMATS:
        endings = " or ".join(ARRAY_VIDEO_FORMATS)
        raise ValueError(f"Cannot write video '{path}': the name must end in {endings}.")
    if codec not in ENCODER_OPTIONS:
        codecs = " or ".join(ENCODER_OPTIONS)
        raise ValueError(f"Cannot write video with codec '{codec}': choose {codecs}.")
    # The stream needs the size before it takes a frame; without any frame, no file is made.
    frames = iter(frames)
    first = _check_frame(next(frames, None), None, path)
    with (
        files.write_atomically(path, sync=False) as unfinished,
        av.open(
            limits.make_file_url(unfinished), "w", format=ARRAY_VIDEO_FORMATS[ending]
        ) as container,
    ):
        stream = _add_video_stream(container, first.shape, fps, codec, gop, crf)
        _encode_frame(container, stream, first)
        for frame in frames:
            _encode_frame(container, stream, _check_frame(frame, first.shape, path))
        container.mux(stream.encode())  # what the encoder still holds back


def write_jpeg(
    path: str | pathlib.Path, image: np.ndarray, quality: int = DEFAULT_JPEG_QUALITY
) -> None:
    """Write an image as a JPEG file, replacing it if it exists.

    Args:
        path: Name of the file.
        image: uint8 RGB ``[H, W, 3]``.
        quality: From 1 to 100.
    """
    encoded = tf.io.encode_jpeg(image, quality=quality).numpy()
    with files.write_atomically(path, sync=False) as unfinished:
        unfinished.write_bytes(encoded)


def _add_video_stream(
    container: OutputContainer,
    shape: tuple[int, ...],
    fps: int | fractions.Fraction,
    codec: str,
    gop: int,
    crf: int | None,
) -> av.VideoStream:
    options = ENCODER_OPTIONS[codec]
    if crf is not None:
        options = options | {"crf": str(crf)}
    stream = cast(av.VideoStream, container.add_stream(codec, rate=fps, options=options))
    stream.height, stream.width = shape[:2]
    stream.pix_fmt = "yuv420p"
    stream.gop_size = gop
    stream.thread_count = 1  # the bytes would depend on the number of threads
    return stream


def _encode_frame(container: OutputContainer, stream: av.VideoStream, frame: np.ndarray) -> None:
    container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))


def _check_frame(
    frame: np.ndarray | None, shape: tuple[int, ...] | None, path: str | pathlib.Path
) -> np.ndarray:
    """Return the frame as a contiguous array, checked against the shape of the first one."""
    if frame is None:
        raise ValueError(f"Cannot write video '{path}': it has no frames.")
    frame = np.ascontiguousarray(frame)
    is_rgb = frame.dtype == np.uint8 and frame.ndim == 3 and frame.shape[2] == 3
    if not is_rgb or any(side % 2 for side in frame.shape[:2]):
        raise ValueError(
            f"Cannot write video '{path}': a frame must be uint8 [H, W, 3] with even H and W; "
            f"got {frame.dtype} {list(frame.shape)}."
        )
    if shape is not None and frame.shape != shape:
        raise ValueError(
            f"Cannot write video '{path}': its frames differ in size, "
            f"{list(shape)} then {list(frame.shape)}."
        )
    return frame
