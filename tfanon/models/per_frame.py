"""A network of frames that also takes clips, and a clip's frames as a batch."""

import keras
import tensorflow as tf

from tfanon.models import layers


def merge_time(x):
    """[N, T, H, W, C] -> [N * T, H, W, C]."""
    size = tf.shape(x)
    return layers.set_static_shape(
        tf.reshape(x, tf.concat([[-1], size[2:]], 0)), [None, *x.shape[2:]]
    )


def split_time(y, like):
    """[N * T, H, W, C] -> [N, T, H, W, C] with N and T of `like`."""
    size = tf.concat([tf.shape(like)[:2], tf.shape(y)[1:]], 0)
    return layers.set_static_shape(tf.reshape(y, size), [*like.shape[:2], *y.shape[1:]])


def check_frame_shape(name, shape, multiple):
    """Raises ValueError unless `shape` is that of frames or clips whose H and W network `name` can take."""
    if len(shape) not in (4, 5) or shape[-1] != 3:
        raise ValueError(
            f"{name} takes frames [N, H, W, 3] or clips [N, T, H, W, 3], not {tuple(shape)}."
        )
    for side, pixels in zip("HW", shape[-3:-1]):
        if pixels is not None and pixels % multiple:
            near = max(1, round(pixels / multiple)) * multiple
            raise ValueError(
                f"{name} halves frames until {multiple} pixels are one: {side} must be a multiple of "
                f"{multiple}, not {pixels} (H x W is {shape[-3]} x {shape[-2]}); {near} would do."
            )


@keras.saving.register_keras_serializable("tfanon")
class PerFrame(keras.Model):
    """Every frame of a clip is treated alike: f(clip)[t] = f(clip[t]).

    network: keras.Model, [N, H, W, 3] in [0, 1] -> the same shape.  multiple: what H and W must be divisible by.
    """

    def __init__(self, network, multiple=1, **kwargs):
        # float32: under a mixed policy the layers inside cast for themselves, and pixels keep all their bits till then
        super().__init__(**{"name": network.name, "dtype": "float32", **kwargs})
        self.network = network
        self.multiple = multiple
        self(keras.Input((None, None, 3)))

    def call(self, x, training=False):
        """x: [N, H, W, 3] or [N, T, H, W, 3] float32 in [0, 1].  Returns the same shape, float32.

        Raises ValueError where H or W is not a multiple of `self.multiple`.
        """
        check_frame_shape(self.name, x.shape, self.multiple)
        if len(x.shape) == 4:
            return layers.set_static_shape(self.network(x, training=training), x.shape)
        return layers.set_static_shape(
            split_time(self.network(merge_time(x), training=training), x), x.shape
        )

    def compute_output_shape(self, input_shape, **_):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "network": keras.saving.serialize_keras_object(self.network),
            "multiple": self.multiple,
        }

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config.pop("network")), **config)


@keras.saving.register_keras_serializable("tfanon")
class OverTime(keras.Model):
    """A judge of images that also judges clips: features of every frame, averaged over time, then one head.

    features: keras.Model, images [N, H, W, 3] -> [N, F].  head: keras.Model, [N, F] -> [N, outputs].
    """

    video = True  # it takes whole clips

    def __init__(self, features, head, **kwargs):
        super().__init__(**{"name": features.name, "dtype": "float32", **kwargs})
        self.features = features
        self.head = head
        self(keras.Input((None, None, 3)))

    def call(self, x, training=False):
        """x: [N, H, W, 3] or [N, T, H, W, 3] float32 in [0, 1].  Returns [N, outputs]; an image is a clip of one frame."""
        if len(x.shape) == 4:
            return self.head(self.features(x, training=training), training=training)
        features = split_time(self.features(merge_time(x), training=training), x)
        return self.head(tf.reduce_mean(features, axis=1), training=training)

    def compute_output_shape(self, input_shape, **_):
        return (input_shape[0], self.head.output_shape[-1])

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "features": serialize(self.features),
            "head": serialize(self.head),
        }

    @classmethod
    def from_config(cls, config):
        deserialize = keras.saving.deserialize_keras_object
        return cls(deserialize(config.pop("features")), deserialize(config.pop("head")), **config)
