import keras
import numpy as np
import pytest
from helpers import count_trainable_values, make_pixels

from tfanon.models import resnet
from tfanon.models.privacy import resnet50, small_resnet


def test_networks_have_the_parameters_of_torchvision():
    assert count_trainable_values(resnet50.build(attributes=1000)) == 25_557_032
    # Without its last layer 23,508,032; projection: 2048 * 2048 + 2048 and 2048 * 128 + 128.
    assert count_trainable_values(resnet50.build(embedding=128)) == 23_508_032 + 4_196_352 + 262_272
    assert 1e5 < count_trainable_values(small_resnet.build(attributes=5)) < 2e5


@pytest.mark.parametrize(
    "depth, parameters", [(18, 11_176_512), (34, 21_284_672), (101, 42_500_160)]
)
def test_other_depths_have_the_parameters_of_torchvision(depth, parameters):
    # torchvision's counts less those of its 1000-class layer.
    x = keras.Input((None, None, 3))
    assert count_trainable_values(keras.Model(x, resnet.extract_features(x, depth))) == parameters


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_heads_return_logits_or_unit_vectors(policy):
    keras.config.set_dtype_policy(policy)
    f_B, f_B_retrained = small_resnet.build(embedding=32), small_resnet.build(attributes=7)
    x = make_pixels(3, 48, 64, 3)
    z, logits = f_B(x, training=True), f_B_retrained(x)
    assert z.shape == (3, 32) and logits.shape == (3, 7) and z.dtype == logits.dtype == "float32"
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1.0, rtol=1e-5)


def test_resnet50_embeds_images():
    z = resnet50.build(embedding=128)(make_pixels(2, 64, 32, 3))
    assert z.shape == (2, 128)
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1.0, rtol=1e-5)


def test_network_normalizes_as_for_imagenet():
    normalize = small_resnet.build(attributes=1).get_layer("normalize")
    np.testing.assert_allclose(normalize(np.array([[0.485, 0.456, 0.406]])), [[0] * 3], atol=1e-6)
    np.testing.assert_allclose(normalize(np.array([[0.714, 0.68, 0.631]])), [[1] * 3], atol=1e-5)


def test_stateless_call_does_not_update_moving_averages():
    f_B = small_resnet.build(embedding=8)
    x = make_pixels(4, 32, 32, 3)
    before = [v.numpy() for v in f_B.variables]
    z, _ = f_B.stateless_call(
        f_B.trainable_variables, f_B.non_trainable_variables, x, training=True
    )
    for variable, value in zip(f_B.variables, before):
        np.testing.assert_array_equal(variable, value)
    np.testing.assert_allclose(z, f_B(x, training=True), atol=1e-5)


@pytest.mark.parametrize("arguments", [{}, {"attributes": 5, "embedding": 8}])
def test_not_exactly_one_head_raises_an_error(arguments):
    with pytest.raises(ValueError, match="attributes=P for f_B' or embedding=D for f_B"):
        small_resnet.build(**arguments)
