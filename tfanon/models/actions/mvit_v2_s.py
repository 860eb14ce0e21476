"""MViTv2-S of torchvision (16 frames at stride 4): pooling attention with relative positions.

Li et al., MViTv2: Improved Multiscale Vision Transformers for Classification and Detection,
arXiv 2112.01526. 34,537,744 parameters with 400 classes; 64.2 GMAC for a clip of 16 x 224 x 224.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfanon.models import layers, layers_3d, transformer

# Heads, channels, stride of the queries, stride of keys and values; strides are over H and W.
BLOCKS = (
    (1, 96, 1, 8),
    (2, 192, 2, 4),
    (2, 192, 1, 4),
    (4, 384, 2, 2),
    *[(4, 384, 1, 2)] * 10,
    (8, 768, 2, 1),
    (8, 768, 1, 1),
)
DROP_PATH = 0.2  # of the last block; it grows linearly from 0 in the first
FRAMES, RESOLUTION = 16, 224  # of the clips that the tables of relative positions are made for
PATCH_STRIDES = (2, 4, 4)

Shape = tuple[int | None, ...]


def build(classes: int) -> keras.Model:
    """Build MViTv2-S.

    For clips of other sizes than 16 x 224 x 224 the tables of relative positions are interpolated.

    Args:
        classes: Number of actions, K.

    Returns:
        Network of clips ``[N, T, H, W, 3]`` in [0, 1], T at least 2, H and W at least 32, to logits
        ``[N, K]``, float32.
    """
    clips = keras.Input((None, None, None, 3))
    x = layers.make_normalization((0.45,) * 3, (0.225,) * 3)(clips)
    grid = layers_3d.Conv3D(96, (3, 7, 7), PATCH_STRIDES, padding="same", name="patches")(x)
    token = ClassToken(name="class_token")(grid)
    side = RESOLUTION // PATCH_STRIDES[-1]
    for index, (heads, channels, stride, kv_stride) in enumerate(BLOCKS):
        drop_rate = DROP_PATH * index / (len(BLOCKS) - 1)
        block = Block(heads, channels, stride, kv_stride, side, drop_rate, name=f"block{index}")
        token, grid = block([token, grid])
        side //= stride
    x = transformer.layer_norm("norm")(token)
    x = keras.layers.Flatten(dtype="float32")(x)
    x = keras.layers.Dropout(0.5)(x)
    logits = keras.layers.Dense(
        classes,
        kernel_initializer=keras.initializers.TruncatedNormal(stddev=transformer.WEIGHT_STDDEV),
        dtype="float32",
        name="logits",
    )(x)
    return keras.Model(clips, logits, name="mvit_v2_s", dtype="float32")


@keras.saving.register_keras_serializable("tfanon")
class ClassToken(keras.layers.Layer):
    """One learned token for each clip."""

    def build(self, input_shape: Shape) -> None:
        """Create the token, with the channels of the grid."""
        self.token = self.add_weight(
            shape=(input_shape[-1],),
            initializer=keras.initializers.TruncatedNormal(stddev=transformer.WEIGHT_STDDEV),
            name="class_token",
        )

    def call(self, grid: tf.Tensor) -> tf.Tensor:
        """Return the token ``[N, 1, C]`` for a grid ``[N, T, H, W, C]``."""
        token = tf.cast(self.token, self.compute_dtype)
        return tf.tile(token[None, None], [tf.shape(grid)[0], 1, 1])


@keras.saving.register_keras_serializable("tfanon")
class Block(keras.layers.Layer):
    """Pooling attention and two dense layers, each after a normalization and with a shortcut.

    Args:
        heads: Number of attention heads.
        channels: Channels of the result.
        stride: Stride of the queries over H and W.
        kv_stride: Stride of keys and values over H and W.
        side: H and W of the grid that the tables of relative positions are made for.
        drop_path: Rate of stochastic depth in training.
        **kwargs: Arguments of keras.layers.Layer.
    """

    def __init__(
        self,
        heads: int,
        channels: int,
        stride: int,
        kv_stride: int,
        side: int,
        drop_path: float,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.heads, self.channels = heads, channels
        self.stride, self.kv_stride = stride, kv_stride
        self.side, self.drop_rate = side, drop_path
        self.norm1, self.norm2 = transformer.layer_norm("norm1"), transformer.layer_norm("norm2")
        self.qkv = transformer.dense(3 * channels, "qkv")
        self.project_attention = transformer.dense(channels, "project_attention")
        self.pools = [
            Pool(stride, name="pool_q"),
            Pool(kv_stride, name="pool_k"),
            Pool(kv_stride, name="pool_v"),
        ]
        self.positions = RelativePositions(
            FRAMES // PATCH_STRIDES[0], side // min(stride, kv_stride), name="positions"
        )
        self.dense1 = transformer.dense(4 * channels, "dense1", "gelu")
        self.dense2 = transformer.dense(channels, "dense2")
        self.drop_path = transformer.drop_path(drop_path)

    def build(self, input_shape: Sequence[Shape]) -> None:
        """Build all layers for a token and a grid of these shapes."""
        inputs, head_channels = input_shape[0][-1], self.channels // self.heads
        self.norm1.build((None, None, inputs))
        self.qkv.build((None, None, inputs))
        for pool in self.pools:
            pool.build((None, self.heads, None, head_channels))
        self.positions.build((None, self.heads, None, head_channels))
        for layer in (self.project_attention, self.norm2, self.dense1):
            layer.build((None, None, self.channels))
        self.dense2.build((None, None, 4 * self.channels))
        self.project = None
        if inputs != self.channels:
            self.project = transformer.dense(self.channels, "project")
            self.project.build((None, None, inputs))
        self.built = True

    def call(
        self, inputs: Sequence[tf.Tensor], training: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Apply the block.

        Args:
            inputs: Token ``[N, 1, C]`` and grid ``[N, T, H, W, C]``.
            training: Whether stochastic depth is active.

        Returns:
            Token ``[N, 1, channels]`` and grid ``[N, T, H / stride, W / stride, channels]``.
        """
        token, grid = inputs
        x = _join_token(token, grid)
        normed = self.norm1(x)
        attended, size = self._attention(normed, tf.shape(grid)[1:4])
        shortcut = x if self.project is None else self.project(normed)
        if self.stride > 1:
            token, grid = _split_token(shortcut, tf.shape(grid)[1:4])
            shortcut = _join_token(token, _max_pool_grid(grid, self.stride))
        x = shortcut + self.drop_path(attended, training=training)
        x = x + self.drop_path(self.dense2(self.dense1(self.norm2(x))), training=training)
        token, grid = _split_token(x, size)
        _, grid_shape = self.compute_output_shape([part.shape for part in inputs])
        return token, layers.set_static_shape(grid, grid_shape)

    def _attention(self, x: tf.Tensor, size: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Attention of ``[N, 1 + T H W, C]``, `size` = [T, H, W]; returns (result, its size)."""
        q, k, v = (
            transformer.split_heads(part, self.heads) for part in tf.split(self.qkv(x), 3, axis=-1)
        )
        pool_q, pool_k, pool_v = self.pools
        q, q_size = pool_q(q, size)
        k, k_size = pool_k(k, size)
        v, _ = pool_v(v, size)
        scores = tf.cast(tf.matmul(q * q.shape[-1] ** -0.5, k, transpose_b=True), tf.float32)
        # The class token has no position.
        scores += tf.pad(self.positions(q, q_size, k_size), [[0, 0], [0, 0], [1, 0], [1, 0]])
        x = tf.matmul(tf.cast(tf.nn.softmax(scores), v.dtype), v)
        # The queries are a shortcut around the attention, except that of the class token.
        x += tf.concat([tf.zeros_like(q[:, :, :1]), q[:, :, 1:]], 2)
        return self.project_attention(transformer.merge_heads(x)), q_size

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> tuple[Shape, Shape]:
        """Return the shapes of token and grid."""
        token_shape, (n, time, *sides, _) = input_shape
        # The quotient is rounded up; unknown sizes stay unknown.
        sides = [-(-side // self.stride) if side else side for side in sides]
        return (token_shape[0], 1, self.channels), (n, time, *sides, self.channels)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the layer."""
        return {
            **super().get_config(),
            "heads": self.heads,
            "channels": self.channels,
            "stride": self.stride,
            "kv_stride": self.kv_stride,
            "side": self.side,
            "drop_path": self.drop_rate,
        }


@keras.saving.register_keras_serializable("tfanon")
class Pool(keras.layers.Layer):
    """A depthwise 3x3x3 convolution and layer normalization of tokens.

    Args:
        stride: Stride over H and W.
        **kwargs: Arguments of keras.layers.Layer.
    """

    def __init__(self, stride: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stride = stride
        self.norm = transformer.layer_norm("norm")

    def build(self, input_shape: Shape) -> None:
        """Create the kernel and build the normalization."""
        self.kernel = self.add_weight(
            shape=(3, 3, 3, 1, input_shape[-1]), initializer=layers.pytorch_uniform(), name="kernel"
        )
        self.norm.build(input_shape)
        self.built = True

    def call(self, x: tf.Tensor, size: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Pool the grid; the class token passes unpooled.

        Args:
            x: Tokens ``[N, heads, 1 + T H W, C]``.
            size: [T, H, W].

        Returns:
            (tokens with H and W divided by `stride`, their [T, H, W]).
        """
        n, heads, channels = tf.shape(x)[0], x.shape[1], x.shape[-1]
        token, grid_tokens = x[:, :, :1], x[:, :, 1:]
        grid = tf.reshape(grid_tokens, tf.concat([[n * heads], size, [channels]], 0))
        grid = _depthwise_conv3d(grid, tf.cast(self.kernel, grid.dtype), self.stride)
        size = tf.shape(grid)[1:4]
        x = tf.concat([token, tf.reshape(grid, [n, heads, -1, channels])], 2)
        return self.norm(x), size

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the layer."""
        return {**super().get_config(), "stride": self.stride}


@keras.saving.register_keras_serializable("tfanon")
class RelativePositions(keras.layers.Layer):
    """Scores of queries against keys for their distance over time, height and width.

    Args:
        frames: The longer of the queries' and the keys' grids, T. For clips of other sizes the
            tables are interpolated.
        side: The same for H and W.
        **kwargs: Arguments of keras.layers.Layer.
    """

    def __init__(self, frames: int, side: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.frames, self.side = frames, side

    def build(self, input_shape: Shape) -> None:
        """Create a table for each axis, with a row per distance."""
        initializer = keras.initializers.TruncatedNormal(stddev=transformer.WEIGHT_STDDEV)
        self.tables = []
        for axis, length in (("t", self.frames), ("h", self.side), ("w", self.side)):
            table = self.add_weight(
                shape=(2 * length - 1, input_shape[-1]),
                initializer=initializer,
                name=f"rel_pos_{axis}",
            )
            self.tables.append(table)
        self.built = True

    def call(self, q: tf.Tensor, q_size: tf.Tensor, k_size: tf.Tensor) -> tf.Tensor:
        """Compute the scores of positions.

        Args:
            q: Queries ``[N, heads, 1 + T H W, C]``.
            q_size: [T, H, W] of the queries.
            k_size: [T', H', W'] of the keys.

        Returns:
            Scores ``[N, heads, T H W, T' H' W']``, float32.
        """
        n, heads, channels = tf.shape(q)[0], q.shape[1], q.shape[-1]
        grid_shape = tf.concat([[n * heads], q_size, [channels]], 0)
        grid = tf.reshape(tf.cast(q[:, :, 1:], tf.float32), grid_shape)
        time_rows, height_rows, width_rows = (
            _rows_by_distance(table, q_size[axis], k_size[axis])
            for axis, table in enumerate(self.tables)
        )
        time = tf.einsum("nthwc,tkc->nthwk", grid, time_rows)
        height = tf.einsum("nthwc,hkc->nthwk", grid, height_rows)
        width = tf.einsum("nthwc,wkc->nthwk", grid, width_rows)
        total = time[..., :, None, None] + height[..., None, :, None] + width[..., None, None, :]
        return tf.reshape(total, [n, heads, tf.reduce_prod(q_size), tf.reduce_prod(k_size)])

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the layer."""
        return {**super().get_config(), "frames": self.frames, "side": self.side}


def _rows_by_distance(table: tf.Tensor, queries: tf.Tensor, keys: tf.Tensor) -> tf.Tensor:
    """Rows ``[queries, keys, C]`` for the distance of each query from each key.

    Distances are counted on the finer of the two grids.
    """
    rows = transformer.interpolate_table(table, 2 * tf.maximum(queries, keys) - 1)
    q = tf.cast(tf.range(queries), tf.float32)
    k = tf.cast(tf.range(keys), tf.float32)
    q_step = tf.maximum(tf.cast(keys / queries, tf.float32), 1.0)
    k_step = tf.maximum(tf.cast(queries / keys, tf.float32), 1.0)
    distance = q[:, None] * q_step - (k[None] + 1.0 - tf.cast(keys, tf.float32)) * k_step
    return tf.gather(rows, tf.cast(distance, tf.int32))


def _depthwise_conv3d(x: tf.Tensor, kernel: tf.Tensor, stride: int) -> tf.Tensor:
    """Convolve ``[N, T, H, W, C]`` with ``[3, 3, 3, 1, C]``, each channel separately.

    TensorFlow has no such operation: it is the sum of a convolution of frames per tap in time.
    """
    dtype = x.dtype
    if not layers.has_16_bit_convolutions():
        x, kernel = tf.cast(x, tf.float32), tf.cast(kernel, tf.float32)
    size = tf.shape(x)
    x = tf.pad(x, [[0, 0], [1, 1], [1, 1], [1, 1], [0, 0]])
    results_of_taps = []
    for tap in range(3):
        frames = tf.reshape(x[:, tap : tap + size[1]], [-1, size[2] + 2, size[3] + 2, x.shape[-1]])
        weights = tf.transpose(kernel[tap], [0, 1, 3, 2])
        results_of_taps.append(
            tf.nn.depthwise_conv2d(frames, weights, [1, stride, stride, 1], "VALID")
        )
    y = tf.cast(tf.add_n(results_of_taps), dtype)
    return tf.reshape(y, tf.concat([size[:2], tf.shape(y)[1:]], 0))


def _max_pool_grid(grid: tf.Tensor, stride: int) -> tf.Tensor:
    """PyTorch's MaxPool3d((1, s + 1, s + 1), (1, s, s), (0, h, h)) with h = (s + 1) // 2."""
    size, half = tf.shape(grid), (stride + 1) // 2
    frames = tf.reshape(grid, [-1, size[2], size[3], grid.shape[-1]])
    # The numbers can be negative, so padding with 0 would not do.
    frames = tf.pad(
        frames, [[0, 0], [half, half], [half, half], [0, 0]], constant_values=grid.dtype.min
    )
    frames = tf.nn.max_pool2d(frames, stride + 1, stride, "VALID")
    return tf.reshape(frames, tf.concat([size[:2], tf.shape(frames)[1:]], 0))


def _join_token(token: tf.Tensor, grid: tf.Tensor) -> tf.Tensor:
    """Concatenate the class token and the grid ``[N, T, H, W, C]`` to ``[N, 1 + T H W, C]``."""
    return tf.concat([token, tf.reshape(grid, [tf.shape(grid)[0], -1, grid.shape[-1]])], 1)


def _split_token(x: tf.Tensor, size: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Split ``[N, 1 + T H W, C]`` into the class token and a grid of `size` = [T, H, W]."""
    token, grid_tokens = x[:, :1], x[:, 1:]
    grid_shape = tf.concat([tf.shape(x)[:1], size, [x.shape[-1]]], 0)
    return token, tf.reshape(grid_tokens, grid_shape)
