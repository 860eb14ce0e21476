"""segmentation_models_pytorch's UNet++ on ResNet-18 at depth 4, f_A of TeD-SPAD's and the paper's released code.

Its encoder carries a fourth stage that depth 4 never reaches; f_A ends there without an activation.
"""

from tfanon.pretrained.layout import Layout, map_by_rules

CONVOLUTION_NUMBERS = {"a": 1, "b": 2}


def make_encoder_rules(prefix):
    """Rules for the encoder of our UNet++ from a ResNet-18 below `prefix`."""
    rules = [(r"stem", f"{prefix}conv1"), (r"stem_bn", f"{prefix}bn1")]
    for stage in (1, 2, 3):  # ours are named by what they give: E2, E3, E4
        ours, theirs = rf"E{stage + 1}_(\d)", rf"{prefix}layer{stage}.\1"
        for letter, number in CONVOLUTION_NUMBERS.items():
            rules += [
                (rf"{ours}_{letter}", rf"{theirs}.conv{number}"),
                (rf"{ours}_{letter}_bn", rf"{theirs}.bn{number}"),
            ]
        rules += [
            (rf"{ours}_shortcut", rf"{theirs}.downsample.0"),
            (rf"{ours}_shortcut_bn", rf"{theirs}.downsample.1"),
        ]
    return rules


LAYOUT = Layout(
    networks=("unetpp",),
    marker="segmentation_head.0.weight",
    arguments={"output": "linear"},
    ignored=(r"encoder\.layer4\..*",),
    layer=map_by_rules(
        *make_encoder_rules("encoder."),
        (r"x(\d)(\d)_0", r"decoder.blocks.x_\1_\2.conv1.0"),
        (r"x(\d)(\d)_0_bn", r"decoder.blocks.x_\1_\2.conv1.1"),
        (r"x(\d)(\d)_1", r"decoder.blocks.x_\1_\2.conv2.0"),
        (r"x(\d)(\d)_1_bn", r"decoder.blocks.x_\1_\2.conv2.1"),
        (r"head", "segmentation_head.0"),
    ),
)
