"""Augmentation: one draw per clip or view, the same for all its frames, or the jitter would flicker.

A draw is a vector of uniform numbers; every function below is a pure function of pixels and numbers, on one example,
eagerly or inside `map`. Probabilities and ranges are those of the released code. Pixels are RGB float32 in [0, 1].

Choices where that code is silent, inconsistent or wrong:
- the second view of an image has its own window, inside the image (there: the first view's corner, at times outside);
- contrast is taken around the mean grey of the whole clip, so that it does not flicker;
- gamma follows greyscale only, with its own probability;
- flip and erase are independent for images as they are for clips (there: never both).
"""

import tensorflow as tf

WINDOW = 3  # uniform numbers of a window: factor, y, x
COLOUR = 12  # uniform numbers of colour()
CLIP = COLOUR + 1 + 2 * 5  # of clip(): colour, flip, two boxes
IMAGE = COLOUR + 1 + 5  # of image(): colour, flip, one box

GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601


def window(u, min_crop):
    """(factor, y, x) of a random window, as media.reader cuts it.  u: [..., 3] uniform in [0, 1).  Returns [..., 3]."""
    return tf.concat([min_crop + (1.0 - min_crop) * u[..., :1], u[..., 1:]], axis=-1)


@tf.function(autograph=False)  # traced once per shape: tracing forty branches takes a second
def clip(frames, u):
    """Augment a clip.  frames: [T, H, W, 3].  u: [CLIP] uniform in [0, 1).  Returns [T, H, W, 3]."""
    height, width = _size(frames)
    frames = flip(colour(frames, u), u[COLOUR])
    for box in (u[COLOUR + 1 : COLOUR + 6], u[COLOUR + 6 : COLOUR + 11]):
        frames = erase(frames, box, 0.4, (height // 6, height // 3), (width // 6, width // 3))
    return frames


@tf.function(autograph=False)
def image(frames, u):
    """Augment one view of an image.  frames: [T, H, W, 3], T usually 1.  u: [IMAGE].  Returns [T, H, W, 3]."""
    height, width = _size(frames)
    frames = flip(colour(frames, u), u[COLOUR])
    return erase(frames, u[COLOUR + 1 :], 0.25, _scaled(height), _scaled(width))


def colour(frames, u):
    """Contrast, hue, saturation, brightness, greyscale and gamma, each with its probability.  u: [>= COLOUR]."""
    frames = _sometimes(
        u[0] < 0.125,
        lambda x: _blend(x, tf.reduce_mean(_grey(x)), _between(u[1], 0.9, 1.1)),
        frames,
    )
    frames = _sometimes(
        u[2] < 0.15, lambda x: tf.image.adjust_hue(x, _between(u[3], -0.05, 0.05)), frames
    )
    frames = _sometimes(
        u[4] < 0.15, lambda x: _blend(x, _grey(x), _between(u[5], 0.9, 1.1)), frames
    )
    frames = _sometimes(u[6] < 0.15, lambda x: _blend(x, 0.0, _between(u[7], 0.9, 1.1)), frames)
    frames = _sometimes(u[8] < 0.1, lambda x: tf.broadcast_to(_grey(x), tf.shape(x)), frames)
    gamma = tf.logical_and(u[8] < 0.1, u[9] < 0.75)
    return _sometimes(gamma, lambda x: tf.pow(x, _between(u[10], 0.85, 1.15)), frames)


def flip(frames, u):
    """Mirror left and right with probability 1/2."""
    return _sometimes(u < 0.5, lambda x: tf.reverse(x, axis=[2]), frames)


def erase(frames, u, probability, heights, widths):
    """Set a box to 0, at the same place in all frames.

    u: [5]: whether, height, width, top, left.  heights, widths: (smallest, largest) sides in pixels, inclusive.
    """
    height, width = _size(frames)

    def cut(x):
        tall, wide = _whole(u[1], *heights), _whole(u[2], *widths)
        rows = _outside(height, _whole(u[3], 0, height - tall), tall)
        columns = _outside(width, _whole(u[4], 0, width - wide), wide)
        return tf.where((rows[:, None] | columns[None, :])[None, :, :, None], x, 0.0)

    return _sometimes(u[0] < probability, cut, frames)


def _sometimes(condition, change, frames):
    """change(frames) where the draw says so; in `map` this is a branch, so a draw that says no costs nothing."""
    changed = tf.cond(condition, lambda: change(frames), lambda: frames)
    return tf.ensure_shape(changed, frames.shape)


def _blend(frames, other, factor):
    """factor of 1 keeps the frames, 0 gives the other; clipped to [0, 1]."""
    return tf.clip_by_value(factor * frames + (1.0 - factor) * other, 0.0, 1.0)


def _grey(frames):
    """[T, H, W, 3] -> [T, H, W, 1]."""
    return tf.clip_by_value(tf.reduce_sum(frames * GREY, axis=-1, keepdims=True), 0.0, 1.0)


def _between(u, low, high):
    return low + (high - low) * u


def _whole(u, low, high):
    """A whole number in low..high, both inclusive, from u uniform in [0, 1)."""
    choices = tf.cast(high - low + 1, tf.float32)
    return low + tf.cast(tf.minimum(tf.floor(u * choices), choices - 1.0), tf.int32)


def _outside(length, start, size):
    positions = tf.range(length)
    return (positions < start) | (positions >= start + size)


def _scaled(side):
    """Sides of the box erased from an image: 9 to 18 pixels of 224."""
    return max(1, round(side * 9 / 224)), max(1, round(side * 18 / 224))


def _size(frames):
    return frames.shape[1], frames.shape[2]
