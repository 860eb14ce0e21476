"""f_B and f_B' of the paper: torchvision's ResNet-50 (He et al., arXiv 1512.03385).

25,557,032 parameters with 1000 outputs; 4.1 GMAC for an image of 224 x 224.
"""

from tfanon.models.privacy import _resnets


def build(attributes=None, embedding=None, variant="torchvision"):
    """Images [N, H, W, 3] in [0, 1] -> logits [N, attributes], or unit vectors [N, embedding] (the paper's D is 128).

    variant: whose weights it is made for, "torchvision" or "simclr".
    Raises ValueError unless exactly one of `attributes` and `embedding` is given, and for another variant.
    """
    return _resnets.build(50, attributes, embedding, variant)
