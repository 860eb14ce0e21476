"""An anonymizer as a SavedModel, with a file of what its signatures do not say."""

import json
import pathlib

import tensorflow as tf

from tfanon.exporting.signatures import ServingModule
from tfanon.inference.loaders.saved_model import SAVED_MODEL_METADATA

SAVED_MODEL_FOLDER = "saved_model"


def write_saved_model(module: ServingModule, folder: pathlib.Path, fixed: bool = False) -> None:
    """Write a SavedModel.

    Args:
        module: The anonymizer with its signatures.
        folder: Folder to write.
        fixed: Accept frames of the module's H x W only.
    """
    tf.saved_model.save(module, str(folder), signatures=module.make_signatures(fixed))
    path = pathlib.Path(folder) / SAVED_MODEL_METADATA
    # assets.extra is the part of a SavedModel that TensorFlow leaves to its users.
    path.parent.mkdir()
    described = {
        "size": module.size,
        "trained_size": module.trained_size,
        "multiple": module.multiple,
    }
    path.write_text(json.dumps(described) + "\n")
