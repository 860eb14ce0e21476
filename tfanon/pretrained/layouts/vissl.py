"""VISSL's ResNets, such as its SimCLR of 800 epochs: torchvision's names after "_feature_blocks.".

None of our heads matches theirs. Pixels are normalised as for torchvision, so the variant is
torchvision's too.
"""

from tfanon.pretrained.layout import Layout, map_by_rules
from tfanon.pretrained.layouts import torchvision_resnet

LAYOUT = Layout(
    networks=("resnet50", "resnet101", "resnet152"),
    marker="_feature_blocks.conv1.weight",
    get_layer_name=map_by_rules(
        # None: the heads of the file are not ours.
        *torchvision_resnet.make_resnet_rules("_feature_blocks."),
        (r"projection_\d", None),
    ),
)
