"""Facebook's non-local baseline in its PyTorch port (i3d_r50_kinetics.pth).

It is f_T of the code that the paper's authors released.
"""

from tfanon.pretrained.layout import Layout, map_by_rules
from tfanon.pretrained.layouts import torchvision_resnet

LAYOUT = Layout(
    networks=("i3d_r50",),
    marker="conv1.weight",
    head="fc.weight",
    # The port differs from pytorchvideo's network of the same name: see models/actions/i3d_r50.
    arguments={"variant": "nonlocal"},
    get_layer_name=map_by_rules(*torchvision_resnet.make_resnet_rules(), (r"logits", "fc")),
)
