"""Facebook's non-local baseline as its PyTorch port names it (i3d_r50_kinetics.pth), f_T of the paper's released code."""

from tfanon.pretrained.layout import Layout, map_by_rules
from tfanon.pretrained.layouts import torchvision_resnet

LAYOUT = Layout(
    networks=("i3d_r50",),
    marker="conv1.weight",
    head="fc.weight",
    arguments={"variant": "nonlocal"},
    layer=map_by_rules(*torchvision_resnet.make_resnet_rules(), (r"logits", "fc")),
)
