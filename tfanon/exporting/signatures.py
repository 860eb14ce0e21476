"""The signatures of an exported f_A: everything between frames in and frames out is inside.

Scaling from uint8, f_A's own normalisation, clipping and rounding are in the graph, so that no
caller can get them wrong.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

# Of JPEGs that the signature image_bytes returns.
JPEG_QUALITY = 95

# Exif is searched in this many bytes of a JPEG; a segment has up to 65537.
EXIF_SEARCH_BYTES = 1 << 18
EXIF, APP1, START_OF_SCAN = b"Exif\0\0", 0xE1, 0xDA
# Tag of the orientation, content of a TIFF header, bytes of a directory entry.
ORIENTATION, TIFF_MAGIC, TIFF_ENTRY = 0x0112, 42, 12
TIFF_LONG = 4  # type of a 32-bit value; an orientation usually has 16 bits
MAX_TIFF_ENTRIES = 1024  # entries that are searched


class ServingModule(tf.Module):
    """f_A with everything between uint8 frames in and uint8 frames out.

    It holds f_A's variables, not the Keras model: a SavedModel of the latter stores every weight
    twice.

    Args:
        f_A: `[N, H, W, 3]` or `[N, T, H, W, 3]` in [0, 1] to the same shape, float32.
        size: (H, W) at which it works.
        trained_size: (H, W) at which it was trained; None: the same.
    """

    def __init__(
        self,
        f_A: keras.Model,
        size: tuple[int, int],
        trained_size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__()
        self.size = size
        self.multiple = getattr(f_A, "multiple", 1)
        self.trained_size = trained_size or size
        # A function: tf.Module would track the Keras model itself and save its weights twice.
        self._unclipped = lambda x: f_A(x, training=False)
        # Only variables that the module tracks are saved.
        self._weights = [getattr(variable, "value", variable) for variable in f_A.variables]

    def make_signatures(self, fixed: bool = False) -> dict[str, Any]:
        """Return the concrete functions of a SavedModel by name.

        N and T are open; H and W too unless `fixed` to the size.
        """
        size = self.size if fixed else (None, None)
        frames = [None, *size, 3]
        frames_uint8 = self.make_concrete_function("frames", frames, tf.uint8)
        return {
            # The signature that servers use if a request names none.
            "serving_default": frames_uint8,
            "frames_uint8": frames_uint8,
            "frames_float": self.make_concrete_function("frames", frames, tf.float32),
            "clip_uint8": self.make_concrete_function("clips", [None, *frames], tf.uint8),
            "image_bytes": self.make_image_bytes_function(),
        }

    def make_concrete_function(
        self, name: str, shape: Any, dtype: tf.DType, clipped: bool = True
    ) -> Any:
        """Trace `{name: [..., H, W, 3]}` to `{"anonymized": same shape and dtype}`.

        Args:
            name: Name of the input.
            shape: Its shape; None is open.
            dtype: tf.uint8, or tf.float32 in [0, 1].
            clipped: Clip a float32 output to [0, 1]; 8-bit files have limits of their own.

        Raises:
            ValueError: An operation does not compute in float32.
        """
        call = self._clipped if clipped else self._unclipped
        if dtype == tf.uint8:
            call = self._levels
        function = tf.function(lambda x: {"anonymized": call(x)}, autograph=False)
        concrete = function.get_concrete_function(tf.TensorSpec(shape, dtype, name=name))
        _refuse_low_precision(concrete)
        return concrete

    def make_image_bytes_function(self) -> Any:
        """Trace `{"image_bytes": [N] JPEGs}` to `{"anonymized_bytes": [N] JPEGs}`.

        Each image keeps its size. The Exif orientation of a photograph is applied, since f_A was
        trained on upright pictures; the output is upright and has no tags. Colour profiles are not
        converted. Images are squeezed to the size at which f_A works and stretched back, since it
        was evaluated at that size. The suffix `_bytes` tells TensorFlow Serving's REST interface
        that a string is binary.
        """
        function = tf.function(
            lambda x: {"anonymized_bytes": tf.map_fn(self._jpeg, x)}, autograph=False
        )
        return function.get_concrete_function(tf.TensorSpec([None], tf.string, name="image_bytes"))

    def _clipped(self, x: tf.Tensor) -> tf.Tensor:
        return tf.clip_by_value(self._unclipped(x), 0.0, 1.0)

    def _levels(self, x: tf.Tensor) -> tf.Tensor:
        return _to_levels(self._clipped(tf.cast(x, tf.float32) / 255.0))

    def _jpeg(self, image: tf.Tensor) -> tf.Tensor:
        upright = turn_upright(tf.io.decode_jpeg(image, channels=3), read_orientation(image))
        x = tf.cast(upright, tf.float32) / 255.0
        squeezed = tf.image.resize(x[None], self.size, antialias=True)
        stretched = tf.image.resize(self._clipped(squeezed), tf.shape(x)[:2], antialias=True)
        return tf.io.encode_jpeg(_to_levels(stretched[0]), quality=JPEG_QUALITY)


def turn_upright(pixels: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Turn `[H, W, C]` upright.

    Args:
        pixels: As stored.
        orientation: Exif orientation, int32 `[]`, 1 to 8; 5 to 8 exchange H and W.
    """

    def flip(x: tf.Tensor, values: list[int], axis: int) -> tf.Tensor:
        applies = tf.reduce_any(orientation == tf.constant(values))
        return tf.cond(applies, lambda: tf.reverse(x, [axis]), lambda: x)

    # Orientations 5 to 8 are stored sideways: transposed first, then flipped like 1 to 4.
    swapped = tf.cond(orientation >= 5, lambda: tf.transpose(pixels, [1, 0, 2]), lambda: pixels)
    return flip(flip(swapped, [3, 4, 7, 8], axis=0), [2, 3, 6, 7], axis=1)


def read_orientation(image: tf.Tensor) -> tf.Tensor:
    """Read the Exif orientation of a JPEG with TensorFlow operations.

    Args:
        image: string `[]`, the bytes of a file of any kind.

    Returns:
        int32 `[]`, 1 to 8; 1, upright, without Exif.
    """
    content = tf.cast(
        tf.io.decode_raw(tf.strings.substr(image, 0, EXIF_SEARCH_BYTES), tf.uint8), tf.int64
    )
    content = tf.pad(content, [[0, 1]])  # reading outside returns this zero
    end = tf.size(content, tf.int64) - 1

    def byte(place: tf.Tensor) -> tf.Tensor:
        inside = (place >= 0) & (place < end)
        return tf.gather(content, tf.where(inside, place, end))

    segment, stop = _find_exif(byte, end)
    start = segment + len(EXIF)  # of the TIFF header; offsets are relative to it
    little = byte(start) == ord("I")

    # Byte order is data: "II" is little-endian, "MM" big-endian.
    def number(place: tf.Tensor, width: int) -> tf.Tensor:
        digits = [byte(place + offset) for offset in range(width)]
        low = sum(digit * 256**power for power, digit in enumerate(digits))
        high = sum(digit * 256**power for power, digit in enumerate(reversed(digits)))
        return tf.where(little, low, high)

    # TIFF: 2 bytes order, 2 bytes 42, 4 bytes offset of the directory, which begins with a count.
    directory = start + number(start + 4, 4)
    entries = (
        directory + 2 + TIFF_ENTRY * tf.range(tf.minimum(number(directory, 2), MAX_TIFF_ENTRIES))
    )
    is_orientation = (number(entries, 2) == ORIENTATION) & (entries + TIFF_ENTRY <= stop)
    # The first one counts; `end` stands for none.
    entry = tf.concat([tf.boolean_mask(entries, is_orientation), [end]], 0)[0]
    # An entry: tag (2 bytes), type (2), count (4), value (4).
    is_long = number(entry + 2, 2) == TIFF_LONG
    value = tf.where(is_long, number(entry + 8, 4), number(entry + 8, 2))
    valid = (
        (segment > 0)
        & (number(start + 2, 2) == TIFF_MAGIC)
        & (entry < end)
        & (value >= 1)
        & (value <= 8)
    )
    return tf.cast(tf.where(valid, value, 1), tf.int32)


def _find_exif(
    byte: Callable[[tf.Tensor], tf.Tensor], end: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Find the Exif segment of a JPEG.

    Args:
        byte: Returns the byte at a position.
        end: Number of bytes.

    Returns:
        First position of the Exif data and the position after it, int64 `[]`; (0, 0) without Exif.
    """

    def is_exif(position: tf.Tensor) -> tf.Tensor:
        letters = [byte(position + 4 + offset) == letter for offset, letter in enumerate(EXIF)]
        return (byte(position + 1) == APP1) & tf.reduce_all(letters)

    def is_before_exif(position: tf.Tensor) -> tf.Tensor:
        marker = byte(position + 1)
        is_marker = (position < end) & (byte(position) == 0xFF)
        return is_marker & (marker != START_OF_SCAN) & ~is_exif(position)

    def skip_segment(position: tf.Tensor) -> tuple[tf.Tensor]:
        marker = byte(position + 1)
        # JPEG is big-endian, whatever the TIFF inside is.
        length = 256 * byte(position + 2) + byte(position + 3)
        # Restart markers, start and end of an image have no content.
        is_empty = (marker >= 0xD0) & (marker <= 0xD9)
        step = tf.where(is_empty, tf.constant(2, tf.int64), 2 + tf.maximum(length, 2))
        # A marker may be preceded by any number of fill bytes 0xFF.
        return (position + tf.where(marker == 0xFF, tf.constant(1, tf.int64), step),)

    (position,) = tf.while_loop(is_before_exif, skip_segment, (tf.constant(0, tf.int64),))
    exists = (byte(position) == 0xFF) & is_exif(position)
    stop = position + 2 + 256 * byte(position + 2) + byte(position + 3)
    nothing = tf.constant(0, tf.int64)
    return tf.where(exists, position + 4, nothing), tf.where(exists, stop, nothing)


def _to_levels(x: tf.Tensor) -> tf.Tensor:
    """Return [0, 1] as grey levels in uint8."""
    return tf.cast(tf.round(255.0 * x), tf.uint8)


def _refuse_low_precision(concrete: Any) -> None:
    """Raise ValueError if an operation computes in 16 bits."""
    for operation in concrete.graph.get_operations():
        for tensor in operation.outputs:
            if tensor.dtype in (tf.bfloat16, tf.float16):
                raise ValueError(
                    f"f_A computes in {tensor.dtype.name} ({operation.name}); an export is "
                    "float32: build it under keras.config.set_dtype_policy('float32') and copy "
                    "its weights."
                )
