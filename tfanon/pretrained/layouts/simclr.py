"""Google's SimCLR checkpoints, version 1 and version 2 without selective kernels, at width 1; no head of ours.

TensorFlow 1 numbered its layers in the order in which they were made: in each stage's first block the shortcut first.
"""

import functools

from tfanon.models import resnet
from tfanon.pretrained.layout import Layout


def get_layer_name(path, network):
    """stage2_0_b -> base_model/conv2d_13, and its batch normalisation with the same number."""
    if path.startswith("projection"):
        return None
    name = path.removesuffix("_bn")
    number = _list_convolutions(int(network.removeprefix("resnet"))).index(name)
    kind = "batch_normalization" if path.endswith("_bn") else "conv2d"
    return f"base_model/{kind}" + (f"_{number}" if number else "")


@functools.cache
def _list_convolutions(depth):
    """Our names of all convolutions as SimCLR makes them."""
    block, repeats = resnet.BLOCKS_BY_DEPTH[depth]
    letters = "abc" if block is resnet.bottleneck else "ab"
    blocks = [(stage, place) for stage, count in enumerate(repeats, 1) for place in range(count)]
    return ["stem"] + [
        f"stage{stage}_{place}_{part}"
        for stage, place in blocks
        for part in (*(["shortcut"] if place == 0 else []), *letters)
    ]


LAYOUT = Layout(
    networks=("resnet50", "resnet101", "resnet152"),
    marker="base_model/conv2d/kernel",
    layer=get_layer_name,
    arguments={"variant": "simclr"},
    is_pytorch=False,
    ignored=(r"head_(contrastive|supervised)/.*", r"global_step", r".*/Momentum"),
)
