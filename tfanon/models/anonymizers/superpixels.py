"""Superpixels: the frame falls into about 14 x 14 pieces that follow its edges, each painted in its mean colour.

The clustering is SLIC's (Achanta et al., PAMI 2012) in RGB: k-means over colour and place in which a pixel looks only
at the nine centres around it. Pieces that fall apart are not joined again.
"""

import itertools

import keras
import tensorflow as tf

from tfanon.models import layers
from tfanon.models.anonymizers import _fixed


@keras.saving.register_keras_serializable("tfanon")
class Superpixels(keras.layers.Layer):
    """[N, H, W, 3] in [0, 1] -> the same.

    count: pieces along the shorter side.  compactness: how much a piece's width counts against the whole range of a
    colour; .1 is SLIC's usual 10 of 100.  steps: of k-means.
    """

    def __init__(self, count=14, compactness=0.1, steps=5, **kwargs):
        super().__init__(**kwargs)
        self.count, self.compactness, self.steps = count, compactness, steps

    def call(self, x):
        size = tf.shape(x)
        side = tf.maximum(2, tf.minimum(size[1], size[2]) // self.count)
        grid = (size[1:3] + side - 1) // side
        rows, columns = tf.meshgrid(tf.range(size[1]), tf.range(size[2]), indexing="ij")
        home = tf.reshape(
            tf.stack([rows, columns], -1) // side, [-1, 2]
        )  # each pixel's piece at first, [H W, 2]
        place = tf.cast(tf.reshape(tf.stack([rows, columns], -1), [-1, 2]), tf.float32) / tf.cast(
            side, tf.float32
        )
        place = tf.broadcast_to(self.compactness * place, [size[0], size[1] * size[2], 2])
        points = tf.concat([tf.reshape(x, [size[0], -1, 3]), place], -1)  # [N, H W, 5]
        owner = tf.broadcast_to(_piece_index(home, grid), tf.shape(points)[:2])
        centres = _cluster_means(points, owner, tf.zeros([size[0], grid[0] * grid[1], 5]))
        for _ in range(self.steps):
            owner = _nearest_centre(points, centres, home, grid)
            centres = _cluster_means(points, owner, centres)
        painted = tf.gather(centres[..., :3], owner, batch_dims=1)
        return layers.set_static_shape(tf.reshape(painted, size), x.shape)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "count": self.count,
            "compactness": self.compactness,
            "steps": self.steps,
        }


def _piece_index(places, grid):
    """[.., 2] -> the number of a piece, row by row."""
    return places[..., 0] * grid[1] + places[..., 1]


def _nearest_centre(points, centres, home, grid):
    """The nearest of the nine centres around each point's home, int32 [N, H W]."""
    best, owner = (
        tf.fill(tf.shape(points)[:2], points.dtype.max),
        tf.zeros(tf.shape(points)[:2], tf.int32),
    )
    for step in itertools.product((-1, 0, 1), repeat=2):
        index = _piece_index(tf.clip_by_value(home + step, 0, grid - 1), grid)
        distance = tf.reduce_sum(tf.square(points - tf.gather(centres, index, axis=1)), -1)
        nearer = distance < best
        best, owner = tf.where(nearer, distance, best), tf.where(nearer, index, owner)
    return owner


def _cluster_means(points, owner, before):
    """The mean of the points of each centre, [N, K, 5]; a centre without points stays as it was."""
    frames, pieces = tf.shape(before)[0], tf.shape(before)[1]
    segments = tf.reshape(owner + pieces * tf.range(frames)[:, None], [-1])
    points = tf.concat([tf.reshape(points, [-1, 5]), tf.ones([tf.size(segments), 1])], -1)
    sums = tf.reshape(
        tf.math.unsorted_segment_sum(points, segments, frames * pieces), [frames, pieces, 6]
    )
    return tf.where(sums[..., 5:] > 0, sums[..., :5] / tf.maximum(sums[..., 5:], 1.0), before)


def build(count=14, compactness=0.1, steps=5, **_):
    """Superpixels of frames and clips; settings of other anonymizers are ignored.

    count: pieces along the shorter side.  compactness: 0 follows edges alone.  steps: of k-means.
    Raises ValueError for numbers out of range.
    """
    _fixed.check_range("superpixels", "count", count, 1, 512)
    _fixed.check_range("superpixels", "compactness", compactness, 0.0, 100.0)
    _fixed.check_range("superpixels", "steps", steps, 0, 100)
    return _fixed.build_fixed(
        "superpixels", Superpixels(count, compactness, steps, dtype="float32")
    )
