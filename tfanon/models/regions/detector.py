"""People that a detector of KerasHub finds, with weights of a preset from KerasHub or a folder.

It runs inside TensorFlow graphs on any device, frame by frame. What it misses stays as it is, so
its confidence threshold is low.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

PERSON_CLASS = 1  # in COCO's numbering, which KerasHub's presets use


def build(
    preset: str = "retinanet_resnet50_fpn_coco", confidence: float = 0.3
) -> Callable[[tf.Tensor], tf.Tensor]:
    """Build the regions.

    Args:
        preset: Name of a preset that KerasHub downloads, or folder of a preset in which class 1 is
            a person.
        confidence: Threshold in [0, 1]; boxes below it are ignored.

    Returns:
        Function of frames ``[N, H, W, 3]`` in [0, 1] to masks ``[N, H, W, 1]``, True inside a box
        around a person.

    Raises:
        ValueError: KerasHub is not installed, the preset cannot be loaded, or `confidence` is out
            of range.
    """
    if not 0 <= confidence <= 1:
        raise ValueError(f"detector: confidence must be in 0..1, not {confidence}.")
    detector = _load_detector(preset)
    detector.prediction_decoder.confidence_threshold = confidence

    def find_regions(frames: tf.Tensor) -> tf.Tensor:
        mask = tf.TensorSpec([*frames.shape[1:3], 1], tf.bool)
        return tf.map_fn(
            lambda frame: _person_mask(detector, frame), frames, fn_output_signature=mask
        )

    return find_regions


def _load_detector(preset: str) -> Any:
    try:
        import keras_hub
    except ImportError:
        raise ValueError(
            "The regions 'detector' need KerasHub: pip install 'tfanon[detector]'."
        ) from None
    try:
        return keras_hub.models.ObjectDetector.from_preset(preset)
    except Exception as error:  # every hub fails with exceptions of its own
        reason = str(error).splitlines()[0]
        raise ValueError(f"The detector '{preset}' could not be loaded: {reason}") from None


def _person_mask(detector: Any, frame: tf.Tensor) -> tf.Tensor:
    """Mask ``[H, W, 1]`` of the pixels of a frame ``[H, W, 3]`` that a person's box touches."""
    image, scale = _letterbox(frame, detector.preprocessor.image_converter.image_size)
    outputs = detector(detector.preprocessor(image), training=False)
    predictions = detector.decode_predictions(outputs, image)
    boxes = keras.utils.bounding_boxes.convert_format(
        predictions["boxes"][0],
        source=detector.bounding_box_format,
        target="yxyx",
        height=image.shape[1],
        width=image.shape[2],
    )
    is_person = tf.equal(tf.cast(predictions["labels"][0], tf.int32), PERSON_CLASS)
    people = tf.boolean_mask(tf.cast(boxes, tf.float32) / scale, is_person)
    rows = _touched_pixels(people[:, 0], people[:, 2], tf.shape(frame)[0])  # [people, H]
    columns = _touched_pixels(people[:, 1], people[:, 3], tf.shape(frame)[1])  # [people, W]
    return tf.reduce_any(rows[:, :, None] & columns[:, None, :], axis=0)[..., None]


def _letterbox(frame: tf.Tensor, size: Sequence[int]) -> tuple[tf.Tensor, tf.Tensor]:
    """Resize a frame into the upper left corner of an image.

    Returns:
        (image ``[1, *size, 3]`` in [0, 255], factor by which the frame is enlarged).
    """
    sides = tf.cast(tf.shape(frame)[:2], tf.float32)
    scale = tf.reduce_min(tf.constant(size, tf.float32) / sides)
    scaled = tf.image.resize(255 * frame[None], tf.cast(tf.round(sides * scale), tf.int32))
    image = tf.image.pad_to_bounding_box(scaled, 0, 0, *size)
    return tf.ensure_shape(image, [1, *size, 3]), scale


def _touched_pixels(start: tf.Tensor, end: tf.Tensor, side: tf.Tensor) -> tf.Tensor:
    """Pixels that overlap with the spans start..end, each ``[n]``: booleans ``[n, side]``."""
    pixel = tf.range(tf.cast(side, tf.float32))
    return (pixel[None] + 1 > start[:, None]) & (pixel[None] < end[:, None])
