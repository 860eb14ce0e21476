"""A UNet++ for phones: depthwise separable convolutions, ReLU6, nearest neighbours, nothing that quantizes badly.

141,083 parameters; 0.48 GMAC for a frame of 224 x 224, a twenty-sixth of `unetpp`, whose nodes it has. Convolutions are
whole where there are few channels (stem and head): there a separable one saves no time.
"""

import keras

from tfanon.models import layers, per_frame
from tfanon.models.anonymizers import _common, unetpp

ENCODER_STAGES = {
    "E2": (32, 2),
    "E3": (64, 2),
    "E4": (128, 2),
}  # channels, blocks behind the halving one
DECODER_CHANNELS = {"x00": 96, "x11": 48, "x22": 32, "x01": 64, "x12": 32, "x02": 32, "x03": 24}


def build(width=1.0, output="sigmoid"):
    """Mobile UNet++ for frames [N, H, W, 3] and clips [N, T, H, W, 3] in [0, 1], H and W multiples of 16.

    width: channels as a share of those above, above 0.  output: "sigmoid" or "linear".
    Raises ValueError for another output or width.
    """
    _common.check_options("unetpp_mobile", width, output)
    frames = keras.Input((None, None, 3))
    x = layers.make_normalization((0.5,) * 3, (0.5,) * 3)(frames)
    nodes = {
        "E1": _relu6(
            layers.conv2d_bn(x, layers.scale_channels(24, width), 3, 2, relu=False, name="stem")
        )
    }
    x = nodes["E1"]
    for name, (channels, blocks) in ENCODER_STAGES.items():
        x = _separable_conv(x, layers.scale_channels(channels, width), 2, f"{name}_0")
        for index in range(1, blocks + 1):
            x = keras.layers.Add()([x, _separable_conv(x, x.shape[-1], 1, f"{name}_{index}")])
        nodes[name] = x
    for name, (below, skips, _) in unetpp.NODES.items():
        x = keras.layers.UpSampling2D(2)(nodes[below])  # nearest: a copy, exact in 8 bits
        x = keras.layers.Concatenate()([x, *(nodes[skip] for skip in skips)]) if skips else x
        x = _separable_conv(x, layers.scale_channels(DECODER_CHANNELS[name], width), 1, f"{name}_0")
        nodes[name] = _separable_conv(x, x.shape[-1], 1, f"{name}_1")
    x = layers.conv2d(nodes["x03"], 3, use_bias=True, initializer="glorot_uniform", name="head")
    network = keras.Model(
        frames, _common.apply_output_activation(x, output), name="unetpp_mobile", dtype="float32"
    )
    return per_frame.PerFrame(network, multiple=16)


def _separable_conv(x, channels, stride, name):
    """3x3 of each channel by itself, then 1x1 over all of them; each with batch normalisation and ReLU6."""
    x = keras.layers.DepthwiseConv2D(
        3,
        stride,
        padding="same",
        use_bias=False,
        depthwise_initializer="he_uniform",
        name=f"{name}_depthwise",
    )(x)
    x = _relu6(layers.batch_norm(f"{name}_depthwise_bn")(x))
    return _relu6(layers.conv2d_bn(x, channels, 1, relu=False, name=f"{name}_pointwise"))


def _relu6(x):
    return keras.layers.ReLU(max_value=6.0)(x)
