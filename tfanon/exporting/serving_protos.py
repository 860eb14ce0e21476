"""What TensorFlow Serving is told, as its own messages; needs the extra `serving`."""

import tensorflow as tf


def messages():
    """TensorFlow Serving's messages: the modules (model_server_config_pb2, predict_pb2, prediction_log_pb2)."""
    try:
        from tensorflow_serving.apis import predict_pb2, prediction_log_pb2
        from tensorflow_serving.config import model_server_config_pb2
    except ImportError:
        raise ValueError(
            "TensorFlow Serving's messages need the extra `serving`: pip install 'tfanon[serving]'."
        ) from None
    return model_server_config_pb2, predict_pb2, prediction_log_pb2


def request(name, signature, key, value):
    """A PredictRequest.  value: what the signature's input `key` is given, a numpy array or a list of bytes."""
    _, predict, _ = messages()
    asked = predict.PredictRequest()
    asked.model_spec.name, asked.model_spec.signature_name = name, signature
    asked.inputs[key].CopyFrom(tf.make_tensor_proto(value))
    return asked
