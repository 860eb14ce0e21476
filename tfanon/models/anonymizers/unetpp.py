"""f_A of the paper: UNet++ on a ResNet-18 encoder.

Zhou et al., arXiv 1807.10165, as in segmentation_models_pytorch 0.3.3 at depth 4.
5,505,059 parameters; 12.3 GMAC for a frame of 224 x 224.

The nodes are named as in that library: x00, x11 and x22 decode the encoder's features E4 to E1;
x01, x12 and x02 refine them; x03 returns to the frame's size. No skip joins at full resolution, so
the network can come close to the identity but not reach it.
"""

import keras

from tfanon.models import layers, per_frame, resnet
from tfanon.models.anonymizers import _common

# Node: (node that is upsampled, nodes that are concatenated with it, channels).
NODES: dict[str, tuple[str, tuple[str, ...], int]] = {
    "x00": ("E4", ("E3",), 256),
    "x11": ("E3", ("E2",), 64),
    "x22": ("E2", ("E1",), 64),
    "x01": ("x00", ("x11", "E2"), 128),
    "x12": ("x11", ("x22", "E1"), 64),
    "x02": ("x01", ("x12", "x22", "E1"), 64),
    "x03": ("x02", (), 32),
}


def build(width: float = 1.0, output: str = "sigmoid") -> keras.Model:
    """Build UNet++.

    Args:
        width: Channels relative to the paper's, above 0.
        output: "sigmoid" keeps the result in [0, 1]; "linear", as in the paper's code, does not.

    Returns:
        Network of frames ``[N, H, W, 3]`` and clips ``[N, T, H, W, 3]`` in [0, 1], H and W
        multiples of 16.

    Raises:
        ValueError: `width` or `output` is out of range.
    """
    _common.check_options("unetpp", width, output)
    frames = keras.Input((None, None, 3))
    nodes = _build_encoder(frames, width)
    for name, (below, skips, channels) in NODES.items():
        skip_features = [nodes[skip] for skip in skips]
        scaled = layers.scale_channels(channels, width)
        nodes[name] = _decoder_node(nodes[below], skip_features, scaled, name)
    x = layers.conv2d(nodes["x03"], 3, use_bias=True, initializer="glorot_uniform", name="head")
    network = keras.Model(
        frames, _common.apply_output_activation(x, output), name="unetpp", dtype="float32"
    )
    return per_frame.PerFrame(network, multiple=16)


def _build_encoder(frames: keras.KerasTensor, width: float) -> dict[str, keras.KerasTensor]:
    """ResNet-18 without its last stage: E1 at half the frame's size to E4 at a sixteenth."""
    x = layers.make_imagenet_normalization()(frames)
    stem = layers.conv2d_bn(x, layers.scale_channels(64, width), 7, 2, name="stem")
    nodes = {"E1": stem}
    x = layers.max_pool2d(stem)
    for stage, channels, stride in ((2, 64, 1), (3, 128, 2), (4, 256, 2)):
        scaled = layers.scale_channels(channels, width)
        x = resnet.basic_block(x, scaled, stride, name=f"E{stage}_0")
        x = resnet.basic_block(x, scaled, 1, name=f"E{stage}_1")
        nodes[f"E{stage}"] = x
    return nodes


def _decoder_node(
    below: keras.KerasTensor, skips: list[keras.KerasTensor], channels: int, name: str
) -> keras.KerasTensor:
    """One node: upsampling to twice the size, concatenation with the skips, two convolutions."""
    x = keras.layers.UpSampling2D(2)(below)
    if skips:
        x = keras.layers.Concatenate()([x, *skips])
    x = layers.conv2d_bn(x, channels, initializer="he_uniform", name=f"{name}_0")
    return layers.conv2d_bn(x, channels, initializer="he_uniform", name=f"{name}_1")
