"""The signatures of an exported f_A: everything between frames in and frames out is inside.

Scaling from uint8, f_A's own normalisation, clipping and rounding are in the graph: no caller can
get them wrong.
"""

from collections.abc import Callable

import tensorflow as tf

JPEG_QUALITY = 95

HEADER = 1 << 18  # bytes of a JPEG in which its Exif is looked for; a segment has up to 65537
EXIF, APP1, START_OF_SCAN = b"Exif\0\0", 0xE1, 0xDA
ORIENTATION, TIFF_MAGIC, TIFF_ENTRY = 0x0112, 42, 12  # tag; what a header holds; bytes of an entry
LONG = 4  # type of a value of 32 bits; an orientation has 16
MAX_ENTRIES = 1024  # looked at


class Anonymizer(tf.Module):
    """f_A with everything between uint8 frames in and uint8 frames out.

    Holds f_A's variables and not the Keras model: a SavedModel of the latter stores every weight
    twice.
    f_A: [N, H, W, 3] or [N, T, H, W, 3] in [0, 1] -> the same shape, float32.
    size: (H, W) at which it works.
    trained_size: (H, W) at which it was trained; None: that too.
    """

    def __init__(self, f_A, size, trained_size=None):
        super().__init__()
        self.size, self.multiple = tuple(size), getattr(f_A, "multiple", 1)
        self.trained_size = tuple(trained_size or size)
        self._unclipped = lambda x: f_A(x, training=False)
        self._weights = [getattr(variable, "value", variable) for variable in f_A.variables]

    def signatures(self, fixed=False):
        """name -> concrete function; N and T are open, H and W too unless `fixed` to the size."""
        frames = [None, *(self.size if fixed else (None, None)), 3]
        frames_uint8 = self.concrete("frames", frames, tf.uint8)
        return {
            "serving_default": frames_uint8,
            "frames_uint8": frames_uint8,
            "frames_float": self.concrete("frames", frames, tf.float32),
            "clip_uint8": self.concrete("clips", [None, *frames], tf.uint8),
            "image_bytes": self.image_bytes(),
        }

    def concrete(self, name, shape, dtype, clipped=True):
        """{name: [..., H, W, 3]} -> {"anonymized": the same shape and dtype}.

        clipped: to [0, 1]; an 8-bit file has limits of its own.
        Raises ValueError where a step is not float32.
        """
        call = self._levels if dtype == tf.uint8 else self._clipped if clipped else self._unclipped
        function = tf.function(lambda x: {"anonymized": call(x)}, autograph=False)
        concrete = function.get_concrete_function(tf.TensorSpec(shape, dtype, name=name))
        _refuse_low_precision(concrete)
        return concrete

    def image_bytes(self):
        """{"image_bytes": [N] of JPEG} -> {"anonymized_bytes": [N] of JPEG}, each at its own size.

        The Exif orientation of a photograph is obeyed: f_A was trained on upright pictures, and the
        answer, which is upright, has no tags. Colour profiles are not converted.
        Images are squeezed to the size at which f_A works and stretched back, since it was judged
        at that size.
        TensorFlow Serving's REST interface knows by the ending `_bytes` that a string is binary.
        """
        function = tf.function(
            lambda x: {"anonymized_bytes": tf.map_fn(self._jpeg, x)}, autograph=False
        )
        return function.get_concrete_function(tf.TensorSpec([None], tf.string, name="image_bytes"))

    def _clipped(self, x):
        return tf.clip_by_value(self._unclipped(x), 0.0, 1.0)

    def _levels(self, x):
        return _to_levels(self._clipped(tf.cast(x, tf.float32) / 255.0))

    def _jpeg(self, image):
        upright = turn_upright(tf.io.decode_jpeg(image, channels=3), read_orientation(image))
        x = tf.cast(upright, tf.float32) / 255.0
        squeezed = tf.image.resize(x[None], self.size, antialias=True)
        stretched = tf.image.resize(self._clipped(squeezed), tf.shape(x)[:2], antialias=True)
        return tf.io.encode_jpeg(_to_levels(stretched[0]), quality=JPEG_QUALITY)


def turn_upright(pixels: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """[H, W, C] as shown by an Exif orientation, int32 [] of 1 to 8; 5 to 8 exchange H and W."""

    def flip(x: tf.Tensor, values: list[int], axis: int) -> tf.Tensor:
        applies = tf.reduce_any(orientation == tf.constant(values))
        return tf.cond(applies, lambda: tf.reverse(x, [axis]), lambda: x)

    swapped = tf.cond(orientation >= 5, lambda: tf.transpose(pixels, [1, 0, 2]), lambda: pixels)
    return flip(flip(swapped, [3, 4, 7, 8], axis=0), [2, 3, 6, 7], axis=1)


def read_orientation(image: tf.Tensor) -> tf.Tensor:
    """The Exif orientation of a JPEG, as TensorFlow ops.

    Args:
        image: string ``[]``, the bytes of a file, which may be anything.

    Returns:
        int32 ``[]``, 1 to 8; 1, upright, where no Exif says anything else.
    """
    content = tf.cast(tf.io.decode_raw(tf.strings.substr(image, 0, HEADER), tf.uint8), tf.int64)
    content = tf.pad(content, [[0, 1]])  # whatever lies outside is read as this zero
    end = tf.size(content, tf.int64) - 1

    def byte(place: tf.Tensor) -> tf.Tensor:
        inside = (place >= 0) & (place < end)
        return tf.gather(content, tf.where(inside, place, end))

    segment, stop = _find_exif(byte, end)
    start = segment + len(EXIF)  # of the TIFF header, which all offsets count from
    little = byte(start) == ord("I")

    def number(place: tf.Tensor, width: int) -> tf.Tensor:
        digits = [byte(place + offset) for offset in range(width)]
        low = sum(digit * 256**power for power, digit in enumerate(digits))
        high = sum(digit * 256**power for power, digit in enumerate(reversed(digits)))
        return tf.where(little, low, high)

    directory = start + number(start + 4, 4)
    entries = directory + 2 + TIFF_ENTRY * tf.range(tf.minimum(number(directory, 2), MAX_ENTRIES))
    is_orientation = (number(entries, 2) == ORIENTATION) & (entries + TIFF_ENTRY <= stop)
    found = tf.concat([tf.boolean_mask(entries, is_orientation), [end]], 0)[0]
    value = tf.where(number(found + 2, 2) == LONG, number(found + 8, 4), number(found + 8, 2))
    valid = (
        (segment > 0)
        & (number(start + 2, 2) == TIFF_MAGIC)
        & (found < end)
        & (value >= 1)
        & (value <= 8)
    )
    return tf.cast(tf.where(valid, value, 1), tf.int32)


def _find_exif(
    byte: Callable[[tf.Tensor], tf.Tensor], end: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """(first byte, first byte behind it) of a JPEG's Exif, int64 []; (0, 0) without one.

    byte: gives the byte at any place.  end: number of bytes.
    """

    def is_exif(place: tf.Tensor) -> tf.Tensor:
        letters = [byte(place + 4 + offset) == letter for offset, letter in enumerate(EXIF)]
        return (byte(place + 1) == APP1) & tf.reduce_all(letters)

    def is_before_exif(place: tf.Tensor) -> tf.Tensor:
        marker = byte(place + 1)
        return (place < end) & (byte(place) == 0xFF) & (marker != START_OF_SCAN) & ~is_exif(place)

    def skip(place: tf.Tensor) -> tuple[tf.Tensor]:
        marker, length = byte(place + 1), 256 * byte(place + 2) + byte(place + 3)
        alone = (marker >= 0xD0) & (
            marker <= 0xD9
        )  # without content: restarts, start and end of an image
        step = tf.where(alone, tf.constant(2, tf.int64), 2 + tf.maximum(length, 2))
        return (
            place + tf.where(marker == 0xFF, tf.constant(1, tf.int64), step),
        )  # a 0xFF in front of one fills up

    (place,) = tf.while_loop(is_before_exif, skip, (tf.constant(0, tf.int64),))
    found = (byte(place) == 0xFF) & is_exif(place)
    stop = place + 2 + 256 * byte(place + 2) + byte(place + 3)
    nothing = tf.constant(0, tf.int64)
    return tf.where(found, place + 4, nothing), tf.where(found, stop, nothing)


def _to_levels(x):
    """[0, 1] -> grey levels in uint8."""
    return tf.cast(tf.round(255.0 * x), tf.uint8)


def _refuse_low_precision(concrete):
    for operation in concrete.graph.get_operations():
        for tensor in operation.outputs:
            if tensor.dtype in (tf.bfloat16, tf.float16):
                raise ValueError(
                    f"f_A computes in {tensor.dtype.name} ({operation.name}); an export is "
                    "float32: build it under keras.config.set_dtype_policy('float32') and copy "
                    "its weights."
                )
