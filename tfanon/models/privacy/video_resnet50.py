"""A privacy attacker of whole videos: ResNet-50 on every frame, its features averaged over time.

What one frame shows by chance it can use, and what many show it need not find in each; of one image it is `resnet50`.
25,557,032 parameters with 1000 outputs; 65.4 GMAC for a clip of 16 x 224 x 224.
"""

import keras

from tfanon.models import per_frame
from tfanon.models.privacy import _heads, _resnets


def build(attributes=None, embedding=None):
    """Images [N, H, W, 3] or clips [N, T, H, W, 3] in [0, 1] -> logits [N, attributes] or unit vectors [N, embedding].

    Raises ValueError unless exactly one of `attributes` and `embedding` is given.
    """
    images, pooled = keras.Input((None, None, 3)), keras.Input((2048,))
    features = keras.Model(
        images, _resnets.extract_pooled_features(images, 50), name="features", dtype="float32"
    )
    head = keras.Model(
        pooled, _heads.build_head(pooled, attributes, embedding), name="head", dtype="float32"
    )
    return per_frame.OverTime(features, head, name="video_resnet50")
