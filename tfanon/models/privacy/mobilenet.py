"""MobileNet v1 (arXiv 1704.04861), of VITA's set of unseen attackers, as keras.applications holds it.

4,231,976 parameters with 1000 outputs by a dense layer; 0.57 GMAC for an image of 224 x 224.
"""

import keras
import tensorflow as tf

from tfanon.models import layers
from tfanon.models.privacy import _heads


def build(attributes=None, embedding=None, width=1.0):
    """Images [N, H, W, 3] in [0, 1] -> logits [N, attributes], or unit vectors [N, embedding].

    width: channels as a share of the paper's; VITA attacks with 1, 0.75, 0.5 and 0.25.
    Raises ValueError unless exactly one of `attributes` and `embedding` is given.
    """
    images = keras.Input((None, None, 3))
    x = layers.make_normalization((0.5,) * 3, (0.5,) * 3)(images)
    backbone = keras.applications.MobileNet(
        (None, None, 3), alpha=width, include_top=False, weights=None, input_tensor=x
    )
    for layer in backbone.layers:
        if isinstance(
            layer, keras.layers.BatchNormalization
        ):  # else each replica keeps averages of its own
            layer.synchronized = tf.distribute.get_strategy().num_replicas_in_sync > 1
    x = keras.layers.GlobalAveragePooling2D(dtype="float32")(backbone.output)
    outputs = _heads.build_head(x, attributes, embedding, hidden=x.shape[-1])
    return keras.Model(images, outputs, name="mobilenet", dtype="float32")
