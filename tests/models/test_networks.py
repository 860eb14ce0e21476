"""Every network trains on two replicas in every precision; every anonymizer can be exported."""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfanon.core import registry
from tfanon.exporting import exporter
from tfanon.training import losses, trainer

ANONYMIZERS = ["stylenet", "tubelet_vit", "unet", "unetpp", "unetpp_mobile"]
NARROW = 0.1  # width with the same operations in a tenth of the channels
KINDS = {"anonymizers": {"width": NARROW}, "actions": {"classes": 3}, "privacy": {"attributes": 3}}
INPUTS = {  # smallest clips of networks that need more than 4 x 32 x 32
    "i3d_r50": (8, 32, 32),
    "mvit_v2_s": (4, 32, 32),
    "c3d": (8, 32, 32),
}
FIXED = ("raw", "blur", "weak_blur", "blacken", "downsample", "pixelate", "superpixels", "noise")
NETWORKS = [
    (kind, name) for kind in KINDS for name in registry.list_names(kind) if name not in FIXED
]


@pytest.fixture(autouse=True)
def clear_session_after_each_network() -> Iterator[None]:
    """Free the memory of each network before the next; together they need tens of gigabytes."""
    yield
    keras.backend.clear_session()


def make_examples(kind: str, name: str, count: int) -> tuple[np.ndarray, np.ndarray, Callable]:
    """(input, target, loss) for `count` examples."""
    rng = np.random.default_rng(0)
    default_shape = (4, 32, 32) if kind == "actions" else (32, 32)
    shape = INPUTS.get(name, default_shape)
    x = rng.random((count, *shape, 3), "float32")
    if kind == "anonymizers":
        return x, x, losses.reconstruction
    if kind == "actions":
        return x, rng.integers(0, 3, count).astype("int32"), losses.action_cross_entropy
    attributes = rng.integers(0, 2, (count, 3)).astype("float32")
    return x, attributes, losses.attribute_cross_entropy


def read_replicas(variable: Any) -> list[np.ndarray]:
    return [value.numpy() for value in getattr(variable.value, "values", [variable.value])]


@pytest.mark.large
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("kind, name", NETWORKS)
def test_network_trains_on_two_replicas(kind, name, precision, two_replicas):
    keras.config.set_dtype_policy(precision)
    x, target, loss = make_examples(kind, name, 8)
    with two_replicas.scope():
        network = registry.load_module(kind, name).build(**KINDS[kind])
        model = trainer.SupervisedModel(network, loss)
        model.compile(keras.optimizers.Adam(1e-3))
    before = [keras.ops.convert_to_numpy(variable) for variable in network.trainable_variables]
    batches = tf.data.Dataset.from_tensor_slices((x, target)).batch(4, drop_remainder=True)
    history = model.fit(batches, epochs=1, verbose=0).history
    assert all(np.isfinite(value) for values in history.values() for value in values), history
    after = [keras.ops.convert_to_numpy(variable) for variable in network.trainable_variables]
    changed = [np.any(old != new) for old, new in zip(before, after)]
    assert np.mean(changed) > 0.9, f"{sum(changed)} of {len(changed)}"
    for variable in network.variables:
        assert np.all(np.isfinite(keras.ops.convert_to_numpy(variable))), variable.path
        if not variable.path.endswith("seed_generator_state"):
            first, *others = read_replicas(variable)
            assert all(np.array_equal(first, other) for other in others), variable.path


@pytest.mark.parametrize("name", ANONYMIZERS)
def test_anonymizer_takes_frames_and_clips(name):
    f_A = registry.load_module("anonymizers", name).build(width=NARROW)
    clips = np.random.default_rng(0).random((2, 3, 16, 32, 3), "float32")
    anonymized = f_A(clips)
    assert anonymized.shape == clips.shape and anonymized.dtype == "float32"
    assert 0 <= np.min(anonymized) and np.max(anonymized) <= 1
    frames = f_A(clips[:, 0])
    assert frames.shape == (2, 16, 32, 3)
    if name != "tubelet_vit":  # its unit is two frames
        np.testing.assert_allclose(anonymized[:, 0], frames, atol=1e-5)


@pytest.mark.large
@pytest.mark.parametrize("name", ANONYMIZERS)
def test_anonymizer_exports_with_built_in_tflite_operations(name, tmp_path):
    f_A = registry.load_module("anonymizers", name).build(width=NARROW)
    # A training call gives the moving averages values of their own.
    f_A(np.random.default_rng(1).random((4, 32, 32, 3), "float32"), training=True)
    frames = np.random.default_rng(0).random((2, 32, 48, 3), "float32")
    record = exporter.export_anonymizer(f_A, tmp_path / name, frames, tolerance=1e-4)
    assert record["comparisons"]["anonymizer.tflite"]["largest_difference"] < 1e-4


@pytest.mark.parametrize(
    "name, expected", [("unet", 17_267_523), ("stylenet", 1_677_638), ("unetpp_mobile", 141_083)]
)
def test_anonymizer_has_its_known_number_of_parameters(name, expected):
    # unet: as counted in SPAct's code.  stylenet: 1,674,432 in kernels, 3,206 in instance norms.
    f_A = registry.load_module("anonymizers", name).build()
    assert sum(int(np.prod(variable.shape)) for variable in f_A.trainable_variables) == expected


def test_images_train_both_frames_of_a_tubelet():
    keras.utils.set_random_seed(2)
    f_A = registry.load_module("anonymizers", "tubelet_vit").build(width=NARROW)
    # So many because some tubelets are dropped in training.
    images = np.random.default_rng(0).random((16, 16, 16, 3), "float32")
    # At inference it is always the first frame of the pair.
    still_clips = np.stack([images, images], 1)
    np.testing.assert_allclose(f_A(images), f_A(still_clips)[:, 0], atol=1e-6)
    has_gradient = np.zeros((2, 768), bool)
    for _ in range(4):  # with this seed both frames are drawn
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(losses.reconstruction(images, f_A(images, training=True)))
        gradient = tape.gradient(loss, f_A.head.bias.value)
        has_gradient |= np.reshape(gradient, (2, -1)) != 0
    assert has_gradient.mean() > 0.9, has_gradient.mean(axis=1)
