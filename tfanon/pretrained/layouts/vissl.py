"""VISSL's ResNets, such as its SimCLR of 800 epochs: torchvision's names behind "_feature_blocks."; no head of ours.

The pixels are normalised as for torchvision's, so the variant is torchvision's too.
"""

from tfanon.pretrained.layout import Layout, map_by_rules
from tfanon.pretrained.layouts import torchvision_resnet

LAYOUT = Layout(
    networks=("resnet50", "resnet101", "resnet152"),
    marker="_feature_blocks.conv1.weight",
    layer=map_by_rules(
        *torchvision_resnet.make_resnet_rules("_feature_blocks."), (r"projection_\d", None)
    ),
)
