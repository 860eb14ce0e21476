"""torchvision's MViTv2-S: conv_proj, pos_encoding.class_token, blocks.0.attn.qkv .., head.1."""

from tfanon.pretrained.layout import Layout, map_by_rules

LAYOUT = Layout(
    networks=("mvit_v2_s",),
    marker="conv_proj.weight",
    head="head.1.weight",
    get_layer_name=map_by_rules(
        (r"patches", "conv_proj"),
        (r"class_token/class_token", "pos_encoding.class_token"),
        (r"block(\d+)/(norm[12])", r"blocks.\1.\2"),
        (r"block(\d+)/qkv", r"blocks.\1.attn.qkv"),
        # project.0 is the linear layer, project.1 its dropout.
        (r"block(\d+)/project_attention", r"blocks.\1.attn.project.0"),
        (r"block(\d+)/project", r"blocks.\1.project"),
        (r"block(\d+)/(pool_[qkv])", r"blocks.\1.attn.\2.pool"),
        (r"block(\d+)/(pool_[qkv])/norm", r"blocks.\1.attn.\2.norm_act.0"),
        (r"block(\d+)/positions/(rel_pos_[thw])", r"blocks.\1.attn.\2"),
        (r"block(\d+)/dense1", r"blocks.\1.mlp.0"),
        # mlp.1 and mlp.2 are the activation and its dropout.
        (r"block(\d+)/dense2", r"blocks.\1.mlp.3"),
        (r"norm", "norm"),
        # head.0 is a dropout.
        (r"logits", "head.1"),
    ),
)
