"""torchvision's ResNet-18 to 152: conv1, bn1, layer1.0.conv1 ... layer4.1.bn2, fc."""

from tfanon.pretrained.layout import Layout, map_by_rules

CONVOLUTION_NUMBERS = {
    "a": 1,
    "b": 2,
    "c": 3,
}  # of a block's convolutions: our names end in letters, torchvision's in numbers


def make_resnet_rules(prefix=""):
    """Rules for a residual network below `prefix`, stem and stages."""
    blocks = [
        (rf"stage(\d)_(\d+)_{letter}{ours}", rf"{prefix}layer\1.\2.{theirs}{number}")
        for letter, number in CONVOLUTION_NUMBERS.items()
        for ours, theirs in (("", "conv"), ("_bn", "bn"))
    ]
    return (
        (r"stem", f"{prefix}conv1"),
        (r"stem_bn", f"{prefix}bn1"),
        *blocks,
        (r"stage(\d)_(\d+)_shortcut", rf"{prefix}layer\1.\2.downsample.0"),
        (r"stage(\d)_(\d+)_shortcut_bn", rf"{prefix}layer\1.\2.downsample.1"),
    )


LAYOUT = Layout(
    networks=("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
    marker="conv1.weight",
    layer=map_by_rules(*make_resnet_rules(), (r"logits", "fc")),
    head="fc.weight",
)
