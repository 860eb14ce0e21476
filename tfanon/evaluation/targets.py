"""Load what can be attacked as an f_A: fixed anonymizers, networks in files, compressed video.

All are called like a Keras network: frames ``[N, H, W, 3]`` or clips ``[N, T, H, W, 3]`` in [0, 1]
to the same shape.
"""

import pathlib
import tempfile
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfanon.attacks.common.attack_run import Anonymizer
from tfanon.core import component_spec, registry
from tfanon.inference import loaders
from tfanon.inference.network import Network
from tfanon.media import array_writer, frame_reader

H264_SUFFIX = "+h264"


def load_target(
    name: str, load_own_anonymizer: Callable[[], tuple[Anonymizer, str]], crf: int
) -> tuple[str, Anonymizer, str]:
    """Load an anonymizer by the name that `--anonymizers` gives it.

    Args:
        name: `f_A`, a fixed anonymizer with options as in `blur:regions=hog`, or the path of a
            model; with H264_SUFFIX: its output after H.264 compression.
        load_own_anonymizer: Returns the f_A of the run and the SHA-256 of its weights.
        crf: Constant rate factor of H.264.

    Returns:
        Label in the results, the anonymizer, and the SHA-256 of its weights or file; empty for a
        fixed anonymizer.

    Raises:
        ValueError: There is no anonymizer of that name; the message lists what there is.
    """
    if name.endswith(H264_SUFFIX):
        label, f_A, digest = load_target(name.removesuffix(H264_SUFFIX), load_own_anonymizer, crf)
        return label + H264_SUFFIX, H264Anonymizer(f_A, crf), digest
    if name == "f_A":
        f_A, digest = load_own_anonymizer()
        return name, f_A, digest
    if name not in registry.list_names("anonymizers") and pathlib.Path(name).exists():
        # A registered name takes precedence over a file of that name.
        network = loaders.load_network(name)
        return pathlib.Path(name).name, ExternalNetwork(network), network.sha256
    try:
        return name, component_spec.build_component("anonymizers", name), ""
    except ValueError as error:
        raise ValueError(
            f"--anonymizers: there is no file {name}, and: {error} f_A is the run's own."
        ) from None


class ExternalNetwork:
    """A network outside TensorFlow's graph, such as a .tflite file, called like an f_A.

    Its output has 8 bits per pixel, which is what its users get. If it accepts frames of one size
    only, frames are resized to that size and back.

    Args:
        network: The loaded network.
    """

    def __init__(self, network: Network) -> None:
        self.network = network

    def __call__(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Anonymize frames or clips in [0, 1]."""
        frames = tf.reshape(x, tf.concat([[-1], tf.shape(x)[-3:]], axis=0))
        network_input = frames
        if self.network.fixed_size:
            network_input = tf.image.resize(frames, self.network.size, antialias=True)
        # stateful=False: under op determinism stateful calls would be serialized.
        y = tf.numpy_function(self._run_in_batches, [network_input], tf.float32, stateful=False)
        # The output of numpy_function has no static shape.
        y = tf.ensure_shape(y, network_input.shape)
        if self.network.fixed_size:
            y = tf.image.resize(y, tf.shape(frames)[1:3], antialias=True)
        return tf.ensure_shape(tf.reshape(y, tf.shape(x)), x.shape)

    def _run_in_batches(self, frames: np.ndarray) -> np.ndarray:
        """Run the network on frames in [0, 1], as many at once as it takes."""
        levels = _to_uint8(frames)
        batches = []
        for first in range(0, len(levels), self.network.batch):
            batches.append(self.network(levels[first : first + self.network.batch]))
        # float32 as numpy_function declares it; uint8 divided by a plain 255 is float64.
        return np.concatenate(batches) / np.float32(255)


class H264Anonymizer:
    """An anonymizer whose output is compressed with H.264 and decoded again.

    An image is compressed as a clip of one frame.

    Args:
        f_A: The anonymizer.
        crf: Constant rate factor, 0 to 51.
    """

    def __init__(self, f_A: Anonymizer, crf: int) -> None:
        self.f_A, self.crf = f_A, crf

    def __call__(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Anonymize and compress frames or clips in [0, 1]."""
        y = tf.numpy_function(
            self._encode_and_decode, [self.f_A(x, training=False)], tf.float32, stateful=False
        )
        return tf.ensure_shape(y, x.shape)

    def _encode_and_decode(self, y: np.ndarray) -> np.ndarray:
        clips = _to_uint8(y).reshape(len(y), -1, *y.shape[-3:])
        decoded = []
        with tempfile.TemporaryDirectory() as folder:
            for number, clip in enumerate(clips):
                path = pathlib.Path(folder) / f"{number}.mp4"
                decoded.append(encode_and_decode_clip(path, clip, self.crf))
        return (np.stack(decoded) / np.float32(255)).reshape(y.shape)


def encode_and_decode_clip(path: pathlib.Path, clip: np.ndarray, crf: int) -> np.ndarray:
    """Write a clip as H.264 and read it again.

    Args:
        path: Where to write the file.
        clip: uint8 ``[T, H, W, 3]``.
        crf: Constant rate factor, 0 to 51.

    Returns:
        uint8 ``[T, H, W, 3]``.
    """
    array_writer.write_video(path, clip, crf=crf)
    return frame_reader.read_frames(str(path), range, *clip.shape[1:3])


def _to_uint8(pixels: np.ndarray) -> np.ndarray:
    """Round pixels in [0, 1] to 8 bits."""
    return np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
