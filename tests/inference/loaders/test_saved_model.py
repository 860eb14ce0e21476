"""SavedModels of any size and of one size."""

import numpy as np

from tfanon.inference import loaders
from tfanon.inference.loaders.saved_model import SAVED_MODEL_METADATA

FRAMES = np.random.default_rng(0).integers(0, 256, (2, 32, 48, 3), np.uint8)


def test_saved_model_of_uint8_frames(saved_models):
    network = loaders.load_network(str(saved_models / "open"))
    assert np.array_equal(network(FRAMES), 255 - FRAMES)
    assert network.size is None and not network.fixed_size
    assert network.sha256 != loaders.load_network(str(saved_models / "fixed")).sha256


def test_saved_model_of_one_size_and_one_frame(saved_models):
    network = loaders.load_network(str(saved_models / "fixed"))
    assert (network.size, network.fixed_size, network.batch) == ((32, 48), True, 1)
    expected = np.rint(FRAMES[:1] / np.float32(255) * 0.5 * 255).astype(np.uint8)
    assert np.array_equal(network(FRAMES[:1]), expected)


def test_saved_model_may_record_the_size_at_which_it_works(saved_models):
    (saved_models / "open/assets.extra").mkdir()
    metadata = '{"size": [64, 96], "multiple": 16}'
    (saved_models / "open" / SAVED_MODEL_METADATA).write_text(metadata)
    network = loaders.load_network(str(saved_models / "open"))
    assert (network.size, network.fixed_size, network.multiple) == ((64, 96), False, 16)
