"""Clips and images per second of the training input, and the share of a training step that waits for it.

    python -m benchmarks.input_pipeline [--seconds=5] [--steps=20]

The files are made here: moving texture with noise, 25 frames a second. A row of the first table reads, crops, scales
and augments as training does. The second one does so with images that lie in memory, read one by one and several by one
call into Python; it counts CPU time, which is what training then has less of. The third one trains compact networks by
Algorithm 1 on clips: `waits` is the share of the time spent waiting for the next batch, `fed` and `alone` are seconds
per step with the pipeline running beside it and with one batch that is used again; on a machine without a GPU reading and
training share the same cores.
"""

import itertools
import os
import tempfile
import time

import tfanon  # noqa: F401  before Keras, whose defaults it sets

# isort: split
import keras
import numpy as np
import tensorflow as tf
from absl import app, flags

from tfanon.core import registry
from tfanon.core.config import Config
from tfanon.data import pipeline
from tfanon.data.batch import Examples
from tfanon.media import array_writer, frame_cache
from tfanon.training import trainer

FILES, FRAMES, CLASSES = 16, 120, 8
VIDEOS = [  # ending, codec, frames between key frames, height, width of the file; side and frames of the clip
    (".mp4", "libx264", 16, 96, 96, 64, 8),
    (".avi", "mpeg4", 16, 96, 96, 64, 8),
    (".mp4", "libx264", 16, 240, 320, 112, 16),
    (".mp4", "libx264", 250, 240, 320, 112, 16),
    (".avi", "mpeg4", 16, 240, 320, 112, 16),
]
FOREVER = 10**6
FLAGS = flags.FLAGS
flags.DEFINE_float(
    "seconds", 5.0, "Time of one measurement of the first two tables.", lower_bound=0.1
)
flags.DEFINE_integer("steps", 20, "Steps of the third table; 0 leaves it out.", lower_bound=0)


def frames(seed, height, width):
    """FRAMES frames of a texture that moves, with a little noise, uint8 [height, width, 3]."""
    rng = np.random.default_rng(seed)
    texture = np.kron(rng.integers(30, 220, (height // 8, width // 8, 3)), np.ones((8, 8, 1)))
    for number in range(FRAMES):
        noisy = np.roll(texture, (number, 2 * number), (0, 1)) + rng.normal(0, 4, texture.shape)
        yield np.clip(noisy, 0, 255).astype(np.uint8)


def write_files(folder, ending, codec, gop, height, width):
    """Examples of FILES videos, and of one JPEG of each."""
    videos = [
        os.path.join(folder, f"{height}-{codec}-{gop}-{number}{ending}") for number in range(FILES)
    ]
    images = [f"{path}.jpg" for path in videos]
    for number, (video, image) in enumerate(zip(videos, images)):
        array_writer.write_video(video, frames(number, height, width), codec=codec, gop=gop)
        array_writer.write_jpeg(image, next(frames(number, height, width)))
    labels = np.arange(FILES, dtype=np.int32) % CLASSES
    attributes = np.eye(FILES, 3, dtype=np.float32)
    return Examples(tuple(videos), labels, tuple("abcdefgh")), Examples(
        tuple(images), attributes=attributes, attribute_names=("first", "second", "third")
    )


def clips_per_second(clips, config):
    """Of pipeline.actions, after the first batches."""
    batches = iter(pipeline.make_action_dataset(clips, config, 0, FOREVER))
    for _ in range(
        FILES // config.batch_action
    ):  # every file once: its list of time stamps is read then
        next(batches)
    begin = time.perf_counter()
    for count in itertools.count(1):
        next(batches)
        took = time.perf_counter() - begin
        if took > FLAGS.seconds:
            return count * config.batch_action / took


def image_milliseconds(images, config, together):
    """CPU time per image of pipeline.attributes, read `together` by one call."""
    chosen, pipeline.IMAGES_PER_CALL = pipeline.IMAGES_PER_CALL, together
    batches = iter(pipeline.make_attribute_dataset(images, config, 0, FOREVER))
    pipeline.IMAGES_PER_CALL = chosen
    for _ in range(10):
        next(batches)
    begin, cpu = time.perf_counter(), time.process_time()
    for count in itertools.count(1):
        next(batches)
        if time.perf_counter() - begin > FLAGS.seconds:
            return 1000 * (time.process_time() - cpu) / (count * config.batch_privacy)


def step_seconds(train_step, batches, steps):
    """(seconds per step, share of them spent in next(batches)) of a callable that takes a batch and returns metrics."""
    waited, begin = 0.0, time.perf_counter()
    for _ in range(steps):
        asked = time.perf_counter()
        batch = next(batches)
        waited += time.perf_counter() - asked
        tf.nest.map_structure(lambda value: value.numpy(), train_step(batch))
    took = time.perf_counter() - begin
    return took / steps, waited / took


def compact(config):
    """A train step of compact networks."""
    model = trainer.MinimaxModel(
        registry.load_module("anonymizers", "unetpp").build(width=0.125),
        registry.load_module("actions", "small3d").build(classes=CLASSES),
        registry.load_module("privacy", "small_resnet").build(embedding=128),
        config,
    )
    model.compile(*(keras.optimizers.Adam(1e-4) for _ in range(3)))
    return tf.function(model.train_step)


def training_row(clips, images, config):
    step = compact(config)
    batches = iter(pipeline.make_anonymization_dataset(clips, images, config, 0, FOREVER))
    step_seconds(step, batches, 3)
    fed, waits = step_seconds(step, batches, FLAGS.steps)
    del batches
    same = itertools.repeat(
        next(iter(pipeline.make_anonymization_dataset(clips, images, config, 0, 1)))
    )
    alone, _ = step_seconds(step, same, FLAGS.steps)
    return f"{fed:10.3f} {alone:10.3f} {waits:8.1%}"


def main(_):
    with tempfile.TemporaryDirectory() as folder:
        written = [(row, *write_files(folder, *row[:5])) for row in VIDEOS]
        print(
            f"{'file':34} {'clip':12} {'1 thread':>10} {'2 threads':>10}  clips per second",
            flush=True,
        )
        for row, clips, _ in written:
            rates = [clips_per_second(clips, config(row, threads)) for threads in (1, 2)]
            print(f"{name(row)} {rates[0]:10.1f} {rates[1]:10.1f}", flush=True)
        print(
            f"\n{'images in memory':34} {'seen at':12} {'one by one':>10} {'together':>10}  CPU ms per image",
            flush=True,
        )
        for row, _, images in written[::2][:2]:
            frame_cache.FRAME_CACHE.set_limit(1 << 28)
            costs = [
                image_milliseconds(images, config(row, 2), together)
                for together in (1, pipeline.IMAGES_PER_CALL)
            ]
            frame_cache.FRAME_CACHE.set_limit(0)
            print(
                f"{f'JPEG, {row[4]}x{row[3]}':34} {f'{row[5]}x{row[5]}':12} {costs[0]:10.3f} {costs[1]:10.3f}",
                flush=True,
            )
        if FLAGS.steps:
            print(
                f"\n{'training on':34} {'clip':12} {'fed':>10} {'alone':>10} {'waits':>8}",
                flush=True,
            )
            for row, clips, images in written[::2][:2]:
                print(f"{name(row)} {training_row(clips, images, config(row, 2))}", flush=True)


def config(row, threads):
    return Config(
        frames=row[6],
        stride=4,
        resolution=row[5],
        read_threads=threads,
        batch_action=8,
        batch_clips=4,
        batch_pairs=8,
    )


def name(row):
    _, codec, gop, height, width, side, length = row
    return f"{f'{codec}, {width}x{height}, key frame 1:{gop}':34} {f'{length}x{side}x{side}':12}"


if __name__ == "__main__":
    app.run(main)
