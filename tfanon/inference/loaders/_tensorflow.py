"""Settings of TensorFlow that its loaders share."""

import contextlib


def limit_tensorflow_threads(threads: int) -> None:
    """Set the number of threads of one operation; does nothing once TensorFlow is in use.

    Args:
        threads: Number of threads; 0 keeps TensorFlow's choice.
    """
    import tensorflow as tf

    if threads:
        # TensorFlow refuses to change the number after its first operation.
        with contextlib.suppress(RuntimeError):
            tf.config.threading.set_intra_op_parallelism_threads(threads)
