import json

import helpers
import keras
import numpy as np
import pytest

from tfanon.core import checkpoint, files
from tfanon.core.checkpoint import CheckpointManager


def make_network(dropout: float = 0.5) -> keras.Model:
    return helpers.make_adversary(2, 3, dropout)


def test_newest_checkpoint_is_restored(tmp_path):
    one, checkpoints = make_network(), CheckpointManager(tmp_path)
    one.layers[0].bias.assign([1.0, 2, 3, 4])
    checkpoints.save(one, 5, {"score": 0.5})
    one.layers[0].bias.assign([5.0, 6, 7, 8])
    checkpoints.save(one, 10, {"score": 0.6})
    other = make_network()
    assert CheckpointManager(tmp_path).restore(other) == (10, {"score": 0.6})
    assert helpers.are_equal(helpers.read_values(one), helpers.read_values(other))


def test_optimizers_and_random_states_are_restored(tmp_path):
    one = helpers.make_minimax(
        f_T=helpers.make_adversary(3, 5, dropout=0.5), optimizer=lambda: keras.optimizers.Adam(0.1)
    )
    one.train_step((helpers.make_batch(0), helpers.make_batch(1)))
    CheckpointManager(tmp_path).save(one, 1)
    other = helpers.make_minimax(
        f_T=helpers.make_adversary(3, 5, dropout=0.5), optimizer=lambda: keras.optimizers.Adam(0.1)
    )
    CheckpointManager(tmp_path).restore(other)
    assert 0 < float(one.largest_change) == float(other.largest_change)
    for trained in (one, other):
        trained.train_step((helpers.make_batch(2), helpers.make_batch(3)))
    assert helpers.are_equal(helpers.read_values(one), helpers.read_values(other))


@pytest.mark.parametrize("damage", ["truncate", "flip", "remove", "manifest"])
def test_damaged_checkpoint_falls_back_to_the_previous_one(tmp_path, damage):
    network, checkpoints = make_network(), CheckpointManager(tmp_path)
    checkpoints.save(network, 5)
    checkpoints.save(network, 10)
    weights = tmp_path / "step-000000010.weights.h5"
    data = bytearray(weights.read_bytes())
    if damage == "truncate":
        weights.write_bytes(data[:-100])
    elif damage == "flip":
        data[len(data) // 2] ^= 1
        weights.write_bytes(data)
    elif damage == "remove":
        weights.unlink()
    else:
        (tmp_path / "step-000000010.json").write_text('{"step": 10')
    assert checkpoints.restore(make_network()) == (5, {})


def test_damaged_best_file_falls_back_to_the_previous_checkpoint(tmp_path):
    network, checkpoints = make_network(), CheckpointManager(tmp_path)
    checkpoints.save(network, 5)
    digest = checkpoint.save_weights(network, tmp_path / "best-epoch-00002.weights.h5")
    checkpoints.save(network, 10, {"file": "best-epoch-00002.weights.h5", "sha256": digest})
    (tmp_path / "best-epoch-00002.weights.h5").write_bytes(b"")
    assert checkpoints.restore(make_network()) == (5, {})


def test_two_checkpoints_and_their_files_are_kept(tmp_path):
    network, checkpoints = make_network(), CheckpointManager(tmp_path)
    for step in (1, 2, 3):
        name = f"best-epoch-0000{step}.weights.h5"
        digest = checkpoint.save_weights(network, tmp_path / name)
        checkpoints.save(network, step, {"file": name, "sha256": digest})
    (tmp_path / ".unfinished-step-000000004.weights.h5").write_bytes(b"half")
    checkpoints.clear(keep=2)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        f"{kind}{step}{ending}"
        for step in (2, 3)
        for kind, ending in (
            ("step-00000000", ".json"),
            ("step-00000000", ".weights.h5"),
            ("best-epoch-0000", ".weights.h5"),
        )
    )


def test_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "results.json"
    files.write_json_atomically(path, {"a": 1})
    with pytest.raises(TypeError):
        files.write_json_atomically(path, {"a": np.zeros(2)})
    assert json.loads(path.read_text()) == {"a": 1}


def test_weights_of_a_different_network_raise_an_error_of_one_line(tmp_path):
    digest = checkpoint.save_weights(make_network(), tmp_path / "a.weights.h5")
    other = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 1), keras.layers.Conv2D(2, 1)]
    )
    with pytest.raises(ValueError, match="different network") as error:
        checkpoint.load_weights(other, tmp_path / "a.weights.h5", digest)
    assert "\n" not in str(error.value)


def test_error_distinguishes_missing_and_altered_files(tmp_path):
    with pytest.raises(ValueError, match="missing"):
        checkpoint.load_weights(make_network(), tmp_path / "no.weights.h5", "")
    digest = checkpoint.save_weights(make_network(), tmp_path / "a.weights.h5")
    with pytest.raises(ValueError, match="altered"):
        checkpoint.load_weights(
            make_network(),
            tmp_path / "a.weights.h5",
            "0" + digest[1:] if digest[0] != "0" else "1" * 64,
        )
