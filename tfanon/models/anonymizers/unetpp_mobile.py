"""A UNet++ for phones: depthwise separable convolutions, ReLU6 and nearest-neighbor upsampling.

141,083 parameters; 0.48 GMAC for a frame of 224 x 224, a twenty-sixth of `unetpp`, whose nodes it
has. All operations quantize well. Convolutions with few channels (stem and head) are not separable
because that would save no time there.
"""

import keras

from tfanon.models import layers, per_frame
from tfanon.models.anonymizers import _common, unetpp

STEM_CHANNELS = 24
ENCODER_STAGES = {"E2": (32, 2), "E3": (64, 2), "E4": (128, 2)}  # channels, residual blocks
DECODER_CHANNELS = {"x00": 96, "x11": 48, "x22": 32, "x01": 64, "x12": 32, "x02": 32, "x03": 24}


def build(width: float = 1.0, output: str = "sigmoid") -> keras.Model:
    """Build the mobile UNet++.

    Args:
        width: Channels relative to those above, above 0.
        output: "sigmoid" or "linear".

    Returns:
        Network of frames ``[N, H, W, 3]`` and clips ``[N, T, H, W, 3]`` in [0, 1], H and W
        multiples of 16.

    Raises:
        ValueError: `width` or `output` is out of range.
    """
    _common.check_options("unetpp_mobile", width, output)
    frames = keras.Input((None, None, 3))
    x = layers.make_normalization((0.5,) * 3, (0.5,) * 3)(frames)
    scaled = layers.scale_channels(STEM_CHANNELS, width)
    x = _relu6(layers.conv2d_bn(x, scaled, 3, 2, relu=False, name="stem"))
    nodes = {"E1": x}
    for name, (channels, blocks) in ENCODER_STAGES.items():
        x = _separable_conv(x, layers.scale_channels(channels, width), 2, f"{name}_0")
        for index in range(1, blocks + 1):
            y = _separable_conv(x, x.shape[-1], 1, f"{name}_{index}")
            x = keras.layers.Add()([x, y])
        nodes[name] = x
    for name, (below, skips, _) in unetpp.NODES.items():
        # Nearest neighbors are copies, exact in 8 bits.
        x = keras.layers.UpSampling2D(2)(nodes[below])
        if skips:
            x = keras.layers.Concatenate()([x, *(nodes[skip] for skip in skips)])
        scaled = layers.scale_channels(DECODER_CHANNELS[name], width)
        x = _separable_conv(x, scaled, 1, f"{name}_0")
        nodes[name] = _separable_conv(x, x.shape[-1], 1, f"{name}_1")
    x = layers.conv2d(nodes["x03"], 3, use_bias=True, initializer="glorot_uniform", name="head")
    network = keras.Model(
        frames, _common.apply_output_activation(x, output), name="unetpp_mobile", dtype="float32"
    )
    return per_frame.PerFrame(network, multiple=16)


def _separable_conv(
    x: keras.KerasTensor, channels: int, stride: int, name: str
) -> keras.KerasTensor:
    """Depthwise 3x3 and pointwise 1x1 convolution, each with batch normalization and ReLU6."""
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


def _relu6(x: keras.KerasTensor) -> keras.KerasTensor:
    return keras.layers.ReLU(max_value=6.0)(x)
