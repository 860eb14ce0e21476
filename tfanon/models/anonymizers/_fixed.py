"""What the fixed anonymizers share: one layer on frames and clips, everywhere or inside regions alone."""

import keras
import tensorflow as tf

from tfanon.core import component_spec
from tfanon.models import layers, per_frame


def build_fixed(name, layer, regions="whole"):
    """An f_A without weights.

    layer: keras layer, frames [N, H, W, 3] in [0, 1] -> the same shape.  regions: a spec of tfanon/models/regions.
    Raises ValueError where the regions cannot be had.
    """
    frames = keras.Input((None, None, 3))
    changed = layer(frames)
    if component_spec.build_component("regions", regions) is not None:
        changed = BlendRegions(regions, dtype="float32")([frames, changed])
    return per_frame.PerFrame(keras.Model(frames, changed, name=name, dtype="float32"))


def check_range(name, setting, value, low, high):
    """Raises ValueError where a setting is out of its range, low..high inclusive."""
    if not low <= value <= high:
        raise ValueError(f"{name}: {setting} must be in {low}..{high}, not {value}.")


@keras.saving.register_keras_serializable("tfanon")
class BlendRegions(keras.layers.Layer):
    """[frames, changed frames] -> the changed ones where a region is, the others elsewhere.  regions: a spec."""

    def __init__(self, regions, **kwargs):
        super().__init__(**kwargs)
        self.regions = regions
        self.find_regions = component_spec.build_component("regions", regions)

    def call(self, inputs):
        frames, changed = inputs
        return layers.set_static_shape(
            tf.where(self.find_regions(frames), changed, frames), frames.shape
        )

    def compute_output_shape(self, input_shape):
        return input_shape[0]

    def get_config(self):
        return {**super().get_config(), "regions": self.regions}
