"""index -> decode -> sample -> augment -> batch: every data set is a pure function of (seed, position).

Training sets take `first` and `last`, counted in steps from the start of a phase: steps first..last-1 of a set are bit
for bit the same whatever `first` is, so resuming in the middle of an epoch costs nothing. There is no shuffle buffer.
"""

import tensorflow as tf

from tfanon.data import augment, order, records, sampling
from tfanon.data.decode import Files


def anonymization(clips, images, config, first, last):
    """Steps of Algorithm 1: pairs (batch of step 1, batch of step 2), each a dict as in data.batch.

    clips, images: Examples; the clips have labels.  Step s takes the clip batches 2s and 2s + 1 (Figure 1), or batch s
    twice with config.same_batch.
    """
    clip, view = _clip(clips, clips.labels, config, "anonymization clips"), _pair(images, config, "anonymization pairs")
    both = tf.data.Dataset.zip(
        _two_batches(clip, config.batch_clips, config, first, last),
        _two_batches(view, config.batch_pairs, config, first, last))

    def dicts(clip_batches, pair_batches):
        one, two = ({"clips": c[0], "labels": c[1], "pairs": p} for c, p in zip(clip_batches, pair_batches))
        return one, two

    return _finish(both.map(dicts))


def reconstruction(clips, images, config, first, last):
    """Frames [N, H, W, 3] of Eq. 5, augmented as images: an image at even positions, a frame of a clip at odd ones."""
    image = _view(images, config, "reconstruction images")
    frame = _view(clips, config, "reconstruction frames")

    def example(position):
        return tf.cond(position % 2 == 0, lambda: image(position // 2)[0], lambda: frame(position // 2)[0])

    return _finish(_batches(example, config.batch_reconstruct, config, first, last))


def actions(clips, config, first, last):
    """(clips [N, T, H, W, 3], labels [N]) to train f_T'."""
    return _finish(_batches(_clip(clips, clips.labels, config, "actions"), config.batch_action, config, first, last))


def attributes(examples, config, first, last):
    """(images [N, H, W, 3], attributes [N, P]) to train f_B'; of a video, one random frame, seen as an image."""
    view = _view(examples, config, "attributes")
    targets = tf.constant(examples.attributes)

    def example(position):
        pixels, row = view(position)
        return pixels, tf.gather(targets, row)

    return _finish(_batches(example, config.batch_privacy, config, first, last))


def clip_attributes(clips, config, first, last):
    """(clips [N, T, H, W, 3], attributes [N, P]) to train who reads whole clips; batches as those of f_T'."""
    example = _clip(clips, clips.attributes, config, "clip attributes")
    return _finish(_batches(example, config.batch_action, config, first, last))


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


def _clip(clips, targets, config, stream):
    """Function position -> (augmented clip [T, H, W, 3], its row of the targets)."""
    files, targets = _files(clips, config, config.frames, config.stride), tf.constant(targets)
    key = order.stream_key(config.seed, stream)

    def example(position):
        u = order.uniform(position, 1 + augment.WINDOW + augment.CLIP, key)
        windows = augment.window(u[None, 1:4], config.min_crop)
        pixels, row = files.read(order.row_at(position, len(files), key), u[0], windows)
        return augment.clip(_to_float(pixels[0]), u[4:]), tf.gather(targets, row)

    return example


def _pair(images, config, stream):
    """Function position -> two augmented views [2, H, W, 3] of one image, each with draws of its own."""
    files = _files(images, config)
    key = order.stream_key(config.seed, stream)

    def example(position):
        u = order.uniform(position, 1 + 2 * (augment.WINDOW + augment.IMAGE), key)
        draws = tf.reshape(u[1:], [2, augment.WINDOW + augment.IMAGE])
        windows = augment.window(draws[:, :augment.WINDOW], config.min_crop)
        pixels, _ = files.read(order.row_at(position, len(files), key), u[0], windows)
        views = [augment.image(_to_float(pixels[v]), draws[v, augment.WINDOW:]) for v in range(2)]
        return tf.concat(views, axis=0)

    return example


def _view(examples, config, stream):
    """Function position -> (one augmented view [H, W, 3] of an image or of a random frame of a video, row)."""
    files = _files(examples, config)
    key = order.stream_key(config.seed, stream)

    def example(position):
        u = order.uniform(position, 1 + augment.WINDOW + augment.IMAGE, key)
        windows = augment.window(u[None, 1:4], config.min_crop)
        pixels, row = files.read(order.row_at(position, len(files), key), u[0], windows)
        return augment.image(_to_float(pixels[0]), u[4:])[0], row

    return example


def _central(files, position, config, each=None):
    """(pixels [T, H, W, 3], row) of evaluation's clip at a position: `each` clips of a row, then the next row."""
    each = each or config.eval_clips
    time = tf.gather(tf.constant(sampling.spread(each)), position % each)
    pixels, row = files.read(position // each, time, tf.constant([[config.eval_crop, 0.5, 0.5]]))
    return _to_float(pixels[0]), row


def _files(examples, config, frames=1, stride=1):
    kind = records.Frames if config.data_format == "tfds" and examples.paths[0].store.side else Files
    return kind(examples.paths, config.resolution, config.on_bad_video, config.max_bad_fraction, frames, stride,
                 examples.frames)


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
        return _batches(example, batch, config, first, last).map(lambda *one: (_single(one), _single(one)))

    def examples(index):
        position = index // batch * 2 * batch + index % batch
        return example(position), example(position + batch)

    return _map(tf.data.Dataset.range(first * batch, last * batch), examples, config).batch(batch, drop_remainder=True)


def _single(parts):
    return parts[0] if len(parts) == 1 else parts


def _in_order(example, count, batch, config):
    return _map(tf.data.Dataset.range(count), example, config).batch(batch)


def _map(positions, example, config):
    threads = config.read_threads or tf.data.AUTOTUNE
    example = tf.autograph.experimental.do_not_convert(example)  # no Python branch on a tensor in here
    return positions.map(example, num_parallel_calls=threads, deterministic=True)


def _finish(dataset):
    options = tf.data.Options()
    options.deterministic = True
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return dataset.prefetch(tf.data.AUTOTUNE).with_options(options)
