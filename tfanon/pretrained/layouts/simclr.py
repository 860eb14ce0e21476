"""Google's SimCLR checkpoints: version 1, and version 2 without selective kernels, at width 1.

TensorFlow 1 numbered layers in the order of their creation; the first block of each stage creates
its shortcut first. None of our heads matches theirs.
"""

import functools

from tfanon.models import resnet
from tfanon.pretrained.layout import Layout


def get_layer_name(path: str, network: str) -> str | None:
    """Return SimCLR's name of a layer.

    A convolution and its batch normalisation have the same number: stage2_0_b is
    base_model/conv2d_13.

    Args:
        path: Path of our layer.
        network: "resnet50", "resnet101" or "resnet152".
    """
    if path.startswith("projection"):
        return None
    name = path.removesuffix("_bn")
    depth = int(network.removeprefix("resnet"))
    # TensorFlow 1 names the first layer of a kind without a number.
    number = _list_convolutions(depth).index(name)
    kind = "batch_normalization" if path.endswith("_bn") else "conv2d"
    return f"base_model/{kind}_{number}" if number else f"base_model/{kind}"


@functools.cache
def _list_convolutions(depth: int) -> list[str]:
    """List our names of all convolutions in the order in which SimCLR creates them."""
    block, repeats = resnet.BLOCKS_BY_DEPTH[depth]
    letters = "abc" if block is resnet.bottleneck else "ab"
    names = ["stem"]
    for stage, count in enumerate(repeats, 1):
        # The shortcut is created before the convolutions of the block.
        names.append(f"stage{stage}_0_shortcut")
        for index in range(count):
            names += [f"stage{stage}_{index}_{letter}" for letter in letters]
    return names


LAYOUT = Layout(
    networks=("resnet50", "resnet101", "resnet152"),
    marker="base_model/conv2d/kernel",
    get_layer_name=get_layer_name,
    arguments={"variant": "simclr"},
    is_pytorch=False,
    # Heads that are not ours, and what the optimizer stored.
    ignored=(r"head_(contrastive|supervised)/.*", r"global_step", r".*/Momentum"),
)
