import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import make_pixels

from tfanon.models import layers
from tfanon.models.anonymizers import unetpp


def test_unetpp_has_the_parameters_of_the_released_code():
    # Released code: encoder 2,782,784 + decoder 2,721,408 + head 867. PyTorch does not count moving
    # averages.
    f_A = unetpp.build()
    assert sum(np.prod(v.shape) for v in f_A.trainable_variables) == 5_505_059
    head = f_A.network.get_layer("head")
    assert sum(np.prod(v.shape) for v in head.trainable_variables) == 867
    assert f_A.count_params() - 5_505_059 == sum(
        np.prod(v.shape) for v in f_A.non_trainable_variables
    )


def test_layers_are_those_of_the_paper():
    f_A = unetpp.build(width=0.25)
    norms = [layer for layer in f_A.network.layers if isinstance(layer, layers.BatchNorm)]
    assert (
        len(norms) == 1 + 12 + 2 + 14
    )  # stem; six blocks of 2 and two shortcuts; seven nodes of 2
    assert {(norm.epsilon, norm.momentum) for norm in norms} == {(1e-5, 0.9)}
    assert f_A.network.get_layer("x02_0").kernel.shape[2] == (128 + 192) // 4


def test_initial_weights_have_the_bounds_of_the_library():
    # Kaiming-uniform of x03_0: fan in 9 * 64, so within sqrt(6 / 576) = .102.
    # Xavier of the head: within sqrt(6 / 315) = .138.
    keras.utils.set_random_seed(0)
    network = unetpp.build().network
    for name, bound in (("x03_0", 0.10207), ("head", 0.13802)):
        largest = np.abs(network.get_layer(name).kernel).max()
        assert 0.98 * bound < largest <= bound
    assert not np.any(network.get_layer("head").bias)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_output_has_the_right_range_and_dtype(policy):
    keras.config.set_dtype_policy(policy)
    sigmoid, linear = unetpp.build(0.1), unetpp.build(0.1, output="linear")
    x = make_pixels(3, 32, 16, 3)
    assert sigmoid(x).dtype == linear(x).dtype == "float32"
    assert 0 < np.min(sigmoid(x)) and np.max(sigmoid(x)) < 1
    assert np.min(linear(10 * x)) < 0 or np.max(linear(10 * x)) > 1


@pytest.mark.parametrize("jit_compile", [False, pytest.param(True, marks=pytest.mark.large)])
def test_every_weight_has_a_gradient(jit_compile):
    f_A = unetpp.build(0.1)
    x = tf.constant(make_pixels(1, 2, 16, 32, 3))

    @tf.function(jit_compile=jit_compile)
    def gradients(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(f_A(x, training=True) - x))
        return tape.gradient(loss, [variable.value for variable in f_A.trainable_variables])

    for variable, gradient in zip(f_A.trainable_variables, gradients(x)):
        assert np.all(np.isfinite(gradient)) and np.any(gradient), variable.path


def test_stateless_call_does_not_update_moving_averages():
    f_A = unetpp.build(0.1)
    x = make_pixels(4, 16, 16, 3)
    before = [v.numpy() for v in f_A.variables]
    y, moved = f_A.stateless_call(
        f_A.trainable_variables, f_A.non_trainable_variables, x, training=True
    )
    for variable, value in zip(f_A.variables, before):
        np.testing.assert_array_equal(variable, value)
    assert any(np.any(new != old) for new, old in zip(moved, f_A.non_trainable_variables))
    np.testing.assert_allclose(y, f_A(x, training=True), atol=1e-5)
    assert np.abs(y - f_A(x, training=False)).max() > 1e-3


def test_weights_can_be_saved_and_loaded(tmp_path):
    f_A, other = unetpp.build(0.1), unetpp.build(0.1)
    x = make_pixels(1, 16, 16, 3)
    f_A(x, training=True)
    f_A.save_weights(tmp_path / "f_A.weights.h5")
    other.load_weights(tmp_path / "f_A.weights.h5")
    np.testing.assert_array_equal(f_A(x), other(x))


def test_model_can_be_saved_and_loaded(tmp_path):
    f_A = unetpp.build(0.1)
    f_A.save(tmp_path / "f_A.keras")
    x = make_pixels(1, 16, 16, 3)
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "f_A.keras")(x), f_A(x))


@pytest.mark.parametrize(
    "arguments, message",
    [({"output": "tanh"}, "'sigmoid' or 'linear', not 'tanh'"), ({"width": 0}, "above 0, not 0")],
)
def test_invalid_option_raises_an_error(arguments, message):
    with pytest.raises(ValueError, match=message):
        unetpp.build(**arguments)
