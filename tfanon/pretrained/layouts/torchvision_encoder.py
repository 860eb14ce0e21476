"""torchvision's ResNet-18 as the encoder of UNet++, from which the paper's f_A starts.

The decoder keeps its random initial values.
"""

from tfanon.pretrained.layout import Layout, map_by_rules
from tfanon.pretrained.layouts import smp_unetpp

LAYOUT = Layout(
    networks=("unetpp",),
    marker="conv1.weight",
    # The encoder ends after the third stage and has no classes.
    ignored=(r"layer4\..*", r"fc\..*"),
    get_layer_name=map_by_rules(
        # None for the decoder and the head, which the file does not have.
        *smp_unetpp.make_encoder_rules(""),
        (r"x\d\d_[01](_bn)?|head", None),
    ),
)
