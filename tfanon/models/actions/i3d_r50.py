"""f_T of the paper ("largei3d"): I3D-ResNet-50, as in Facebook's non-local baseline for Kinetics-400, 32 x 2.

Wang et al., Non-local Neural Networks, arXiv 1711.07971. 28,043,472 parameters with 400 classes; 16.4 GMAC for a clip of
16 x 224 x 224. Where the pattern below says 1, a bottleneck's first convolution looks at three frames; every other one is
flat in time.
"""

import keras

from tfanon.models import layers, layers_3d

VARIANTS = ("nonlocal", "pytorchvideo")

STAGES = (  # channels, spatial stride, which bottlenecks look at time
    (64, 1, (1, 1, 1)),
    (128, 2, (1, 0, 1, 0)),
    (256, 2, (1, 0, 1, 0, 1, 0)),
    (512, 2, (0, 1, 0)),
)


def build(classes, variant="nonlocal"):
    """Clips [N, T, H, W, 3] in [0, 1], T from 7 and H, W from 32 on -> logits [N, classes] float32.

    variant: "nonlocal" halves time in the stem and in its pool, "pytorchvideo" in neither (8 x 8; T from 2, 4 times the
    multiply-adds) and pads that pool. The published weights of both expect (255 x - 114.75) / 57.375, which is done here;
    the authors' code left it out.
    Raises ValueError for another variant.
    """
    if variant not in VARIANTS:
        raise ValueError(f"i3d_r50's variant is {' or '.join(VARIANTS)}, not '{variant}'.")
    clips = keras.Input((None, None, None, 3))
    x = layers.make_normalization((114.75 / 255,) * 3, (57.375 / 255,) * 3)(clips)
    if variant == "nonlocal":
        x = layers_3d.conv3d_bn(x, 64, (5, 7, 7), (2, 2, 2), name="stem")
        x = keras.layers.MaxPooling3D((2, 3, 3), (2, 2, 2))(x)
    else:
        x = layers_3d.conv3d_bn(x, 64, (5, 7, 7), (1, 2, 2), name="stem")
        x = keras.layers.ZeroPadding3D((0, 1, 1))(x)  # of features >= 0: as good as -inf
        x = keras.layers.MaxPooling3D((1, 3, 3), (1, 2, 2))(x)
    for index, (channels, stride, pattern) in enumerate(STAGES, 1):
        for place, time in enumerate(pattern):
            x = _bottleneck_3d(
                x, channels, stride if place == 0 else 1, time, f"stage{index}_{place}"
            )
        if index == 1:
            x = keras.layers.MaxPooling3D((2, 1, 1))(x)
    x = keras.layers.GlobalAveragePooling3D(dtype="float32")(x)
    x = keras.layers.Dropout(0.5)(x)
    logits = keras.layers.Dense(classes, dtype="float32", name="logits")(x)
    return keras.Model(clips, logits, name="i3d_r50", dtype="float32")


def _bottleneck_3d(x, channels, stride, time, name):
    """3x1x1 or 1x1x1, 1x3x3 (which strides), 1x1x1 beside a shortcut."""
    shortcut = x
    if x.shape[-1] != 4 * channels:
        shortcut = layers_3d.conv3d_bn(
            x, 4 * channels, (1, 1, 1), (1, stride, stride), False, f"{name}_shortcut"
        )
    x = layers_3d.conv3d_bn(x, channels, (1 + 2 * time, 1, 1), name=f"{name}_a")
    x = layers_3d.conv3d_bn(x, channels, (1, 3, 3), (1, stride, stride), name=f"{name}_b")
    x = layers_3d.conv3d_bn(x, 4 * channels, (1, 1, 1), relu=False, name=f"{name}_c")
    return keras.layers.ReLU(name=name)(keras.layers.Add()([x, shortcut]))
