"""A privacy network of whole clips: ResNet-50 on every frame, its features averaged over time.

It can combine weak evidence from many frames, where a network of images has to decide on each; for
a single image it is `resnet50`. 25,557,032 parameters with 1000 outputs; 65.4 GMAC for a clip of
16 x 224 x 224.
"""

import keras

from tfanon.models import per_frame
from tfanon.models.privacy import _heads, _resnets

FEATURES = 2048  # of ResNet-50


def build(attributes: int | None = None, embedding: int | None = None) -> keras.Model:
    """Build the network.

    Args:
        attributes: Number of private attributes, P, for f_B'.
        embedding: Size of the embedding, D, for f_B.

    Returns:
        Network of images ``[N, H, W, 3]`` or clips ``[N, T, H, W, 3]`` in [0, 1] to logits
        ``[N, P]`` or unit vectors ``[N, D]``, float32.

    Raises:
        ValueError: Not exactly one of `attributes` and `embedding` is given.
    """
    images, pooled = keras.Input((None, None, 3)), keras.Input((FEATURES,))
    features = keras.Model(
        images, _resnets.extract_pooled_features(images, 50), name="features", dtype="float32"
    )
    outputs = _heads.build_head(pooled, attributes, embedding)
    head = keras.Model(pooled, outputs, name="head", dtype="float32")
    return per_frame.OverTime(features, head, name="video_resnet50")
