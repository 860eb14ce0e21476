"""I3D-ResNet-50, the paper's f_T ("largei3d"): Facebook's non-local baseline for Kinetics-400.

Wang et al., Non-local Neural Networks, arXiv 1711.07971; clips of 32 frames at stride 2.
28,043,472 parameters with 400 classes; 16.4 GMAC for a clip of 16 x 224 x 224.
"""

import keras

from tfanon.models import layers, layers_3d

VARIANTS = ("nonlocal", "pytorchvideo")

# Channels, stride over space, and for each bottleneck whether its first convolution spans three
# frames (1) or one (0). All other convolutions span one frame.
STAGES = (
    (64, 1, (1, 1, 1)),
    (128, 2, (1, 0, 1, 0)),
    (256, 2, (1, 0, 1, 0, 1, 0)),
    (512, 2, (0, 1, 0)),
)


def build(classes: int, variant: str = "nonlocal") -> keras.Model:
    """Build I3D-ResNet-50.

    The published weights of both variants expect (255 x - 114.75) / 57.375, which the network
    computes itself; the paper's released code left it out.

    Args:
        classes: Number of actions, K.
        variant: "nonlocal" halves time in the stem and in the pool after it. "pytorchvideo" (8
            frames at stride 8) halves it in neither, which takes four times the multiply-adds, and
            pads that pool.

    Returns:
        Network of clips ``[N, T, H, W, 3]`` in [0, 1], T at least 7 (2 for "pytorchvideo"), H and W
        at least 32, to logits ``[N, K]``, float32.

    Raises:
        ValueError: There is no such variant.
    """
    if variant not in VARIANTS:
        raise ValueError(f"i3d_r50: variant must be {' or '.join(VARIANTS)}, not '{variant}'.")
    clips = keras.Input((None, None, None, 3))
    x = layers.make_normalization((114.75 / 255,) * 3, (57.375 / 255,) * 3)(clips)
    if variant == "nonlocal":
        x = layers_3d.conv3d_bn(x, 64, (5, 7, 7), (2, 2, 2), name="stem")
        x = keras.layers.MaxPooling3D((2, 3, 3), (2, 2, 2))(x)
    else:
        x = layers_3d.conv3d_bn(x, 64, (5, 7, 7), (1, 2, 2), name="stem")
        # Features are at least 0 after a ReLU, so padding with 0 equals padding with -inf.
        x = keras.layers.ZeroPadding3D((0, 1, 1))(x)
        x = keras.layers.MaxPooling3D((1, 3, 3), (1, 2, 2))(x)
    for stage, (channels, stage_stride, time_pattern) in enumerate(STAGES, 1):
        for index, spans_time in enumerate(time_pattern):
            stride = stage_stride if index == 0 else 1
            x = _bottleneck_3d(x, channels, stride, spans_time, f"stage{stage}_{index}")
        if stage == 1:
            x = keras.layers.MaxPooling3D((2, 1, 1))(x)
    x = keras.layers.GlobalAveragePooling3D(dtype="float32")(x)
    x = keras.layers.Dropout(0.5)(x)
    logits = keras.layers.Dense(classes, dtype="float32", name="logits")(x)
    return keras.Model(clips, logits, name="i3d_r50", dtype="float32")


def _bottleneck_3d(
    x: keras.KerasTensor, channels: int, stride: int, spans_time: int, name: str
) -> keras.KerasTensor:
    """3x1x1 or 1x1x1, 1x3x3 with the stride, and 1x1x1 with a shortcut around them."""
    shortcut = x
    if x.shape[-1] != 4 * channels:
        shortcut = layers_3d.conv3d_bn(
            x, 4 * channels, (1, 1, 1), (1, stride, stride), False, f"{name}_shortcut"
        )
    x = layers_3d.conv3d_bn(x, channels, (1 + 2 * spans_time, 1, 1), name=f"{name}_a")
    x = layers_3d.conv3d_bn(x, channels, (1, 3, 3), (1, stride, stride), name=f"{name}_b")
    x = layers_3d.conv3d_bn(x, 4 * channels, (1, 1, 1), relu=False, name=f"{name}_c")
    return keras.layers.ReLU(name=name)(keras.layers.Add()([x, shortcut]))
