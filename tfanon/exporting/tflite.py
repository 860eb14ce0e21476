"""f_A as a TFLite file: float32, or smaller and faster in one of three ways; built-in operators only."""

import re

import keras
import numpy as np
import tensorflow as tf

from tfanon.exporting import signatures

# What --quantize may ask for, and the file it makes.
NAMES = {
    "none": "anonymizer.tflite",
    "float16": "anonymizer_float16.tflite",
    "dynamic": "anonymizer_dynamic.tflite",
    "int8": "anonymizer_int8.tflite",
}


LIMIT = 6.0  # of what a sigmoid is given in 8 bits: beyond it the answer moves by less than a grey level


def convert(f_A, size, quantize="none", representative=None):
    """The bytes of the TFLite file for frames [N, H, W, 3] of that size, (H, W); batch 1 until it is resized.

    quantize: "none"; "float16", weights alone; "dynamic", weights in 8 bits, activations as they come; "int8", all in
    8 bits, frames in and out as uint8.
    representative: frames [n, H, W, 3] float32 in [0, 1] that show "int8" how large activations become.
    Raises ValueError where the operators that TFLite has built in do not suffice, and where the converter fails.
    """
    module = signatures.Anonymizer(limited(f_A) if quantize == "int8" else f_A, size)
    # N stays open: an N of 1 would be folded into f_A's reshapes, and no phone could resize it.
    concrete = module.concrete(
        "frames", [None, *module.size, 3], tf.float32, clipped=quantize != "int8"
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if quantize != "none":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantize == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if quantize == "int8":
        converter.representative_dataset = lambda: _spanning(representative)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.uint8
    try:
        return converter.convert()
    except Exception as error:  # the converter's own class is private
        raise ValueError(f"{NAMES[quantize]}: {_reason(error)}") from error


def _reason(error):
    """One line of what the converter says in many."""
    if missing := re.search(r"(?:Custom|Flex) ops: (.*)", str(error)):
        return f"f_A needs operations that TFLite has not built in: {missing[1]}."
    said = str(error).strip().splitlines()
    return f"the converter failed: {said[0] if said else type(error).__name__}"


@keras.saving.register_keras_serializable("tfanon")
class LimitedSigmoid(keras.layers.Layer):
    """sigmoid of x within -LIMIT to LIMIT, so that the 256 steps of 8 bits lie where the sigmoid is steep."""

    def call(self, x):
        return tf.sigmoid(tf.clip_by_value(x, -LIMIT, LIMIT))

    def compute_output_shape(self, input_shape):
        return input_shape


def limited(f_A):
    """f_A for frames with a LimitedSigmoid at its end, sharing its weights; f_A itself where it ends otherwise."""
    network = getattr(f_A, "network", f_A)
    return (
        keras.models.clone_model(network, clone_function=limiting(network))
        if _ends_in_sigmoid(network)
        else f_A
    )


def limiting(network):
    """A clone_function: each layer as it is, but a LimitedSigmoid for a sigmoid at the end."""
    last = network.layers[-1] if _ends_in_sigmoid(network) else None
    return lambda layer: LimitedSigmoid() if layer is last else layer


def _ends_in_sigmoid(network):
    last = network.layers[-1]
    return (
        isinstance(last, keras.layers.Activation) and last.activation is keras.activations.sigmoid
    )


def _spanning(frames):
    """Frames one by one, two corners black and white: whatever the frames hold, the input's unit is a grey level."""
    for frame in np.array(frames, np.float32):
        frame[0, 0], frame[-1, -1] = 0.0, 1.0
        yield [frame[None]]
