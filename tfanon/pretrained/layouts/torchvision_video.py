"""torchvision's video ResNets: stem.0, layer1.0.conv1.0 ..., fc.

Convolutions of R(2+1)D are pairs: space and time.
"""

from tfanon.pretrained.layout import Layout, Rule, map_by_rules

# The convolutions of a block: letters in our names, numbers in theirs.
CONVOLUTION_NUMBERS = {"a": 1, "b": 2}


def _make_block_rules() -> list[Rule]:
    """Make the rules for the blocks of all stages.

    A convolution is one layer in R3D; in R(2+1)D it is space, normalisation, ReLU, time.
    """
    rules: list[Rule] = []
    for letter, number in CONVOLUTION_NUMBERS.items():
        ours, theirs = rf"stage(\d)_(\d+)_{letter}", rf"layer\1.\2.conv{number}"
        rules += [
            # R3D: convolution (0), batch normalisation (1).
            (ours, rf"{theirs}.0"),
            (rf"{ours}_bn", rf"{theirs}.1"),
            # R(2+1)D: the pair is layer 0: space (0), normalisation (1), ReLU (2), time (3).
            (rf"{ours}_space", rf"{theirs}.0.0"),
            (rf"{ours}_space_bn", rf"{theirs}.0.1"),
            (rf"{ours}_time", rf"{theirs}.0.3"),
            (rf"{ours}_time_bn", rf"{theirs}.1"),
        ]
    return rules


LAYOUT = Layout(
    networks=("r3d_18", "r2plus1d_18"),
    marker="stem.0.weight",
    head="fc.weight",
    get_layer_name=map_by_rules(
        # The stem of R3D is one convolution; that of R(2+1)D is a pair.
        (r"stem(_space)?", "stem.0"),
        (r"stem(_space)?_bn", "stem.1"),
        (r"stem_time", "stem.3"),
        (r"stem_time_bn", "stem.4"),
        *_make_block_rules(),
        (r"stage(\d)_(\d+)_shortcut", r"layer\1.\2.downsample.0"),
        (r"stage(\d)_(\d+)_shortcut_bn", r"layer\1.\2.downsample.1"),
        (r"logits", "fc"),
    ),
)
