"""The same few samples under every anonymizer: as files at the end of a run, in TensorBoard while it trains."""

import tensorflow as tf

from tfanon.data import pipeline
from tfanon.media import contact_sheet
from tfanon.summaries import tensorboard

EVERY = 10  # logs from one picture in TensorBoard to the next


def draw(folder, tables, config, anonymizers):
    """Write images.png, clips.png and clips.gif of test examples.  anonymizers: {name: f_A}, a row of pictures each."""
    images = first(
        pipeline.evaluation_images(tables.images.test, config), contact_sheet.SAMPLES_PER_SHEET
    )
    rows = spread(len(tables.clips.test), contact_sheet.SAMPLES_PER_SHEET)
    clips = first(
        pipeline.evaluation_clips(tables.clips.test.take(rows), config),
        contact_sheet.SAMPLES_PER_SHEET * config.eval_clips,
    )
    clips = clips[:: config.eval_clips]
    contact_sheet.save_sheet(
        folder / "images.png",
        contact_sheet.draw_sheet(_apply(anonymizers, images), scale=scale(config)),
    )
    moving = _apply(anonymizers, clips)
    contact_sheet.save_sheet(
        folder / "clips.png",
        contact_sheet.draw_sheet(
            {name: clip[0] for name, clip in moving.items()}, scale=scale(config)
        ),
    )
    contact_sheet.save_animation(folder / "clips.gif", moving, scale=scale(config))


def scale(config):
    """How many pixels of a sheet show one of a picture: small ones would be hard to see."""
    return max(1, 128 // config.resolution)


def spread(rows, count):
    """`count` row numbers, evenly spread, so that a sheet does not show one class alone."""
    return sorted({round(k * (rows - 1) / max(1, count - 1)) for k in range(count)})


def watchers(tables, config, extras=()):
    """What the minimax game shows at every log, on one fixed training batch: watch(step, minimax).

    extras: what its objective asks of a batch.
    """
    batch, _ = next(
        iter(pipeline.anonymization(tables.clips.train, tables.images.train, config, 0, 1, extras))
    )

    @tf.function
    def look(minimax):
        anon = minimax.anonymize_batch(batch, training=False)
        return (
            anon["clips"],
            anon["pairs"],
            {
                f"L_B/{mode}": minimax.objective.frozen_privacy_loss(minimax.f_B, batch, anon, mode)
                for mode in ("inference", "batch")
            },
        )

    def watch(step, minimax):
        clips, pairs, budgets = look(minimax)
        rates = {
            f"rate/{name}": getattr(minimax, f"optimizer_{name}").learning_rate for name in "ATB"
        }
        tensorboard.scalars(step, {**budgets, **rates})
        if step // config.log_every % EVERY == 0:
            for name, raw, changed in (
                ("clips", batch["clips"], clips),
                ("pairs", batch["pairs"], pairs),
            ):
                shown = slice(None, contact_sheet.SAMPLES_PER_SHEET)
                tensorboard.images(step, name, {"raw": raw[shown, 0], "f_A": changed[shown, 0]})

    return [watch]


def first(dataset, count):
    """The pictures of the first examples of an evaluation dataset, [count, ...]."""
    rows = [x for x, _, _ in dataset.unbatch().take(count)]
    return tf.stack(rows)


def _apply(anonymizers, x):
    return {name: f_A(x, training=False).numpy() for name, f_A in anonymizers.items()}
