"""pytorchvideo's I3D-R50 (I3D_8x8_R50.pyth).

blocks.0 is the stem, blocks.2 a pooling layer, the others are the stages and the head.
"""

from tfanon.pretrained.layout import Layout, Rule, map_by_rules

# Blocks 0 and 2 have no stage: see above.
BLOCK_OF_STAGE = {1: 1, 2: 3, 3: 4, 4: 5}


def _make_stage_rules() -> list[Rule]:
    """Make the rules for the residual blocks of all stages."""
    rules: list[Rule] = []
    for stage, block in BLOCK_OF_STAGE.items():
        ours, theirs = rf"stage{stage}_(\d+)", rf"blocks.{block}.res_blocks.\1"
        rules += [
            (rf"{ours}_([abc])", rf"{theirs}.branch2.conv_\2"),
            (rf"{ours}_([abc])_bn", rf"{theirs}.branch2.norm_\2"),
            (rf"{ours}_shortcut", rf"{theirs}.branch1_conv"),
            (rf"{ours}_shortcut_bn", rf"{theirs}.branch1_norm"),
        ]
    return rules


LAYOUT = Layout(
    networks=("i3d_r50",),
    marker="blocks.0.conv.weight",
    head="blocks.6.proj.weight",
    arguments={"variant": "pytorchvideo"},
    get_layer_name=map_by_rules(
        (r"stem", "blocks.0.conv"),
        (r"stem_bn", "blocks.0.norm"),
        *_make_stage_rules(),
        (r"logits", "blocks.6.proj"),
    ),
)
