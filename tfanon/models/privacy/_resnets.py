"""f_B and f_B' as residual networks of any depth: normalization, features, average, head."""

import keras

from tfanon.models import layers, resnet
from tfanon.models.privacy import _heads

VARIANTS = ("torchvision", "simclr")


def build(
    depth: int,
    attributes: int | None = None,
    embedding: int | None = None,
    variant: str = "torchvision",
) -> keras.Model:
    """Build a residual network with a head.

    Args:
        depth: 18, 34, 50, 101 or 152.
        attributes: Number of private attributes, P, for f_B'.
        embedding: Size of the embedding, D, for f_B.
        variant: "torchvision" (also for VISSL's weights) normalizes as for ImageNet. "simclr", for
            Google's published checkpoints, takes pixels as they are and pads its pool below and to
            the right only.

    Returns:
        Network of images ``[N, H, W, 3]`` in [0, 1] to logits ``[N, P]`` or unit vectors
        ``[N, D]``, float32.

    Raises:
        ValueError: Not exactly one of `attributes` and `embedding` is given, or there is no such
            variant.
    """
    images = keras.Input((None, None, 3))
    x = extract_pooled_features(images, depth, variant)
    outputs = _heads.build_head(x, attributes, embedding, hidden=x.shape[-1])
    return keras.Model(images, outputs, name=f"resnet{depth}", dtype="float32")


def extract_pooled_features(
    images: keras.KerasTensor, depth: int, variant: str = "torchvision"
) -> keras.KerasTensor:
    """Apply a residual network without a head to images and average its features over space.

    Args:
        images: Images ``[N, H, W, 3]`` in [0, 1].
        depth: 18, 34, 50, 101 or 152.
        variant: "torchvision" or "simclr", see `build`.

    Returns:
        Features ``[N, 512 or 2048]``, float32.

    Raises:
        ValueError: There is no such variant.
    """
    if variant not in VARIANTS:
        raise ValueError(
            f"resnet{depth}: variant must be {' or '.join(VARIANTS)}, not '{variant}'."
        )
    if variant == "simclr":
        identity = layers.make_normalization((0.0,) * 3, (1.0,) * 3)
        pool = keras.layers.MaxPooling2D(3, 2, padding="same")
        x = resnet.extract_features(identity(images), depth, pool=pool)
    else:
        x = resnet.extract_features(layers.make_imagenet_normalization()(images), depth)
    return keras.layers.GlobalAveragePooling2D(dtype="float32")(x)
