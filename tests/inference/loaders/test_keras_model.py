"""Fixed anonymizers, and those of finished runs."""

import json

import numpy as np
import pytest

from tfanon.core import registry
from tfanon.inference import loaders
from tfanon.inference.loaders.keras_model import MODES

FRAMES = np.random.default_rng(0).integers(0, 256, (2, 32, 48, 3), np.uint8)


@pytest.mark.parametrize("mode", MODES)
def test_mode_is_the_fixed_anonymizer_of_that_name(mode):
    network = loaders.load_network(mode=mode)
    expected = registry.load_module("anonymizers", mode).build()(FRAMES / np.float32(255)).numpy()
    assert np.abs(network(FRAMES) - 255 * expected).max() < 0.51
    assert network.size == (224, 224) and not network.fixed_size


def test_run_returns_what_its_network_returns(run):
    folder, f_A = run
    network = loaders.load_network(str(folder))
    assert (network.name, network.size, network.multiple) == ("tiny", (48, 48), 1)
    assert network.tested_size == (48, 48) and not network.scale_invariant
    record = json.loads((folder / "phases/anonymize/done.json").read_text())
    assert network.sha256 == record["sha256"]
    expected = 255 * f_A(FRAMES / np.float32(255), training=False).numpy()
    assert np.abs(network(FRAMES) - expected).max() < 0.51


@pytest.mark.large
def test_network_of_clips_warns_that_it_receives_frames(tmp_path, make_run, caplog):
    f_A = make_run(tmp_path, "tubelet_vit", resolution=32, anonymizer_width=0.1)
    network = loaders.load_network(str(tmp_path))
    (line,) = (record.getMessage() for record in caplog.records)
    assert line.startswith(
        f"{tmp_path}: tubelet_vit was evaluated on clips, but receives single frames here, each as "
        "a clip in which nothing moves"
    )
    x = FRAMES / np.float32(255)
    still_clips = [np.stack([frame, frame])[None] for frame in x]
    still = np.stack([f_A(clip, training=False)[0, 0] for clip in still_clips])
    assert np.abs(network(FRAMES) - 255 * still).max() < 0.51
    moving = f_A(x[None], training=False)[0].numpy()
    assert np.abs(255 * (moving - still)).max() > 2  # it makes something else of the clip


def test_network_of_frames_does_not_warn(run, caplog):
    loaders.load_network(str(run[0]))
    assert not caplog.records


def test_altered_weights_are_refused(run):
    folder, _ = run
    weights = folder / "phases/anonymize/network.weights.h5"
    before = weights.read_bytes()
    weights.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    with pytest.raises(ValueError, match="was altered"):
        loaders.load_network(str(folder))
