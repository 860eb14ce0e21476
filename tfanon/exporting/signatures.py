"""The signatures of an exported f_A: everything between frames in and frames out is inside.

Scaling from uint8, f_A's own normalisation, clipping and rounding are in the graph: no caller can get them wrong.
"""

import tensorflow as tf

JPEG_QUALITY = 95


class Anonymizer(tf.Module):
    """f_A with everything between uint8 frames in and uint8 frames out.

    Holds f_A's variables and not the Keras model: a SavedModel of the latter stores every weight twice.
    f_A: [N, H, W, 3] or [N, T, H, W, 3] in [0, 1] -> the same shape, float32.  size: (H, W) at which it works.
    """

    def __init__(self, f_A, size):
        super().__init__()
        self.size, self.multiple = tuple(size), getattr(f_A, "multiple", 1)
        self._unclipped = lambda x: f_A(x, training=False)
        self._weights = [getattr(variable, "value", variable) for variable in f_A.variables]

    def signatures(self, fixed=False):
        """name -> concrete function; N and T are open, and so are H and W unless they are `fixed` to the size."""
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

        clipped: to [0, 1]; an 8-bit file has limits of its own.  Raises ValueError where a step is not float32.
        """
        call = self._levels if dtype == tf.uint8 else self._clipped if clipped else self._unclipped
        function = tf.function(lambda x: {"anonymized": call(x)}, autograph=False)
        concrete = function.get_concrete_function(tf.TensorSpec(shape, dtype, name=name))
        _refuse_low_precision(concrete)
        return concrete

    def image_bytes(self):
        """{"image_bytes": [N] of JPEG} -> {"anonymized_bytes": [N] of JPEG}, each at the size of its original.

        Images are squeezed to the size at which f_A works and stretched back, since it was judged at that size.
        TensorFlow Serving's REST interface knows by the ending `_bytes` that a string is binary.
        """
        function = tf.function(lambda x: {"anonymized_bytes": tf.map_fn(self._jpeg, x)}, autograph=False)
        return function.get_concrete_function(tf.TensorSpec([None], tf.string, name="image_bytes"))

    def _clipped(self, x):
        return tf.clip_by_value(self._unclipped(x), 0.0, 1.0)

    def _levels(self, x):
        return _to_levels(self._clipped(tf.cast(x, tf.float32) / 255.0))

    def _jpeg(self, image):
        x = tf.cast(tf.io.decode_jpeg(image, channels=3), tf.float32) / 255.0
        squeezed = tf.image.resize(x[None], self.size, antialias=True)
        stretched = tf.image.resize(self._clipped(squeezed), tf.shape(x)[:2], antialias=True)
        return tf.io.encode_jpeg(_to_levels(stretched[0]), quality=JPEG_QUALITY)


def _to_levels(x):
    """[0, 1] -> grey levels in uint8."""
    return tf.cast(tf.round(255.0 * x), tf.uint8)


def _refuse_low_precision(concrete):
    for operation in concrete.graph.get_operations():
        for tensor in operation.outputs:
            if tensor.dtype in (tf.bfloat16, tf.float16):
                raise ValueError(f"f_A computes in {tensor.dtype.name} ({operation.name}); an export is float32: build "
                                 "it under keras.config.set_dtype_policy('float32') and copy its weights.")
