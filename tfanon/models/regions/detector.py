"""People found by a detector of KerasHub, with the weights of one of its presets or of a folder that holds one.

Called inside TensorFlow's graphs on any device, frame by frame. What it misses stays as it is, so its bar is low.
"""

import keras
import tensorflow as tf

PERSON_CLASS = 1  # as COCO numbers its classes, and KerasHub's presets with it


def build(preset="retinanet_resnet50_fpn_coco", confidence=0.3):
    """Function of frames [N, H, W, 3] in [0, 1] that gives [N, H, W, 1] booleans: inside a box around a person.

    preset: a name that KerasHub downloads, or the folder of a preset whose class 1 is the person.
    confidence: boxes below it are not believed, 0..1.
    Raises ValueError without KerasHub, where the preset cannot be had, and for another confidence.
    """
    if not 0 <= confidence <= 1:
        raise ValueError(f"detector: confidence must be in 0..1, not {confidence}.")
    detector = _load_detector(preset)
    detector.prediction_decoder.confidence_threshold = confidence

    def find(frames):
        mask = tf.TensorSpec([*frames.shape[1:3], 1], tf.bool)
        return tf.map_fn(
            lambda frame: _person_mask(detector, frame), frames, fn_output_signature=mask
        )

    return find


def _load_detector(preset):
    try:
        import keras_hub
    except ImportError:
        raise ValueError(
            "The regions 'detector' need KerasHub: pip install 'tfanon[detector]'."
        ) from None
    try:
        return keras_hub.models.ObjectDetector.from_preset(preset)
    except Exception as problem:  # a download fails in the words of whichever hub it came from
        raise ValueError(
            f"The detector '{preset}' could not be loaded: {str(problem).splitlines()[0]}"
        ) from None


def _person_mask(detector, frame):
    """[H, W, 1]: the pixels of one frame [H, W, 3] that a box of a person touches."""
    picture, scale = _letterbox(frame, detector.preprocessor.image_converter.image_size)
    found = detector.decode_predictions(
        detector(detector.preprocessor(picture), training=False), picture
    )
    boxes = keras.utils.bounding_boxes.convert_format(
        found["boxes"][0],
        source=detector.bounding_box_format,
        target="yxyx",
        height=picture.shape[1],
        width=picture.shape[2],
    )
    people = tf.boolean_mask(
        tf.cast(boxes, tf.float32) / scale,
        tf.equal(tf.cast(found["labels"][0], tf.int32), PERSON_CLASS),
    )
    rows = _touched_pixels(people[:, 0], people[:, 2], tf.shape(frame)[0])  # [people, H]
    columns = _touched_pixels(people[:, 1], people[:, 3], tf.shape(frame)[1])
    return tf.reduce_any(rows[:, :, None] & columns[:, None, :], axis=0)[..., None]


def _letterbox(frame, size):
    """(picture [1, *size, 3] of grey levels with the frame in its upper left corner, how much larger it is there)."""
    sides = tf.cast(tf.shape(frame)[:2], tf.float32)
    scale = tf.reduce_min(tf.constant(size, tf.float32) / sides)
    scaled = tf.image.resize(255 * frame[None], tf.cast(tf.round(sides * scale), tf.int32))
    return tf.ensure_shape(tf.image.pad_to_bounding_box(scaled, 0, 0, *size), [1, *size, 3]), scale


def _touched_pixels(start, end, side):
    """[n, side] booleans: pixels that overlap with the spans start..end, each [n]."""
    pixel = tf.range(tf.cast(side, tf.float32))
    return (pixel[None] + 1 > start[:, None]) & (pixel[None] < end[:, None])
