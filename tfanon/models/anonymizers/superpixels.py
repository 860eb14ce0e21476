"""Superpixels: about 14 x 14 pieces that follow the frame's edges, each filled with its mean color.

The clustering is SLIC's (Achanta et al., PAMI 2012) in RGB: k-means over color and position in
which a pixel considers only the nine centers around it. Pieces that fall apart are not joined
again.
"""

import itertools
from typing import Any

import keras
import tensorflow as tf

from tfanon.models import layers
from tfanon.models.anonymizers import _fixed


@keras.saving.register_keras_serializable("tfanon")
class Superpixels(keras.layers.Layer):
    """Replace every pixel by the mean color of its superpixel.

    Args:
        count: Pieces along the shorter side.
        compactness: Weight of a distance of one piece relative to the whole range of a color; 0.1
            is SLIC's usual 10 of 100.
        steps: Steps of k-means.
        **kwargs: Arguments of keras.layers.Layer.
    """

    def __init__(
        self, count: int = 14, compactness: float = 0.1, steps: int = 5, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.count, self.compactness, self.steps = count, compactness, steps

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Cluster and fill frames ``[N, H, W, 3]`` in [0, 1]."""
        size = tf.shape(x)
        n, pixel_count = size[0], size[1] * size[2]
        side = tf.maximum(2, tf.minimum(size[1], size[2]) // self.count)
        grid = (size[1:3] + side - 1) // side
        rows, columns = tf.meshgrid(tf.range(size[1]), tf.range(size[2]), indexing="ij")
        coordinates = tf.stack([rows, columns], -1)
        # The piece that each pixel starts in, [H W, 2].
        home = tf.reshape(coordinates // side, [-1, 2])
        position = tf.cast(tf.reshape(coordinates, [-1, 2]), tf.float32)
        position = position / tf.cast(side, tf.float32)
        position = tf.broadcast_to(self.compactness * position, [n, pixel_count, 2])
        points = tf.concat([tf.reshape(x, [n, -1, 3]), position], -1)  # [N, H W, 5]
        owner = tf.broadcast_to(_piece_index(home, grid), tf.shape(points)[:2])
        centers = _cluster_means(points, owner, tf.zeros([n, grid[0] * grid[1], 5]))
        for _ in range(self.steps):
            owner = _nearest_center(points, centers, home, grid)
            centers = _cluster_means(points, owner, centers)
        filled = tf.gather(centers[..., :3], owner, batch_dims=1)
        return layers.set_static_shape(tf.reshape(filled, size), x.shape)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the layer."""
        return {
            **super().get_config(),
            "count": self.count,
            "compactness": self.compactness,
            "steps": self.steps,
        }


def _piece_index(coordinates: tf.Tensor, grid: tf.Tensor) -> tf.Tensor:
    """Number pieces ``[..., 2]`` of the grid row by row."""
    return coordinates[..., 0] * grid[1] + coordinates[..., 1]


def _nearest_center(
    points: tf.Tensor, centers: tf.Tensor, home: tf.Tensor, grid: tf.Tensor
) -> tf.Tensor:
    """Index of the nearest of the nine centers around each point's home, int32 ``[N, H W]``."""
    best = tf.fill(tf.shape(points)[:2], points.dtype.max)
    owner = tf.zeros(tf.shape(points)[:2], tf.int32)
    for offset in itertools.product((-1, 0, 1), repeat=2):
        index = _piece_index(tf.clip_by_value(home + offset, 0, grid - 1), grid)
        distance = tf.reduce_sum(tf.square(points - tf.gather(centers, index, axis=1)), -1)
        nearer = distance < best
        best, owner = tf.where(nearer, distance, best), tf.where(nearer, index, owner)
    return owner


def _cluster_means(points: tf.Tensor, owner: tf.Tensor, centers: tf.Tensor) -> tf.Tensor:
    """Mean of the points of each center, ``[N, K, 5]``; a center without points stays."""
    frames, pieces = tf.shape(centers)[0], tf.shape(centers)[1]
    segments = tf.reshape(owner + pieces * tf.range(frames)[:, None], [-1])
    # A column of ones counts the points of each segment.
    counted_points = tf.concat([tf.reshape(points, [-1, 5]), tf.ones([tf.size(segments), 1])], -1)
    sums = tf.math.unsorted_segment_sum(counted_points, segments, frames * pieces)
    sums = tf.reshape(sums, [frames, pieces, 6])
    totals, counts = sums[..., :5], sums[..., 5:]
    return tf.where(counts > 0, totals / tf.maximum(counts, 1.0), centers)


def build(count: int = 14, compactness: float = 0.1, steps: int = 5, **_: Any) -> keras.Model:
    """Build an anonymizer that reduces frames and clips to superpixels.

    Args:
        count: Pieces along the shorter side.
        compactness: Weight of a distance of one piece; with 0, pieces follow colors alone.
        steps: Steps of k-means.
        **_: Options of other anonymizers, ignored.

    Returns:
        The anonymizer.

    Raises:
        ValueError: An option is out of range.
    """
    _fixed.check_range("superpixels", "count", count, 1, 512)
    _fixed.check_range("superpixels", "compactness", compactness, 0.0, 100.0)
    _fixed.check_range("superpixels", "steps", steps, 0, 100)
    layer = Superpixels(count, compactness, steps, dtype="float32")
    return _fixed.build_fixed("superpixels", layer)
