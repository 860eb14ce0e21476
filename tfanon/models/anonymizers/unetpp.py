"""f_A of the paper: UNet++ on a ResNet-18 encoder, as segmentation_models_pytorch 0.3.3 builds it at depth 4.

Zhou et al., arXiv 1807.10165. 5,505,059 parameters; 12.3 GMAC for a frame of 224 x 224.
Nodes are named as there: x00, x11, x22 decode the encoder's features E4 ... E1; x01, x12, x02 refine them; x03 returns
to the frame's size. No skip joins at full resolution, so the identity can be approached and not reached.
"""

import keras

from tfanon.models import layers, per_frame, resnet
from tfanon.models.anonymizers import _common

# node: (what is upsampled, what is concatenated behind it, channels)
NODES = {
    "x00": ("E4", ("E3",), 256),
    "x11": ("E3", ("E2",), 64),
    "x22": ("E2", ("E1",), 64),
    "x01": ("x00", ("x11", "E2"), 128),
    "x12": ("x11", ("x22", "E1"), 64),
    "x02": ("x01", ("x12", "x22", "E1"), 64),
    "x03": ("x02", (), 32),
}


def build(width=1.0, output="sigmoid"):
    """UNet++ for frames [N, H, W, 3] and clips [N, T, H, W, 3] in [0, 1], H and W multiples of 16.

    width: channels as a share of the paper's, above 0.
    output: "sigmoid" keeps the result in [0, 1]; "linear" is the authors' choice and does not.
    Raises ValueError for another output or width.
    """
    _common.check_options("unetpp", width, output)
    frames = keras.Input((None, None, 3))
    nodes = _build_encoder(frames, width)
    for name, (below, skips, channels) in NODES.items():
        nodes[name] = _decoder_node(
            nodes[below],
            [nodes[skip] for skip in skips],
            layers.scale_channels(channels, width),
            name,
        )
    x = layers.conv2d(nodes["x03"], 3, use_bias=True, initializer="glorot_uniform", name="head")
    network = keras.Model(
        frames, _common.apply_output_activation(x, output), name="unetpp", dtype="float32"
    )
    return per_frame.PerFrame(network, multiple=16)


def _build_encoder(frames, width):
    """ResNet-18 without its last stage: E1 at half the frame's size to E4 at a sixteenth."""
    x = layers.make_imagenet_normalization()(frames)
    nodes = {"E1": layers.conv2d_bn(x, layers.scale_channels(64, width), 7, 2, name="stem")}
    x = layers.max_pool2d(nodes["E1"])
    for stage, channels, stride in ((2, 64, 1), (3, 128, 2), (4, 256, 2)):
        x = resnet.basic_block(
            x, layers.scale_channels(channels, width), stride, name=f"E{stage}_0"
        )
        x = resnet.basic_block(x, layers.scale_channels(channels, width), 1, name=f"E{stage}_1")
        nodes[f"E{stage}"] = x
    return nodes


def _decoder_node(below, skips, channels, name):
    """One node: twice the size, the skips behind it, two convolutions."""
    x = keras.layers.UpSampling2D(2)(below)
    if skips:
        x = keras.layers.Concatenate()([x, *skips])
    x = layers.conv2d_bn(x, channels, initializer="he_uniform", name=f"{name}_0")
    return layers.conv2d_bn(x, channels, initializer="he_uniform", name=f"{name}_1")
