"""Networks of frames that also take clips, and the frames of clips as a batch."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfanon.models import layers


def merge_time(x: tf.Tensor) -> tf.Tensor:
    """Reshape clips ``[N, T, H, W, C]`` to frames ``[N * T, H, W, C]``."""
    size = tf.shape(x)
    frames = tf.reshape(x, tf.concat([[-1], size[2:]], 0))
    return layers.set_static_shape(frames, [None, *x.shape[2:]])


def split_time(y: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
    """Reshape ``[N * T, ...]`` to ``[N, T, ...]`` with N and T of the clips `like`."""
    size = tf.concat([tf.shape(like)[:2], tf.shape(y)[1:]], 0)
    return layers.set_static_shape(tf.reshape(y, size), [*like.shape[:2], *y.shape[1:]])


def check_frame_shape(name: str, shape: Sequence[int | None], multiple: int) -> None:
    """Check that a network can take frames or clips of this shape.

    Args:
        name: Name of the network, for the message.
        shape: Static shape of its input, None for unknown sizes.
        multiple: What H and W must be divisible by.

    Raises:
        ValueError: The shape is not of frames or clips, or H or W is not such a multiple.
    """
    if len(shape) not in (4, 5) or shape[-1] != 3:
        raise ValueError(
            f"{name} takes frames [N, H, W, 3] or clips [N, T, H, W, 3], not {tuple(shape)}."
        )
    for side, pixels in zip("HW", shape[-3:-1], strict=True):
        if pixels is not None and pixels % multiple:
            nearest = max(1, round(pixels / multiple)) * multiple
            raise ValueError(
                f"{name}: {side} must be a multiple of {multiple}, not {pixels} "
                f"(H x W is {shape[-3]} x {shape[-2]}). The nearest is {nearest}."
            )


@keras.saving.register_keras_serializable("tfanon")
class PerFrame(keras.Model):
    """A network of frames that treats every frame of a clip alike: f(clip)[t] = f(clip[t]).

    Args:
        network: keras.Model of frames ``[N, H, W, 3]`` in [0, 1] to the same shape.
        multiple: What H and W must be divisible by.
        **kwargs: Arguments of keras.Model.
    """

    def __init__(self, network: keras.Model, multiple: int = 1, **kwargs: Any) -> None:
        # Pixels stay float32 under a mixed policy: the layers inside cast for themselves.
        super().__init__(**{"name": network.name, "dtype": "float32", **kwargs})
        self.network = network
        self.multiple = multiple
        self(keras.Input((None, None, 3)))

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Apply the network to every frame.

        Args:
            x: Frames ``[N, H, W, 3]`` or clips ``[N, T, H, W, 3]``, float32 in [0, 1].
            training: Whether the network runs in training mode.

        Returns:
            The same shape, float32.

        Raises:
            ValueError: H or W is not a multiple of `multiple`.
        """
        check_frame_shape(self.name, x.shape, self.multiple)
        if len(x.shape) == 4:
            y = self.network(x, training=training)
        else:
            y = split_time(self.network(merge_time(x), training=training), x)
        return layers.set_static_shape(y, x.shape)

    def compute_output_shape(self, input_shape: Sequence[int | None], **_: Any) -> Any:
        """Return the shape of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the model."""
        return {
            **super().get_config(),
            "network": keras.saving.serialize_keras_object(self.network),
            "multiple": self.multiple,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "PerFrame":
        """Build the model from its arguments."""
        return cls(keras.saving.deserialize_keras_object(config.pop("network")), **config)


@keras.saving.register_keras_serializable("tfanon")
class OverTime(keras.Model):
    """A network of images or clips: features of every frame, averaged over time, then one head.

    Args:
        features: keras.Model of images ``[N, H, W, 3]`` to features ``[N, F]``.
        head: keras.Model of features ``[N, F]`` to outputs ``[N, outputs]``.
        **kwargs: Arguments of keras.Model.
    """

    takes_clips = True

    def __init__(self, features: keras.Model, head: keras.Model, **kwargs: Any) -> None:
        super().__init__(**{"name": features.name, "dtype": "float32", **kwargs})
        self.features = features
        self.head = head
        self(keras.Input((None, None, 3)))

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Apply the network; an image is a clip of one frame.

        Args:
            x: Images ``[N, H, W, 3]`` or clips ``[N, T, H, W, 3]``, float32 in [0, 1].
            training: Whether both parts run in training mode.

        Returns:
            Outputs ``[N, outputs]``.
        """
        if len(x.shape) == 4:
            return self.head(self.features(x, training=training), training=training)
        features = split_time(self.features(merge_time(x), training=training), x)
        return self.head(tf.reduce_mean(features, axis=1), training=training)

    def compute_output_shape(self, input_shape: Sequence[int | None], **_: Any) -> Any:
        """Return ``[N, outputs]``."""
        return (input_shape[0], self.head.output_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the model."""
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "features": serialize(self.features),
            "head": serialize(self.head),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "OverTime":
        """Build the model from its arguments."""
        deserialize = keras.saving.deserialize_keras_object
        return cls(deserialize(config.pop("features")), deserialize(config.pop("head")), **config)
