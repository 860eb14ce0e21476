"""torchvision's ResNet-18 as the encoder of UNet++, from which the paper's f_A starts; the decoder starts afresh."""

from tfanon.pretrained.layout import Layout, by_rules
from tfanon.pretrained.layouts import smp_unetpp

LAYOUT = Layout(
    networks=("unetpp",),
    mark="conv1.weight",
    unused=(r"layer4\..*", r"fc\..*"),
    layer=by_rules(*smp_unetpp.encoder(""), (r"x\d\d_[01](_bn)?|head", None)),
)
