"""Data whose private attributes are known to the pixel, and an evaluation with tiny networks."""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import PIL.Image

from tfanon.attacks.common import attack_run
from tfanon.core.config import Config
from tfanon.data.batch import Examples
from tfanon.data.splits import DatasetSplits, ExperimentData
from tfanon.media import array_writer
from tfanon.training import distribution

SIDE = 16
CONFIG = Config(
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


def draw_stripes(rng: np.random.Generator, upright: bool) -> np.ndarray:
    """uint8 [H, W, 3]: stripes one pixel wide, upright or lying, of random contrast and colour."""
    base, strength = rng.integers(60, 190, 3), rng.integers(25, 60)
    return np.uint8(base + _draw_lines(rng, strength, upright))


def draw_ramps(_: np.random.Generator, rising: bool) -> np.ndarray:
    """uint8 [T, H, W, 3]: a still clip; every eight rows get brighter, or darker, row by row."""
    sign = 1 if rising else -1
    ramp = 128 + sign * (14 * (np.arange(SIDE) % 8) - 49)
    return np.broadcast_to(np.uint8(ramp)[None, :, None, None], (8, SIDE, SIDE, 3))


def draw_tinted_stripes(rng: np.random.Generator, upright: bool, red: bool) -> np.ndarray:
    """uint8 [H, W, 3]: stripes on red or blue; both have the same mean over the channels."""
    base, strength = (170, 110, 70) if red else (70, 110, 170), rng.integers(25, 50)
    return np.uint8(base + rng.integers(-10, 11, 3) + _draw_lines(rng, strength, upright))


def _draw_lines(rng: np.random.Generator, strength: int, upright: bool) -> np.ndarray:
    line = np.where(np.arange(SIDE) % 2 == rng.integers(2), strength, -strength)
    column_or_row = line[None, :, None] if upright else line[:, None, None]
    return np.broadcast_to(column_or_row, (SIDE, SIDE, 3))


def write_images(folder: pathlib.Path, rows: Sequence[int]) -> DatasetSplits:
    """PNG images, half of each split with the attribute "upright".

    rows: size of the training, held-out and test split.
    """
    return _write_splits(folder, rows, ("upright",), draw_stripes, ".png", _write_image)


def write_red_images(folder: pathlib.Path, rows: Sequence[int]) -> DatasetSplits:
    """As write_images, in one colour."""

    def draw(rng: np.random.Generator, upright: bool) -> np.ndarray:
        return draw_tinted_stripes(rng, upright, True)

    return _write_splits(folder, rows, ("upright",), draw, ".png", _write_image)


def write_tinted_images(folder: pathlib.Path, rows: Sequence[int]) -> DatasetSplits:
    """PNG images, half of each split with "upright", and half of either half with "red"."""
    names = ("upright", "red")
    return _write_splits(folder, rows, names, draw_tinted_stripes, ".png", _write_image)


def write_videos(folder: pathlib.Path, rows: Sequence[int]) -> DatasetSplits:
    """Videos, half of each split with the attribute "rising"."""
    return _write_splits(folder, rows, ("rising",), draw_ramps, ".mp4", _write_video)


def write_tinted_videos(folder: pathlib.Path, rows: Sequence[int]) -> DatasetSplits:
    """Still videos of four frames, as write_tinted_images."""

    def write(path: str, image: np.ndarray) -> None:
        _write_video(path, np.stack([image] * 4))

    return _write_splits(folder, rows, ("upright", "red"), draw_tinted_stripes, ".mp4", write)


def turn_attributes_into_people(splits: DatasetSplits) -> DatasetSplits:
    """Make one person of each combination of two attributes; keep the first attribute as well."""
    changed = {}
    for split in ("train", "held_out", "test"):
        examples = getattr(splits, split)
        first, second = np.int32(examples.attributes).T
        people = np.eye(4, dtype=np.float32)[first + 2 * second]
        truth = np.concatenate([examples.attributes[:, :1], people], axis=1)
        names = (examples.attribute_names[0], *(f"identity={name}" for name in "abcd"))
        changed[split] = dataclasses.replace(examples, attributes=truth, attribute_names=names)
    return DatasetSplits(**changed)


def make_attack_run(
    workdir: pathlib.Path | str, tasks: Mapping[str, DatasetSplits], **flags: object
) -> attack_run.AttackRun:
    """An evaluation on these privacy tasks."""
    config = dataclasses.replace(CONFIG, workdir=str(workdir), **flags)
    any_splits = next(iter(tasks.values()))
    data = ExperimentData(any_splits, any_splits, tasks, any_splits)
    return attack_run.AttackRun(config, data, distribution.make_strategy("one_device"))


def _write_image(path: str, image: np.ndarray) -> None:
    PIL.Image.fromarray(image).save(path)


def _write_video(path: str, clip: np.ndarray) -> None:
    array_writer.write_video(path, clip, crf=4)


def _write_splits(
    folder: pathlib.Path,
    rows: Sequence[int],
    names: tuple[str, ...],
    draw: Callable[..., np.ndarray],
    ending: str,
    write: Callable[[str, np.ndarray], None],
) -> DatasetSplits:
    """Attribute p changes every 2 ** p rows, so that all combinations are equally frequent."""
    rng, splits = np.random.default_rng(0), {}
    folder.mkdir(parents=True)
    for split, count in zip(("train", "held_out", "test"), rows, strict=True):
        truth = np.arange(count)[:, None] // 2 ** np.arange(len(names)) % 2
        paths = tuple(str(folder / f"{split}-{number}{ending}") for number in range(count))
        for path, values in zip(paths, truth, strict=True):
            write(path, draw(rng, *values))
        splits[split] = Examples(paths, attributes=np.float32(truth), attribute_names=names)
    return DatasetSplits(**splits)
