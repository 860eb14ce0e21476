"""Anonymizers without weights: one layer on frames and clips, everywhere or inside regions."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfanon.core import component_spec
from tfanon.models import layers, per_frame


def build_fixed(name: str, layer: keras.layers.Layer, regions: str = "whole") -> keras.Model:
    """Build an f_A without weights.

    Args:
        name: Name of the anonymizer.
        layer: Layer of frames ``[N, H, W, 3]`` in [0, 1] to the same shape.
        regions: Spec of `tfanon.models.regions`; pixels outside the regions stay as they are.

    Returns:
        Network of frames and clips.

    Raises:
        ValueError: The regions cannot be built.
    """
    frames = keras.Input((None, None, 3))
    changed = layer(frames)
    if component_spec.build_component("regions", regions) is not None:
        changed = Inside(regions, dtype="float32")([frames, changed])
    return per_frame.PerFrame(keras.Model(frames, changed, name=name, dtype="float32"))


def check_range(name: str, setting: str, value: float, low: float, high: float) -> None:
    """Check that an option lies in low..high inclusive.

    Args:
        name: Name of the anonymizer, for the message.
        setting: Name of the option, for the message.
        value: Its value.
        low: Smallest value allowed.
        high: Largest value allowed.

    Raises:
        ValueError: It does not.
    """
    if not low <= value <= high:
        raise ValueError(f"{name}: {setting} must be in {low}..{high}, not {value}.")


@keras.saving.register_keras_serializable("tfanon")
class Inside(keras.layers.Layer):
    """Take changed frames inside regions and the original frames elsewhere.

    Args:
        regions: Spec of `tfanon.models.regions`.
        **kwargs: Arguments of keras.layers.Layer.
    """

    def __init__(self, regions: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.regions = regions
        self.find_regions = component_spec.build_component("regions", regions)

    def call(self, inputs: Sequence[tf.Tensor]) -> tf.Tensor:
        """Blend [frames, changed frames], each ``[N, H, W, 3]``."""
        frames, changed = inputs
        blended = tf.where(self.find_regions(frames), changed, frames)
        return layers.set_static_shape(blended, frames.shape)

    def compute_output_shape(self, input_shape: Sequence[Any]) -> Any:
        """Return the shape of the frames."""
        return input_shape[0]

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the layer."""
        return {**super().get_config(), "regions": self.regions}
