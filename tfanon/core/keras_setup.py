"""Keras as tfanon needs it, whatever `keras.json`, `KERAS_*` variables or other programs say.

Networks are built channels last, in float32 unless `--precision` says otherwise, on TensorFlow.
Keras takes its defaults from the user's home folder, once, while it is imported; so its import is
prepared here. Keras itself is not imported: `import tfanon` stays cheap.
"""

import contextlib
import importlib.abc
import importlib.util
import os
import sys
from collections.abc import Iterator
from typing import Any

from tfanon.core import import_hook

BACKEND = "tensorflow"
FLOATX = "float32"
EPSILON = 1e-7  # Keras's own default
IMAGE_DATA_FORMAT = "channels_last"


def prepare_keras_import() -> None:
    """Let a later `import keras`, by any module, find the defaults of tfanon, not the user's."""
    prefer_installed_keras()
    import_hook.surround_import("keras", _without_user_settings)


def prefer_installed_keras() -> None:
    """Turn TF_USE_LEGACY_KERAS off if the package that it needs is not installed.

    Otherwise TensorFlow, and any package that uses its `tf.keras`, would not load.
    """
    if "TF_USE_LEGACY_KERAS" in os.environ and importlib.util.find_spec("tf_keras") is None:
        os.environ["TF_USE_LEGACY_KERAS"] = "0"


def apply_keras_settings() -> None:
    """Set the defaults of a Keras that may have been imported, and configured, before tfanon was.

    A dtype policy stays, as set by `--precision`; one that follows from another float type does
    not.

    Raises:
        ImportError: Keras runs on another backend, which cannot be changed any more.
    """
    import keras

    backend = keras.config.backend()
    if backend != BACKEND:
        raise ImportError(
            f"Keras was imported before tfanon and runs on '{backend}', as KERAS_BACKEND or "
            "keras.json says; tfanon needs TensorFlow. Import tfanon before keras, or set "
            "KERAS_BACKEND=tensorflow."
        )
    # A policy that was set on purpose, such as by --precision, is kept otherwise.
    if keras.config.floatx() != FLOATX:
        keras.config.set_floatx(FLOATX)
        keras.config.set_dtype_policy(FLOATX)  # it followed from the other float type
    keras.config.set_epsilon(EPSILON)
    keras.config.set_image_data_format(IMAGE_DATA_FORMAT)


@contextlib.contextmanager
def keras_settings() -> Iterator[None]:
    """Use the settings of tfanon, in float32, in this block; then restore those of the program.

    Raises:
        ImportError: As apply_keras_settings does.
    """
    import keras

    held = keras.config
    before = held.floatx(), held.epsilon(), held.image_data_format(), held.dtype_policy()
    apply_keras_settings()
    held.set_dtype_policy(FLOATX)
    try:
        yield
    finally:
        floatx, epsilon, image_data_format, policy = before
        held.set_floatx(floatx)
        held.set_epsilon(epsilon)
        held.set_image_data_format(image_data_format)
        held.set_dtype_policy(policy)


@contextlib.contextmanager
def _without_user_settings() -> Iterator[None]:
    """Hide the user's settings while Keras is imported, but not where its downloads are kept."""
    # Read while the user's KERAS_HOME is still visible.
    cache = _cache_folder()
    with _hidden_settings():
        yield
    keras_config: Any = sys.modules.get("keras.src.backend.config")
    if hasattr(keras_config, "_KERAS_DIR"):
        keras_config._KERAS_DIR = cache


@contextlib.contextmanager
def _hidden_settings() -> Iterator[None]:
    """Hide KERAS_* variables in this block, and point KERAS_HOME where no keras.json can be."""
    hidden = {name: value for name, value in os.environ.items() if name.startswith("KERAS_")}
    for name in hidden:
        del os.environ[name]
    # Nothing can be read or written at /dev/null/keras.json, and Keras does without.
    os.environ["KERAS_HOME"] = os.devnull
    os.environ["KERAS_BACKEND"] = BACKEND
    try:
        yield
    finally:
        del os.environ["KERAS_HOME"]
        os.environ.update(hidden)
        # Child processes and other packages shall see the backend that is in use.
        os.environ["KERAS_BACKEND"] = BACKEND


def _cache_folder() -> str:
    """Return the folder in which Keras would keep its downloads."""
    home = os.path.expanduser("~")
    # Computed as in keras/src/backend/config.py.
    base = home if os.access(home, os.W_OK) else "/tmp"
    return os.environ.get("KERAS_HOME", os.path.join(base, ".keras"))
