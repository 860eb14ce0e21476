"""torchvision's video ResNets: stem.0, layer1.0.conv1.0 ..., fc; R(2+1)D's convolutions are pairs, space and time."""

from tfanon.pretrained.layout import Layout, map_by_rules

CONVOLUTION_NUMBERS = {"a": 1, "b": 2}


def _make_block_rules(letter, number):
    """A block's convolution `letter`: whole in R3D; space, normalisation, ReLU, time in R(2+1)D."""
    ours, theirs = rf"stage(\d)_(\d+)_{letter}", rf"layer\1.\2.conv{number}"
    return (
        (ours, rf"{theirs}.0"),
        (rf"{ours}_bn", rf"{theirs}.1"),
        (rf"{ours}_space", rf"{theirs}.0.0"),
        (rf"{ours}_space_bn", rf"{theirs}.0.1"),
        (rf"{ours}_time", rf"{theirs}.0.3"),
        (rf"{ours}_time_bn", rf"{theirs}.1"),
    )


LAYOUT = Layout(
    networks=("r3d_18", "r2plus1d_18"),
    marker="stem.0.weight",
    head="fc.weight",
    layer=map_by_rules(
        (r"stem(_space)?", "stem.0"),
        (r"stem(_space)?_bn", "stem.1"),
        (r"stem_time", "stem.3"),
        (r"stem_time_bn", "stem.4"),
        *(
            rule
            for letter, number in CONVOLUTION_NUMBERS.items()
            for rule in _make_block_rules(letter, number)
        ),
        (r"stage(\d)_(\d+)_shortcut", r"layer\1.\2.downsample.0"),
        (r"stage(\d)_(\d+)_shortcut_bn", r"layer\1.\2.downsample.1"),
        (r"logits", "fc"),
    ),
)
