import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import count_trainable_values, make_pixels

from tfanon.models.actions import i3d_r50, small3d


@pytest.fixture(scope="module")
def i3d_network() -> keras.Model:
    return i3d_r50.build(400)


def test_networks_have_their_known_number_of_parameters(i3d_network):
    assert count_trainable_values(i3d_network) == 28_043_472  # as published for Kinetics-400
    assert 1e5 < count_trainable_values(small3d.build(6)) < 3e5


def test_i3d_normalizes_as_for_kinetics(i3d_network):
    # (255 * .45 - 114.75) / 57.375 = 0 and (255 - 114.75) / 57.375 = 2.4444.
    normalize = i3d_network.get_layer("normalize")
    np.testing.assert_allclose(
        normalize(np.array([[0.45] * 3, [1.0] * 3])), [[0] * 3, [2.4444] * 3], atol=1e-3
    )


def test_i3d_strides_as_in_the_paper(i3d_network):
    # 16 frames: 8 after the stem, 4 and 2 after the pools; space: a 32nd.
    model = keras.Model(
        i3d_network.input, [i3d_network.get_layer("stage4_2").output, i3d_network.output]
    )
    features, logits = model(make_pixels(1, 16, 64, 32, 3))
    assert features.shape == (1, 2, 2, 1, 2048) and logits.shape == (1, 400)
    temporal = [
        layer.name for layer in i3d_network.layers if getattr(layer, "kernel_size", (1,))[0] == 3
    ]
    blocks = ((1, (0, 1, 2)), (2, (0, 2)), (3, (0, 2, 4)), (4, (1,)))
    assert temporal == [f"stage{stage}_{block}_a" for stage, indices in blocks for block in indices]


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_small3d_takes_clips_of_any_size(policy):
    keras.config.set_dtype_policy(policy)
    f_T = small3d.build(5)
    for shape in ((1, 8, 32, 48, 3), (3, 9, 40, 32, 3)):
        logits = f_T(make_pixels(*shape))
        assert logits.shape == (shape[0], 5) and logits.dtype == "float32"
        assert np.all(np.isfinite(logits))


def test_small3d_learns_directions_of_motion():
    # A bar moves left or right; single frames do not show the direction.
    f_T = small3d.build(2)
    clips = []
    for start in range(0, 32, 4):
        bar = make_frame_with_bar(start)
        for direction in (1, -1):
            clips.append([np.roll(bar, 3 * direction * t, axis=1) for t in range(8)])
    x = np.stack(clips)
    y = np.tile([0, 1], 8)
    optimizer = keras.optimizers.Adam(3e-3)
    optimizer.build(f_T.trainable_variables)
    f_T.compile(
        optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False
    )
    losses = f_T.fit(x, y, batch_size=16, epochs=8, verbose=0).history["loss"]
    assert losses[-1] < 0.3 < losses[0]


def make_frame_with_bar(column: int) -> np.ndarray:
    frame = np.zeros((32, 32, 3), "float32")
    frame[:, column : column + 4] = 1.0
    return frame


def test_frozen_network_passes_gradients_and_does_not_change():
    f_T = small3d.build(3)
    x = tf.constant(make_pixels(2, 8, 32, 32, 3))
    before = [v.numpy() for v in f_T.variables]
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(f_T(x, training=False)[:, 0])
    assert np.any(tape.gradient(loss, x))
    f_T.stateless_call(f_T.trainable_variables, f_T.non_trainable_variables, x, training=True)
    for variable, value in zip(f_T.variables, before):
        np.testing.assert_array_equal(variable, value)
