"""An anonymizer as a TFLite file: float32 or quantized in three ways; built-in operators only."""

import re
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf

from tfanon.exporting import signatures

# Values of --quantize, and the file that each makes.
TFLITE_FILES = {
    "none": "anonymizer.tflite",
    "float16": "anonymizer_float16.tflite",
    "dynamic": "anonymizer_dynamic.tflite",
    "int8": "anonymizer_int8.tflite",
}
# Input range of a sigmoid in 8 bits: beyond it the output changes by less than a grey level.
SIGMOID_LIMIT = 6.0


def convert_to_tflite(
    f_A: keras.Model,
    size: tuple[int, int],
    quantize: str = "none",
    representative: np.ndarray | None = None,
) -> bytes:
    """Convert f_A to a TFLite file for frames `[N, H, W, 3]`; batch size 1 until it is resized.

    Args:
        f_A: The anonymizer.
        size: (H, W) of the frames.
        quantize: "none"; "float16": weights only; "dynamic": weights in 8 bits, activations
            quantized anew for each frame; "int8": everything in 8 bits, frames as uint8.
        representative: float32 frames `[n, H, W, 3]` in [0, 1] that show "int8" the range of
            activations.

    Returns:
        The content of the file.

    Raises:
        ValueError: The built-in operators of TFLite do not suffice, or the converter fails.
    """
    # 8 bits over the whole range of a sigmoid's input would leave few steps where it is steep.
    exported = limit_final_sigmoid(f_A) if quantize == "int8" else f_A
    module = signatures.ServingModule(exported, size)
    # N stays open: an N of 1 would be folded into f_A's reshapes, and no phone could resize it.
    concrete = module.make_concrete_function(
        # An 8-bit output has limits of its own, so it need not be clipped.
        "frames",
        [None, *module.size, 3],
        tf.float32,
        clipped=quantize != "int8",
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if quantize != "none":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantize == "float16":
        # Without it DEFAULT would quantize weights to 8 bits.
        converter.target_spec.supported_types = [tf.float16]
    if quantize == "int8":
        converter.representative_dataset = lambda: _yield_spanning_frames(representative)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.uint8
    try:
        return converter.convert()
    except Exception as error:  # the class of the converter's errors is private
        raise ValueError(f"{TFLITE_FILES[quantize]}: {_summarize_error(error)}") from error


def _summarize_error(error: Exception) -> str:
    """Summarize the converter's message of many lines in one."""
    missing = re.search(r"(?:Custom|Flex) ops: (.*)", str(error))
    if missing:
        return f"f_A needs operations that TFLite has not built in: {missing[1]}."
    lines = str(error).strip().splitlines()
    return f"the converter failed: {lines[0] if lines else type(error).__name__}"


@keras.saving.register_keras_serializable("tfanon")
class LimitedSigmoid(keras.layers.Layer):
    """Sigmoid of an input limited to SIGMOID_LIMIT, so that 8 bits resolve where it is steep."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Return sigmoid(clip(x)), same shape."""
        return tf.sigmoid(tf.clip_by_value(x, -SIGMOID_LIMIT, SIGMOID_LIMIT))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Return the shape of the input."""
        return input_shape


def limit_final_sigmoid(f_A: keras.Model) -> keras.Model:
    """Return f_A for single frames with a LimitedSigmoid at its end, sharing its weights.

    Returns:
        f_A itself if it does not end in a sigmoid.
    """
    # The network for single frames inside of an f_A for clips.
    network = getattr(f_A, "network", f_A)
    if not _ends_in_sigmoid(network):
        return f_A
    return keras.models.clone_model(network, clone_function=_make_clone_function(network))


def _make_clone_function(
    network: keras.Model,
) -> Callable[[keras.layers.Layer], keras.layers.Layer]:
    """Return a clone_function that keeps every layer but the sigmoid at the end."""
    last = network.layers[-1]

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        return LimitedSigmoid() if layer is last else layer

    return clone


def _ends_in_sigmoid(network: keras.Model) -> bool:
    last = network.layers[-1]
    is_activation = isinstance(last, keras.layers.Activation)
    return is_activation and last.activation is keras.activations.sigmoid


def _yield_spanning_frames(frames: np.ndarray | None) -> Iterator[list[np.ndarray]]:
    """Yield frames with one black and one white corner.

    So the input spans [0, 1] and its quantization step is a grey level, whatever the frames hold.
    """
    for frame in np.array(frames, np.float32):
        frame[0, 0], frame[-1, -1] = 0.0, 1.0
        yield [frame[None]]
