"""Data whose private attributes are known to the pixel, and a run that tiny networks attack."""

import dataclasses
import pathlib

import numpy as np
import PIL.Image

import tfanon.models.privacy
from tfanon.attacks.common import attack_run
from tfanon.core.config import Config
from tfanon.data import splits as tables
from tfanon.data.batch import Examples
from tfanon.media import array_writer
from tfanon.training import distribution

SIDE = 16
SETTINGS = Config(
    resolution=SIDE,
    frames=8,
    stride=1,
    min_crop=1.0,
    eval_crop=1.0,
    eval_clips=1,
    privacy_network="every_pixel",
    batch_privacy=16,
    batch_action=16,
    epochs_privacy=9,
    epochs_clip_privacy=12,
    warmup_epochs=1,
    lr_attack=2e-2,
    lr_reconstruct=5e-3,
    read_threads=2,
    clip_source="none",
    image_source="none",
)


def add_tiny_networks(monkeypatch):
    """The files of tests/tiny/privacy as choices."""
    place = pathlib.Path(__file__).parent.parent / "tiny" / "privacy"
    monkeypatch.setattr(
        tfanon.models.privacy, "__path__", [*tfanon.models.privacy.__path__, str(place)]
    )


def stripes(rng, upright):
    """uint8 [H, W, 3]: stripes of one pixel, upright or lying, of any strength and colour."""
    base, strength = rng.integers(60, 190, 3), rng.integers(25, 60)
    return np.uint8(base + _lines(rng, strength, upright))


def ramps(_, rising):
    """uint8 [T, H, W, 3]: a still clip of ramps of eight rows that grow brighter, or darker, from row to row."""
    ramp = 128 + (1 if rising else -1) * (14 * (np.arange(SIDE) % 8) - 49)
    return np.broadcast_to(np.uint8(ramp)[None, :, None, None], (8, SIDE, SIDE, 3))


def tinted(rng, upright, red):
    """uint8 [H, W, 3]: stripes as above on red or on blue, both of the same mean over the channels."""
    base, strength = (170, 110, 70) if red else (70, 110, 170), rng.integers(25, 50)
    return np.uint8(base + rng.integers(-10, 11, 3) + _lines(rng, strength, upright))


def _lines(rng, strength, upright):
    line = np.where(np.arange(SIDE) % 2 == rng.integers(2), strength, -strength)
    return np.broadcast_to(line[None, :, None] if upright else line[:, None, None], (SIDE, SIDE, 3))


def images(folder, rows):
    """Splits of PNG images, half of each with the attribute "upright"."""
    return _splits(folder, rows, ("upright",), stripes, ".png", _write_image)


def red_images(folder, rows):
    """As images, in one colour."""
    return _splits(
        folder,
        rows,
        ("upright",),
        lambda rng, upright: tinted(rng, upright, True),
        ".png",
        _write_image,
    )


def tinted_images(folder, rows):
    """Splits of PNG images, half of each with the attribute "upright", half of either half with "red"."""
    return _splits(folder, rows, ("upright", "red"), tinted, ".png", _write_image)


def videos(folder, rows):
    """Splits of videos, half of each with the attribute "rising"."""
    return _splits(folder, rows, ("rising",), ramps, ".mp4", _write_video)


def tinted_videos(folder, rows):
    """Splits of still videos of four frames, as tinted_images."""
    return _splits(
        folder,
        rows,
        ("upright", "red"),
        tinted,
        ".mp4",
        lambda path, image: _write_video(path, np.stack([image] * 4)),
    )


def people(splits):
    """The splits with one person per combination of their two attributes, and the first of these, which is nobody's."""
    found = {}
    for split in ("train", "held_out", "test"):
        examples = getattr(splits, split)
        first, second = np.int32(examples.attributes).T
        truth = np.concatenate(
            [examples.attributes[:, :1], np.eye(4, dtype=np.float32)[first + 2 * second]], axis=1
        )
        names = (examples.attribute_names[0], *(f"identity={name}" for name in "abcd"))
        found[split] = dataclasses.replace(examples, attributes=truth, attribute_names=names)
    return tables.Splits(**found)


def _write_image(path, image):
    PIL.Image.fromarray(image).save(path)


def _write_video(path, clip):
    array_writer.write_video(path, clip, crf=4)


def _splits(folder, rows, names, draw, ending, write):
    """Attribute p changes its value every 2 ** p rows, so that each goes with each other equally often."""
    rng, found = np.random.default_rng(0), {}
    folder.mkdir(parents=True)
    for split, count in zip(("train", "held_out", "test"), rows):
        has = np.arange(count)[:, None] // 2 ** np.arange(len(names)) % 2
        paths = tuple(str(folder / f"{split}-{number}{ending}") for number in range(count))
        for path, values in zip(paths, has):
            write(path, draw(rng, *values))
        found[split] = Examples(paths, attributes=np.float32(has), attribute_names=names)
    return tables.Splits(**found)


def run(workdir, probes, **settings):
    """An attackers' Run on these probes."""
    config = dataclasses.replace(SETTINGS, workdir=str(workdir), **settings)
    nothing = next(iter(probes.values()))
    return attack_run.AttackRun(
        config, tables.Tables(nothing, nothing, probes), distribution.make_strategy("one_device")
    )
