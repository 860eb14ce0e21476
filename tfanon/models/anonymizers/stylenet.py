"""f_A of VITA (Wu et al., arXiv 1906.05675): the network of fast style transfer.

1,677,638 parameters; 6.3 GMAC for a frame of 224 x 224. Instance normalization follows the last
convolution too, so the mean and contrast of each color are the network's choice and not the
frame's.
"""

import keras

from tfanon.models import layers, per_frame
from tfanon.models.anonymizers import _common


def build(width: float = 1.0, output: str = "sigmoid") -> keras.Model:
    """Build StyleNet.

    Args:
        width: Channels relative to VITA's, above 0.
        output: "sigmoid" for VITA's (tanh(x) + 1) / 2, which is the sigmoid of 2 x; "linear" for
            no activation.

    Returns:
        Network of frames ``[N, H, W, 3]`` and clips ``[N, T, H, W, 3]`` in [0, 1], H and W
        multiples of 4.

    Raises:
        ValueError: `width` or `output` is out of range.
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
        y = _conv_norm(y, wide, 3, relu=False, name=f"residual{index}_b")
        x = keras.layers.Add()([x, y])
    x = _upsample(x, middle, name="conv_t1")
    x = _upsample(x, narrow, name="conv_t2")
    x = _conv_norm(x, 3, 9, relu=False, name="conv_t3")
    if output == "sigmoid":
        x = keras.layers.Rescaling(2.0, dtype="float32")(x)
    network = keras.Model(
        frames, _common.apply_output_activation(x, output), name="stylenet", dtype="float32"
    )
    return per_frame.PerFrame(network, multiple=4)


def _kernel_initializer() -> keras.initializers.Initializer:
    return keras.initializers.TruncatedNormal(stddev=0.1)


def _conv_norm(
    x: keras.KerasTensor, channels: int, kernel: int, relu: bool = True, name: str | None = None
) -> keras.KerasTensor:
    """Convolution, instance normalization and, with `relu`, a ReLU."""
    x = layers.conv2d(x, channels, kernel, initializer=_kernel_initializer(), name=name)
    return _instance_norm(x, relu, name)


def _downsample(x: keras.KerasTensor, channels: int, name: str) -> keras.KerasTensor:
    """3x3 convolution at stride 2 with TensorFlow's "same" padding and instance normalization.

    For even sizes that pads below and to the right only.
    """
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


def _upsample(x: keras.KerasTensor, channels: int, name: str) -> keras.KerasTensor:
    """Transposed 3x3 convolution at stride 2 and instance normalization."""
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


def _instance_norm(x: keras.KerasTensor, relu: bool, name: str | None) -> keras.KerasTensor:
    """Instance normalization and, with `relu`, a ReLU."""
    x = keras.layers.GroupNormalization(groups=-1, epsilon=1e-3, name=f"{name}_norm")(x)
    return keras.layers.ReLU()(x) if relu else x
