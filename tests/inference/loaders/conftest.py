"""Models on disk, for the tests of loaders."""

import pathlib
from collections.abc import Callable

import finished_runs
import keras
import pytest
import tensorflow as tf

from tfanon.core import checkpoint, config, files, registry
from tfanon.core.config import Config


def write_run(folder: pathlib.Path, name: str, **options) -> keras.Model:
    """Write the folder of a run that has trained its anonymizer, and return that."""
    width = options.get("anonymizer_width", 1.0)
    f_A = registry.load_module("anonymizers", name).build(width=width)
    phase_folder = folder / "phases/anonymize"
    phase_folder.mkdir(parents=True)
    digest = checkpoint.save_weights(f_A, phase_folder / "network.weights.h5")
    files.write_json_atomically(phase_folder / "done.json", {"result": {}, "sha256": digest})
    config.write_flagfile(Config(anonymizer=name, **options), folder / "run.flags")
    return f_A


@pytest.fixture
def make_run() -> Callable[..., keras.Model]:
    """The function that writes the folder of a run."""
    return write_run


@pytest.fixture
def run(tmp_path, monkeypatch) -> tuple[pathlib.Path, keras.Model]:
    """Folder of a run that has trained its anonymizer, and that anonymizer."""
    finished_runs.add_tiny_networks(monkeypatch)
    return tmp_path / "run", write_run(tmp_path / "run", "tiny", resolution=48)


class Exported(tf.Module):
    """Frames in two signatures, whose output no other network returns by chance."""

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8, name="frames")])
    def invert(self, frames):
        return {"anonymized": 255 - frames}

    @tf.function(input_signature=[tf.TensorSpec([1, 32, 48, 3], tf.float32, name="frames")])
    def halve(self, frames):
        return {"anonymized": 0.5 * frames}


@pytest.fixture(scope="module")
def saved_models(tmp_path_factory) -> pathlib.Path:
    """Folder of SavedModels: of any size, of a fixed size, and with no signature for frames."""
    module, folder = Exported(), tmp_path_factory.mktemp("saved_models")
    for name, signatures in (
        ("open", {"frames_uint8": module.invert}),
        ("fixed", {"serving_default": module.halve}),
        ("none", {"text": module.halve}),
    ):
        tf.saved_model.save(module, str(folder / name), signatures=signatures)
    return folder
