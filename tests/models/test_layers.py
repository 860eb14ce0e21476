import keras
import numpy as np
import pytest
import tensorflow as tf

from tfanon.models import layers


def make_random(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def test_channels_are_multiples_of_four():
    assert [layers.scale_channels(64, width) for width in (1.0, 0.5, 0.3, 0.01)] == [64, 32, 20, 4]


def test_normalization_keeps_grey_levels_under_a_mixed_policy():
    # Two adjacent 8-bit levels, 254 / 255 and 1: the step of bfloat16 between 0.5 and 1 is 2^-8, so
    # it would round both to 1.
    keras.config.set_dtype_policy("mixed_bfloat16")
    dark, light = (
        layers.make_normalization((0.5,), (0.5,))(np.array([[254 / 255], [1.0]], "float32"))
        .numpy()
        .ravel()
    )
    assert light == pytest.approx(1.0) and light - dark == pytest.approx(2 / 255, rel=1e-3)


@pytest.mark.parametrize("size", [8, 9])
@pytest.mark.parametrize("kernel", [1, 3, 7])
def test_convolution_at_stride_two_pads_both_sides_equally(kernel, size):
    layer = layers.Conv2D(4, kernel, 2, padding="same")
    x = make_random(2, size, size, 3)
    y = layer(x)
    padded = np.pad(x, [(0, 0), (kernel // 2,) * 2, (kernel // 2,) * 2, (0, 0)])
    plain = keras.layers.Conv2D(4, kernel, 2, padding="valid")
    plain.build(x.shape)
    plain.set_weights(layer.get_weights())
    np.testing.assert_allclose(y, plain(padded), atol=1e-5)
    assert y.shape == layer.compute_output_shape(x.shape)


@pytest.mark.parametrize("channels", [3, 4, 8])
def test_gradient_of_a_strided_1x1_convolution_is_correct(channels):
    # With fewer than 8 channels oneDNN's own stride gives wrong gradients or a crash
    # (uxlfoundation/oneDNN issue 6035).
    x = make_random(8, 6, 8, channels)
    used_pixels = x[:, ::2, ::2].reshape(-1, channels)
    for seed in range(100):  # the content of memory after the buffer differs from call to call
        kernel = tf.constant(
            np.random.default_rng(seed).normal(size=(1, 1, channels, 4)).astype("float32")
        )
        with tf.GradientTape() as tape:
            tape.watch(kernel)
            loss = tf.reduce_sum(layers.convolve(tf.constant(x), kernel, (2, 2)) ** 2)
        np.testing.assert_allclose(
            tape.gradient(loss, kernel)[0, 0],
            2 * used_pixels.T @ used_pixels @ kernel[0, 0],
            atol=1e-2,
        )


def test_16_bit_convolution_is_accurate_within_rounding():
    layer = layers.Conv2D(4, 3, padding="same", dtype="mixed_bfloat16")
    x = make_random(1, 8, 8, 3)
    y = layer(x)
    assert y.dtype == "bfloat16"
    exact = tf.nn.conv2d(x, layer.kernel.value, 1, "SAME")
    np.testing.assert_allclose(tf.cast(y, tf.float32), exact, atol=0.05)


def test_max_pool_of_positive_features_ignores_padding():
    x = np.abs(make_random(1, 6, 6, 2))
    padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)], constant_values=-np.inf)
    expected = keras.layers.MaxPooling2D(3, 2)(padded)
    np.testing.assert_array_equal(layers.max_pool2d(x), expected)


@pytest.mark.parametrize("shape", [(5, 4, 6, 3), (2, 3, 4, 6, 3)])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_batch_norm_equals_keras(shape, training, jit_compile):
    # Except the moving variance, which is PyTorch's unbiased one, n / (n - 1) of Keras'.
    n = np.prod(shape[:-1])
    x, weight = 3 * make_random(*shape) + 1, make_random(*shape)
    start = np.array([[0.5, 1, 2], [1, 0, -1], [0.1, -0.2, 0.3], [0.5, 1, 2]], "float32")
    results = []
    for layer in (layers.batch_norm(), keras.layers.BatchNormalization(epsilon=1e-5, momentum=0.9)):
        layer.build(shape)
        layer.set_weights(list(start))

        @tf.function(jit_compile=jit_compile)
        def step(x, layer=layer):
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = layer(x, training=training)
                loss = tf.reduce_sum(weight * y)
            return y, tape.gradient(loss, [x, layer.gamma.value, layer.beta.value])

        y, gradients = step(tf.constant(x))
        gamma, beta, mean, variance = layer.get_weights()
        batch = (
            variance - 0.9 * start[3]
        ) / 0.1  # what the average moved towards; without training where it was
        if training and isinstance(layer, layers.BatchNorm):
            batch *= (n - 1) / n
        results.append([y, *gradients, gamma, beta, mean, batch])
    for actual, expected in zip(*results):
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4)


def test_batch_norm_has_the_constants_of_pytorch():
    # A batch of 0 and 2 has mean 1, variance 1 and unbiased variance 2. It turns moving averages of
    # 0 and 1 into .1 * 1 and .9 * 1 + .1 * 2.
    layer = layers.batch_norm()
    y = layer(np.array([0.0, 2.0], "float32").reshape(2, 1, 1, 1), training=True)
    assert float(y[1, 0, 0, 0]) == pytest.approx(1 / np.sqrt(1 + 1e-5), rel=1e-6)
    assert [float(w[0]) for w in layer.get_weights()] == pytest.approx([1.0, 0.0, 0.1, 1.1])


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_batch_norm_works_under_a_mixed_policy(policy):
    layer = layers.BatchNorm(epsilon=1e-5, momentum=0.9, dtype=policy)
    x = make_random(4, 6, 6, 3)
    np.testing.assert_allclose(
        tf.cast(layer(x, training=False), "float32"), x, rtol=1e-2
    )  # its averages: 0 and 1
    y = layer(x, training=True)
    assert y.dtype == policy.removeprefix("mixed_")
    np.testing.assert_allclose(layer.moving_mean, 0.1 * x.mean((0, 1, 2)), atol=1e-3)
    np.testing.assert_allclose(
        layer.moving_variance, 0.9 + 0.1 * x.var((0, 1, 2), ddof=1), atol=1e-3
    )


def test_frozen_batch_norm_does_not_change():
    layer = layers.batch_norm()
    layer.build((None, 4, 4, 2))
    layer.trainable = False
    x = make_random(2, 4, 4, 2)
    np.testing.assert_allclose(layer(x, training=True), x / np.sqrt(1 + 1e-5), rtol=1e-5)
    assert not np.any(layer.moving_mean)


def test_two_replicas_share_their_statistics(two_replicas):
    # Batches of 0 and 2: separately each would be normalized to 0, together to -1 and 1.
    with two_replicas.scope():
        layer = layers.batch_norm()
        layer.build((None, 1, 1, 1))
    halves = two_replicas.experimental_distribute_values_from_function(
        lambda context: tf.fill([3, 1, 1, 1], 2.0 * context.replica_id_in_sync_group)
    )
    y = two_replicas.run(tf.function(lambda x: layer(x, training=True)), args=(halves,))
    low, high = two_replicas.experimental_local_results(y)
    np.testing.assert_allclose(low, -np.ones((3, 1, 1, 1)), atol=1e-4)
    np.testing.assert_allclose(high, np.ones((3, 1, 1, 1)), atol=1e-4)
    # Six numbers in all, three of them 0 and three 2: unbiased variance 6 / 5.
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(layer.moving_variance), [0.9 + 0.1 * 1.2], atol=1e-5
    )


def test_one_replica_is_not_synchronized():
    assert not layers.batch_norm().synchronized
