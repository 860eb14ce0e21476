"""torchvision's ResNet-18 as the encoder of UNet++, from which the paper's f_A starts; the decoder starts afresh."""

from tfanon.pretrained.layout import Layout, map_by_rules
from tfanon.pretrained.layouts import smp_unetpp

LAYOUT = Layout(
    networks=("unetpp",),
    marker="conv1.weight",
    ignored=(r"layer4\..*", r"fc\..*"),
    layer=map_by_rules(*smp_unetpp.make_encoder_rules(""), (r"x\d\d_[01](_bn)?|head", None)),
)
