"""What a step does across the replicas of a tf.distribute strategy; with one replica each function is the identity."""

import tensorflow as tf


def make_strategy(name):
    """The strategy of a flag value; `multi_worker` reads TF_CONFIG as TensorFlow defines it."""
    if name == "mirrored":
        return tf.distribute.MirroredStrategy(tf.config.list_logical_devices("GPU") or list_cpus())
    if name == "multi_worker":
        return tf.distribute.MultiWorkerMirroredStrategy()
    return tf.distribute.OneDeviceStrategy(
        "/gpu:0" if tf.config.list_logical_devices("GPU") else "/cpu:0"
    )


def list_cpus():
    return [device.name for device in tf.config.list_logical_devices("CPU")]


def gather_from_replicas(z):
    """Rows of every replica, [N, D] -> [R N, D], so that NT-Xent sees all negatives; gradients flow back to each."""
    context = (
        tf.distribute.get_replica_context()
    )  # None outside a step: there the whole batch is at hand already
    return z if context is None or count_replicas() == 1 else context.all_gather(z, axis=0)


def divide_by_replicas(loss):
    """One replica's part of the mean: Keras optimizers sum gradients over replicas, so divide once, here."""
    return loss / count_replicas()


def shape_for_logs(mean):
    """A metric's result as Keras' fit takes it from train_step: over several workers it reduces the first axis."""
    several = isinstance(tf.distribute.get_strategy(), tf.distribute.MultiWorkerMirroredStrategy)
    return tf.reshape(mean, [1]) if several else mean


def count_replicas():
    return tf.distribute.get_strategy().num_replicas_in_sync
