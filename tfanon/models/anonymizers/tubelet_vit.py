"""STPrivacy's sparsify-and-anonymize transformer (Li et al., ICCV 2023), after its released core.

90,603,846 parameters; 187 GMAC for a clip of 16 x 224 x 224. A clip is cut into tubelets of 2
frames by 16 x 16 pixels. Between twelve blocks, predictors drop the tubelets that are not needed
for the action. The remaining ones are decoded to pixels, the dropped ones are black.

Only the core was released. The following choices are our own: where tubelets are dropped and how
many are kept (DynamicViT's 3, 6, 9 and .7, .49, .34); interpolating the position embedding for
clips of any size; treating an image as a static clip; and blackening dropped tubelets in training
by the straight-through gradient of the hard decision. The released losses lack the term that
controls the share of kept tubelets in training; here nothing controls it.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfanon.models import layers, per_frame, transformer
from tfanon.models.anonymizers import _common

PATCH_SIDE, TUBELET_FRAMES = 16, 2  # pixels, frames
BLOCK_COUNT, HEAD_COUNT, EMBEDDING_SIZE = 12, 12, 768
KEEP_RATIOS = {3: 0.7, 6: 0.49, 9: 0.34}  # block: share of a frame pair's tubelets kept before it
POSITION_GRID = (8, 7, 7)  # tubelets of a clip of 16 x 112 x 112

MIN_KEPT_WEIGHT = 1e-3  # keeps means finite where training drops all tubelets of a frame pair


def build(width: float = 1.0, output: str = "sigmoid") -> keras.Model:
    """Build the transformer.

    Args:
        width: Size of a tubelet's embedding relative to STPrivacy's 768, above 0.
        output: "sigmoid" or "linear".

    Returns:
        Network of frames ``[N, H, W, 3]`` and clips ``[N, T, H, W, 3]`` in [0, 1], H and W
        multiples of 16.

    Raises:
        ValueError: `width` or `output` is out of range.
    """
    _common.check_options("tubelet_vit", width, output)
    dimensions = HEAD_COUNT * layers.scale_channels(EMBEDDING_SIZE // HEAD_COUNT, width)
    return TubeletTransformer(dimensions, output, name="tubelet_vit")


@keras.saving.register_keras_serializable("tfanon")
class TubeletTransformer(keras.Model):
    """An f_A that anonymizes tubelets.

    Args:
        dimensions: Size of a tubelet's embedding, a multiple of 12.
        output: Activation of the output.
        **kwargs: Arguments of keras.Model.
    """

    takes_clips = True

    def __init__(self, dimensions: int, output: str, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.dimensions, self.output_activation = dimensions, output
        self.patches = keras.layers.Dense(
            dimensions, kernel_initializer=layers.pytorch_uniform(), name="patches"
        )
        self.places = Places(dimensions, name="places")
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

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Anonymize frames or clips.

        Args:
            x: Frames ``[N, H, W, 3]`` or clips ``[N, T, H, W, 3]``, float32 in [0, 1].
            training: Whether tubelets are kept at random.

        Returns:
            The same shape, float32.

        Raises:
            ValueError: H or W is not a multiple of 16.
        """
        per_frame.check_frame_shape(self.name, x.shape, PATCH_SIDE)
        is_image = len(x.shape) == 4
        clips = x[:, None] if is_image else x
        time = tf.shape(clips)[1]
        # With an odd number of frames the last one is repeated.
        clips = tf.concat([clips, clips[:, -1:]], 1)[:, : time + time % TUBELET_FRAMES]
        y = self._anonymize(clips, training)
        y = y[:, self._image_frame_index(training)] if is_image else y[:, :time]
        return layers.set_static_shape(y, x.shape)

    def _image_frame_index(self, training: bool) -> tf.Tensor | int:
        """Index of the frame that becomes the image, of a pair made from one image.

        In training it is drawn, since Eq. 5 would otherwise train the first frame alone.
        """
        if not training:
            return 0
        return tf.cast(keras.random.uniform((), 0, TUBELET_FRAMES, seed=self.seed), tf.int32)

    def _anonymize(self, clips: tf.Tensor, training: bool) -> tf.Tensor:
        """Anonymize clips with an even number of frames."""
        grid = tf.shape(clips)[1:4] // [TUBELET_FRAMES, PATCH_SIDE, PATCH_SIDE]
        x = self.places(self.patches(_to_tubelets(clips, grid)), grid)
        keep = tf.ones_like(x[:, :, :1])  # 1 where a tubelet is kept so far, [N, L, 1]
        for index, block in enumerate(self.blocks):
            if index in self.predictors:
                keep = self.predictors[index](x, keep, grid[0], training=training)
            x = block(x, keep)
        pixels = self.activation(self.head(self.norm(x))) * tf.cast(keep, tf.float32)
        return _to_frames(pixels, grid)

    def compute_output_shape(self, input_shape: Any, **_: Any) -> Any:
        """Return the shape of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the model."""
        return {
            **super().get_config(),
            "dimensions": self.dimensions,
            "output": self.output_activation,
        }


# Keras stores the weights of this model's layers under their class names: renaming Places, Block or
# Predictor would make saved weights unreadable.
@keras.saving.register_keras_serializable("tfanon")
class Places(keras.layers.Layer):
    """Position embedding: add a learned vector for each tubelet's place.

    The table is that of 16 x 112 x 112; for other sizes it is interpolated.

    Args:
        dimensions: Size of a tubelet's embedding.
        **kwargs: Arguments of keras.layers.Layer.
    """

    def __init__(self, dimensions: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dimensions = dimensions

    def build(self, *_: Any) -> None:
        """Create the table."""
        self.table = self.add_weight(
            shape=(*POSITION_GRID, self.dimensions),
            name="table",
            initializer=keras.initializers.TruncatedNormal(stddev=transformer.WEIGHT_STDDEV),
        )

    def call(self, x: tf.Tensor, grid: tf.Tensor) -> tf.Tensor:
        """Add the embedding.

        Args:
            x: Tubelets ``[N, L, C]``.
            grid: Number of tubelets over (T, H, W), whose product is L.

        Returns:
            Tubelets, same shape and dtype.
        """
        table = tf.image.resize(tf.cast(self.table, tf.float32), grid[1:], "bilinear")
        table = transformer.interpolate_table(tf.reshape(table, [POSITION_GRID[0], -1]), grid[0])
        return x + tf.cast(tf.reshape(table, [1, -1, self.dimensions]), x.dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the layer."""
        return {**super().get_config(), "dimensions": self.dimensions}


@keras.saving.register_keras_serializable("tfanon")
class Block(keras.layers.Layer):
    """A transformer block in which dropped tubelets are not attended to.

    Args:
        heads: Number of attention heads.
        **kwargs: Arguments of keras.layers.Layer.
    """

    def __init__(self, heads: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.heads = heads

    def build(self, input_shape: Sequence[Any]) -> None:
        """Create and build the layers for tubelets ``[N, L, C]``."""
        width = input_shape[-1]
        self.norm1, self.norm2 = transformer.layer_norm("norm1"), transformer.layer_norm("norm2")
        self.qkv = transformer.dense(3 * width, "qkv")
        self.project = transformer.dense(width, "project")
        self.dense1 = transformer.dense(4 * width, "dense1", "gelu")
        self.dense2 = transformer.dense(width, "dense2")
        for layer in (self.norm1, self.qkv, self.project, self.norm2, self.dense1):
            layer.build((None, None, width))
        self.dense2.build((None, None, 4 * width))

    def call(self, x: tf.Tensor, keep: tf.Tensor) -> tf.Tensor:
        """Apply the block.

        Args:
            x: Tubelets ``[N, L, C]``.
            keep: 1 for a kept tubelet, 0 for a dropped one, ``[N, L, 1]``.

        Returns:
            Tubelets, same shape.
        """
        q, k, v = (
            transformer.split_heads(part, self.heads)
            for part in tf.split(self.qkv(self.norm1(x)), 3, axis=-1)
        )
        scores = tf.matmul(q, k, transpose_b=True) * q.shape[-1] ** -0.5
        attended = tf.matmul(_masked_softmax(scores, keep), v)
        x += self.project(transformer.merge_heads(attended))
        return x + self.dense2(self.dense1(self.norm2(x)))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the layer."""
        return {**super().get_config(), "heads": self.heads}


@keras.saving.register_keras_serializable("tfanon")
class Predictor(keras.layers.Layer):
    """Decide which tubelets are kept, from features of the tubelet, its frame pair and the clip.

    Args:
        share: Share of a frame pair's tubelets that are kept, at least one. In training each
            decision is drawn, hard forwards and soft backwards.
        **kwargs: Arguments of keras.layers.Layer.
    """

    def __init__(self, share: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.share = share
        self.seed = keras.random.SeedGenerator()

    def build(self, input_shape: Sequence[Any]) -> None:
        """Create and build the layers for tubelets ``[N, L, C]``."""
        width = input_shape[-1]
        self.norm = transformer.layer_norm("norm")
        self.inner = transformer.dense(width, "inner", "gelu")
        self.outer = [
            transformer.dense(width // 2, "outer0", "gelu"),
            transformer.dense(width // 4, "outer1", "gelu"),
            transformer.dense(2, "outer2"),
        ]
        all_layers = (self.norm, self.inner, *self.outer)
        input_sizes = (width, width, width, width // 2, width // 4)
        for layer, inputs in zip(all_layers, input_sizes, strict=True):
            layer.build((None, None, inputs))

    def call(
        self, x: tf.Tensor, keep: tf.Tensor, frames: tf.Tensor, training: bool = False
    ) -> tf.Tensor:
        """Decide which of the tubelets kept so far stay.

        Args:
            x: Tubelets ``[N, L, C]``.
            keep: 1 for a tubelet kept so far, 0 for a dropped one, ``[N, L, 1]``.
            frames: Number of frame pairs, T / 2, in L.
            training: Whether decisions are drawn.

        Returns:
            The new `keep`, ``[N, L, 1]``.
        """
        x = self._add_context(self.inner(self.norm(x)), keep, frames)
        for layer in self.outer:
            x = layer(x)
        scores = tf.nn.log_softmax(tf.cast(x, tf.float32))
        if training:
            return self._sample_mask(scores) * keep
        return self._select_best(scores[..., 0], keep, frames) * keep

    def _add_context(self, x: tf.Tensor, keep: tf.Tensor, frames: tf.Tensor) -> tf.Tensor:
        """Average the second third of the features over the frame pair, the last over the clip."""
        size, third = tf.shape(x), x.shape[-1] // 3
        grid = tf.reshape(x, [size[0], frames, -1, x.shape[-1]])
        weight = tf.reshape(keep, [size[0], frames, -1, 1])
        own = grid[..., :third]
        frame_mean = _weighted_mean(grid[..., third : 2 * third], weight, [2])
        clip_mean = _weighted_mean(grid[..., 2 * third :], weight, [1, 2])
        frame = tf.broadcast_to(frame_mean, tf.shape(own))
        clip = tf.broadcast_to(clip_mean, tf.shape(own))
        return tf.reshape(tf.concat([own, frame, clip], -1), size)

    def _sample_mask(self, scores: tf.Tensor) -> tf.Tensor:
        """Draw hard decisions with Gumbel noise whose gradient is that of the soft ones."""
        noise = keras.random.uniform(tf.shape(scores), 1e-6, 1 - 1e-6, seed=self.seed)
        soft = tf.nn.softmax(scores - tf.math.log(-tf.math.log(noise)))[..., :1]
        hard = tf.cast(soft > 0.5, tf.float32)
        return tf.cast(hard + soft - tf.stop_gradient(soft), self.compute_dtype)

    def _select_best(self, scores: tf.Tensor, keep: tf.Tensor, frames: tf.Tensor) -> tf.Tensor:
        """Select the highest scores of each frame pair among the tubelets kept so far."""
        size = tf.shape(scores)
        scores = tf.where(keep[..., 0] > 0.5, scores, scores.dtype.min)
        scores = tf.reshape(scores, [size[0], frames, -1])
        tubelets = tf.cast(tf.shape(scores)[2], tf.float32)
        count = tf.maximum(tf.cast(self.share * tubelets, tf.int32), 1)
        lowest_kept = tf.math.top_k(scores, count).values[..., -1:]
        kept = tf.reshape(scores >= lowest_kept, [size[0], size[1], 1])
        return tf.cast(kept, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the layer."""
        return {**super().get_config(), "share": self.share}


def _masked_softmax(scores: tf.Tensor, keep: tf.Tensor, epsilon: float = 1e-6) -> tf.Tensor:
    """Softmax of ``[N, heads, L, L]`` over kept tubelets and oneself, with the source's epsilon."""
    length, dtype = tf.shape(scores)[-1], scores.dtype
    allowed = tf.cast(tf.transpose(keep, [0, 2, 1])[:, None], tf.float32)
    allowed += (1 - allowed) * tf.eye(length)
    scores = tf.cast(scores, tf.float32)
    weights = tf.exp(scores - tf.reduce_max(scores, -1, keepdims=True)) * allowed
    total = tf.reduce_sum(weights, -1, keepdims=True) + epsilon
    return tf.cast((weights + epsilon / tf.cast(length, tf.float32)) / total, dtype)


def _weighted_mean(x: tf.Tensor, weight: tf.Tensor, axes: list[int]) -> tf.Tensor:
    total = tf.maximum(tf.reduce_sum(weight, axes, keepdims=True), MIN_KEPT_WEIGHT)
    return tf.reduce_sum(x * weight, axes, keepdims=True) / total


def _to_tubelets(clips: tf.Tensor, grid: tf.Tensor) -> tf.Tensor:
    """Reshape ``[N, T, H, W, 3]`` to ``[N, T / 2 * H / 16 * W / 16, 2 * 16 * 16 * 3]``.

    `grid` holds the three divided sizes.
    """
    patches = tf.nn.space_to_depth(per_frame.merge_time(clips), PATCH_SIDE)
    pairs = tf.reshape(
        patches, [-1, TUBELET_FRAMES, grid[1] * grid[2], PATCH_SIDE * PATCH_SIDE * 3]
    )
    tubelets = tf.transpose(pairs, [0, 2, 1, 3])
    return tf.reshape(
        tubelets, [tf.shape(clips)[0], -1, TUBELET_FRAMES * PATCH_SIDE * PATCH_SIDE * 3]
    )


def _to_frames(tubelets: tf.Tensor, grid: tf.Tensor) -> tf.Tensor:
    """Invert _to_tubelets."""
    pairs = tf.reshape(
        tubelets, [-1, grid[1] * grid[2], TUBELET_FRAMES, PATCH_SIDE * PATCH_SIDE * 3]
    )
    patches = tf.transpose(pairs, [0, 2, 1, 3])
    patches = tf.reshape(patches, [-1, grid[1], grid[2], PATCH_SIDE * PATCH_SIDE * 3])
    frames = tf.nn.depth_to_space(patches, PATCH_SIDE)
    size = tf.shape(frames)
    return tf.reshape(frames, [-1, grid[0] * TUBELET_FRAMES, size[1], size[2], 3])
