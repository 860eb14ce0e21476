"""Anonymizers whose leak is known: each is caught by those attackers that must catch it, and by no other."""

import importlib.util
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfanon import registry
from tfanon.attackers import fresh, frozen, multi_frame, reconstruction

SPEC = importlib.util.spec_from_file_location("planted", pathlib.Path(__file__).with_name("planted.py"))
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


def transposed(x, training=False):
    """Every 2 x 2 block of pixels [a b; c d] becomes [a c; b d]: upright stripes lie, and nothing is lost."""
    blocks = tf.reshape(x, [-1, planted.SIDE // 2, 2, planted.SIDE // 2, 2, 3])
    return tf.reshape(tf.transpose(blocks, [0, 1, 4, 3, 2, 5]), tf.shape(x))


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
        return tf.reshape(0.5 + 0.01 * (clips - 0.5) + noise[..., None, None, None] * self.ramp, tf.shape(x))


def found(entries, attacker):
    return next(entry for entry in entries if entry["attacker"] == attacker)


def test_identity_leaks_everything(images):
    entry, = fresh.attack(planted.run(images[0], {"images": images[1]}), "raw",
                          registry.find("anonymizers", "raw").build())
    assert entry["cmap"] > 0.95 and entry["cmap_chance"] == 0.5


def test_noise_leaks_nothing(images):
    entry, = fresh.attack(planted.run(images[0], {"images": images[1]}), "noise",
                          registry.find("anonymizers", "noise").build())
    assert entry["cmap"] <= entry["cmap_by_chance"][1] < 0.8


def test_a_permutation_is_caught_by_who_learns_anew(images):
    run = planted.run(images[0], {"images": images[1]})
    fooled, = frozen.attack(run, "transposed", transposed)
    caught, = fresh.attack(run, "transposed", transposed)
    assert fooled["cmap"] < fooled["cmap_chance"] and caught["cmap"] > 0.95


@pytest.mark.large  # half a minute
def test_a_permutation_is_caught_by_reconstruction(images):
    run = planted.run(images[0], {"images": images[1]}, epochs_privacy=15)
    entries = reconstruction.attack(run, "transposed", transposed, width=0.25)
    # Left as it is a transposed image is wrong in half of its pixels by twice the strength, some .33: 13 dB.
    assert found(entries, "reconstruction")["psnr"] > 20
    assert found(entries, "reconstruction+frozen")["cmap"] > 0.95
    sheet, = (pathlib.Path(run.config.workdir) / "pictures").glob("*.png")
    assert sheet.name == "reconstruction-images-transposed.png" and Image.open(sheet).height > 3 * run.config.resolution


@pytest.mark.large  # half a minute
def test_what_stays_in_the_mean_is_caught_by_averaging(tmp_path):
    run = planted.run(tmp_path / "run", {"clips": planted.videos(tmp_path / "data", (128, 48, 64))})
    caught, = multi_frame.attack(run, "averaged", Averaged())
    assert caught["cmap"] > 0.95
    missed, = fresh.attack(run, "averaged", Averaged())
    assert missed["cmap"] <= missed["cmap_by_chance"][1] < 0.75
