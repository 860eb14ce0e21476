"""Whatever can be attacked, as an f_A: a fixed anonymizer, a file's network, and what a video codec leaves of either.

All are called as a Keras network is: frames [N, H, W, 3] or clips [N, T, H, W, 3] in [0, 1] -> the same shape.
"""

import pathlib
import tempfile

import numpy as np
import tensorflow as tf

from tfanon.core import component_spec, registry
from tfanon.inference import network
from tfanon.media import array_writer, frame_reader

H264_SUFFIX = "+h264"


def load_target(name, f_A, crf):
    """(label, f_A, SHA-256 of its weights or file, or "") of what a command calls `name`.

    f_A: function that returns the run's own and its SHA-256.  crf: of H.264.
    Raises ValueError that names what there is where `name` is nothing of that.
    """
    if name.endswith(H264_SUFFIX):
        label, inner, digest = load_target(name.removesuffix(H264_SUFFIX), f_A, crf)
        return label + H264_SUFFIX, H264Anonymizer(inner, crf), digest
    if name == "f_A":
        return name, *f_A()
    if name not in registry.list_names("anonymizers") and pathlib.Path(name).exists():
        outside = network.load_network(name)
        return pathlib.Path(name).name, ExternalNetwork(outside), outside.sha256
    try:
        return name, component_spec.build_component("anonymizers", name), ""
    except ValueError as problem:
        raise ValueError(
            f"--anonymizers: there is no file {name}, and: {problem} f_A is the run's own."
        ) from None


class ExternalNetwork:
    """A network outside this graph; what it returns has 8 bits per pixel, as what it gives to anybody has.

    Frames are resized to the one size that it takes, and back.
    """

    def __init__(self, outside):
        self.network = outside

    def __call__(self, x, training=False):
        frames = tf.reshape(x, tf.concat([[-1], tf.shape(x)[-3:]], axis=0))
        given = (
            tf.image.resize(frames, self.network.size, antialias=True)
            if self.network.fixed_size
            else frames
        )
        y = tf.numpy_function(self._run_in_batches, [given], tf.float32, stateful=False)
        y = tf.ensure_shape(y, given.shape)
        if self.network.fixed_size:
            y = tf.image.resize(y, tf.shape(frames)[1:3], antialias=True)
        return tf.ensure_shape(tf.reshape(y, tf.shape(x)), x.shape)

    def _run_in_batches(self, frames):
        levels = np.rint(np.clip(frames, 0, 1) * 255).astype(np.uint8)
        batch = self.network.batch
        return np.concatenate(
            [self.network(levels[first : first + batch]) for first in range(0, len(levels), batch)]
        ) / np.float32(255)


class H264Anonymizer:
    """What is left behind f_A when each clip, or each image as a clip of one frame, has been H.264."""

    def __init__(self, f_A, crf):
        self.f_A, self.crf = f_A, crf

    def __call__(self, x, training=False):
        y = tf.numpy_function(
            self._encode_and_decode, [self.f_A(x, training=False)], tf.float32, stateful=False
        )
        return tf.ensure_shape(y, x.shape)

    def _encode_and_decode(self, y):
        clips = np.rint(np.clip(y, 0, 1) * 255).astype(np.uint8).reshape(len(y), -1, *y.shape[-3:])
        with tempfile.TemporaryDirectory() as folder:
            coded = [
                encode_and_decode_clip(pathlib.Path(folder) / f"{number}.mp4", clip, self.crf)
                for number, clip in enumerate(clips)
            ]
        return (np.stack(coded) / np.float32(255)).reshape(y.shape)


def encode_and_decode_clip(path, clip, crf):
    """uint8 [T, H, W, 3] written to `path` as H.264 and read again."""
    array_writer.write_video(path, clip, crf=crf)
    return frame_reader.read_frames(str(path), range, *clip.shape[1:3])
