"""f_B' of Tables 7 and 8: torchvision's ResNet-34 (He et al., arXiv 1512.03385).

21,797,672 parameters with 1000 outputs; 3.7 GMAC for an image of 224 x 224.
"""

from tfanon.models.privacy import _resnets


def build(attributes=None, embedding=None, variant="torchvision"):
    """Images [N, H, W, 3] in [0, 1] -> logits [N, attributes], or unit vectors [N, embedding].

    variant: whose weights it is made for, "torchvision" or "simclr".
    Raises ValueError unless exactly one of `attributes` and `embedding` is given, and for another variant.
    """
    return _resnets.build(34, attributes, embedding, variant)
