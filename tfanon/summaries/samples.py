"""The same few samples under every anonymizer: files at the end of a run, TensorBoard during it."""

import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfanon.core.config import Config
from tfanon.data import pipeline
from tfanon.data.splits import ExperimentData
from tfanon.media import contact_sheet
from tfanon.summaries import tensorboard

LOGS_BETWEEN_IMAGES = 10  # TensorBoard gets pictures at every tenth log
ENLARGED_SIDE = 128  # pixels; smaller pictures would be hard to see

Anonymizers = Mapping[str, keras.Model]


def write_samples(
    folder: pathlib.Path, data: ExperimentData, config: Config, anonymizers: Anonymizers
) -> None:
    """Write images.png, clips.png and clips.gif of test examples.

    Args:
        folder: Where the files go.
        data: The data sets of the experiment.
        config: Its settings.
        anonymizers: {name: f_A}; each gets a row of pictures.
    """
    num_samples, scale = contact_sheet.SAMPLES_PER_SHEET, choose_scale(config)
    images = take_first(
        pipeline.make_image_evaluation_dataset(data.images.test, config), num_samples
    )
    rows = spread_rows(len(data.clips.test), num_samples)
    # Rows are taken before the dataset is made, so that only these videos are read.
    clip_dataset = pipeline.make_clip_evaluation_dataset(data.clips.test.take(rows), config)
    clips = take_first(clip_dataset, num_samples * config.eval_clips)
    clips = clips[:: config.eval_clips]  # the first clip of each video
    image_sheet = contact_sheet.draw_sheet(_apply_all(anonymizers, images), scale=scale)
    contact_sheet.save_sheet(folder / "images.png", image_sheet)
    anonymized_clips = _apply_all(anonymizers, clips)
    first_clips = {name: anonymized[0] for name, anonymized in anonymized_clips.items()}
    clip_sheet = contact_sheet.draw_sheet(first_clips, scale=scale)
    contact_sheet.save_sheet(folder / "clips.png", clip_sheet)
    contact_sheet.save_animation(folder / "clips.gif", anonymized_clips, scale=scale)


def choose_scale(config: Config) -> int:
    """Return the side of the square that shows one pixel on a sheet."""
    return max(1, ENLARGED_SIDE // config.resolution)


def spread_rows(num_rows: int, count: int) -> list[int]:
    """Return `count` row numbers, evenly spread, so that a sheet does not show only one class.

    Args:
        num_rows: Rows to choose from.
        count: How many to choose; fewer are returned if there are not enough rows.
    """
    return sorted({round(k * (num_rows - 1) / max(1, count - 1)) for k in range(count)})


def make_log_callbacks(
    data: ExperimentData, config: Config, extra_keys: Sequence[str] = ()
) -> list[Callable[[int, Any], None]]:
    """Make the callbacks that show the progress of adversarial training in TensorBoard.

    They show losses of f_B, learning rates and pictures, on one fixed training batch.

    Args:
        data: The data sets of the experiment.
        config: Its settings.
        extra_keys: What the objective needs in a batch besides clips, labels and pairs.

    Returns:
        Functions of the step and the `training.trainer.MinimaxModel`, to be called at every log.
    """
    dataset = pipeline.make_anonymization_dataset(
        data.clips.train, data.images.train, config, 0, 1, extra_keys
    )
    # One batch for all logs, so that the curves show the networks and not the examples.
    batch, _ = next(iter(dataset))

    @tf.function
    def evaluate(minimax: Any) -> tuple[tf.Tensor, tf.Tensor, dict[str, tf.Tensor]]:
        anon = minimax.anonymize_batch(batch, training=False)
        privacy_losses = {
            f"L_B/{mode}": minimax.objective.frozen_privacy_loss(minimax.f_B, batch, anon, mode)
            for mode in ("inference", "batch")
        }
        return anon["clips"], anon["pairs"], privacy_losses

    def log(step: int, minimax: Any) -> None:
        clips, pairs, privacy_losses = evaluate(minimax)
        learning_rates = {
            f"rate/{name}": getattr(minimax, f"optimizer_{name}").learning_rate for name in "ATB"
        }
        tensorboard.write_scalars(step, {**privacy_losses, **learning_rates})
        if step // config.log_every % LOGS_BETWEEN_IMAGES == 0:
            _write_pictures(step, "clips", batch["clips"], clips)
            _write_pictures(step, "pairs", batch["pairs"], pairs)

    return [log]


def _write_pictures(step: int, name: str, raw: tf.Tensor, anonymized: tf.Tensor) -> None:
    """Show the first frame, or the first view, of some examples, raw and after f_A."""
    shown = slice(None, contact_sheet.SAMPLES_PER_SHEET)
    rows = {"raw": raw[shown, 0], "f_A": anonymized[shown, 0]}
    tensorboard.write_images(step, name, rows)


def take_first(dataset: tf.data.Dataset, count: int) -> tf.Tensor:
    """Return the pixels of the first examples of an evaluation dataset, ``[count, ...]``.

    Args:
        dataset: As `data.pipeline` makes it for evaluation.
        count: How many examples; fewer are returned if there are not enough.
    """
    pixels = [x for x, _, _ in dataset.unbatch().take(count)]
    return tf.stack(pixels)


def _apply_all(anonymizers: Anonymizers, x: tf.Tensor) -> dict[str, np.ndarray]:
    return {name: f_A(x, training=False).numpy() for name, f_A in anonymizers.items()}
