"""MobileNet v1 of keras.applications (arXiv 1704.04861), one of VITA's unseen attackers.

4,231,976 parameters with 1000 outputs by a dense layer; 0.57 GMAC for an image of 224 x 224.
"""

import keras
import tensorflow as tf

from tfanon.models import layers
from tfanon.models.privacy import _heads


def build(
    attributes: int | None = None, embedding: int | None = None, width: float = 1.0
) -> keras.Model:
    """Build MobileNet.

    Args:
        attributes: Number of private attributes, P, for f_B'.
        embedding: Size of the embedding, D, for f_B.
        width: Channels relative to the paper's; VITA attacks with 1, 0.75, 0.5 and 0.25.

    Returns:
        Network of images ``[N, H, W, 3]`` in [0, 1] to logits ``[N, P]`` or unit vectors
        ``[N, D]``, float32.

    Raises:
        ValueError: Not exactly one of `attributes` and `embedding` is given.
    """
    images = keras.Input((None, None, 3))
    x = layers.make_normalization((0.5,) * 3, (0.5,) * 3)(images)
    backbone = keras.applications.MobileNet(
        (None, None, 3), alpha=width, include_top=False, weights=None, input_tensor=x
    )
    # Otherwise each replica would keep moving averages of its own.
    synchronized = tf.distribute.get_strategy().num_replicas_in_sync > 1
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = synchronized
    x = keras.layers.GlobalAveragePooling2D(dtype="float32")(backbone.output)
    outputs = _heads.build_head(x, attributes, embedding, hidden=x.shape[-1])
    return keras.Model(images, outputs, name="mobilenet", dtype="float32")
