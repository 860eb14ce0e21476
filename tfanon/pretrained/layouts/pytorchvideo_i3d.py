"""pytorchvideo's I3D-R50 (I3D_8x8_R50.pyth): blocks.0 is the stem, blocks.2 a pool, the others the stages and the head."""

from tfanon.pretrained.layout import Layout, map_by_rules

STAGE_BLOCKS = {1: 1, 2: 3, 3: 4, 4: 5}  # stage: block


def _make_stage_rules(stage, block):
    ours, theirs = rf"stage{stage}_(\d+)", rf"blocks.{block}.res_blocks.\1"
    return (
        (rf"{ours}_([abc])", rf"{theirs}.branch2.conv_\2"),
        (rf"{ours}_([abc])_bn", rf"{theirs}.branch2.norm_\2"),
        (rf"{ours}_shortcut", rf"{theirs}.branch1_conv"),
        (rf"{ours}_shortcut_bn", rf"{theirs}.branch1_norm"),
    )


LAYOUT = Layout(
    networks=("i3d_r50",),
    marker="blocks.0.conv.weight",
    head="blocks.6.proj.weight",
    arguments={"variant": "pytorchvideo"},
    layer=map_by_rules(
        (r"stem", "blocks.0.conv"),
        (r"stem_bn", "blocks.0.norm"),
        *(
            rule
            for stage, block in STAGE_BLOCKS.items()
            for rule in _make_stage_rules(stage, block)
        ),
        (r"logits", "blocks.6.proj"),
    ),
)
