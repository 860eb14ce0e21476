"""f_A as a SavedModel, with what its signatures do not say beside it."""

import contextlib
import json
import pathlib

import tensorflow as tf
from absl import logging

from tfanon.inference import network

NAME = "saved_model"


def write(module, folder, fixed=False):
    """Write a signatures.Anonymizer to `folder`.  fixed: its frames have the module's H x W and no other."""
    with _quiet():
        tf.saved_model.save(module, str(folder), signatures=module.signatures(fixed))
    about = pathlib.Path(folder) / network.SAVED_MODEL_METADATA
    about.parent.mkdir()
    about.write_text(
        json.dumps(
            {"size": module.size, "trained_size": module.trained_size, "multiple": module.multiple}
        )
        + "\n"
    )


@contextlib.contextmanager
def _quiet():
    """TensorFlow tells of every tensor that it renames, kilobytes of it, in the middle of our lines."""
    own, levels = tf.get_logger(), (logging.get_verbosity(), tf.get_logger().level)
    logging.set_verbosity(logging.WARNING)
    own.setLevel("WARNING")
    try:
        yield
    finally:
        logging.set_verbosity(levels[0])
        own.setLevel(levels[1])
