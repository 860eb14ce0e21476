"""Residual networks as torchvision has them: ResNet-18 and 34 of basic blocks, 50, 101 and 152 of bottlenecks.

He et al., Deep Residual Learning for Image Recognition, arXiv 1512.03385; the stride is in the 3x3 convolution.

keras.applications.ResNet50 is another network: it strides in the 1x1 convolution and its convolutions have biases.
"""

import keras

from tfanon.models import layers


def basic_block(x, channels, stride=1, name=None):
    """Two 3x3 convolutions beside a shortcut, [N, H, W, C] -> [N, H / stride, W / stride, channels]."""
    shortcut = x
    if stride > 1 or x.shape[-1] != channels:
        shortcut = layers.conv2d_bn(x, channels, 1, stride, relu=False, name=f"{name}_shortcut")
    x = layers.conv2d_bn(x, channels, 3, stride, name=f"{name}_a")
    x = layers.conv2d_bn(x, channels, 3, relu=False, name=f"{name}_b")
    return keras.layers.ReLU(name=name)(keras.layers.Add()([x, shortcut]))


def bottleneck(x, channels, stride=1, name=None):
    """1x1, 3x3 (which strides), 1x1 beside a shortcut, [N, H, W, C] -> [N, H / stride, W / stride, 4 * channels]."""
    shortcut = x
    if stride > 1 or x.shape[-1] != 4 * channels:
        shortcut = layers.conv2d_bn(x, 4 * channels, 1, stride, relu=False, name=f"{name}_shortcut")
    x = layers.conv2d_bn(x, channels, 1, name=f"{name}_a")
    x = layers.conv2d_bn(x, channels, 3, stride, name=f"{name}_b")
    x = layers.conv2d_bn(x, 4 * channels, 1, relu=False, name=f"{name}_c")
    return keras.layers.ReLU(name=name)(keras.layers.Add()([x, shortcut]))


BLOCKS_BY_DEPTH = {
    18: (basic_block, (2, 2, 2, 2)),
    34: (basic_block, (3, 4, 6, 3)),
    50: (bottleneck, (3, 4, 6, 3)),
    101: (bottleneck, (3, 4, 23, 3)),
    152: (bottleneck, (3, 8, 36, 3)),
}


def extract_features(x, depth, pool=layers.max_pool2d):
    """Normalised images [N, H, W, 3] -> [N, H / 32, W / 32, 512 or 2048].

    depth: a key of DEPTHS.  pool: what follows the stem, which halves H and W.
    """
    block, repeats = BLOCKS_BY_DEPTH[depth]
    x = pool(layers.conv2d_bn(x, 64, 7, 2, name="stem"))
    for stage, count in enumerate(repeats):
        for index in range(count):
            stride = 2 if stage > 0 and index == 0 else 1
            x = block(x, 64 * 2**stage, stride, name=f"stage{stage + 1}_{index}")
    return x
