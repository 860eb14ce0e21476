"""f_A taught to bear 8 bits: rounding stands in its way while it learns to answer as it did without.

Quantization-aware training after Jacob et al., arXiv 1712.05877: weights and activations are rounded as in the TFLite
file, gradients pass as if they were not. The teacher is f_A itself on training frames: neither labels nor judges are
seen, so what it may not lose and may not leak is what it does already.
"""

import keras
import numpy as np
import tensorflow as tf

from tfanon.exporting import tflite
from tfanon.models import per_frame

BATCH, RATE = 4, 1e-5  # a trained f_A is near where it should be: 1e-4 leads it away


def fine_tuned(f_A, frames, steps, rate=RATE, seed=0):
    """A copy of f_A whose int8 file answers more as f_A does.

    f_A: per_frame.PerFrame of a functional network.  frames: float32 [n, H, W, 3] in [0, 1] of training data.
    steps: of BATCH frames each, drawn by the seed.  rate: Adam's, falling to 0.
    """
    copy = per_frame.PerFrame(keras.models.clone_model(f_A.network), f_A.multiple)
    copy.set_weights(f_A.get_weights())
    rounded = with_rounding(copy.network, frames)
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, steps))
    optimizer.build(rounded.trainable_variables)

    @tf.function(autograph=False, reduce_retracing=True)
    def step(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(answer(rounded, x) - f_A(x, training=False)))
        optimizer.apply(
            tape.gradient(loss, rounded.trainable_variables), rounded.trainable_variables
        )

    batches = (
        tf.data.Dataset.from_tensor_slices(frames).shuffle(len(frames), seed).repeat().batch(BATCH)
    )
    for x in batches.take(steps):
        step(x)
    return copy


def with_rounding(network, frames):
    """The network, sharing its weights, with what each operation puts out rounded to 256 steps.

    network: functional.  frames: what shows how large numbers become, as the converter is shown it.
    """
    ranges = _ranges(network, frames)

    def call(layer, *args, **kwargs):
        y = layer(*args, **kwargs)
        return Rounding(*ranges[layer.name])(y) if layer.name in ranges else y

    return keras.models.clone_model(
        network, clone_function=tflite.limiting(network), call_function=call
    )


def _ranges(network, frames):
    """{layer: (lowest, highest)} of what it puts out, with 0, where a TFLite file holds that in 8 bits."""
    layers = rounded_layers(network)
    see = keras.Model(network.input, [layer.output for layer in layers])
    seen = [
        [
            (float(tf.reduce_min(y)), float(tf.reduce_max(y)))
            for y in see(frames[first : first + BATCH], training=False)
        ]
        for first in range(0, len(frames), BATCH)
    ]
    lows, highs = (
        np.minimum(np.min(seen, axis=0), 0)[:, 0],
        np.maximum(np.max(seen, axis=0), 0)[:, 1],
    )
    return {layer.name: (float(low), float(high)) for layer, low, high in zip(layers, lows, highs)}


def rounded_layers(network):
    """Layers whose output a TFLite file holds in 8 bits.

    A convolution disappears in its batch normalisation, and what a ReLU is given in the ReLU.
    """
    swallowing = (keras.layers.BatchNormalization, keras.layers.ReLU)
    swallowed = {id(layer.input) for layer in network.layers if isinstance(layer, swallowing)}
    return [
        layer
        for layer in network.layers
        if not isinstance(layer, keras.layers.InputLayer) and id(layer.output) not in swallowed
    ]


@keras.saving.register_keras_serializable("tfanon")
class Rounding(keras.layers.Layer):
    """To the nearest of 256 steps between `low` and `high`; gradients pass inside, and are 0 outside."""

    def __init__(self, low, high, **kwargs):
        super().__init__(**kwargs)
        self.low, self.high = low, max(high, low + 1e-6)

    def call(self, x):
        return tf.quantization.fake_quant_with_min_max_args(x, self.low, self.high)

    def compute_output_shape(self, input_shape):
        return input_shape


def answer(rounded, x):
    """What a network with_rounding makes of x, its kernels rounded too."""
    weights = [
        rounded_kernel(variable.value) if variable.name == "kernel" else variable.value
        for variable in rounded.trainable_variables
    ]
    fixed = [variable.value for variable in rounded.non_trainable_variables]
    return rounded.stateless_call(weights, fixed, x, training=False)[0]


def rounded_kernel(kernel):
    """To 255 steps around 0 for each output channel, [h, w, C, D], or of a depthwise one [h, w, C, 1]; straight through."""
    axes = (0, 1, 3) if kernel.shape[-1] == 1 else (0, 1, 2)
    step = tf.maximum(tf.reduce_max(tf.abs(kernel), axis=axes, keepdims=True), 1e-9) / 127
    return kernel + tf.stop_gradient(tf.round(kernel / step) * step - kernel)
