"""Anonymizers whose leak is known: each is caught by those attackers that must catch it, and by no other."""

import importlib.util
import pathlib

import numpy as np
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

SPEC = importlib.util.spec_from_file_location(
    "planted", pathlib.Path(__file__).with_name("planted.py")
)
planted = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(planted)


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    planted.add_tiny_networks(monkeypatch)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """(folder that all tests share, so that the network on raw data is trained once; the splits)."""
    folder = tmp_path_factory.mktemp("images")
    return folder / "run", planted.images(folder / "data", (96, 32, 48))


@pytest.fixture(scope="module")
def tinted(tmp_path_factory):
    """As images, with an attribute of the shape, "upright", and one of the colour, "red"."""
    folder = tmp_path_factory.mktemp("tinted")
    return folder / "run", planted.tinted_images(folder / "data", (96, 32, 96))


def transposed(x, training=False):
    """Every 2 x 2 block of pixels [a b; c d] becomes [a c; b d]: upright stripes lie, and nothing is lost."""
    blocks = tf.reshape(x, [-1, planted.SIDE // 2, 2, planted.SIDE // 2, 2, 3])
    return tf.reshape(tf.transpose(blocks, [0, 1, 4, 3, 2, 5]), tf.shape(x))


def smoothed(x, training=False):
    """Every 2 x 2 block of pixels becomes its mean: of stripes of one pixel nothing is left, of the colour all."""
    blocks = tf.reshape(x, [-1, planted.SIDE // 2, 2, planted.SIDE // 2, 2, 3])
    means = tf.reduce_mean(blocks, axis=(2, 4), keepdims=True)
    return tf.reshape(tf.broadcast_to(means, tf.shape(blocks)), tf.shape(x))


def recoloured(x, training=False):
    """Each channel of each frame is pulled towards a random level by a random gain, .2 to .6; shapes stay.

    The draws are a function of the batch, as those of noise are: the same whichever tests ran before.
    """
    seed = tf.bitcast(tf.reduce_sum(x), tf.int32)
    draws = tf.random.stateless_uniform([2, tf.shape(x)[0], 1, 1, 3], tf.stack([0, seed]))
    gain = 0.2 + 0.4 * draws[0]
    return gain * x + (1 - gain) * draws[1]


def glimpsed(clips, training=False):
    """Grey, so that red and blue are one, and smoothed but for one frame of each clip, at random."""
    n, moments = tf.shape(clips)[0], clips.shape[1]
    grey = tf.broadcast_to(tf.reduce_mean(clips, axis=-1, keepdims=True), tf.shape(clips))
    shown = tf.one_hot(tf.random.uniform([n], maxval=moments, dtype=tf.int32), moments)[
        ..., None, None, None
    ]
    return shown * grey + (1 - shown) * smoothed(grey)


class Averaged:
    """Hides the ramps under noise that is one number per frame times the ramp and 0 in the mean over the clip.

    Eight frames; the noise is sum over k = 1, 2, 3 of .2 cos(2 pi k t / 8 + phase), random phases: its standard
    deviation, .2 sqrt(3 / 2) = .24, is 24 times the 1 % of the ramp that is left. A frame alone is that of one moment.
    """

    ramp = tf.constant((np.arange(planted.SIDE) % 8 - 3.5) / 8, tf.float32)[:, None, None]

    def __call__(self, x, training=False):
        clips = x if len(x.shape) == 5 else x[:, None]
        moments = tf.range(clips.shape[1], dtype=tf.float32)
        k = tf.constant([1.0, 2.0, 3.0])[:, None]
        phases = tf.random.uniform([tf.shape(x)[0], 3, 1], maxval=2 * np.pi)
        noise = tf.reduce_sum(0.2 * tf.cos(2 * np.pi * k * moments / 8 + phases), axis=1)
        return tf.reshape(
            0.5 + 0.01 * (clips - 0.5) + noise[..., None, None, None] * self.ramp, tf.shape(x)
        )


def found(entries, attacker):
    return next(entry for entry in entries if entry["attacker"] == attacker)


def test_identity_leaks_everything(images):
    (entry,) = fresh.attack(
        planted.run(images[0], {"images": images[1]}),
        "raw",
        registry.load_module("anonymizers", "raw").build(),
    )
    assert entry["cmap"] > 0.95 and entry["cmap_chance"] == 0.5


def test_noise_leaks_nothing(images):
    (entry,) = fresh.attack(
        planted.run(images[0], {"images": images[1]}),
        "noise",
        registry.load_module("anonymizers", "noise").build(),
    )
    assert entry["cmap"] <= entry["cmap_by_chance"][1] < 0.8


def test_a_permutation_is_caught_by_who_learns_anew(images):
    run = planted.run(images[0], {"images": images[1]})
    (fooled,) = frozen.attack(run, "transposed", transposed)
    (caught,) = fresh.attack(run, "transposed", transposed)
    assert fooled["cmap"] < fooled["cmap_chance"] and caught["cmap"] > 0.95


def test_new_colours_for_every_frame_fool_only_who_learns_nothing(tmp_path):
    """After one epoch a network reads every raw image; with more it learns to see through colours by itself."""
    splits = planted.red_images(tmp_path / "data", (96, 32, 96))
    hasty = planted.run(tmp_path / "hasty", {"images": splits}, epochs_privacy=1)
    (fooled,) = frozen.attack(hasty, "recoloured", recoloured)
    (unharmed,) = frozen.attack(hasty, "raw", registry.load_module("anonymizers", "raw").build())
    (caught,) = fresh.attack(
        planted.run(tmp_path / "run", {"images": splits}, epochs_privacy=6),
        "recoloured",
        recoloured,
    )
    assert (
        unharmed["cmap"] > 0.95 and fooled["cmap"] < 0.75 and caught["cmap"] > 0.95
    )  # the floor is .5


@pytest.mark.parametrize("attacker", [knn, linear_probe])
def test_features_of_raw_data_tell_what_stays_and_not_what_is_gone(tinted, attacker):
    run = planted.run(tinted[0], {"images": tinted[1]}, epochs_privacy=4)
    (entry,) = attacker.attack(run, "smoothed", smoothed)
    assert entry["average_precision"]["red"] > 0.95
    assert entry["average_precision"]["upright"] == pytest.approx(
        0.5, abs=0.15
    )  # by chance +- .05: 48 of 96 have it


def test_no_row_of_the_training_data_is_its_own_neighbour(tmp_path):
    """With nothing held out one neighbour, the row itself, would always be right and always be chosen."""
    splits = planted.images(tmp_path / "data", (48, 0, 24))
    (entry,) = knn.attack(
        planted.run(tmp_path / "run", {"images": splits}, epochs_privacy=1), "smoothed", smoothed
    )
    assert entry["neighbours"] == max(knn.K_CHOICES)


def test_a_glimpse_is_caught_in_the_whole_video(tmp_path):
    splits = planted.tinted_videos(tmp_path / "data", (64, 16, 96))
    (entry,) = whole_video.attack(
        planted.run(tmp_path / "run", {"clips": splits}, frames=4, epochs_clip_privacy=4),
        "glimpsed",
        glimpsed,
    )
    # Who sees one frame is sure of a quarter of the clips and guesses at the others: an average precision of some .7.
    assert entry["average_precision"]["upright"] > 0.95
    assert entry["average_precision"]["red"] == pytest.approx(
        0.5, abs=0.2
    )  # by chance +- .05: 48 of 96 have it


@pytest.mark.parametrize("name", ["raw", "noise"])
def test_who_it_is(tinted, name):
    run = planted.run(tinted[0], {"images": planted.people(tinted[1])}, epochs_privacy=6)
    (entry,) = identity.attack(run, name, registry.load_module("anonymizers", name).build())
    check_identity(entry, name)


@pytest.mark.large  # ten seconds each
@pytest.mark.parametrize("name", ["raw", "noise"])
def test_who_it_is_in_whole_videos(tmp_path, name):
    splits = planted.people(planted.tinted_videos(tmp_path / "data", (96, 32, 96)))
    (entry,) = identity.attack(
        planted.run(tmp_path / "run", {"clips": splits}, frames=4),
        name,
        registry.load_module("anonymizers", name).build(),
    )
    check_identity(entry, name)


def check_identity(entry, name):
    """Raw data say who it is; noise says nothing: one in four is right, and of either kind of pairs a tenth passes."""
    assert entry["identity_chance"] == 0.25
    if name == "raw":
        assert entry["identity_top1"] > 0.9 and entry["tar_at_far"]["0.1"] > 0.9
    else:
        assert entry["identity_top1"] == pytest.approx(
            0.25, abs=0.15
        )  # by chance +- .04: 96 examples
        assert entry["tar_at_far"]["0.1"] == pytest.approx(0.1, abs=0.08)


@pytest.mark.large  # half a minute
def test_a_permutation_is_caught_by_reconstruction(images):
    run = planted.run(images[0], {"images": images[1]}, epochs_privacy=15)
    entries = reconstruction.attack(run, "transposed", transposed, width=0.25)
    # Left as it is a transposed image is wrong in half of its pixels by twice the strength, some .33: 13 dB.
    assert found(entries, "reconstruction")["psnr"] > 20
    assert found(entries, "reconstruction+frozen")["cmap"] > 0.95
    sheet = (
        pathlib.Path(run.config.workdir) / "phases/reconstruction-0.25-images-transposed/sheet.png"
    )
    assert Image.open(sheet).height > 3 * run.config.resolution


@pytest.mark.large  # half a minute
def test_what_stays_in_the_mean_is_caught_by_averaging(tmp_path):
    run = planted.run(tmp_path / "run", {"clips": planted.videos(tmp_path / "data", (128, 48, 64))})
    (caught,) = multi_frame.attack(run, "averaged", Averaged())
    assert caught["cmap"] > 0.95
    (missed,) = fresh.attack(run, "averaged", Averaged())
    assert missed["cmap"] <= missed["cmap_by_chance"][1] < 0.75
