"""index -> decode -> sample -> augment -> batch: every data set is a pure function of (seed, position).

Training sets take `first` and `last`, counted in steps from the start of a phase: steps first..last-1 of a set are bit
for bit the same whatever `first` is, so resuming in the middle of an epoch costs nothing. There is no shuffle buffer.
"""

import math

import tensorflow as tf

from tfanon.core import processes
from tfanon.data import augment, sampling, stateless_random, tfds_store
from tfanon.data.decode import Files

READERS = 16  # each holds an example that waits for its turn
TOGETHER = 8  # images that one call reads: a call from TensorFlow into Python costs more than a small image


def anonymization(clips, images, config, first, last, extras=()):
    """Steps of Algorithm 1: pairs (batch of step 1, batch of step 2), each a dict as in data.batch.

    clips, images: Examples; the clips have labels.  extras: what the batches hold beside clips, labels and pairs; the
    examples have the attributes that are asked for.  Step s takes the clip batches 2s and 2s + 1 (Figure 1), or batch s
    twice with config.same_batch.
    """
    clip = _clip(clips, config, "anonymization clips", extras)
    view = _pair(images, config, "anonymization pairs", extras)
    both = tf.data.Dataset.zip(
        _two_batches(clip, config.batch_clips, config, first, last),
        _two_batches(view, config.batch_pairs, config, first, last),
    )

    def dicts(clip_batches, pair_batches):
        one, two = ({**c, **p} for c, p in zip(clip_batches, pair_batches))
        return one, two

    return _finish(both.map(dicts))


def reconstruction(clips, images, config, first, last):
    """Frames [N, H, W, 3] of Eq. 5, augmented as images: an image at even positions, a frame of a clip at odd ones."""
    image = _views(images, config, "reconstruction images")
    frame = _views(clips, config, "reconstruction frames")

    def example(position):
        of_kind = position[None] // 2
        return tf.cond(
            position % 2 == 0, lambda: image(of_kind)[0][0], lambda: frame(of_kind)[0][0]
        )

    return _finish(_batches(example, config.batch_reconstruct, config, first, last))


def actions(clips, config, first, last):
    """(clips [N, T, H, W, 3], labels [N]) to train f_T'."""
    batches = _batches(_clip(clips, config, "actions"), config.batch_action, config, first, last)
    return _finish(batches.map(lambda batch: (batch["clips"], batch["labels"])))


def attributes(examples, config, first, last):
    """(images [N, H, W, 3], attributes [N, P]) to train f_B'; of a video, one random frame, seen as an image."""
    views, batch = _views(examples, config, "attributes"), config.batch_privacy
    targets = tf.constant(examples.attributes)

    def some(positions):
        pixels, rows = views(positions)
        return pixels, tf.gather(targets, rows)

    positions = tf.data.Dataset.range(first * batch, last * batch).batch(
        math.gcd(batch, TOGETHER), drop_remainder=True
    )
    return _finish(_map(positions, some, config).unbatch().batch(batch, drop_remainder=True))


def clip_attributes(clips, config, first, last):
    """(clips [N, T, H, W, 3], attributes [N, P]) to train who reads whole clips; batches as those of f_T'."""
    example = _clip(clips, config, "clip attributes", ("clip_attributes",))
    batches = _batches(example, config.batch_action, config, first, last)
    return _finish(batches.map(lambda batch: (batch["clips"], batch["clip_attributes"])))


def evaluation_clips(clips, config):
    """(clips [N, T, H, W, 3], labels [N], video index [N]): config.eval_clips clips of each video, evenly spread.

    Centre crop of config.eval_crop. The last batch is smaller. An unreadable video gives the clips of the next one,
    with that one's label and index: a mean per index is unchanged by them.
    """
    return _evaluation(clips, clips.labels, config)


def evaluation_clip_attributes(clips, config):
    """(clips [N, T, H, W, 3], attributes [N, P], video index [N]), as evaluation_clips."""
    return _evaluation(clips, clips.attributes, config)


def _evaluation(clips, targets, config):
    files, targets = _files(clips, config, config.frames, config.stride), tf.constant(targets)

    def example(position):
        pixels, row = _central(files, position, config)
        return pixels, tf.gather(targets, row), row

    return _finish(_in_order(example, len(files) * config.eval_clips, config.batch_action, config))


def evaluation_images(examples, config):
    """(images [N, H, W, 3], attributes [N, P], example index [N]), as evaluation_clips.

    An image comes once, as does a row that is one frame, a video config.eval_clips times, one frame each. The released
    code cuts images to a square; here the crop is that of the clips, so that both come at the scale of the training
    windows.
    """
    files, targets = _files(examples, config), tf.constant(examples.attributes)
    each = config.eval_clips if files.videos else 1

    def example(position):
        pixels, row = _central(files, position, config, each)
        return pixels[0], tf.gather(targets, row), row

    return _finish(_in_order(example, len(files) * each, config.batch_privacy, config))


def _clip(clips, config, stream, extras=()):
    """Function position -> {"clips": augmented clip [T, H, W, 3], "labels": label} and what extras ask of a clip.

    Clips that have attributes alone have no label.
    """
    files = _files(clips, config, config.frames, config.stride)
    key = stateless_random.stream_key(config.seed, stream)

    def example(position):
        u = stateless_random.uniform(position, 1 + augment.WINDOW + augment.CLIP, key)
        windows = augment.window(u[None, 1:4], config.min_crop)
        pixels, row = files.read(stateless_random.row_at(position, len(files), key), u[0], windows)
        found = {"clips": augment.clip(_to_float(pixels[0]), u[4:])}
        if clips.labels is not None:
            found["labels"] = tf.gather(tf.constant(clips.labels), row)
        if "clip_attributes" in extras:
            found["clip_attributes"] = tf.gather(tf.constant(clips.attributes), row)
        if "others" in extras:
            others = stateless_random.stream_key(config.seed, f"{stream} others")
            found["others"] = _others(files, row, u[0], position, others, config)
        return found

    return example


def _others(files, row, moment, position, key, config):
    """[2, T, H, W, 3]: the clip that begins at a moment of a video with other draws, and one that begins elsewhere."""
    u = tf.reshape(
        stateless_random.uniform(position, 2 * (1 + augment.WINDOW + augment.CLIP), key), [2, -1]
    )
    away = (
        moment + 0.25 + 0.5 * u[1, 0]
    ) % 1.0  # at least a quarter of the possible moments from the first
    views = []
    for draw, begin in zip(tf.unstack(u), (moment, away)):
        pixels, _ = files.read(row, begin, augment.window(draw[None, 1:4], config.min_crop))
        views.append(augment.clip(_to_float(pixels[0]), draw[4:]))
    return tf.stack(views)


def _pair(images, config, stream, extras=()):
    """Function position -> {"pairs": two augmented views [2, H, W, 3] of one image, each with draws of its own, ..}.

    extras: "attributes" adds those of the image.
    """
    files = _files(images, config)
    key = stateless_random.stream_key(config.seed, stream)

    def example(position):
        u = stateless_random.uniform(position, 1 + 2 * (augment.WINDOW + augment.IMAGE), key)
        draws = tf.reshape(u[1:], [2, augment.WINDOW + augment.IMAGE])
        windows = augment.window(draws[:, : augment.WINDOW], config.min_crop)
        pixels, row = files.read(stateless_random.row_at(position, len(files), key), u[0], windows)
        views = [augment.image(_to_float(pixels[v]), draws[v, augment.WINDOW :]) for v in range(2)]
        found = {"pairs": tf.concat(views, axis=0)}
        if "attributes" in extras:
            found["attributes"] = tf.gather(tf.constant(images.attributes), row)
        return found

    return example


def _views(examples, config, stream):
    """Function positions [n] -> (an augmented view of an image or of a random frame of a video each [n, H, W, 3], rows [n])."""
    files = _files(examples, config)
    key = stateless_random.stream_key(config.seed, stream)

    def views(positions):
        each = tf.unstack(positions)
        u = tf.stack(
            [
                stateless_random.uniform(position, 1 + augment.WINDOW + augment.IMAGE, key)
                for position in each
            ]
        )
        wanted = tf.stack([stateless_random.row_at(position, len(files), key) for position in each])
        pixels, rows = files.read_some(
            wanted, u[:, 0], augment.window(u[:, None, 1:4], config.min_crop)
        )
        images = zip(tf.unstack(_to_float(pixels[:, 0])), tf.unstack(u[:, 4:]))
        return tf.concat([augment.image(*image) for image in images], axis=0), rows

    return views


def _central(files, position, config, each=None):
    """(pixels [T, H, W, 3], row) of evaluation's clip at a position: `each` clips of a row, then the next row."""
    each = each or config.eval_clips
    time = tf.gather(tf.constant(sampling.spread(each)), position % each)
    pixels, row = files.read(position // each, time, tf.constant([[config.eval_crop, 0.5, 0.5]]))
    return _to_float(pixels[0]), row


def _files(examples, config, frames=1, stride=1):
    kind = (
        tfds_store.Frames
        if config.data_format == "tfds" and examples.paths[0].store.side
        else Files
    )
    return kind(
        examples.paths,
        config.resolution,
        config.on_bad_video,
        config.max_bad_fraction,
        frames,
        stride,
        examples.frames,
    )


def _to_float(pixels):
    """uint8 -> float32 in [0, 1]."""
    return tf.cast(pixels, tf.float32) * (1.0 / 255.0)


def _batches(example, batch, config, first, last):
    """Steps first..last-1: step s holds the positions s * batch ... (s + 1) * batch - 1."""
    positions = tf.data.Dataset.range(first * batch, last * batch)
    return _map(positions, example, config).batch(batch, drop_remainder=True)


def _two_batches(example, batch, config, first, last):
    """Steps of two batches each: (batch 2s, batch 2s + 1), or (batch s, batch s) with config.same_batch.

    One element of the map makes an example of either batch, so the batches are cut by `batch` alone: that is what
    tf.distribute knows how to share out among replicas.
    """
    if config.same_batch:
        return _batches(example, batch, config, first, last).map(
            lambda *one: (_single(one), _single(one))
        )

    def examples(index):
        position = index // batch * 2 * batch + index % batch
        return example(position), example(position + batch)

    return _map(tf.data.Dataset.range(first * batch, last * batch), examples, config).batch(
        batch, drop_remainder=True
    )


def _single(parts):
    return parts[0] if len(parts) == 1 else parts


def _in_order(example, count, batch, config):
    return _map(tf.data.Dataset.range(count), example, config).batch(batch)


def _map(positions, example, config):
    threads = config.read_threads or min(READERS, processes.count_cores())
    example = tf.autograph.experimental.do_not_convert(
        example
    )  # no Python branch on a tensor in here
    return positions.map(example, num_parallel_calls=threads, deterministic=True)


def _finish(dataset):
    options = tf.data.Options()
    options.deterministic = True
    # Its thread sleeps for as long as a minute; at times the end of a data set waits until it wakes.
    options.autotune.enabled = False
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return dataset.prefetch(tf.data.AUTOTUNE).with_options(options)
