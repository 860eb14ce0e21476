"""STPrivacy's sparsify-and-anonymize transformer (Li et al., ICCV 2023), as far as its released core shows it.

90,603,846 parameters; 187 GMAC for a clip of 16 x 224 x 224. A clip is cut into tubelets of 2 frames by 16 x 16 pixels. On
the way through twelve blocks, predictors drop the tubelets that action can do without; those that are left return as
pixels, the dropped ones are black. Only the core was released. **Ours** are: where tubelets are dropped and how many stay
(DynamicViT's 3, 6, 9 and .7, .49, .34), that clips of any size read the table of places in between, that an image is a clip
that stands still, and that in training a dropped tubelet is black by the hard decision's straight-through gradient. The released
losses lack what holds the share of kept tubelets in training; here nothing does.
"""

import keras
import tensorflow as tf

from tfanon.models import layers, per_frame, transformer
from tfanon.models.anonymizers import _common

PATCH_SIDE, TUBELET_FRAMES, BLOCK_COUNT, HEAD_COUNT, EMBEDDING_SIZE = 16, 2, 12, 12, 768
KEEP_RATIOS = {
    3: 0.7,
    6: 0.49,
    9: 0.34,
}  # before which block, which share of a frame pair's tubelets stays
POSITION_GRID = (8, 7, 7)  # places of a clip of 16 x 112 x 112


def build(width=1.0, output="sigmoid"):
    """The transformer for frames [N, H, W, 3] and clips [N, T, H, W, 3] in [0, 1], H and W multiples of 16.

    width: dimensions of a tubelet as a share of STPrivacy's 768, above 0.  output: "sigmoid" or "linear".
    Raises ValueError for another output or width.
    """
    _common.check_options("tubelet_vit", width, output)
    return TubeletTransformer(
        12 * layers.scale_channels(EMBEDDING_SIZE // HEAD_COUNT, width), output, name="tubelet_vit"
    )


@keras.saving.register_keras_serializable("tfanon")
class TubeletTransformer(keras.Model):
    """f_A whose unit is the tubelet.  dimensions: of a tubelet's vector, a multiple of 12."""

    video = True  # it takes whole clips

    def __init__(self, dimensions, output, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.dimensions, self.output_activation = dimensions, output
        self.patches = keras.layers.Dense(
            dimensions, kernel_initializer=layers.pytorch_uniform(), name="patches"
        )
        self.places = PositionEmbedding(dimensions, name="places")
        self.blocks = [Block(HEAD_COUNT, name=f"block{index}") for index in range(BLOCK_COUNT)]
        self.predictors = {
            index: Predictor(share, name=f"predictor{index}")
            for index, share in KEEP_RATIOS.items()
        }
        self.norm = transformer.layer_norm("norm")
        self.head = transformer.dense(TUBELET_FRAMES * PATCH_SIDE * PATCH_SIDE * 3, "head")
        self.activation = keras.layers.Activation(output, dtype="float32", name="output")
        self.seed = keras.random.SeedGenerator()
        self(keras.Input((None, None, None, 3)))

    def call(self, x, training=False):
        """x: [N, H, W, 3] or [N, T, H, W, 3] float32 in [0, 1].  Returns the same shape, float32.

        Raises ValueError where H or W is not a multiple of 16.
        """
        per_frame.check_frame_shape(self.name, x.shape, PATCH_SIDE)
        clips = x[:, None] if len(x.shape) == 4 else x
        time = tf.shape(clips)[1]
        clips = tf.concat([clips, clips[:, -1:]], 1)[
            :, : time + time % TUBELET_FRAMES
        ]  # an odd last frame stands still
        y = self._anonymize(clips, training)
        return layers.set_static_shape(
            y[:, self._image_frame_index(training)] if len(x.shape) == 4 else y[:, :time], x.shape
        )

    def _image_frame_index(self, training):
        """Which frame of a pair that stands still is the image: in training either, or Eq. 5 would reach the first alone."""
        return (
            tf.cast(keras.random.uniform((), 0, TUBELET_FRAMES, seed=self.seed), tf.int32)
            if training
            else 0
        )

    def _anonymize(self, clips, training):
        grid = tf.shape(clips)[1:4] // [TUBELET_FRAMES, PATCH_SIDE, PATCH_SIDE]
        x = self.places(self.patches(_to_tubelets(clips, grid)), grid)
        keep = tf.ones_like(x[:, :, :1])  # 1 where a tubelet is still there, [N, L, 1]
        for index, block in enumerate(self.blocks):
            if index in self.predictors:
                keep = self.predictors[index](x, keep, grid[0], training=training)
            x = block(x, keep)
        pixels = self.activation(self.head(self.norm(x))) * tf.cast(keep, tf.float32)
        return _to_frames(pixels, grid)

    def compute_output_shape(self, input_shape, **_):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "dimensions": self.dimensions,
            "output": self.output_activation,
        }


@keras.saving.register_keras_serializable("tfanon")
class PositionEmbedding(keras.layers.Layer):
    """Adds a learnt vector for each tubelet's place; the table is that of 16 x 112 x 112, others read in between."""

    def __init__(self, dimensions, **kwargs):
        super().__init__(**kwargs)
        self.dimensions = dimensions

    def build(self, *_):
        self.table = self.add_weight(
            shape=(*POSITION_GRID, self.dimensions),
            name="table",
            initializer=keras.initializers.TruncatedNormal(stddev=0.02),
        )

    def call(self, x, grid):
        table = tf.image.resize(tf.cast(self.table, tf.float32), grid[1:], "bilinear")
        table = transformer.interpolate_table(tf.reshape(table, [POSITION_GRID[0], -1]), grid[0])
        return x + tf.cast(tf.reshape(table, [1, -1, self.dimensions]), x.dtype)

    def get_config(self):
        return {**super().get_config(), "dimensions": self.dimensions}


@keras.saving.register_keras_serializable("tfanon")
class Block(keras.layers.Layer):
    """A transformer block of [N, L, C] in which nothing looks at tubelets that are gone."""

    def __init__(self, heads, **kwargs):
        super().__init__(**kwargs)
        self.heads = heads

    def build(self, input_shape):
        width = input_shape[-1]
        self.norm1, self.norm2 = transformer.layer_norm("norm1"), transformer.layer_norm("norm2")
        self.qkv, self.project = (
            transformer.dense(3 * width, "qkv"),
            transformer.dense(width, "project"),
        )
        self.dense1, self.dense2 = (
            transformer.dense(4 * width, "dense1", "gelu"),
            transformer.dense(width, "dense2"),
        )
        for layer in (self.norm1, self.qkv, self.project, self.norm2, self.dense1):
            layer.build((None, None, width))
        self.dense2.build((None, None, 4 * width))

    def call(self, x, keep):
        """keep: [N, L, 1], 1 for a tubelet that is still there, 0 for one that is gone."""
        q, k, v = (
            transformer.split_heads(part, self.heads)
            for part in tf.split(self.qkv(self.norm1(x)), 3, axis=-1)
        )
        scores = tf.matmul(q, k, transpose_b=True) * q.shape[-1] ** -0.5
        x += self.project(transformer.merge_heads(tf.matmul(_masked_softmax(scores, keep), v)))
        return x + self.dense2(self.dense1(self.norm2(x)))

    def get_config(self):
        return {**super().get_config(), "heads": self.heads}


@keras.saving.register_keras_serializable("tfanon")
class Predictor(keras.layers.Layer):
    """Which tubelets of [N, L, C] stay, by their own features, their frame pair's and the clip's.

    share: of a frame pair's tubelets that stay, at least one. In training each is drawn: hard forwards, soft backwards.
    """

    def __init__(self, share, **kwargs):
        super().__init__(**kwargs)
        self.share = share
        self.seed = keras.random.SeedGenerator()

    def build(self, input_shape):
        width = input_shape[-1]
        self.norm, self.inner = (
            transformer.layer_norm("norm"),
            transformer.dense(width, "inner", "gelu"),
        )
        self.outer = [
            transformer.dense(width // 2, "outer0", "gelu"),
            transformer.dense(width // 4, "outer1", "gelu"),
            transformer.dense(2, "outer2"),
        ]
        for layer, inputs in zip(
            (self.norm, self.inner, *self.outer), (width, width, width, width // 2, width // 4)
        ):
            layer.build((None, None, inputs))

    def call(self, x, keep, frames, training=False):
        """keep: [N, L, 1] so far.  frames: T / 2, into which L falls.  Returns [N, L, 1]."""
        x = self._add_context(self.inner(self.norm(x)), keep, frames)
        for layer in self.outer:
            x = layer(x)
        scores = tf.nn.log_softmax(tf.cast(x, tf.float32))
        return (
            self._sample_mask(scores)
            if training
            else self._select_best(scores[..., 0], keep, frames)
        ) * keep

    def _add_context(self, x, keep, frames):
        """The first third of the features, the second averaged over the frame pair, the last over the clip."""
        size, third = tf.shape(x), x.shape[-1] // 3
        grid = tf.reshape(x, [size[0], frames, -1, x.shape[-1]])
        weight = tf.reshape(keep, [size[0], frames, -1, 1])
        frame = tf.broadcast_to(
            _weighted_mean(grid[..., third : 2 * third], weight, [2]), tf.shape(grid[..., :third])
        )
        clip = tf.broadcast_to(
            _weighted_mean(grid[..., 2 * third :], weight, [1, 2]), tf.shape(grid[..., :third])
        )
        return tf.reshape(tf.concat([grid[..., :third], frame, clip], -1), size)

    def _sample_mask(self, scores):
        """A hard draw by Gumbel noise whose gradient is the soft one's."""
        noise = keras.random.uniform(tf.shape(scores), 1e-6, 1 - 1e-6, seed=self.seed)
        soft = tf.nn.softmax(scores - tf.math.log(-tf.math.log(noise)))[..., :1]
        hard = tf.cast(soft > 0.5, tf.float32)
        return tf.cast(hard + soft - tf.stop_gradient(soft), self.compute_dtype)

    def _select_best(self, scores, keep, frames):
        """The best of each frame pair, of those that are still there."""
        size = tf.shape(scores)
        scores = tf.where(keep[..., 0] > 0.5, scores, scores.dtype.min)
        scores = tf.reshape(scores, [size[0], frames, -1])
        places = tf.shape(scores)[2]
        count = tf.maximum(tf.cast(self.share * tf.cast(places, tf.float32), tf.int32), 1)
        least = tf.math.top_k(scores, count).values[..., -1:]
        return tf.cast(tf.reshape(scores >= least, [size[0], size[1], 1]), self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "share": self.share}


def _masked_softmax(scores, keep, epsilon=1e-6):
    """Softmax of [N, heads, L, L] over tubelets that are still there, and oneself; the source's epsilon."""
    length, dtype = tf.shape(scores)[-1], scores.dtype
    allowed = tf.cast(tf.transpose(keep, [0, 2, 1])[:, None], tf.float32)
    allowed += (1 - allowed) * tf.eye(length)
    scores = tf.cast(scores, tf.float32)
    weights = tf.exp(scores - tf.reduce_max(scores, -1, keepdims=True)) * allowed
    weights = (weights + epsilon / tf.cast(length, tf.float32)) / (
        tf.reduce_sum(weights, -1, keepdims=True) + epsilon
    )
    return tf.cast(weights, dtype)


def _weighted_mean(x, weight, axes):
    total = tf.maximum(
        tf.reduce_sum(weight, axes, keepdims=True), 1e-3
    )  # training may drop all of a frame pair
    return tf.reduce_sum(x * weight, axes, keepdims=True) / total


def _to_tubelets(clips, grid):
    """[N, T, H, W, 3] -> [N, T / 2 * H / 16 * W / 16, 2 * 16 * 16 * 3].  grid: the three divided sizes."""
    patches = tf.nn.space_to_depth(per_frame.merge_time(clips), PATCH_SIDE)
    pairs = tf.reshape(
        patches, [-1, TUBELET_FRAMES, grid[1] * grid[2], PATCH_SIDE * PATCH_SIDE * 3]
    )
    tubelets = tf.transpose(pairs, [0, 2, 1, 3])
    return tf.reshape(
        tubelets, [tf.shape(clips)[0], -1, TUBELET_FRAMES * PATCH_SIDE * PATCH_SIDE * 3]
    )


def _to_frames(tubelets, grid):
    """The inverse of _to_tubelets."""
    pairs = tf.reshape(
        tubelets, [-1, grid[1] * grid[2], TUBELET_FRAMES, PATCH_SIDE * PATCH_SIDE * 3]
    )
    patches = tf.reshape(
        tf.transpose(pairs, [0, 2, 1, 3]), [-1, grid[1], grid[2], PATCH_SIDE * PATCH_SIDE * 3]
    )
    frames = tf.nn.depth_to_space(patches, PATCH_SIDE)
    size = tf.shape(frames)
    return tf.reshape(frames, [-1, grid[0] * TUBELET_FRAMES, size[1], size[2], 3])
