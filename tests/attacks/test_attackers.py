"""What attacks share, worked out by hand; whether attacks succeed is tested in test_planted.py."""

import numpy as np
import planted_data
import pytest
import tensorflow as tf

from tfanon.attacks import (
    PrivacyAttackCallback,
    identity,
    knn,
    make_log_callbacks,
    reconstruction,
    whole_video,
)
from tfanon.attacks.common import attack_run, decoder
from tfanon.core import registry
from tfanon.data.batch import Examples
from tfanon.data.splits import DatasetSplits
from tfanon.summaries import tensorboard


def test_every_module_is_an_attack():
    names = registry.list_names("attackers")
    assert "fresh" in names and not {"common", "protocols"} & {*names}
    for name in names:
        module = registry.load_module("attackers", name)
        assert callable(module.attack) and module.REQUIRED and module.__doc__


def test_image_network_becomes_clip_network():
    network = registry.load_module("privacy", "small_resnet").build(attributes=3)
    clip = np.random.default_rng(0).random((2, 4, 32, 32, 3), np.float32)
    features = attack_run.build_feature_extractor(network)
    pooled = np.mean([features(clip[:, t]) for t in range(4)], axis=0)
    expected = network.get_layer("logits")(pooled)
    clip_network = attack_run.pool_features_over_time(network)
    np.testing.assert_allclose(clip_network(clip), expected, atol=1e-4)
    clip_features = attack_run.build_feature_extractor(clip_network)
    np.testing.assert_allclose(clip_features(clip), pooled, atol=1e-4)
    assert clip_network.count_params() == network.count_params()
    assert attack_run.pool_features_over_time(clip_network) is clip_network


@pytest.mark.parametrize("network", ["small_resnet", "small3d"])
def test_networks_of_whole_videos(network):
    classifier = whole_video.build_clip_network(network, attack_run.SCRATCH, attributes=5)
    assert classifier(np.zeros((1, 4, 32, 32, 3), np.float32)).shape == (1, 5)


def test_neighbours_by_hand():
    # Of the directions 0, 10, 90 and 180 degrees the two nearest to 80 are 90 and 10: one of them
    # has the attribute.
    angles = np.deg2rad([0, 10, 90, 180])
    features = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    truth = np.array([[0], [0], [1], [1]])
    query = 5 * np.array([[np.cos(np.deg2rad(80)), np.sin(np.deg2rad(80))]])
    assert knn.predict_from_neighbours(features, truth, query, 1).tolist() == [[1.0]]
    assert knn.predict_from_neighbours(features, truth, query, 2).tolist() == [[0.5]]
    # With k above the number of examples all of them count.
    assert knn.predict_from_neighbours(features, truth, query, 20).tolist() == [[0.5]]


def test_similarity_equals_tf_image():
    rng = np.random.default_rng(0)
    x, y = rng.random((2, 176, 180, 3), np.float32), rng.random((2, 176, 180, 3), np.float32)
    similarity = reconstruction._measure_similarity(_ConstantModel(y), [(x, None, None)])
    for name, measure in (
        ("psnr", tf.image.psnr),
        ("ssim", tf.image.ssim),
        ("ms_ssim", tf.image.ssim_multiscale),
    ):
        assert similarity[name] == pytest.approx(np.mean(measure(x, y, 1.0)), abs=1e-6)


# MS-SSIM halves the frames four times and compares windows of 11 x 11 pixels: 161 pixels are the
# first that leave 11, when odd sizes are rounded up. The smallest frames of SSIM have 11 pixels.
@pytest.mark.parametrize(
    "side, measured",
    [
        (161, {"psnr", "ssim", "ms_ssim"}),
        (160, {"psnr", "ssim"}),
        (64, {"psnr", "ssim"}),
        (11, {"psnr", "ssim"}),
        (10, {"psnr"}),
    ],
)
def test_frames_too_small_for_a_measure_are_left_out(side, measured):
    rng = np.random.default_rng(0)
    x, y = rng.random((1, side, 180, 3), np.float32), rng.random((1, side, 180, 3), np.float32)
    similarity = reconstruction._measure_similarity(_ConstantModel(y), [(x, None, None)])
    assert {name for name, value in similarity.items() if value is not None} == measured


class _ConstantModel:
    def __init__(self, output):
        self.output = output

    def forward(self, x):
        return tf.constant(self.output)


def test_depth_to_space_undoes_space_to_depth():
    x = np.random.default_rng(0).random((1, 16, 24, 3), np.float32)
    blocks = decoder.SpaceToDepth()(x)
    assert blocks.shape == (1, 4, 6, 48) and np.array_equal(blocks[0, 1, 2, :3], x[0, 4, 8])
    np.testing.assert_array_equal(decoder.DepthToSpace()(blocks), x)
    clips = np.zeros((1, 2, 16, 32, 3), np.float32)
    assert decoder.build_decoder(0.1)(clips).shape == (1, 2, 16, 32, 3)


def test_identities_are_the_columns_of_one_name():
    truth = np.float32([[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, 1], [0, 0, 0, 1]])
    names = ("identity=a", "identity=b", "identity=c", "hat=yes")
    examples = Examples(tuple("wxyz"), attributes=truth, attribute_names=names)
    splits = DatasetSplits(examples, examples, examples)
    run = planted_data.make_attack_run("nowhere", {"clips": splits})
    columns = identity._find_identity_columns(run, "clips", "identity")
    assert columns == [0, 1, 2]
    people = identity._select_identities(examples, columns)  # the last row is none of them
    assert people.paths == ("w", "x", "y") and people.attributes.tolist() == np.eye(3).tolist()
    # A column of fewer than three values holds no identities.
    assert identity._find_identity_columns(run, "clips", "hat") == [3]
    assert identity.attack(run, "raw", None, column="hat") == []


def test_attack_while_training(tiny_privacy_networks, tmp_path):
    splits = planted_data.write_images(tmp_path / "data", (64, 32, 2))
    f_A = _Shutter()
    callback = PrivacyAttackCallback(
        f_A, splits, planted_data.CONFIG, every_epochs=2, steps=24, network="every_pixel"
    )
    first = callback.measure_leakage()
    assert first > 0.3  # chance level is .5: more than half of what is possible
    assert callback.measure_leakage() == pytest.approx(first)  # from the same weights each time
    f_A.open.assign(0.0)
    logs = {}
    for epoch in range(4):
        callback.on_epoch_end(epoch, logs)
    assert list(callback.leakage_by_epoch) == [2, 4]
    assert logs["attack/cmap_above_floor"] == 0  # grey frames: every score is the same
    callback.attack_if_due(step=30, steps_per_epoch=10)  # epoch 3 is not attacked
    assert list(callback.leakage_by_epoch) == [2, 4]


def test_run_is_attacked_while_it_trains(tiny_privacy_networks, tmp_path):
    splits = planted_data.write_images(tmp_path / "data", (32, 16, 2))
    run = planted_data.make_attack_run(tmp_path, {"images": splits})
    assert make_log_callbacks(run, None) == []
    # 32 clips, two batches of 4 a step: 4 steps an epoch, so the second epoch ends at step 8.
    run = planted_data.make_attack_run(
        tmp_path, {"images": splits}, attack_every_epochs=2, batch_clips=4
    )
    (callback,) = make_log_callbacks(run, _Shutter())
    with tensorboard.create_writer(tmp_path / "logs").as_default() as writer:
        for step in (4, 6, 8):
            callback(step, None)
        writer.close()
    (path,) = (tmp_path / "logs").iterdir()
    points = []
    for event in tf.compat.v1.train.summary_iterator(str(path)):
        points += [(event.step, value.tag) for value in event.summary.value]
    assert points == [(8, "attack/cmap_above_floor")]


class _Shutter:
    """f_A: the frame itself when open, grey when closed."""

    def __init__(self):
        self.open = tf.Variable(1.0)

    def __call__(self, x, training=False):
        return self.open * x + (1 - self.open) * 0.5
