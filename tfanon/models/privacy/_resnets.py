"""f_B and f_B' as residual networks of any depth: normalisation, features, average, head."""

import keras

from tfanon.models import layers, resnet
from tfanon.models.privacy import _heads

VARIANTS = ("torchvision", "simclr")


def build(depth, attributes=None, embedding=None, variant="torchvision"):
    """Images [N, H, W, 3] in [0, 1] -> logits [N, attributes], or unit vectors [N, embedding].

    depth: 18, 34, 50, 101 or 152.  variant: "torchvision" (also VISSL's) normalises as for ImageNet; "simclr", as in
    Google's published checkpoints, takes pixels as they are and pads its pool below and to the right only.
    Raises ValueError unless exactly one of `attributes` and `embedding` is given, and for another variant.
    """
    images = keras.Input((None, None, 3))
    x = extract_pooled_features(images, depth, variant)
    outputs = _heads.build_head(x, attributes, embedding, hidden=x.shape[-1])
    return keras.Model(images, outputs, name=f"resnet{depth}", dtype="float32")


def extract_pooled_features(images, depth, variant="torchvision"):
    """[N, H, W, 3] in [0, 1] -> [N, 512 or 2048] float32."""
    if variant not in VARIANTS:
        raise ValueError(f"A resnet's variant is {' or '.join(VARIANTS)}, not '{variant}'.")
    if variant == "simclr":
        x = resnet.extract_features(
            layers.make_normalization((0.0,) * 3, (1.0,) * 3)(images),
            depth,
            pool=keras.layers.MaxPooling2D(3, 2, padding="same"),
        )
    else:
        x = resnet.extract_features(layers.make_imagenet_normalization()(images), depth)
    return keras.layers.GlobalAveragePooling2D(dtype="float32")(x)
