"""MViTv2-S of torchvision, 16 x 4: attention over queries, keys and values that are pooled, with relative positions.

Li et al., MViTv2: Improved Multiscale Vision Transformers for Classification and Detection, arXiv 2112.01526.
34,537,744 parameters with 400 classes; 64.2 GMAC for a clip of 16 x 224 x 224.
"""

import keras
import tensorflow as tf

from tfanon.models import layers, layers_3d, transformer

# heads, channels, stride of the queries, stride of keys and values; strides are those of H and W
BLOCKS = (
    (1, 96, 1, 8),
    (2, 192, 2, 4),
    (2, 192, 1, 4),
    (4, 384, 2, 2),
    *[(4, 384, 1, 2)] * 10,
    (8, 768, 2, 1),
    (8, 768, 1, 1),
)
DROP_PATH = 0.2  # of the last block; the first has none
FRAMES, RESOLUTION = 16, 224  # of the clips that the tables of relative positions are made for


def build(classes):
    """Clips [N, T, H, W, 3] in [0, 1], T from 2 and H, W from 32 on -> logits [N, classes] float32.

    Other sizes than 16 x 224 x 224 read the tables of relative positions in between.
    """
    clips = keras.Input((None, None, None, 3))
    x = layers.make_normalization((0.45,) * 3, (0.225,) * 3)(clips)
    grid = layers_3d.Conv3D(96, (3, 7, 7), (2, 4, 4), padding="same", name="patches")(x)
    token = ClassToken(name="class_token")(grid)
    side = RESOLUTION // 4
    for index, (heads, channels, stride, kv_stride) in enumerate(BLOCKS):
        rate = DROP_PATH * index / (len(BLOCKS) - 1)
        token, grid = Block(heads, channels, stride, kv_stride, side, rate, name=f"block{index}")(
            [token, grid]
        )
        side //= stride
    x = transformer.layer_norm("norm")(token)
    x = keras.layers.Flatten(dtype="float32")(x)
    x = keras.layers.Dropout(0.5)(x)
    logits = keras.layers.Dense(
        classes,
        kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02),
        dtype="float32",
        name="logits",
    )(x)
    return keras.Model(clips, logits, name="mvit_v2_s", dtype="float32")


@keras.saving.register_keras_serializable("tfanon")
class ClassToken(keras.layers.Layer):
    """One learnt token beside each grid: [N, T, H, W, C] -> [N, 1, C]."""

    def build(self, input_shape):
        self.token = self.add_weight(
            shape=(input_shape[-1],),
            initializer=keras.initializers.TruncatedNormal(stddev=0.02),
            name="class_token",
        )

    def call(self, grid):
        token = tf.cast(self.token, self.compute_dtype)
        return tf.tile(token[None, None], [tf.shape(grid)[0], 1, 1])


@keras.saving.register_keras_serializable("tfanon")
class Block(keras.layers.Layer):
    """Attention and two dense layers, each after a normalisation and beside a shortcut.

    [token [N, 1, C], grid [N, T, H, W, C]] -> the same with `channels` and H, W divided by `stride`.
    side: H and W of the grid that the tables of relative positions are made for.
    """

    def __init__(self, heads, channels, stride, kv_stride, side, drop_path, **kwargs):
        super().__init__(**kwargs)
        self.heads, self.channels, self.stride, self.kv_stride = heads, channels, stride, kv_stride
        self.side, self.rate = side, drop_path
        self.norm1, self.norm2 = transformer.layer_norm("norm1"), transformer.layer_norm("norm2")
        self.qkv = transformer.dense(3 * channels, "qkv")
        self.project_attention = transformer.dense(channels, "project_attention")
        self.pools = [
            Pool(step, name=f"pool_{letter}")
            for letter, step in zip("qkv", (stride, kv_stride, kv_stride))
        ]
        self.positions = RelativePositions(
            FRAMES // 2, side // min(stride, kv_stride), name="positions"
        )
        self.dense1, self.dense2 = (
            transformer.dense(4 * channels, "dense1", "gelu"),
            transformer.dense(channels, "dense2"),
        )
        self.drop_path = transformer.drop_path(drop_path)

    def build(self, input_shape):
        inputs, head = input_shape[0][-1], self.channels // self.heads
        self.norm1.build((None, None, inputs))
        self.qkv.build((None, None, inputs))
        for pool in self.pools:
            pool.build((None, self.heads, None, head))
        self.positions.build((None, self.heads, None, head))
        for layer in (self.project_attention, self.norm2, self.dense1):
            layer.build((None, None, self.channels))
        self.dense2.build((None, None, 4 * self.channels))
        self.project = None
        if inputs != self.channels:
            self.project = transformer.dense(self.channels, "project")
            self.project.build((None, None, inputs))
        self.built = True

    def call(self, inputs, training=False):
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
        return token, layers.set_static_shape(
            grid, self.compute_output_shape([part.shape for part in inputs])[1]
        )

    def _attention(self, x, size):
        """Softmax of pooled queries against pooled keys and their relative positions; (result, its T, H, W)."""
        q, k, v = (
            transformer.split_heads(part, self.heads) for part in tf.split(self.qkv(x), 3, axis=-1)
        )
        (q, q_size), (k, k_size), (v, _) = (
            pool(part, size) for pool, part in zip(self.pools, (q, k, v))
        )
        scores = tf.cast(tf.matmul(q * q.shape[-1] ** -0.5, k, transpose_b=True), tf.float32)
        scores += tf.pad(
            self.positions(q, q_size, k_size), [[0, 0], [0, 0], [1, 0], [1, 0]]
        )  # the token has no place
        x = tf.matmul(tf.cast(tf.nn.softmax(scores), v.dtype), v)
        x += tf.concat([tf.zeros_like(q[:, :, :1]), q[:, :, 1:]], 2)
        return self.project_attention(transformer.merge_heads(x)), q_size

    def compute_output_shape(self, input_shape):
        token, (n, time, *sides, _) = input_shape
        sides = [side and -(-side // self.stride) for side in sides]
        return (token[0], 1, self.channels), (n, time, *sides, self.channels)

    def get_config(self):
        return {
            **super().get_config(),
            "heads": self.heads,
            "channels": self.channels,
            "stride": self.stride,
            "kv_stride": self.kv_stride,
            "side": self.side,
            "drop_path": self.rate,
        }


@keras.saving.register_keras_serializable("tfanon")
class Pool(keras.layers.Layer):
    """A 3x3x3 convolution of each channel by itself, and layer normalisation, of [N, heads, 1 + T H W, C].

    Called with (x, [T, H, W]); returns (the same with H and W divided by `stride`, its [T, H, W]).
    """

    def __init__(self, stride, **kwargs):
        super().__init__(**kwargs)
        self.stride = stride
        self.norm = transformer.layer_norm("norm")

    def build(self, input_shape):
        self.kernel = self.add_weight(
            shape=(3, 3, 3, 1, input_shape[-1]), initializer=layers.pytorch_uniform(), name="kernel"
        )
        self.norm.build(input_shape)
        self.built = True

    def call(self, x, size):
        n, heads, channels = tf.shape(x)[0], x.shape[1], x.shape[-1]
        token, places = x[:, :, :1], x[:, :, 1:]
        grid = tf.reshape(places, tf.concat([[n * heads], size, [channels]], 0))
        grid = _depthwise_conv3d(grid, tf.cast(self.kernel, grid.dtype), self.stride)
        size = tf.shape(grid)[1:4]
        x = tf.concat([token, tf.reshape(grid, [n, heads, -1, channels])], 2)
        return self.norm(x), size

    def get_config(self):
        return {**super().get_config(), "stride": self.stride}


@keras.saving.register_keras_serializable("tfanon")
class RelativePositions(keras.layers.Layer):
    """What a query adds to its score against a key for the key's distance over time, height and width.

    frames, side: the largest of the query's and the key's grid; clips of other sizes read the tables in between.
    """

    def __init__(self, frames, side, **kwargs):
        super().__init__(**kwargs)
        self.frames, self.side = frames, side

    def build(self, input_shape):
        start = keras.initializers.TruncatedNormal(stddev=0.02)
        self.tables = [
            self.add_weight(
                shape=(2 * length - 1, input_shape[-1]), initializer=start, name=f"rel_pos_{axis}"
            )
            for axis, length in zip("thw", (self.frames, self.side, self.side))
        ]
        self.built = True

    def call(self, q, q_size, k_size):
        """q: [N, heads, 1 + T H W, C].  Returns [N, heads, T H W, T' H' W'] float32."""
        n, heads, channels = tf.shape(q)[0], q.shape[1], q.shape[-1]
        grid = tf.reshape(
            tf.cast(q[:, :, 1:], tf.float32), tf.concat([[n * heads], q_size, [channels]], 0)
        )
        time, height, width = (
            _rows_by_distance(table, q_size[axis], k_size[axis])
            for axis, table in enumerate(self.tables)
        )
        time = tf.einsum("nthwc,tkc->nthwk", grid, time)
        height = tf.einsum("nthwc,hkc->nthwk", grid, height)
        width = tf.einsum("nthwc,wkc->nthwk", grid, width)
        total = time[..., :, None, None] + height[..., None, :, None] + width[..., None, None, :]
        return tf.reshape(total, [n, heads, tf.reduce_prod(q_size), tf.reduce_prod(k_size)])

    def get_config(self):
        return {**super().get_config(), "frames": self.frames, "side": self.side}


def _rows_by_distance(table, queries, keys):
    """[queries, keys, C]: the table's row for the distance of each query from each key, on the finer of their grids."""
    rows = transformer.interpolate_table(table, 2 * tf.maximum(queries, keys) - 1)
    q, k = (tf.cast(tf.range(length), tf.float32) for length in (queries, keys))
    q_step, k_step = (
        tf.maximum(tf.cast(above / below, tf.float32), 1.0)
        for above, below in ((keys, queries), (queries, keys))
    )
    distance = q[:, None] * q_step - (k[None] + 1.0 - tf.cast(keys, tf.float32)) * k_step
    return tf.gather(rows, tf.cast(distance, tf.int32))


def _depthwise_conv3d(x, kernel, stride):
    """[N, T, H, W, C] under [3, 3, 3, 1, C], each channel by itself: three convolutions of frames, one per tap in time."""
    dtype = x.dtype
    if not layers.has_16_bit_convolutions():
        x, kernel = tf.cast(x, tf.float32), tf.cast(kernel, tf.float32)
    size = tf.shape(x)
    x = tf.pad(x, [[0, 0], [1, 1], [1, 1], [1, 1], [0, 0]])
    taps = []
    for tap in range(3):
        frames = tf.reshape(x[:, tap : tap + size[1]], [-1, size[2] + 2, size[3] + 2, x.shape[-1]])
        weights = tf.transpose(kernel[tap], [0, 1, 3, 2])
        taps.append(tf.nn.depthwise_conv2d(frames, weights, [1, stride, stride, 1], "VALID"))
    y = tf.cast(tf.add_n(taps), dtype)
    return tf.reshape(y, tf.concat([size[:2], tf.shape(y)[1:]], 0))


def _max_pool_grid(grid, stride):
    """PyTorch's MaxPool3d((1, s + 1, s + 1), (1, s, s), (0, h, h)) with h = (s + 1) // 2, of numbers of any sign."""
    size, half = tf.shape(grid), (stride + 1) // 2
    frames = tf.reshape(grid, [-1, size[2], size[3], grid.shape[-1]])
    frames = tf.pad(
        frames, [[0, 0], [half, half], [half, half], [0, 0]], constant_values=grid.dtype.min
    )
    frames = tf.nn.max_pool2d(frames, stride + 1, stride, "VALID")
    return tf.reshape(frames, tf.concat([size[:2], tf.shape(frames)[1:]], 0))


def _join_token(token, grid):
    """The token and then the grid's places, [N, 1 + T H W, C]."""
    return tf.concat([token, tf.reshape(grid, [tf.shape(grid)[0], -1, grid.shape[-1]])], 1)


def _split_token(x, size):
    """The inverse of _row for a grid of `size` = [T, H, W]."""
    token, places = x[:, :1], x[:, 1:]
    return token, tf.reshape(places, tf.concat([tf.shape(x)[:1], size, [x.shape[-1]]], 0))
