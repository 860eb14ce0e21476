"""Every test starts with one seed and one dtype policy, and sees two logical CPUs as two devices.

The suite, and the processes that it starts, run under a home folder that configures Keras for
another backend, as that of a user may.
"""

import os
import pathlib
import signal
import sys

os.environ["KERAS_HOME"] = str(pathlib.Path(__file__).parent / "foreign_home")
os.environ["KERAS_BACKEND"] = "jax"
os.environ["KERAS_MAX_EPOCHS"] = "1"
# A suite that a shell started in the background ignores Ctrl-C, and so would the commands under
# test, which inherit that.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, str(pathlib.Path(__file__).parent))  # tests/helpers.py

import tfanon  # noqa: E402, F401  before TensorFlow and Keras, whose switches it sets

# isort: split
import keras  # noqa: E402
import pytest  # noqa: E402
import tensorflow as tf  # noqa: E402

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


@pytest.fixture(autouse=True)
def reset_keras():
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy("float32")
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture(scope="session")
def two_replicas():
    """One strategy for all tests: collectives of two in one process would share their keys."""
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data folder with a small synthetic set, for training in child processes."""
    from tfanon.data.sources import synthetic

    folder = tmp_path_factory.mktemp("data")
    size = synthetic.DatasetSize(
        train_people=3,
        test_people=1,
        train_images=24,
        test_images=8,
        shortest=20,
        longest=24,
        side=48,
    )
    synthetic.write_dataset(folder / "synthetic", size)
    return folder


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    """Folder of a finished run of tiny networks, which are choices of the registry meanwhile."""
    import finished_runs

    with pytest.MonkeyPatch.context() as patch:
        finished_runs.add_tiny_networks(patch)
        yield finished_runs.write_finished_run(tmp_path_factory.mktemp("finished"))


def pytest_collection_modifyitems(items):
    """Run the longest files first, so that two workers end together."""
    items.sort(key=lambda item: item.path.name not in ("test_resuming.py", "test_end_to_end.py"))
