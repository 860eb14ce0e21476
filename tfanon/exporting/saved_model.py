"""f_A as a SavedModel, with what its signatures do not say beside it."""

import json
import pathlib

import tensorflow as tf

from tfanon.anonymizing import network

NAME = "saved_model"


def write(module, folder, fixed=False):
    """Write a signatures.Anonymizer to `folder`.  fixed: its frames have the module's H x W and no other."""
    tf.saved_model.save(module, str(folder), signatures=module.signatures(fixed))
    about = pathlib.Path(folder) / network.ABOUT
    about.parent.mkdir()
    about.write_text(json.dumps({"size": module.size, "multiple": module.multiple}) + "\n")
