"""Networks from wherever they come: a run's folder, a SavedModel, a mode; and what is refused."""

import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from tfanon.core import checkpoint, config, registry
from tfanon.core.config import Config
from tfanon.inference import network
from tfanon.models import anonymizers

TINY = pathlib.Path(__file__).parent.parent / "tiny" / "anonymizers"
X = np.random.default_rng(0).integers(0, 256, (2, 32, 48, 3), np.uint8)


@pytest.mark.parametrize("mode", network.MODES)
def test_a_mode_is_the_fixed_anonymizer_of_that_name(mode):
    loaded = network.load_network(mode=mode)
    expected = registry.load_module("anonymizers", mode).build()(X / np.float32(255)).numpy()
    assert np.abs(loaded(X) - 255 * expected).max() < 0.51
    assert loaded.size == (224, 224) and not loaded.fixed_size


def trained(folder, name, **settings):
    """f_A of a run that has come so far, below the folder."""
    f_A = registry.load_module("anonymizers", name).build(
        width=settings.get("anonymizer_width", 1.0)
    )
    (folder / "phases/anonymize").mkdir(parents=True)
    digest = checkpoint.save_weights(f_A, folder / "phases/anonymize/network.weights.h5")
    checkpoint.write_json(folder / "phases/anonymize/done.json", {"result": {}, "sha256": digest})
    config.write_flagfile(Config(anonymizer=name, **settings), folder / "run.flags")
    return f_A


@pytest.fixture
def run(tmp_path, monkeypatch):
    """(folder of a run that has come as far as f_A, f_A)."""
    monkeypatch.setattr(anonymizers, "__path__", [*anonymizers.__path__, str(TINY)])
    return tmp_path / "run", trained(tmp_path / "run", "tiny", resolution=48)


def test_a_run_answers_as_its_network(run):
    folder, f_A = run
    loaded = network.load_network(str(folder))
    assert (loaded.name, loaded.size, loaded.multiple) == ("tiny", (48, 48), 1)
    assert loaded.tested_size == (48, 48) and not loaded.scale_invariant
    assert (
        loaded.sha256 == json.loads((folder / "phases/anonymize/done.json").read_text())["sha256"]
    )
    assert np.abs(loaded(X) - 255 * f_A(X / np.float32(255), training=False).numpy()).max() < 0.51


@pytest.mark.large
def test_a_network_of_clips_says_that_it_sees_frames_here(tmp_path, caplog):
    f_A = trained(tmp_path, "tubelet_vit", resolution=32, anonymizer_width=0.1)
    loaded = network.load_network(str(tmp_path))
    (line,) = (record.getMessage() for record in caplog.records)
    assert line.startswith(
        f"{tmp_path}: tubelet_vit was judged on clips and sees each frame here as a clip that stands"
    )
    x = X / np.float32(255)
    still = np.stack([f_A(np.stack([frame, frame])[None], training=False)[0, 0] for frame in x])
    assert np.abs(loaded(X) - 255 * still).max() < 0.51
    assert (
        np.abs(255 * (f_A(x[None], training=False)[0].numpy() - still)).max() > 2
    )  # not what it makes of the clip


def test_a_network_of_frames_says_nothing(run, caplog):
    network.load_network(str(run[0]))
    assert not caplog.records


def test_altered_weights_are_refused(run):
    folder, _ = run
    weights = folder / "phases/anonymize/network.weights.h5"
    before = weights.read_bytes()
    weights.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    with pytest.raises(ValueError, match="was altered"):
        network.load_network(str(folder))


class Exported(tf.Module):
    """Frames in two signatures, which no other network gives by chance."""

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8, name="frames")])
    def frames_uint8(self, frames):
        return {"anonymized": 255 - frames}

    @tf.function(input_signature=[tf.TensorSpec([1, 32, 48, 3], tf.float32, name="frames")])
    def serve(self, frames):
        return {"anonymized": 0.5 * frames}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    module, folder = Exported(), tmp_path_factory.mktemp("saved")
    tf.saved_model.save(
        module, str(folder / "open"), signatures={"frames_uint8": module.frames_uint8}
    )
    tf.saved_model.save(module, str(folder / "fixed"), signatures={"serving_default": module.serve})
    tf.saved_model.save(module, str(folder / "none"), signatures={"text": module.serve})
    return folder


def test_a_saved_model_of_uint8_frames(saved):
    loaded = network.load_network(str(saved / "open"))
    assert np.array_equal(loaded(X), 255 - X) and loaded.size is None and not loaded.fixed_size
    assert loaded.sha256 != network.load_network(str(saved / "fixed")).sha256


def test_a_saved_model_of_one_size_and_one_frame(saved):
    loaded = network.load_network(str(saved / "fixed"))
    assert (loaded.size, loaded.fixed_size, loaded.batch) == ((32, 48), True, 1)
    assert np.array_equal(
        loaded(X[:1]), np.rint(X[:1] / np.float32(255) * 0.5 * 255).astype(np.uint8)
    )


def test_a_saved_model_may_say_at_which_size_it_works(saved):
    (saved / "open/assets.extra").mkdir()
    (saved / "open" / network.SAVED_MODEL_METADATA).write_text('{"size": [64, 96], "multiple": 16}')
    loaded = network.load_network(str(saved / "open"))
    assert (loaded.size, loaded.fixed_size, loaded.multiple) == ((64, 96), False, 16)


def test_what_is_no_model_is_refused(saved, run, tmp_path):
    for model, mode, message in [
        ("", "", "not neither"),
        ("a", "blur", "not both"),
        ("", "blurr", "No mode called 'blurr'"),
        (str(tmp_path / "gone"), "", "there is nothing at that path"),
        (str(tmp_path), "", "is no model"),
        (str(saved / "none"), "", "has no signature for frames; it has: text"),
    ]:
        with pytest.raises(ValueError, match=message):
            network.load_network(model, mode)
    (tmp_path / "run.flags").write_text((run[0] / "run.flags").read_text())
    with pytest.raises(ValueError, match="holds no trained anonymizer yet"):
        network.load_network(str(tmp_path))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/saved_model.pb").write_bytes(b"\xff\xff")
    with pytest.raises(ValueError, match="could not be loaded"):
        network.load_network(str(tmp_path / "broken"))


@pytest.mark.parametrize(
    "answer, message",
    [
        (np.full(X.shape, np.inf, np.float32), "NaN or an infinite"),
        (X[:1], r"made \(1, 32, 48, 3\) of \(2, 32, 48, 3\)"),
    ],
)
def test_unsafe_answers(answer, message):
    with pytest.raises(network.UnsafeOutputError, match=message):
        network.Network("n", "0", lambda x: answer)(X)


def test_floats_are_clipped_and_rounded():
    values = np.array([-1, 0.0019, 0.0021, 0.5, 2.0, 1.0], np.float32).reshape(
        1, 1, 2, 3
    )  # half a level is 0.00196
    answer = network.Network("n", "0", lambda x: values)(np.zeros((1, 1, 2, 3), np.uint8))
    assert answer.ravel().tolist() == [0, 0, 1, 128, 255, 255]
