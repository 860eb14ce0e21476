"""Requests that TensorFlow Serving replays before a version takes traffic.

Without them the first caller waits for tracing and kernel selection. They hold noise: a real frame
in a model's folder would be a raw frame on a disk.
"""

import json
import pathlib
from typing import Any

import numpy as np
import tensorflow as tf

from tfanon.exporting import serving_protos
from tfanon.inference.loaders.saved_model import SAVED_MODEL_METADATA

WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"
# Each batch size prepares kernels of its own; the server reads at most 1,000 requests.
BATCH_SIZES = (1, 2, 8)
# T is open in the signature, so any length will do.
CLIP_FRAMES = 8
NOISE_SEED = 0


def write_warmup_requests(folder: str | pathlib.Path, name: str) -> None:
    """Write requests for every signature into a SavedModel, each tried here first.

    Args:
        folder: Folder of the SavedModel.
        name: Name by which the server will know the model.

    Raises:
        ValueError: A request fails.
    """
    folder = pathlib.Path(folder)
    size = json.loads((folder / SAVED_MODEL_METADATA).read_text())["size"]
    signatures = tf.saved_model.load(str(folder)).signatures
    logs = []
    for signature in sorted(signatures):
        for batch in BATCH_SIZES:
            logs.append(_make_log(name, signature, signatures[signature], batch, size))
    with tf.io.TFRecordWriter(str(folder / WARMUP_FILE)) as writer:
        for log in logs:
            writer.write(log.SerializeToString())


def _make_log(name: str, signature: str, concrete: Any, batch: int, size: list[int]) -> Any:
    """Return the PredictionLog of one request, after the signature has answered it."""
    ((key, spec),) = concrete.structured_input_signature[1].items()
    value = _make_noise(spec, batch, size)
    try:
        # Tried here, since the server replays it while it loads the version.
        concrete(**{key: tf.constant(value)})
    except tf.errors.OpError as error:
        raise ValueError(
            f"The signature {signature} does not accept its warm-up request: {error.message}"
        ) from None
    _, _, logs = serving_protos.import_messages()
    request = serving_protos.make_predict_request(name, signature, key, value)
    return logs.PredictionLog(predict_log=logs.PredictLog(request=request))


def _make_noise(spec: tf.TensorSpec, batch: int, size: list[int]) -> Any:
    """Return an input of a signature's type and rank at the size at which the network works."""
    frames = [CLIP_FRAMES] if spec.shape.rank == 5 else []
    shape = [batch, *frames, *size, 3]
    levels = np.random.default_rng(NOISE_SEED).integers(0, 256, shape, np.uint8)
    if spec.dtype == tf.string:
        return [tf.io.encode_jpeg(frame).numpy() for frame in levels]
    if spec.dtype == tf.uint8:
        return levels
    return levels / np.float32(255)
