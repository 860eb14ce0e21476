"""The input pipelines: index, decode, sample, augment, batch.

Every dataset is a pure function of (seed, position). Datasets for training take `first` and `last`,
counted in steps from the start of a phase: steps first..last-1 are the same bit for bit, whatever
`first` is, so resuming in the middle of an epoch costs nothing. There is no shuffle buffer.

Shapes: N clips, images or frames in a batch, T frames, H x W pixels, P private attributes. All
pixels are float32 RGB in [0, 1].
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfanon.core import processes
from tfanon.core.config import Config
from tfanon.data import augment, sampling, stateless_random, tfds_store
from tfanon.data.batch import Examples
from tfanon.data.decode import MediaReader

MAX_READ_THREADS = 16  # each holds an example that waits for its turn
# One call from TensorFlow into Python costs more than reading a small image.
IMAGES_PER_CALL = 8

# A function from a position, int64 [], to an example.
ExampleFunction = Callable[[tf.Tensor], Any]


def make_anonymization_dataset(
    clips: Examples,
    images: Examples,
    config: Config,
    first: int,
    last: int,
    extra_keys: Sequence[str] = (),
) -> tf.data.Dataset:
    """Make the dataset of Algorithm 1: one element per step.

    Step s takes the clip batches 2s and 2s + 1 (Figure 1), or batch s twice with config.same_batch.

    Args:
        clips: X_action, with labels.
        images: X_privacy.
        config: Settings of the experiment.
        first: First step.
        last: Step after the last one.
        extra_keys: What the batches contain besides clips, labels and pairs; see `data.batch`. The
            examples have the attributes that are requested.

    Returns:
        Pairs (batch of step 1, batch of step 2), each a dict as described in `data.batch`.
    """
    make_clip = _make_clip_function(clips, config, "anonymization clips", extra_keys)
    make_pair = _make_pair_function(images, config, "anonymization pairs", extra_keys)
    steps = tf.data.Dataset.zip(
        _make_batch_pairs(make_clip, config.batch_clips, config, first, last),
        _make_batch_pairs(make_pair, config.batch_pairs, config, first, last),
    )

    def merge(
        clip_batches: tuple[dict, dict], pair_batches: tuple[dict, dict]
    ) -> tuple[dict, dict]:
        (clips_1, clips_2), (pairs_1, pairs_2) = clip_batches, pair_batches
        return {**clips_1, **pairs_1}, {**clips_2, **pairs_2}

    return _prefetch(steps.map(merge))


def make_reconstruction_dataset(
    clips: Examples, images: Examples, config: Config, first: int, last: int
) -> tf.data.Dataset:
    """Make the dataset of Eq. 5: an image at even positions, a frame of a clip at odd ones.

    Args:
        clips: X_action.
        images: X_privacy.
        config: Settings of the experiment.
        first: First step.
        last: Step after the last one.

    Returns:
        Frames ``[N, H, W, 3]``, all augmented as images are.
    """
    read_images = _make_view_function(images, config, "reconstruction images")
    read_frames = _make_view_function(clips, config, "reconstruction frames")

    def make_example(position: tf.Tensor) -> tf.Tensor:
        positions = position[None] // 2  # in the stream of images or of frames
        # Only the branch that is taken reads a file.
        return tf.cond(
            position % 2 == 0,
            lambda: read_images(positions)[0][0],
            lambda: read_frames(positions)[0][0],
        )

    return _prefetch(_make_batches(make_example, config.batch_reconstruct, config, first, last))


def make_action_dataset(clips: Examples, config: Config, first: int, last: int) -> tf.data.Dataset:
    """Make the dataset that trains an action evaluator, f_T'.

    Args:
        clips: Labelled clips.
        config: Settings of the experiment.
        first: First step.
        last: Step after the last one.

    Returns:
        (clips ``[N, T, H, W, 3]``, labels ``[N]``).
    """
    make_clip = _make_clip_function(clips, config, "actions")
    batches = _make_batches(make_clip, config.batch_action, config, first, last)
    return _prefetch(batches.map(lambda batch: (batch["clips"], batch["labels"])))


def make_attribute_dataset(
    examples: Examples, config: Config, first: int, last: int
) -> tf.data.Dataset:
    """Make the dataset that trains an attacker on single frames, f_B'.

    Args:
        examples: Images or videos with attributes; a video is shown as one random frame.
        config: Settings of the experiment.
        first: First step.
        last: Step after the last one.

    Returns:
        (images ``[N, H, W, 3]``, attributes ``[N, P]``).
    """
    read_views = _make_view_function(examples, config, "attributes")
    attributes = tf.constant(examples.attributes)
    batch_size = config.batch_privacy

    def make_examples(positions: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pixels, rows = read_views(positions)
        return pixels, tf.gather(attributes, rows)

    # The greatest common divisor, so that every group of positions is full.
    group_size = math.gcd(batch_size, IMAGES_PER_CALL)
    positions = tf.data.Dataset.range(first * batch_size, last * batch_size)
    groups = positions.batch(group_size, drop_remainder=True)
    rows = _map_positions(groups, make_examples, config).unbatch()
    return _prefetch(rows.batch(batch_size, drop_remainder=True))


def make_clip_attribute_dataset(
    clips: Examples, config: Config, first: int, last: int
) -> tf.data.Dataset:
    """Make the dataset that trains an attacker on whole clips; its batch size is that of f_T'.

    Args:
        clips: Clips with attributes.
        config: Settings of the experiment.
        first: First step.
        last: Step after the last one.

    Returns:
        (clips ``[N, T, H, W, 3]``, attributes ``[N, P]``).
    """
    make_clip = _make_clip_function(clips, config, "clip attributes", ("clip_attributes",))
    batches = _make_batches(make_clip, config.batch_action, config, first, last)
    return _prefetch(batches.map(lambda batch: (batch["clips"], batch["clip_attributes"])))


def make_clip_evaluation_dataset(clips: Examples, config: Config) -> tf.data.Dataset:
    """Make the dataset that scores actions: config.eval_clips clips per video, evenly spread.

    Each clip is the centre crop of config.eval_crop. The last batch is smaller. An unreadable video
    is replaced by the clips of the next one with that video's label and index, which leaves a mean
    per index unchanged.

    Args:
        clips: Labelled clips.
        config: Settings of the experiment.

    Returns:
        (clips ``[N, T, H, W, 3]``, labels ``[N]``, video index ``[N]``).
    """
    return _make_clip_evaluation(clips, clips.labels, config)


def make_clip_attribute_evaluation_dataset(clips: Examples, config: Config) -> tf.data.Dataset:
    """Make the dataset that scores attackers on whole clips.

    Args:
        clips: Clips with attributes.
        config: Settings of the experiment.

    Returns:
        (clips ``[N, T, H, W, 3]``, attributes ``[N, P]``, video index ``[N]``), as in
        `make_clip_evaluation_dataset`.
    """
    return _make_clip_evaluation(clips, clips.attributes, config)


def _make_clip_evaluation(
    clips: Examples, targets: np.ndarray | None, config: Config
) -> tf.data.Dataset:
    reader = _make_reader(clips, config, config.frames, config.stride)
    targets = tf.constant(targets)

    def make_example(position: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        pixels, row = _read_central_crop(reader, position, config.eval_clips, config)
        return pixels, tf.gather(targets, row), row

    count = len(reader) * config.eval_clips
    return _prefetch(_make_ordered_batches(make_example, count, config.batch_action, config))


def make_image_evaluation_dataset(examples: Examples, config: Config) -> tf.data.Dataset:
    """Make the dataset that scores attackers on single frames.

    An image, or a row that is a single frame, is shown once; a video config.eval_clips times, one
    frame each. The released code crops images to a square; here they are cropped like clips, so
    that both have the scale of the training windows.

    Args:
        examples: Images or videos with attributes.
        config: Settings of the experiment.

    Returns:
        (images ``[N, H, W, 3]``, attributes ``[N, P]``, example index ``[N]``), as in
        `make_clip_evaluation_dataset`.
    """
    reader = _make_reader(examples, config)
    targets = tf.constant(examples.attributes)
    views_per_row = config.eval_clips if reader.holds_videos else 1

    def make_example(position: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        pixels, row = _read_central_crop(reader, position, views_per_row, config)
        return pixels[0], tf.gather(targets, row), row

    count = len(reader) * views_per_row
    return _prefetch(_make_ordered_batches(make_example, count, config.batch_privacy, config))


def _make_clip_function(
    clips: Examples, config: Config, stream: str, extra_keys: Sequence[str] = ()
) -> ExampleFunction:
    """Return a function from a position to {"clips": augmented clip [T, H, W, 3], "labels": label}.

    The dict has no label if the clips have none, and the extra keys that concern clips.
    """
    reader = _make_reader(clips, config, config.frames, config.stride)
    key = stateless_random.make_stream_key(config.seed, stream)

    def make_example(position: tf.Tensor) -> dict[str, tf.Tensor]:
        num_draws = 1 + augment.WINDOW_DRAWS + augment.CLIP_DRAWS
        u = stateless_random.draw_uniform(position, num_draws, key)
        windows = augment.scale_window(u[None, 1:4], config.min_crop)
        shuffled_row = stateless_random.choose_row(position, len(reader), key)
        pixels, row = reader.read(shuffled_row, u[0], windows)
        # `row` differs from `shuffled_row` if that file is unreadable; labels follow the pixels.
        example = {"clips": augment.augment_clip(_to_float(pixels[0]), u[4:])}
        if clips.labels is not None:
            example["labels"] = tf.gather(tf.constant(clips.labels), row)
        if "clip_attributes" in extra_keys:
            example["clip_attributes"] = tf.gather(tf.constant(clips.attributes), row)
        if "others" in extra_keys:
            # A stream of its own, so that the clips themselves are the same with and without this.
            other_key = stateless_random.make_stream_key(config.seed, f"{stream} others")
            example["others"] = _read_other_views(reader, row, u[0], position, other_key, config)
        return example

    return make_example


def _read_other_views(
    reader: MediaReader,
    row: tf.Tensor,
    moment: tf.Tensor,
    position: tf.Tensor,
    key: np.ndarray,
    config: Config,
) -> tf.Tensor:
    """Read two more clips of a video, ``[2, T, H, W, 3]``.

    The first begins at the same moment and is augmented anew; the second begins elsewhere, at least
    a quarter of the possible starts away.
    """
    num_draws = 2 * (1 + augment.WINDOW_DRAWS + augment.CLIP_DRAWS)
    u = tf.reshape(stateless_random.draw_uniform(position, num_draws, key), [2, -1])
    other_moment = (moment + 0.25 + 0.5 * u[1, 0]) % 1.0
    views: list[tf.Tensor] = []
    for draws, begin in zip(tf.unstack(u), (moment, other_moment), strict=True):
        windows = augment.scale_window(draws[None, 1:4], config.min_crop)
        pixels, _ = reader.read(row, begin, windows)
        views.append(augment.augment_clip(_to_float(pixels[0]), draws[4:]))
    return tf.stack(views)


def _make_pair_function(
    images: Examples, config: Config, stream: str, extra_keys: Sequence[str] = ()
) -> ExampleFunction:
    """Return a function from a position to {"pairs": two views [2, H, W, 3] of one image}.

    The views are augmented independently. The extra key "attributes" adds those of the image.
    """
    reader = _make_reader(images, config)
    key = stateless_random.make_stream_key(config.seed, stream)

    def make_example(position: tf.Tensor) -> dict[str, tf.Tensor]:
        draws_per_view = augment.WINDOW_DRAWS + augment.IMAGE_DRAWS
        u = stateless_random.draw_uniform(position, 1 + 2 * draws_per_view, key)
        draws = tf.reshape(u[1:], [2, draws_per_view])
        windows = augment.scale_window(draws[:, : augment.WINDOW_DRAWS], config.min_crop)
        shuffled_row = stateless_random.choose_row(position, len(reader), key)
        pixels, row = reader.read(shuffled_row, u[0], windows)
        views = [
            augment.augment_image(_to_float(pixels[view]), draws[view, augment.WINDOW_DRAWS :])
            for view in range(2)
        ]
        # Each view has T = 1, which becomes the axis of the two views.
        example = {"pairs": tf.concat(views, axis=0)}
        if "attributes" in extra_keys:
            example["attributes"] = tf.gather(tf.constant(images.attributes), row)
        return example

    return make_example


def _make_view_function(
    examples: Examples, config: Config, stream: str
) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
    """Return a function from positions ``[n]`` to (augmented views ``[n, H, W, 3]``, rows ``[n]``).

    A view shows an image or a random frame of a video.
    """
    reader = _make_reader(examples, config)
    key = stateless_random.make_stream_key(config.seed, stream)
    num_draws = 1 + augment.WINDOW_DRAWS + augment.IMAGE_DRAWS

    def read_views(positions: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        draws: list[tf.Tensor] = []
        shuffled_rows: list[tf.Tensor] = []
        # Drawn per position, so that IMAGES_PER_CALL changes no random number.
        for position in tf.unstack(positions):
            draws.append(stateless_random.draw_uniform(position, num_draws, key))
            shuffled_rows.append(stateless_random.choose_row(position, len(reader), key))
        u = tf.stack(draws)
        windows = augment.scale_window(u[:, None, 1:4], config.min_crop)
        pixels, rows = reader.read_batch(tf.stack(shuffled_rows), u[:, 0], windows)
        images = tf.unstack(_to_float(pixels[:, 0]))
        views = [
            augment.augment_image(image, draw)
            for image, draw in zip(images, tf.unstack(u[:, 4:]), strict=True)
        ]
        # Each view has T = 1, which becomes the axis of the batch.
        return tf.concat(views, axis=0), rows

    return read_views


def _read_central_crop(
    reader: MediaReader, position: tf.Tensor, views_per_row: int, config: Config
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return (pixels ``[T, H, W, 3]``, row) at a position of an evaluation.

    Positions run over all views of a row, then over those of the next row.
    """
    moments = tf.constant(sampling.spread_clip_positions(views_per_row))
    moment = tf.gather(moments, position % views_per_row)
    # (factor, y, x): 0.5 of the free space on each side is the centre.
    window = tf.constant([[config.eval_crop, 0.5, 0.5]])
    pixels, row = reader.read(position // views_per_row, moment, window)
    return _to_float(pixels[0]), row


def _make_reader(
    examples: Examples, config: Config, frames: int = 1, stride: int = 1
) -> MediaReader:
    # A data set is built in one configuration, so its first row stands for all.
    holds_jpeg_frames = config.data_format == "tfds" and tfds_store.holds_frames(examples.paths[0])
    reader_class = tfds_store.StoredFrameReader if holds_jpeg_frames else MediaReader
    return reader_class(
        examples.paths,
        config.resolution,
        config.on_bad_video,
        config.max_bad_fraction,
        frames,
        stride,
        examples.frame_numbers,
    )


def _to_float(pixels: tf.Tensor) -> tf.Tensor:
    """Convert uint8 to float32 in [0, 1]."""
    return tf.cast(pixels, tf.float32) * (1.0 / 255.0)


def _make_batches(
    make_example: ExampleFunction, batch_size: int, config: Config, first: int, last: int
) -> tf.data.Dataset:
    """Return steps first..last-1; step s has the positions from s * batch_size on."""
    positions = tf.data.Dataset.range(first * batch_size, last * batch_size)
    examples = _map_positions(positions, make_example, config)
    return examples.batch(batch_size, drop_remainder=True)


def _make_batch_pairs(
    make_example: ExampleFunction, batch_size: int, config: Config, first: int, last: int
) -> tf.data.Dataset:
    """Return steps of two batches: (batch 2s, batch 2s + 1), or batch s twice if same_batch is set.

    One element of the mapped dataset is an example of either batch, so that the dataset is batched
    only once: tf.distribute can split such a dataset among replicas.
    """
    if config.same_batch:
        batches = _make_batches(make_example, batch_size, config, first, last)
        return batches.map(lambda batch: (batch, batch))

    def make_two_examples(index: tf.Tensor) -> tuple[Any, Any]:
        # `index` counts the examples of the first batches alone, those with even numbers.
        position = index // batch_size * 2 * batch_size + index % batch_size
        return make_example(position), make_example(position + batch_size)

    return _make_batches(make_two_examples, batch_size, config, first, last)


def _make_ordered_batches(
    make_example: ExampleFunction, count: int, batch_size: int, config: Config
) -> tf.data.Dataset:
    """Return the positions 0..count-1 in order; the last batch may be smaller."""
    positions = tf.data.Dataset.range(count)
    return _map_positions(positions, make_example, config).batch(batch_size)


def _map_positions(
    positions: tf.data.Dataset, make_example: ExampleFunction, config: Config
) -> tf.data.Dataset:
    # A fixed number, since the autotuner is off; see `_prefetch`.
    num_threads = config.read_threads or min(MAX_READ_THREADS, processes.count_cores())
    # No Python branch in the pipelines depends on a tensor, so AutoGraph has nothing to convert.
    make_example = tf.autograph.experimental.do_not_convert(make_example)
    return positions.map(make_example, num_parallel_calls=num_threads, deterministic=True)


def _prefetch(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Prefetch batches and set the options that all pipelines share."""
    options = tf.data.Options()
    options.deterministic = True
    # The autotuner's thread sleeps for up to a minute, and the end of a dataset may wait for it.
    options.autotune.enabled = False
    # The dataset starts from a range of positions, so there are no input files to shard by.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return dataset.prefetch(tf.data.AUTOTUNE).with_options(options)
