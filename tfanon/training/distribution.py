"""What a training step does across the replicas of a `tf.distribute` strategy.

With one replica every function here is the identity.
"""

import tensorflow as tf


def make_strategy(name: str) -> tf.distribute.Strategy:
    """Create the strategy that `--strategy` names.

    Args:
        name: `one_device`, `mirrored`, or `multi_worker`, which reads the environment variable
            TF_CONFIG as TensorFlow defines it.
    """
    # First: listing devices starts TensorFlow, and collective operations must be set up before.
    if name == "multi_worker":
        return tf.distribute.MultiWorkerMirroredStrategy()
    gpus = _list_devices("GPU")
    if name == "mirrored":
        # There is one CPU, unless a test splits it.
        return tf.distribute.MirroredStrategy(gpus or _list_devices("CPU"))
    return tf.distribute.OneDeviceStrategy("/gpu:0" if gpus else "/cpu:0")


def _list_devices(kind: str) -> list[str]:
    """Return the names of the logical devices of a kind, "CPU" or "GPU"."""
    return [device.name for device in tf.config.list_logical_devices(kind)]


def gather_from_replicas(z: tf.Tensor) -> tf.Tensor:
    """Concatenate the rows of all replicas; gradients flow back to each.

    NT-Xent (Eq. 6) contrasts an image with all others of the global batch, not of one replica.

    Args:
        z: Rows of this replica, `[N, D]`.

    Returns:
        Rows of all R replicas, `[R N, D]`.
    """
    # There is no replica context outside a step, where the whole batch is at hand already.
    context = tf.distribute.get_replica_context()
    if context is None or count_replicas() == 1:
        return z
    return context.all_gather(z, axis=0)


def divide_by_replicas(loss: tf.Tensor) -> tf.Tensor:
    """Turn the mean loss of one replica into its part of the global mean.

    Keras 3 optimizers sum gradients over replicas, so the loss is divided here, once.
    """
    return loss / count_replicas()


def shape_for_logs(mean: tf.Tensor) -> tf.Tensor:
    """Give a metric's scalar result the shape that `fit` of Keras expects from `train_step`.

    With several workers Keras reduces the first axis of each log, which a scalar lacks.
    """
    strategy = tf.distribute.get_strategy()
    if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return tf.reshape(mean, [1])
    return mean


def count_replicas() -> int:
    """Return the number of replicas of the current strategy; 1 without one."""
    return tf.distribute.get_strategy().num_replicas_in_sync
