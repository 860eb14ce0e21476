"""f_A of VITA (Wu et al., arXiv 1906.05675): the residual image transform net of fast style transfer.

1,677,638 parameters; 6.3 GMAC for a frame of 224 x 224. Instance normalisation stands behind the last convolution too,
so each colour of each frame comes out with a mean and a contrast that the network chose, not the frame.
"""

import keras

from tfanon.models import layers, per_frame
from tfanon.models.anonymizers import _common


def build(width=1.0, output="sigmoid"):
    """StyleNet for frames [N, H, W, 3] and clips [N, T, H, W, 3] in [0, 1], H and W multiples of 4.

    width: channels as a share of VITA's, above 0.  output: "sigmoid" is VITA's (tanh(x) + 1) / 2, which is the sigmoid
    of 2 x; "linear" leaves it away.
    Raises ValueError for another output or width.
    """
    _common.check_options("stylenet", width, output)
    narrow, middle, wide = (layers.scale_channels(channels, width) for channels in (32, 64, 128))
    frames = keras.Input((None, None, 3))
    x = keras.layers.Rescaling(255.0, dtype="float32", name="normalize")(frames)
    x = _conv_norm(x, narrow, 9, name="conv1")
    x = _downsample(x, middle, name="conv2")
    x = _downsample(x, wide, name="conv3")
    for index in range(1, 6):
        y = _conv_norm(x, wide, 3, name=f"residual{index}_a")
        x = keras.layers.Add()([x, _conv_norm(y, wide, 3, relu=False, name=f"residual{index}_b")])
    x = _upsample(x, middle, name="conv_t1")
    x = _upsample(x, narrow, name="conv_t2")
    x = _conv_norm(x, 3, 9, relu=False, name="conv_t3")
    x = keras.layers.Rescaling(2.0, dtype="float32")(x) if output == "sigmoid" else x
    network = keras.Model(
        frames, _common.apply_output_activation(x, output), name="stylenet", dtype="float32"
    )
    return per_frame.PerFrame(network, multiple=4)


def _kernel_initializer():
    return keras.initializers.TruncatedNormal(stddev=0.1)


def _conv_norm(x, channels, kernel, relu=True, name=None):
    x = layers.conv2d(x, channels, kernel, initializer=_kernel_initializer(), name=name)
    return _instance_norm(x, relu, name)


def _downsample(x, channels, name):
    """3x3 at stride 2 with TensorFlow's "same": of an even size only the last row and column are padded."""
    x = keras.layers.ZeroPadding2D(((0, 1), (0, 1)))(x)
    x = layers.Conv2D(
        channels,
        3,
        2,
        padding="valid",
        use_bias=False,
        kernel_initializer=_kernel_initializer(),
        name=name,
    )(x)
    return _instance_norm(x, True, name)


def _upsample(x, channels, name):
    """3x3, transposed at stride 2."""
    x = keras.layers.Conv2DTranspose(
        channels,
        3,
        2,
        padding="same",
        use_bias=False,
        kernel_initializer=_kernel_initializer(),
        name=name,
    )(x)
    return _instance_norm(x, True, name)


def _instance_norm(x, relu, name):
    """Instance normalisation, and ReLU where asked for."""
    x = keras.layers.GroupNormalization(groups=-1, epsilon=1e-3, name=f"{name}_norm")(x)
    return keras.layers.ReLU()(x) if relu else x
