"""f_B' of Tables 7 and 8: torchvision's ResNet-101 (He et al., arXiv 1512.03385).

44,549,160 parameters with 1000 outputs; 7.8 GMAC for an image of 224 x 224.
"""

import keras

from tfanon.models.privacy import _resnets


def build(
    attributes: int | None = None, embedding: int | None = None, variant: str = "torchvision"
) -> keras.Model:
    """Build ResNet-101.

    Args:
        attributes: Number of private attributes, P, for f_B'.
        embedding: Size of the embedding, D, for f_B.
        variant: Origin of the weights that it is made for, "torchvision" or "simclr".

    Returns:
        Network of images ``[N, H, W, 3]`` in [0, 1] to logits ``[N, P]`` or unit vectors
        ``[N, D]``, float32.

    Raises:
        ValueError: Not exactly one of `attributes` and `embedding` is given, or there is no such
            variant.
    """
    return _resnets.build(101, attributes, embedding, variant)
