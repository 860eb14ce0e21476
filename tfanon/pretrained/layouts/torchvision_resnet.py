"""torchvision's ResNet-18 to 152: conv1, bn1, layer1.0.conv1 ... layer4.1.bn2, fc."""

from tfanon.pretrained.layout import Layout, Rule, map_by_rules

# The convolutions of a block: letters in our names, numbers in theirs.
CONVOLUTION_NUMBERS = {"a": 1, "b": 2, "c": 3}


def make_resnet_rules(prefix: str = "") -> list[Rule]:
    """Make the rules for the stem and the stages of a residual network.

    Args:
        prefix: Put before torchvision's names.
    """
    rules: list[Rule] = [(r"stem", f"{prefix}conv1"), (r"stem_bn", f"{prefix}bn1")]
    block = rf"{prefix}layer\1.\2"
    for letter, number in CONVOLUTION_NUMBERS.items():
        rules += [
            (rf"stage(\d)_(\d+)_{letter}", rf"{block}.conv{number}"),
            (rf"stage(\d)_(\d+)_{letter}_bn", rf"{block}.bn{number}"),
        ]
    rules += [
        (r"stage(\d)_(\d+)_shortcut", rf"{block}.downsample.0"),
        (r"stage(\d)_(\d+)_shortcut_bn", rf"{block}.downsample.1"),
    ]
    return rules


LAYOUT = Layout(
    networks=("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
    marker="conv1.weight",
    get_layer_name=map_by_rules(*make_resnet_rules(), (r"logits", "fc")),
    head="fc.weight",
)
