import json

import helpers
import keras
import numpy as np
import pytest

from tfanon.core import checkpoint
from tfanon.core.checkpoint import CheckpointManager


def model(dropout=0.5):
    return helpers.judge(2, 3, dropout)


def test_restores_the_newest(tmp_path):
    one, checkpoints = model(), CheckpointManager(tmp_path)
    one.layers[0].bias.assign([1.0, 2, 3, 4])
    checkpoints.save(one, 5, {"score": 0.5})
    one.layers[0].bias.assign([5.0, 6, 7, 8])
    checkpoints.save(one, 10, {"score": 0.6})
    other = model()
    assert CheckpointManager(tmp_path).restore(other) == (10, {"score": 0.6})
    assert helpers.same(helpers.values(one), helpers.values(other))


def test_restores_optimizers_and_random_states(tmp_path):
    one = helpers.minimax(
        f_T=helpers.judge(3, 5, dropout=0.5), optimizer=lambda: keras.optimizers.Adam(0.1)
    )
    one.train_step((helpers.batch(0), helpers.batch(1)))
    CheckpointManager(tmp_path).save(one, 1)
    other = helpers.minimax(
        f_T=helpers.judge(3, 5, dropout=0.5), optimizer=lambda: keras.optimizers.Adam(0.1)
    )
    CheckpointManager(tmp_path).restore(other)
    assert 0 < float(one.largest_change) == float(other.largest_change)
    for trained in (one, other):
        trained.train_step((helpers.batch(2), helpers.batch(3)))
    assert helpers.same(helpers.values(one), helpers.values(other))


@pytest.mark.parametrize("damage", ["truncate", "flip", "remove", "manifest"])
def test_a_damaged_checkpoint_falls_back_to_the_one_before(tmp_path, damage):
    network, checkpoints = model(), CheckpointManager(tmp_path)
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
    assert checkpoints.restore(model()) == (5, {})


def test_a_damaged_best_file_falls_back_too(tmp_path):
    network, checkpoints = model(), CheckpointManager(tmp_path)
    checkpoints.save(network, 5)
    digest = checkpoint.save_weights(network, tmp_path / "best-epoch-00002.weights.h5")
    checkpoints.save(network, 10, {"file": "best-epoch-00002.weights.h5", "sha256": digest})
    (tmp_path / "best-epoch-00002.weights.h5").write_bytes(b"")
    assert checkpoints.restore(model()) == (5, {})


def test_keeps_two_and_the_files_they_name(tmp_path):
    network, checkpoints = model(), CheckpointManager(tmp_path)
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


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "results.json"
    checkpoint.write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        checkpoint.write_json(path, {"a": np.zeros(2)})
    assert json.loads(path.read_text()) == {"a": 1}


def test_weights_of_another_network_are_refused_in_one_line(tmp_path):
    digest = checkpoint.save_weights(model(), tmp_path / "a.weights.h5")
    other = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 1), keras.layers.Conv2D(2, 1)]
    )
    with pytest.raises(ValueError, match="another network") as refusal:
        checkpoint.load_weights(other, tmp_path / "a.weights.h5", digest)
    assert "\n" not in str(refusal.value)


def test_load_names_what_is_wrong(tmp_path):
    with pytest.raises(ValueError, match="missing"):
        checkpoint.load_weights(model(), tmp_path / "no.weights.h5", "")
    digest = checkpoint.save_weights(model(), tmp_path / "a.weights.h5")
    with pytest.raises(ValueError, match="altered"):
        checkpoint.load_weights(
            model(), tmp_path / "a.weights.h5", "0" + digest[1:] if digest[0] != "0" else "1" * 64
        )
