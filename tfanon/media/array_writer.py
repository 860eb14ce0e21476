"""Frames to video files, an image to a JPEG. A file appears under its name only when it is whole."""

import pathlib

import av
import numpy as np
import tensorflow as tf

from tfanon.core import files
from tfanon.media import limits

ARRAY_VIDEO_FORMATS = {".mp4": "mp4", ".avi": "avi"}
# Without macroblock trees, which read memory that nothing wrote, and with what every processor does alike.
ENCODER_OPTIONS = {
    "libx264": {"crf": "20", "preset": "veryfast", "x264-params": "mbtree=0:cpu-independent=1"},
    "mpeg4": {"flags": "+qscale", "global_quality": str(3 * 118)},
}  # quality 3 of 31; 118 is one step


def write_video(path, frames, fps=25, codec="libx264", gop=16, crf=None):
    """Encode frames; a key frame at least every `gop`, since decoding 16 frames starts at the last one before them.

    path: ends in .mp4 or .avi; replaced if it exists.  frames: iterable of uint8 [H, W, 3] RGB, H and W even (the
    codecs halve the colour planes).  fps: frames per second.  codec: libx264 or mpeg4.  crf: libx264's quality, 0 (all)
    to 51; None: 20.
    One encoder thread, and nothing that differs by run or by processor: the bytes depend on the frames alone.
    Raises ValueError for an unknown ending or codec, for no frames, and for frames of another shape or type.
    """
    ending = pathlib.Path(path).suffix.lower()
    if ending not in ARRAY_VIDEO_FORMATS:
        raise ValueError(
            f"Cannot write video '{path}': the name must end in {' or '.join(ARRAY_VIDEO_FORMATS)}."
        )
    if codec not in ENCODER_OPTIONS:
        raise ValueError(f"Cannot write video with codec '{codec}': choose {' or '.join(ENCODER_OPTIONS)}.")
    frames = iter(frames)
    first = _check_frame(next(frames, None), None, path)
    with (
        files.write_atomically(path, sync=False) as unfinished,
        av.open(limits.make_file_url(unfinished), "w", format=ARRAY_VIDEO_FORMATS[ending]) as container,
    ):
        stream = _add_video_stream(container, first.shape, fps, codec, gop, crf)
        _encode_frame(container, stream, first)
        for frame in frames:
            _encode_frame(container, stream, _check_frame(frame, first.shape, path))
        container.mux(stream.encode())  # what the encoder still holds back


def write_jpeg(path, image, quality=92):
    """image: uint8 [H, W, 3] RGB.  quality: 1 to 100."""
    encoded = tf.io.encode_jpeg(image, quality=quality).numpy()
    with files.write_atomically(path, sync=False) as unfinished:
        unfinished.write_bytes(encoded)


def _add_video_stream(container, shape, fps, codec, gop, crf):
    options = ENCODER_OPTIONS[codec] if crf is None else {**ENCODER_OPTIONS[codec], "crf": str(crf)}
    stream = container.add_stream(codec, rate=fps, options=options)
    stream.height, stream.width = shape[:2]
    stream.pix_fmt = "yuv420p"
    stream.gop_size = gop
    stream.thread_count = 1
    return stream


def _encode_frame(container, stream, frame):
    container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))


def _check_frame(frame, shape, path):
    """The frame as a contiguous array of the first frame's shape."""
    if frame is None:
        raise ValueError(f"Cannot write video '{path}': it has no frames.")
    frame = np.ascontiguousarray(frame)
    if (
        frame.dtype != np.uint8
        or frame.ndim != 3
        or frame.shape[2] != 3
        or any(side % 2 for side in frame.shape[:2])
    ):
        raise ValueError(
            f"Cannot write video '{path}': a frame must be uint8 [H, W, 3] with even H and W; "
            f"given {frame.dtype} {list(frame.shape)}."
        )
    if shape is not None and frame.shape != shape:
        raise ValueError(
            f"Cannot write video '{path}': its frames differ in size, {list(shape)} then "
            f"{list(frame.shape)}."
        )
    return frame
