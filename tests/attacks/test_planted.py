"""Anonymizers whose leakage is known: the right attacks find it, and no other."""

import pathlib

import numpy as np
import planted_data
import pytest
import tensorflow as tf
from PIL import Image

from tfanon.attacks import (
    fresh,
    frozen,
    identity,
    knn,
    linear_probe,
    multi_frame,
    reconstruction,
    whole_video,
)
from tfanon.core import registry

pytestmark = pytest.mark.usefixtures("tiny_privacy_networks")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Folder of an evaluation, and splits; shared, so that one network is trained on raw data."""
    folder = tmp_path_factory.mktemp("images")
    return folder / "run", planted_data.write_images(folder / "data", (96, 32, 48))


@pytest.fixture(scope="module")
def tinted(tmp_path_factory):
    """As images, with an attribute of the shape, "upright", and one of the colour, "red"."""
    folder = tmp_path_factory.mktemp("tinted")
    return folder / "run", planted_data.write_tinted_images(folder / "data", (96, 32, 96))


def build_anonymizer(name):
    return registry.load_module("anonymizers", name).build()


def split_into_blocks(x):
    """[..., H, W, 3] -> [n, H / 2, 2, W / 2, 2, 3]."""
    half = planted_data.SIDE // 2
    return tf.reshape(x, [-1, half, 2, half, 2, 3])


def transpose_blocks(x, training=False):
    """Turn every 2 x 2 block [a b; c d] into [a c; b d]: upright stripes lie, nothing is lost."""
    blocks = split_into_blocks(x)
    return tf.reshape(tf.transpose(blocks, [0, 1, 4, 3, 2, 5]), tf.shape(x))


def smooth(x, training=False):
    """Replace every 2 x 2 block by its mean: stripes vanish, the colour stays."""
    blocks = split_into_blocks(x)
    means = tf.reduce_mean(blocks, axis=(2, 4), keepdims=True)
    return tf.reshape(tf.broadcast_to(means, tf.shape(blocks)), tf.shape(x))


def recolour(x, training=False):
    """Pull each channel of each frame towards a random level by a random gain, .2 to .6.

    Shapes stay. The draws depend on the batch alone, not on the tests that ran before.
    """
    seed = tf.bitcast(tf.reduce_sum(x), tf.int32)
    draws = tf.random.stateless_uniform([2, tf.shape(x)[0], 1, 1, 3], tf.stack([0, seed]))
    gain = 0.2 + 0.4 * draws[0]
    return gain * x + (1 - gain) * draws[1]


def show_one_frame(clips, training=False):
    """Make clips grey, so that red and blue look alike, and smooth all frames but a random one."""
    n, frames = tf.shape(clips)[0], clips.shape[1]
    grey = tf.broadcast_to(tf.reduce_mean(clips, axis=-1, keepdims=True), tf.shape(clips))
    chosen = tf.random.uniform([n], maxval=frames, dtype=tf.int32)
    is_shown = tf.one_hot(chosen, frames)[..., None, None, None]
    return is_shown * grey + (1 - is_shown) * smooth(grey)


class NoisyRamps:
    """Hides ramps in noise: one number per frame times the ramp, with mean 0 over the clip.

    Of eight frames; the noise is the sum over k = 1, 2, 3 of .2 cos(2 pi k t / 8 + phase) with
    random phases. Its standard deviation, .2 sqrt(3 / 2) = .24, is 24 times the 1 % of the ramp
    that is left. A frame alone gets the noise of one moment.
    """

    ramp = tf.constant((np.arange(planted_data.SIDE) % 8 - 3.5) / 8, tf.float32)[:, None, None]

    def __call__(self, x, training=False):
        clips = x if len(x.shape) == 5 else x[:, None]
        t = tf.range(clips.shape[1], dtype=tf.float32)
        k = tf.constant([1.0, 2.0, 3.0])[:, None]
        phases = tf.random.uniform([tf.shape(x)[0], 3, 1], maxval=2 * np.pi)
        noise = tf.reduce_sum(0.2 * tf.cos(2 * np.pi * k * t / 8 + phases), axis=1)
        noisy_ramps = noise[..., None, None, None] * self.ramp
        return tf.reshape(0.5 + 0.01 * (clips - 0.5) + noisy_ramps, tf.shape(x))


def find_entry(entries, attacker):
    return next(entry for entry in entries if entry["attacker"] == attacker)


def test_raw_images_leak_everything(images):
    run = planted_data.make_attack_run(images[0], {"images": images[1]})
    (entry,) = fresh.attack(run, "raw", build_anonymizer("raw"))
    assert entry["cmap"] > 0.95 and entry["cmap_chance"] == 0.5


def test_noise_leaks_nothing(images):
    run = planted_data.make_attack_run(images[0], {"images": images[1]})
    (entry,) = fresh.attack(run, "noise", build_anonymizer("noise"))
    assert entry["cmap"] <= entry["cmap_by_chance"][1] < 0.8


def test_retrained_attacker_finds_what_was_only_moved(images):
    run = planted_data.make_attack_run(images[0], {"images": images[1]})
    (fooled,) = frozen.attack(run, "transposed", transpose_blocks)
    (successful,) = fresh.attack(run, "transposed", transpose_blocks)
    assert fooled["cmap"] < fooled["cmap_chance"] and successful["cmap"] > 0.95


def test_random_colours_fool_only_the_frozen_attacker(tmp_path):
    # One epoch suffices for raw images; with more, the network learns to ignore colours by itself.
    splits = planted_data.write_red_images(tmp_path / "data", (96, 32, 96))
    hasty = planted_data.make_attack_run(tmp_path / "hasty", {"images": splits}, epochs_privacy=1)
    (fooled,) = frozen.attack(hasty, "recoloured", recolour)
    (unharmed,) = frozen.attack(hasty, "raw", build_anonymizer("raw"))
    run = planted_data.make_attack_run(tmp_path / "run", {"images": splits}, epochs_privacy=6)
    (successful,) = fresh.attack(run, "recoloured", recolour)
    # Chance level is .5.
    assert unharmed["cmap"] > 0.95 and fooled["cmap"] < 0.75 and successful["cmap"] > 0.95


@pytest.mark.parametrize("attacker", [knn, linear_probe])
def test_features_of_raw_data_find_what_is_left_and_nothing_else(tinted, attacker):
    run = planted_data.make_attack_run(tinted[0], {"images": tinted[1]}, epochs_privacy=4)
    (entry,) = attacker.attack(run, "smoothed", smooth)
    assert entry["average_precision"]["red"] > 0.95
    # By chance .5 +- .05: 48 of 96 have it.
    assert entry["average_precision"]["upright"] == pytest.approx(0.5, abs=0.15)


def test_training_example_is_not_its_own_neighbour(tmp_path):
    # With nothing held out, one neighbour (the example itself) would always be right and chosen.
    splits = planted_data.write_images(tmp_path / "data", (48, 0, 24))
    run = planted_data.make_attack_run(tmp_path / "run", {"images": splits}, epochs_privacy=1)
    (entry,) = knn.attack(run, "smoothed", smooth)
    assert entry["neighbours"] == max(knn.K_CHOICES)


def test_whole_video_attack_finds_a_single_frame(tmp_path):
    splits = planted_data.write_tinted_videos(tmp_path / "data", (64, 16, 96))
    run = planted_data.make_attack_run(
        tmp_path / "run", {"clips": splits}, frames=4, epochs_clip_privacy=4
    )
    (entry,) = whole_video.attack(run, "glimpsed", show_one_frame)
    # An attacker of one frame is sure of a quarter of the clips and guesses the others: an average
    # precision of about .7.
    assert entry["average_precision"]["upright"] > 0.95
    # By chance .5 +- .05: 48 of 96 have it.
    assert entry["average_precision"]["red"] == pytest.approx(0.5, abs=0.2)


@pytest.mark.parametrize("name", ["raw", "noise"])
def test_identification(tinted, name):
    splits = planted_data.turn_attributes_into_people(tinted[1])
    run = planted_data.make_attack_run(tinted[0], {"images": splits}, epochs_privacy=6)
    (entry,) = identity.attack(run, name, build_anonymizer(name))
    check_identification(entry, name)


@pytest.mark.large  # ten seconds each
@pytest.mark.parametrize("name", ["raw", "noise"])
def test_identification_in_whole_videos(tmp_path, name):
    splits = planted_data.turn_attributes_into_people(
        planted_data.write_tinted_videos(tmp_path / "data", (96, 32, 96))
    )
    run = planted_data.make_attack_run(tmp_path / "run", {"clips": splits}, frames=4)
    (entry,) = identity.attack(run, name, build_anonymizer(name))
    check_identification(entry, name)


def check_identification(entry, name):
    """Raw data identify people; in noise one in four is right, and a tenth of all pairs passes."""
    assert entry["identity_chance"] == 0.25
    if name == "raw":
        assert entry["identity_top1"] > 0.9 and entry["tar_at_far"]["0.1"] > 0.9
    else:
        # By chance .25 +- .04: 96 examples.
        assert entry["identity_top1"] == pytest.approx(0.25, abs=0.15)
        assert entry["tar_at_far"]["0.1"] == pytest.approx(0.1, abs=0.08)


@pytest.mark.large  # half a minute
def test_reconstruction_undoes_a_permutation(images):
    run = planted_data.make_attack_run(images[0], {"images": images[1]}, epochs_privacy=15)
    entries = reconstruction.attack(run, "transposed", transpose_blocks, width=0.25)
    # A transposed image is wrong in half of its pixels by twice the contrast, about .33: 13 dB.
    assert find_entry(entries, "reconstruction")["psnr"] > 20
    assert find_entry(entries, "reconstruction+frozen")["cmap"] > 0.95
    phase = pathlib.Path(run.config.workdir) / "phases/reconstruction-0.25-images-transposed"
    assert Image.open(phase / "sheet.png").height > 3 * run.config.resolution


@pytest.mark.large  # half a minute
def test_averaging_finds_what_stays_in_the_mean(tmp_path):
    splits = planted_data.write_videos(tmp_path / "data", (128, 48, 64))
    run = planted_data.make_attack_run(tmp_path / "run", {"clips": splits})
    (successful,) = multi_frame.attack(run, "averaged", NoisyRamps())
    assert successful["cmap"] > 0.95
    (unsuccessful,) = fresh.attack(run, "averaged", NoisyRamps())
    assert unsuccessful["cmap"] <= unsuccessful["cmap_by_chance"][1] < 0.75
