"""Random augmentation of clips and images.

One set of random numbers is drawn per clip or view and used for all its frames; a draw per frame
would make the clip flicker. The random numbers ("draws") are passed in as a vector that is uniform
in [0, 1), so every function here is a pure function of pixels and numbers and works on one example,
eagerly or inside `tf.data.Dataset.map`. Pixels are RGB float32 in [0, 1].

Probabilities and ranges are those of the paper's released code. Where that code is silent,
inconsistent or wrong:

- The second view of an image has its own crop window, which lies inside the image. (The released
  code uses the first view's corner, which can place the window partly outside.)
- Contrast is taken around the mean grey of the whole clip, so that it does not flicker.
- Gamma is applied only after greyscale, with its own probability.
- Flip and erase are independent for images, as they are for clips. (The released code never applies
  both.)
"""

from collections.abc import Callable

import tensorflow as tf

WINDOW_DRAWS = 3  # uniform numbers per crop window: factor, y, x
# Uniform numbers per `jitter_colour`. It uses only 11; a smaller number would shift the draws after
# it, and so change every augmented example.
COLOUR_DRAWS = 12
CLIP_DRAWS = COLOUR_DRAWS + 1 + 2 * 5  # per `augment_clip`: colour, flip, two boxes
IMAGE_DRAWS = COLOUR_DRAWS + 1 + 5  # per `augment_image`: colour, flip, one box

GREY_WEIGHTS = (0.299, 0.587, 0.114)  # ITU-R BT.601


def scale_window(u: tf.Tensor, min_crop: float) -> tf.Tensor:
    """Turn uniform numbers into a crop window as `media.frame_reader` cuts it.

    Args:
        u: Uniform numbers ``[..., 3]`` in [0, 1).
        min_crop: Smallest factor, in (0, 1].

    Returns:
        (factor, y, x) ``[..., 3]``: the window's share of the frame's sides, in [min_crop, 1), and
        its position, in [0, 1).
    """
    return tf.concat([min_crop + (1.0 - min_crop) * u[..., :1], u[..., 1:]], axis=-1)


@tf.function(autograph=False)  # traced once per shape: tracing forty branches takes a second
def augment_clip(frames: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
    """Augment a clip: colour, flip and two erased boxes.

    Args:
        frames: Clip ``[T, H, W, 3]``.
        u: Uniform numbers ``[CLIP_DRAWS]``.

    Returns:
        Augmented clip ``[T, H, W, 3]``.
    """
    height, width = _get_size(frames)
    frames = flip_horizontally(jitter_colour(frames, u), u[COLOUR_DRAWS])
    # Probability and sides as in the released code; the boxes may overlap.
    for box in (u[COLOUR_DRAWS + 1 : COLOUR_DRAWS + 6], u[COLOUR_DRAWS + 6 : COLOUR_DRAWS + 11]):
        frames = erase_box(frames, box, 0.4, (height // 6, height // 3), (width // 6, width // 3))
    return frames


@tf.function(autograph=False)
def augment_image(frames: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
    """Augment one view of an image: colour, flip and one small erased box.

    Args:
        frames: Image ``[T, H, W, 3]``, usually with T = 1.
        u: Uniform numbers ``[IMAGE_DRAWS]``.

    Returns:
        Augmented image ``[T, H, W, 3]``.
    """
    height, width = _get_size(frames)
    frames = flip_horizontally(jitter_colour(frames, u), u[COLOUR_DRAWS])
    box = u[COLOUR_DRAWS + 1 :]
    return erase_box(frames, box, 0.25, _get_side_range(height), _get_side_range(width))


def jitter_colour(frames: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
    """Change contrast, hue, saturation, brightness, greyscale and gamma, each by chance.

    Args:
        frames: Clip ``[T, H, W, 3]``.
        u: Uniform numbers, at least COLOUR_DRAWS; each step uses one for whether it is applied and
            one for how much.

    Returns:
        Clip of the same shape.
    """
    frames = _apply_if(u[0] < 0.125, lambda x: _change_contrast(x, u[1]), frames)
    frames = _apply_if(u[2] < 0.15, lambda x: _shift_hue(x, u[3]), frames)
    frames = _apply_if(u[4] < 0.15, lambda x: _change_saturation(x, u[5]), frames)
    frames = _apply_if(u[6] < 0.15, lambda x: _change_brightness(x, u[7]), frames)
    frames = _apply_if(u[8] < 0.1, lambda x: tf.broadcast_to(_to_grey(x), tf.shape(x)), frames)
    # The draw that decided on greyscale, so that gamma is never applied to a coloured clip.
    is_gamma = tf.logical_and(u[8] < 0.1, u[9] < 0.75)
    return _apply_if(is_gamma, lambda x: tf.pow(x, _scale_to_range(u[10], 0.85, 1.15)), frames)


def flip_horizontally(frames: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
    """Mirror left and right with probability 1/2.

    Args:
        frames: Clip ``[T, H, W, 3]``.
        u: One uniform number.

    Returns:
        Clip of the same shape.
    """
    return _apply_if(u < 0.5, lambda x: tf.reverse(x, axis=[2]), frames)


def erase_box(
    frames: tf.Tensor,
    u: tf.Tensor,
    probability: float,
    heights: tuple[int, int],
    widths: tuple[int, int],
) -> tf.Tensor:
    """Set a box to 0, at the same place in all frames.

    Args:
        frames: Clip ``[T, H, W, 3]``.
        u: Uniform numbers ``[5]``: whether, height, width, top, left.
        probability: Of erasing a box at all.
        heights: Smallest and largest height of the box in pixels, inclusive.
        widths: Smallest and largest width of the box in pixels, inclusive.

    Returns:
        Clip of the same shape.
    """
    height, width = _get_size(frames)

    def erase(x: tf.Tensor) -> tf.Tensor:
        box_height = _scale_to_integer(u[1], *heights)
        box_width = _scale_to_integer(u[2], *widths)
        top = _scale_to_integer(u[3], 0, height - box_height)
        left = _scale_to_integer(u[4], 0, width - box_width)
        rows = _mask_outside(height, top, box_height)
        columns = _mask_outside(width, left, box_width)
        return tf.where((rows[:, None] | columns[None, :])[None, :, :, None], x, 0.0)

    return _apply_if(u[0] < probability, erase, frames)


def _apply_if(
    condition: tf.Tensor, change: Callable[[tf.Tensor], tf.Tensor], frames: tf.Tensor
) -> tf.Tensor:
    """Return change(frames) if the condition holds, else the frames.

    Inside `map` this is a branch of the graph, so a change that is not applied costs nothing.
    """
    changed = tf.cond(condition, lambda: change(frames), lambda: frames)
    return tf.ensure_shape(changed, frames.shape)


def _change_contrast(frames: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
    mean = tf.reduce_mean(_to_grey(frames))  # of the whole clip
    return _blend(frames, mean, _scale_to_range(u, 0.9, 1.1))


def _shift_hue(frames: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
    return tf.image.adjust_hue(frames, _scale_to_range(u, -0.05, 0.05))


def _change_saturation(frames: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
    return _blend(frames, _to_grey(frames), _scale_to_range(u, 0.9, 1.1))


def _change_brightness(frames: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
    return _blend(frames, 0.0, _scale_to_range(u, 0.9, 1.1))


def _blend(frames: tf.Tensor, other: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Mix frames with `other`, clipped to [0, 1]; factor 1 returns the frames, 0 the other."""
    return tf.clip_by_value(factor * frames + (1.0 - factor) * other, 0.0, 1.0)


def _to_grey(frames: tf.Tensor) -> tf.Tensor:
    """Return the luma ``[T, H, W, 1]`` of frames ``[T, H, W, 3]``."""
    return tf.clip_by_value(tf.reduce_sum(frames * GREY_WEIGHTS, axis=-1, keepdims=True), 0.0, 1.0)


def _scale_to_range(u: tf.Tensor, low: float, high: float) -> tf.Tensor:
    return low + (high - low) * u


def _scale_to_integer(u: tf.Tensor, low: tf.Tensor, high: tf.Tensor) -> tf.Tensor:
    """Turn u, uniform in [0, 1), into an integer in low..high, both inclusive."""
    choices = tf.cast(high - low + 1, tf.float32)
    # float32 rounds u * choices up to `choices` for the largest u.
    return low + tf.cast(tf.minimum(tf.floor(u * choices), choices - 1.0), tf.int32)


def _mask_outside(length: int, start: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Return bool ``[length]``, false from `start` on for `size` positions."""
    positions = tf.range(length)
    return (positions < start) | (positions >= start + size)


def _get_side_range(side: int) -> tuple[int, int]:
    """Return the range of the box erased from an image: 9 to 18 pixels of 224."""
    return max(1, round(side * 9 / 224)), max(1, round(side * 18 / 224))


def _get_size(frames: tf.Tensor) -> tuple[int, int]:
    return frames.shape[1], frames.shape[2]
