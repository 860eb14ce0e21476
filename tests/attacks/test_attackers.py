"""What attackers share, by hand; whether their attacks work is in test_planted.py."""

import importlib.util
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from tfanon.attacks import (
    PrivacyAttackCallback,
    identity,
    knn,
    reconstruction,
    watchers,
    whole_video,
)
from tfanon.attacks.common import attack_run, decoder
from tfanon.core import registry
from tfanon.data import splits as tables
from tfanon.data.batch import Examples
from tfanon.summaries import tensorboard

SPEC = importlib.util.spec_from_file_location(
    "planted", pathlib.Path(__file__).with_name("planted.py")
)
planted = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(planted)


def test_every_file_is_an_attack():
    for name in registry.list_names("attackers"):
        module = registry.load_module("attackers", name)
        assert callable(module.attack) and module.REQUIRED and module.__doc__


def test_a_judge_of_frames_becomes_one_of_clips():
    network = registry.load_module("privacy", "small_resnet").build(attributes=3)
    clip = np.random.default_rng(0).random((2, 4, 32, 32, 3), np.float32)
    features = attack_run.build_feature_extractor(network)
    pooled = np.mean([features(clip[:, t]) for t in range(4)], axis=0)
    expected = network.get_layer("logits")(pooled)
    over_time = attack_run.pool_features_over_time(network)
    np.testing.assert_allclose(over_time(clip), expected, atol=1e-4)
    np.testing.assert_allclose(
        attack_run.build_feature_extractor(over_time)(clip), pooled, atol=1e-4
    )
    assert (
        over_time.count_params() == network.count_params()
        and attack_run.pool_features_over_time(over_time) is over_time
    )


@pytest.mark.parametrize("network", ["small_resnet", "small3d"])
def test_networks_of_whole_videos(network):
    judge = whole_video.build_clip_network(network, attack_run.SCRATCH, attributes=5)
    assert judge(np.zeros((1, 4, 32, 32, 3), np.float32)).shape == (1, 5)


def test_neighbours_by_hand():
    # Of the directions 0, 10, 90 and 180 degrees the two nearest to 80 are 90 and 10: one of them has the attribute.
    turns = np.deg2rad([0, 10, 90, 180])
    features, truth = (
        np.stack([np.cos(turns), np.sin(turns)], axis=1),
        np.array([[0], [0], [1], [1]]),
    )
    asked = 5 * np.array([[np.cos(np.deg2rad(80)), np.sin(np.deg2rad(80))]])
    assert knn.predict_from_neighbours(features, truth, asked, 1).tolist() == [[1.0]]
    assert knn.predict_from_neighbours(features, truth, asked, 2).tolist() == [[0.5]]
    assert knn.predict_from_neighbours(features, truth, asked, 20).tolist() == [
        [0.5]
    ]  # no more than there are


def test_likeness_equals_tf_image(monkeypatch):
    rng = np.random.default_rng(0)
    x, y = rng.random((2, 176, 180, 3), np.float32), rng.random((2, 176, 180, 3), np.float32)
    found = reconstruction._measure_similarity(_Answer(y), [(x, None, None)])
    for name, measure in (
        ("psnr", tf.image.psnr),
        ("ssim", tf.image.ssim),
        ("ms_ssim", tf.image.ssim_multiscale),
    ):
        assert found[name] == pytest.approx(np.mean(measure(x, y, 1.0)), abs=1e-6)
    assert (
        reconstruction._measure_similarity(_Answer(y[:, :64, :64]), [(x[:, :64, :64], None, None)])[
            "ms_ssim"
        ]
        is None
    )


class _Answer:
    def __init__(self, answer):
        self.answer = answer

    def forward(self, x):
        return tf.constant(self.answer)


def test_the_decoder_s_blocks_are_undone():
    x = np.random.default_rng(0).random((1, 16, 24, 3), np.float32)
    blocks = decoder.SpaceToDepth()(x)
    assert blocks.shape == (1, 4, 6, 48) and np.array_equal(blocks[0, 1, 2, :3], x[0, 4, 8])
    np.testing.assert_array_equal(decoder.DepthToSpace()(blocks), x)
    assert decoder.build_decoder(0.1)(np.zeros((1, 2, 16, 32, 3), np.float32)).shape == (
        1,
        2,
        16,
        32,
        3,
    )


def test_identities_are_the_columns_of_one_name():
    truth = np.float32([[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, 1], [0, 0, 0, 1]])
    names = ("identity=a", "identity=b", "identity=c", "hat=yes")
    examples = Examples(tuple("wxyz"), attributes=truth, attribute_names=names)
    run = planted.run("nowhere", {"clips": tables.Splits(examples, examples, examples)})
    columns = identity._find_identity_columns(run, "clips", "identity")
    assert columns == [0, 1, 2]
    people = identity._select_identities(examples, columns)  # the last row is nobody
    assert people.paths == ("w", "x", "y") and people.attributes.tolist() == np.eye(3).tolist()
    assert identity._find_identity_columns(run, "clips", "hat") == [
        3
    ]  # two values are no identities
    assert identity.attack(run, "raw", None, column="hat") == []


def test_the_attack_while_training(monkeypatch, tmp_path):
    planted.add_tiny_networks(monkeypatch)
    splits = planted.images(tmp_path / "data", (64, 32, 2))
    f_A = _Gate()
    made = PrivacyAttackCallback(
        f_A, splits, planted.SETTINGS, every=2, steps=24, network="every_pixel"
    )
    first = made.attack()
    assert first > 0.3  # the floor is .5: more than half of what there is
    assert made.attack() == pytest.approx(first)  # from the same start each time
    f_A.open.assign(0.0)
    logs = {}
    for epoch in range(4):
        made.on_epoch_end(epoch, logs)
    assert (
        list(made.leakage_by_epoch) == [2, 4] and logs["attack/cmap_above_floor"] == 0
    )  # grey frames: every score is the same
    made.attack_if_due(step=30, steps_per_epoch=10)  # the third epoch of every second
    assert list(made.leakage_by_epoch) == [2, 4]


def test_a_run_is_attacked_while_it_trains(monkeypatch, tmp_path):
    planted.add_tiny_networks(monkeypatch)
    splits = planted.images(tmp_path / "data", (32, 16, 2))
    assert watchers(planted.run(tmp_path, {"images": splits}), None) == []
    # 32 clips, two batches of 4 a step: 4 steps an epoch, so the second epoch ends at step 8.
    (watch,) = watchers(
        planted.run(tmp_path, {"images": splits}, attack_every_epochs=2, batch_clips=4), _Gate()
    )
    with tensorboard.writer(tmp_path / "logs").as_default() as curves:
        for step in (4, 6, 8):
            watch(step, None)
        curves.close()
    (path,) = (tmp_path / "logs").iterdir()
    found = [
        (event.step, value.tag)
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
    ]
    assert found == [(8, "attack/cmap_above_floor")]


class _Gate:
    """f_A: the frame, or grey."""

    def __init__(self):
        self.open = tf.Variable(1.0)

    def __call__(self, x, training=False):
        return self.open * x + (1 - self.open) * 0.5
