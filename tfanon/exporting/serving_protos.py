"""TensorFlow Serving's protocol buffers; they need the extra `serving`."""

from types import ModuleType
from typing import Any

import numpy as np
import tensorflow as tf


def import_messages() -> tuple[ModuleType, ModuleType, ModuleType]:
    """Import TensorFlow Serving's messages.

    Returns:
        The modules model_server_config_pb2, predict_pb2 and prediction_log_pb2.

    Raises:
        ValueError: The extra is not installed.
    """
    try:
        from tensorflow_serving.apis import predict_pb2, prediction_log_pb2
        from tensorflow_serving.config import model_server_config_pb2
    except ImportError:
        raise ValueError(
            "TensorFlow Serving's messages need the extra `serving`: pip install 'tfanon[serving]'."
        ) from None
    return model_server_config_pb2, predict_pb2, prediction_log_pb2


def make_predict_request(
    name: str, signature: str, key: str, value: np.ndarray | list[bytes]
) -> Any:
    """Make a PredictRequest.

    Args:
        name: Name of the model on the server.
        signature: Name of the signature.
        key: Name of the signature's input.
        value: What the input is given.
    """
    _, predict, _ = import_messages()
    request = predict.PredictRequest()
    request.model_spec.name = name
    request.model_spec.signature_name = signature
    # A message inside of another cannot be assigned.
    request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
    return request
