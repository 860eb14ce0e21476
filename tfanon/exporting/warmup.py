"""Requests that TensorFlow Serving replays before a version takes traffic, so that no caller waits for its first run.

They hold noise: a real frame in a model's folder would be a raw frame on a disk.
"""

import json
import pathlib

import numpy as np
import tensorflow as tf

from tfanon.exporting import serving_protos
from tfanon.inference import network

NAME = "assets.extra/tf_serving_warmup_requests"
BATCHES = (
    1,
    2,
    8,
)  # each size of a batch prepares kernels of its own; the server reads at most 1,000 records
CLIP = 8  # frames
SEED = 0


def write(folder, name):
    """Write the requests of every signature into the SavedModel in `folder`, each answered by it here first.

    name: the model's, as the server will know it.  Raises ValueError where a request fails.
    """
    folder = pathlib.Path(folder)
    size = json.loads((folder / network.SAVED_MODEL_METADATA).read_text())["size"]
    signatures = tf.saved_model.load(str(folder)).signatures
    records = [
        _record(name, signature, signatures[signature], batch, size)
        for signature in sorted(signatures)
        for batch in BATCHES
    ]
    with tf.io.TFRecordWriter(str(folder / NAME)) as writer:
        for record in records:
            writer.write(record.SerializeToString())


def _record(name, signature, concrete, batch, size):
    ((key, spec),) = concrete.structured_input_signature[1].items()
    value = _noise(spec, batch, size)
    try:
        concrete(**{key: tf.constant(value)})
    except tf.errors.OpError as problem:
        raise ValueError(
            f"The signature {signature} does not take its warm-up request: {problem.message}"
        ) from None
    _, _, logs = serving_protos.messages()
    return logs.PredictionLog(
        predict_log=logs.PredictLog(request=serving_protos.request(name, signature, key, value))
    )


def _noise(spec, batch, size):
    """Input of a signature's type and rank at the size at which the network works."""
    shape = [batch, *([CLIP] if spec.shape.rank == 5 else []), *size, 3]
    levels = np.random.default_rng(SEED).integers(0, 256, shape, np.uint8)
    if spec.dtype == tf.string:
        return [tf.io.encode_jpeg(frame).numpy() for frame in levels]
    return levels if spec.dtype == tf.uint8 else levels / np.float32(255)
