"""Residual networks as in torchvision: basic blocks in ResNet-18 and 34, bottlenecks in the others.

He et al., Deep Residual Learning for Image Recognition, arXiv 1512.03385, with the stride in the
3x3 convolution. keras.applications.ResNet50 is a different network: it has the stride in the 1x1
convolution, and its convolutions have biases.
"""

from collections.abc import Callable

import keras

from tfanon.models import layers


def basic_block(
    x: keras.KerasTensor, channels: int, stride: int = 1, name: str | None = None
) -> keras.KerasTensor:
    """Apply two 3x3 convolutions with a shortcut around them.

    Args:
        x: Features ``[N, H, W, C]``.
        channels: Channels of the result.
        stride: Stride of the first convolution.
        name: Prefix of the layers' names.

    Returns:
        Features ``[N, H / stride, W / stride, channels]``.
    """
    shortcut = x
    if stride > 1 or x.shape[-1] != channels:
        shortcut = layers.conv2d_bn(x, channels, 1, stride, relu=False, name=f"{name}_shortcut")
    x = layers.conv2d_bn(x, channels, 3, stride, name=f"{name}_a")
    x = layers.conv2d_bn(x, channels, 3, relu=False, name=f"{name}_b")
    return keras.layers.ReLU(name=name)(keras.layers.Add()([x, shortcut]))


def bottleneck(
    x: keras.KerasTensor, channels: int, stride: int = 1, name: str | None = None
) -> keras.KerasTensor:
    """Apply 1x1, 3x3 and 1x1 convolutions with a shortcut around them.

    Args:
        x: Features ``[N, H, W, C]``.
        channels: Channels of the 3x3 convolution.
        stride: Its stride.
        name: Prefix of the layers' names.

    Returns:
        Features ``[N, H / stride, W / stride, 4 * channels]``.
    """
    shortcut = x
    if stride > 1 or x.shape[-1] != 4 * channels:
        shortcut = layers.conv2d_bn(x, 4 * channels, 1, stride, relu=False, name=f"{name}_shortcut")
    x = layers.conv2d_bn(x, channels, 1, name=f"{name}_a")
    x = layers.conv2d_bn(x, channels, 3, stride, name=f"{name}_b")
    x = layers.conv2d_bn(x, 4 * channels, 1, relu=False, name=f"{name}_c")
    return keras.layers.ReLU(name=name)(keras.layers.Add()([x, shortcut]))


BLOCKS_BY_DEPTH = {  # the block, and how often each of the four stages repeats it
    18: (basic_block, (2, 2, 2, 2)),
    34: (basic_block, (3, 4, 6, 3)),
    50: (bottleneck, (3, 4, 6, 3)),
    101: (bottleneck, (3, 4, 23, 3)),
    152: (bottleneck, (3, 8, 36, 3)),
}


def extract_features(
    x: keras.KerasTensor,
    depth: int,
    pool: Callable[[keras.KerasTensor], keras.KerasTensor] = layers.max_pool2d,
) -> keras.KerasTensor:
    """Apply a residual network without its head.

    Args:
        x: Normalized images ``[N, H, W, 3]``.
        depth: A key of BLOCKS_BY_DEPTH.
        pool: Pooling after the stem, which halves H and W.

    Returns:
        Features ``[N, H / 32, W / 32, 512 or 2048]``.
    """
    block, repeats = BLOCKS_BY_DEPTH[depth]
    x = pool(layers.conv2d_bn(x, 64, 7, 2, name="stem"))
    for stage, count in enumerate(repeats):
        for index in range(count):
            stride = 2 if stage > 0 and index == 0 else 1
            x = block(x, 64 * 2**stage, stride, name=f"stage{stage + 1}_{index}")
    return x
