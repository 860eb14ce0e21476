import keras
import numpy as np
import pytest

from tfanon.models import resnet
from tfanon.models.privacy import resnet50, small_resnet


def images(*shape):
    return np.random.default_rng(0).random(shape, "float32")


def count(model):
    return int(sum(np.prod(v.shape) for v in model.trainable_variables))


def test_parameters_are_torchvisions():
    assert count(resnet50.build(attributes=1000)) == 25_557_032
    # Without its last layer 23,508,032; projection: 2048 * 2048 + 2048 and 2048 * 128 + 128.
    assert count(resnet50.build(embedding=128)) == 23_508_032 + 4_196_352 + 262_272
    assert 1e5 < count(small_resnet.build(attributes=5)) < 2e5


@pytest.mark.parametrize(
    "depth, parameters", [(18, 11_176_512), (34, 21_284_672), (101, 42_500_160)]
)
def test_other_depths_are_torchvisions(depth, parameters):
    # torchvision's counts less those of its 1000-class layer.
    x = keras.Input((None, None, 3))
    assert count(keras.Model(x, resnet.extract_features(x, depth))) == parameters


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_attributes_and_embedding(policy):
    keras.config.set_dtype_policy(policy)
    f_B, judge = small_resnet.build(embedding=32), small_resnet.build(attributes=7)
    x = images(3, 48, 64, 3)
    z, logits = f_B(x, training=True), judge(x)
    assert z.shape == (3, 32) and logits.shape == (3, 7) and z.dtype == logits.dtype == "float32"
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1.0, rtol=1e-5)


def test_resnet50_takes_images():
    z = resnet50.build(embedding=128)(images(2, 64, 32, 3))
    assert z.shape == (2, 128)
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1.0, rtol=1e-5)


def test_imagenet_normalisation_is_inside():
    normalize = small_resnet.build(attributes=1).get_layer("normalize")
    np.testing.assert_allclose(normalize(np.array([[0.485, 0.456, 0.406]])), [[0] * 3], atol=1e-6)
    np.testing.assert_allclose(normalize(np.array([[0.714, 0.68, 0.631]])), [[1] * 3], atol=1e-5)


def test_batch_statistics_leave_the_averages_alone():
    f_B = small_resnet.build(embedding=8)
    x = images(4, 32, 32, 3)
    before = [v.numpy() for v in f_B.variables]
    z, _ = f_B.stateless_call(
        f_B.trainable_variables, f_B.non_trainable_variables, x, training=True
    )
    for variable, value in zip(f_B.variables, before):
        np.testing.assert_array_equal(variable, value)
    np.testing.assert_allclose(z, f_B(x, training=True), atol=1e-5)


@pytest.mark.parametrize("arguments", [{}, {"attributes": 5, "embedding": 8}])
def test_one_head_is_asked_for(arguments):
    with pytest.raises(ValueError, match="attributes=P for f_B' or embedding=D for f_B"):
        small_resnet.build(**arguments)
