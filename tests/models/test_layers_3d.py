import keras
import numpy as np
import pytest
import tensorflow as tf

from tfanon.models import layers_3d

KERNELS = [
    ((1, 3, 3), (1, 2, 2)),
    ((3, 1, 1), (2, 1, 1)),
    ((1, 1, 1), (1, 2, 2)),
    ((3, 1, 1), (1, 1, 1)),
    ((5, 7, 7), (2, 2, 2)),
    ((3, 3, 3), (1, 1, 1)),
]


@pytest.mark.parametrize("kernel, strides", KERNELS)
@pytest.mark.parametrize("shape", [(2, 4, 6, 8, 3), (1, 5, 7, 5, 3)])
def test_convolution_equals_keras_conv3d(kernel, strides, shape):
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    layer = layers_3d.Conv3D(4, kernel, strides, padding="same", use_bias=False)
    keras_layer = keras.layers.Conv3D(4, kernel, strides, padding="valid", use_bias=False)
    padded = np.pad(x, [(0, 0), *((k // 2,) * 2 for k in kernel), (0, 0)])
    layer.build(x.shape)
    y, gradient = compute_value_and_gradient(layer, x)
    keras_layer.build(padded.shape)
    keras_layer.set_weights(layer.get_weights())
    expected, expected_gradient = compute_value_and_gradient(keras_layer, padded)
    np.testing.assert_allclose(y, expected, atol=1e-5)
    np.testing.assert_allclose(gradient, expected_gradient, atol=1e-4)
    assert y.shape == layer.compute_output_shape(x.shape)


def compute_value_and_gradient(
    layer: keras.layers.Layer, x: np.ndarray
) -> tuple[tf.Tensor, tf.Tensor]:
    with tf.GradientTape() as tape:
        y = layer(x)
        loss = tf.reduce_sum(tf.square(y))
    return y, tape.gradient(loss, layer.kernel.value)


def test_sizes_may_be_unknown_in_the_graph():
    layer = layers_3d.Conv3D(4, (5, 3, 3), (2, 2, 2), padding="same", use_bias=False)
    layer.build((None, None, None, None, 3))
    call = tf.function(layer, input_signature=[tf.TensorSpec([None, None, None, None, 3])])
    x = tf.ones([2, 7, 6, 5, 3])
    np.testing.assert_allclose(call(x), layer(x), atol=1e-5)
