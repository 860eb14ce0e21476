"""Data whose one private attribute is known to the pixel, and a run that tiny networks attack."""

import dataclasses
import pathlib

import numpy as np
import PIL.Image

import tfanon.models.privacy
from tfanon import replicas
from tfanon.attackers import _common
from tfanon.config import Config
from tfanon.data import tables
from tfanon.data.batch import Examples
from tfanon.media import writer

SIDE = 16
SETTINGS = Config(
    resolution=SIDE, frames=8, stride=1, min_crop=1.0, eval_crop=1.0, eval_clips=1, privacy_network="every_pixel",
    batch_privacy=16, batch_action=16, epochs_privacy=9, epochs_clip_privacy=12, warmup_epochs=1,
    rate_privacy_judge=2e-2, rate_reconstruct=5e-3, read_threads=2, clip_source="none", image_source="none")


def add_tiny_networks(monkeypatch):
    """The files of tests/tiny/privacy as choices."""
    place = pathlib.Path(__file__).parent.parent / "tiny" / "privacy"
    monkeypatch.setattr(tfanon.models.privacy, "__path__", [*tfanon.models.privacy.__path__, str(place)])


def stripes(rng, upright):
    """uint8 [H, W, 3]: stripes of one pixel, upright or lying, of any strength and colour."""
    base, strength = rng.integers(60, 190, 3), rng.integers(25, 60)
    line = np.where(np.arange(SIDE) % 2 == rng.integers(2), strength, -strength)
    return np.uint8(base + np.broadcast_to(line[None, :, None] if upright else line[:, None, None], (SIDE, SIDE, 3)))


def ramps(_, rising):
    """uint8 [T, H, W, 3]: a still clip of ramps of eight rows that grow brighter, or darker, from row to row."""
    ramp = 128 + (1 if rising else -1) * (14 * (np.arange(SIDE) % 8) - 49)
    return np.broadcast_to(np.uint8(ramp)[None, :, None, None], (8, SIDE, SIDE, 3))


def images(folder, rows):
    """Splits of PNG images, half of each with the attribute "upright"."""
    return _splits(folder, rows, "upright", stripes, ".png", lambda path, image: PIL.Image.fromarray(image).save(path))


def videos(folder, rows):
    """Splits of videos, half of each with the attribute "rising"."""
    return _splits(folder, rows, "rising", ramps, ".mp4", lambda path, clip: writer.write_video(path, clip, crf=4))


def _splits(folder, rows, name, draw, ending, write):
    rng, found = np.random.default_rng(0), {}
    folder.mkdir(parents=True)
    for split, count in zip(("train", "held_out", "test"), rows):
        has = np.arange(count) % 2
        paths = tuple(str(folder / f"{split}-{number}{ending}") for number in range(count))
        for path, value in zip(paths, has):
            write(path, draw(rng, value))
        found[split] = Examples(paths, attributes=np.float32(has)[:, None], attribute_names=(name,))
    return tables.Splits(**found)


def run(workdir, probes, **settings):
    """An attackers' Run on these probes."""
    config = dataclasses.replace(SETTINGS, workdir=str(workdir), **settings)
    nothing = next(iter(probes.values()))
    return _common.Run(config, tables.Tables(nothing, nothing, probes), replicas.make_strategy("one_device"))
