"""UNet++ of segmentation_models_pytorch on ResNet-18 at depth 4.

It is f_A of TeD-SPAD and of the code that the paper's authors released. The encoder has a fourth
stage that depth 4 does not use; the output has no activation.
"""

from tfanon.pretrained.layout import Layout, Rule, map_by_rules

# The convolutions of a block: letters in our names, numbers in theirs.
CONVOLUTION_NUMBERS = {"a": 1, "b": 2}


def make_encoder_rules(prefix: str) -> list[Rule]:
    """Make the rules for the encoder of our UNet++ from a ResNet-18.

    Args:
        prefix: Put before the names of the file's ResNet-18.
    """
    rules: list[Rule] = [(r"stem", f"{prefix}conv1"), (r"stem_bn", f"{prefix}bn1")]
    for stage in (1, 2, 3):
        # Our blocks are named by their outputs E2, E3 and E4.
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
    # The released f_A has no activation at its output.
    arguments={"output": "linear"},
    # The fourth stage, which depth 4 does not use.
    ignored=(r"encoder\.layer4\..*",),
    get_layer_name=map_by_rules(
        *make_encoder_rules("encoder."),
        # A block's conv1 is convolution (0), batch normalisation (1) and ReLU.
        (r"x(\d)(\d)_0", r"decoder.blocks.x_\1_\2.conv1.0"),
        (r"x(\d)(\d)_0_bn", r"decoder.blocks.x_\1_\2.conv1.1"),
        (r"x(\d)(\d)_1", r"decoder.blocks.x_\1_\2.conv2.0"),
        (r"x(\d)(\d)_1_bn", r"decoder.blocks.x_\1_\2.conv2.1"),
        (r"head", "segmentation_head.0"),
    ),
)
