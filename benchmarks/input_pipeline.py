"""Measure the training input: clips and images per second, and how long training waits for them.

    python -m benchmarks.input_pipeline [--seconds=5] [--steps=20]

The files are made here: moving texture with noise, 25 frames a second. First table: clips that are
read, cropped, scaled and augmented as in training. Second table: the same with images that are kept
in memory, read one per call into Python and several per call; it counts CPU time, which training
then lacks. Third table: compact networks trained on clips by Algorithm 1. `waits` is the share of
the time in which training waits for the next batch; `fed` and `alone` are seconds per step with the
pipeline running and with a single batch that is used again and again. On a machine without a GPU
reading and training share the same cores.
"""

import dataclasses
import itertools
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

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
WARM_UP_BATCHES = 10  # of images
WARM_UP_STEPS = 3
CACHE_BYTES = 1 << 28
STEPS_WITHOUT_END = 10**6
FLAGS = flags.FLAGS
flags.DEFINE_float(
    "seconds", 5.0, "Duration of a measurement of the first two tables.", lower_bound=0.1
)
flags.DEFINE_integer("steps", 20, "Steps of the third table; 0 leaves it out.", lower_bound=0)


@dataclasses.dataclass(frozen=True)
class Layout:
    """What the files are, and what is read from them; sizes in pixels."""

    ending: str
    codec: str
    gop: int  # frames between key frames
    height: int
    width: int
    clip_side: int
    clip_frames: int

    @property
    def title(self) -> str:
        """Return the first cells of a row."""
        file = f"{self.codec}, {self.width}x{self.height}, key frame 1:{self.gop}"
        clip = f"{self.clip_frames}x{self.clip_side}x{self.clip_side}"
        return f"{file:34} {clip:12}"

    def make_config(self, threads: int) -> Config:
        """Return the configuration that reads the clips."""
        return Config(
            frames=self.clip_frames,
            stride=4,
            resolution=self.clip_side,
            read_threads=threads,
            batch_action=8,
            batch_clips=4,
            batch_pairs=8,
        )


LAYOUTS = [
    Layout(".mp4", "libx264", 16, 96, 96, 64, 8),
    Layout(".avi", "mpeg4", 16, 96, 96, 64, 8),
    Layout(".mp4", "libx264", 16, 240, 320, 112, 16),
    Layout(".mp4", "libx264", 250, 240, 320, 112, 16),
    Layout(".avi", "mpeg4", 16, 240, 320, 112, 16),
]


def make_frames(seed: int, height: int, width: int) -> Iterator[np.ndarray]:
    """Yield FRAMES frames of a moving texture with a little noise, uint8 `[height, width, 3]`."""
    rng = np.random.default_rng(seed)
    texture = np.kron(rng.integers(30, 220, (height // 8, width // 8, 3)), np.ones((8, 8, 1)))
    for number in range(FRAMES):
        moved = np.roll(texture, (number, 2 * number), (0, 1))
        noisy = moved + rng.normal(0, 4, texture.shape)
        yield np.clip(noisy, 0, 255).astype(np.uint8)


def write_files(folder: str, layout: Layout) -> tuple[Examples, Examples]:
    """Write FILES videos, and a JPEG file of each.

    Returns:
        The videos and the images.
    """
    videos, images = [], []
    for number in range(FILES):
        name = f"{layout.height}-{layout.codec}-{layout.gop}-{number}{layout.ending}"
        path = os.path.join(folder, name)
        frames = make_frames(number, layout.height, layout.width)
        array_writer.write_video(path, frames, codec=layout.codec, gop=layout.gop)
        first_frame = next(make_frames(number, layout.height, layout.width))
        array_writer.write_jpeg(f"{path}.jpg", first_frame)
        videos.append(path)
        images.append(f"{path}.jpg")
    labels = np.arange(FILES, dtype=np.int32) % CLASSES
    attributes = np.eye(FILES, 3, dtype=np.float32)
    clips = Examples(tuple(videos), labels, tuple("abcdefgh"))
    pictures = Examples(
        tuple(images), attributes=attributes, attribute_names=("first", "second", "third")
    )
    return clips, pictures


def measure_clips_per_second(clips: Examples, config: Config) -> float:
    """Return clips per second of pipeline.make_action_dataset, after the first batches."""
    batches = iter(pipeline.make_action_dataset(clips, config, 0, STEPS_WITHOUT_END))
    # Every file once: the first time, its list of time stamps is read.
    for _ in range(FILES // config.batch_action):
        next(batches)
    start = time.perf_counter()
    count, seconds = 0, 0.0
    while seconds <= FLAGS.seconds:
        next(batches)
        count += 1
        seconds = time.perf_counter() - start
    return count * config.batch_action / seconds


def measure_image_milliseconds(images: Examples, config: Config, images_per_call: int) -> float:
    """Return the CPU time per image of pipeline.make_attribute_dataset."""
    usual = pipeline.IMAGES_PER_CALL
    pipeline.IMAGES_PER_CALL = images_per_call
    batches = iter(pipeline.make_attribute_dataset(images, config, 0, STEPS_WITHOUT_END))
    pipeline.IMAGES_PER_CALL = usual
    for _ in range(WARM_UP_BATCHES):
        next(batches)
    start, processor_start = time.perf_counter(), time.process_time()
    count = 0
    while time.perf_counter() - start <= FLAGS.seconds:
        next(batches)
        count += 1
    return 1000 * (time.process_time() - processor_start) / (count * config.batch_privacy)


def measure_steps(
    train_step: Callable[[Any], Any], batches: Iterator[Any], steps: int
) -> tuple[float, float]:
    """Run training steps.

    Args:
        train_step: Takes a batch and returns metrics.
        batches: Batches.
        steps: Number of steps.

    Returns:
        Seconds per step, and the share of them in which the step waited for its batch.
    """
    waited = 0.0
    start = time.perf_counter()
    for _ in range(steps):
        wait_start = time.perf_counter()
        batch = next(batches)
        waited += time.perf_counter() - wait_start
        tf.nest.map_structure(lambda value: value.numpy(), train_step(batch))
    seconds = time.perf_counter() - start
    return seconds / steps, waited / seconds


def make_train_step(config: Config) -> Callable[[Any], Any]:
    """Return a training step of compact networks."""
    model = trainer.MinimaxModel(
        registry.load_module("anonymizers", "unetpp").build(width=0.125),
        registry.load_module("actions", "small3d").build(classes=CLASSES),
        registry.load_module("privacy", "small_resnet").build(embedding=128),
        config,
    )
    model.compile(*(keras.optimizers.Adam(1e-4) for _ in range(3)))
    return tf.function(model.train_step)


def measure_training(clips: Examples, images: Examples, config: Config) -> str:
    """Return the cells of the third table."""
    step = make_train_step(config)
    dataset = pipeline.make_anonymization_dataset(clips, images, config, 0, STEPS_WITHOUT_END)
    batches = iter(dataset)
    measure_steps(step, batches, WARM_UP_STEPS)
    fed, waits = measure_steps(step, batches, FLAGS.steps)
    del batches  # so that the pipeline stops
    batch = next(iter(pipeline.make_anonymization_dataset(clips, images, config, 0, 1)))
    alone, _ = measure_steps(step, itertools.repeat(batch), FLAGS.steps)
    return f"{fed:10.3f} {alone:10.3f} {waits:8.1%}"


def main(arguments: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = [(layout, *write_files(folder, layout)) for layout in LAYOUTS]
        headings = f"{'file':34} {'clip':12} {'1 thread':>10} {'2 threads':>10}"
        print(f"{headings}  clips per second", flush=True)
        for layout, clips, _ in files:
            one, two = (
                measure_clips_per_second(clips, layout.make_config(threads)) for threads in (1, 2)
            )
            print(f"{layout.title} {one:10.1f} {two:10.1f}", flush=True)
        # One layout per size of frames.
        sizes = files[::2][:2]
        headings = f"{'images in memory':34} {'seen at':12} {'one by one':>10} {'together':>10}"
        print(f"\n{headings}  CPU ms per image", flush=True)
        for layout, _, images in sizes:
            frame_cache.FRAME_CACHE.set_limit(CACHE_BYTES)
            one, several = (
                measure_image_milliseconds(images, layout.make_config(2), images_per_call)
                for images_per_call in (1, pipeline.IMAGES_PER_CALL)
            )
            frame_cache.FRAME_CACHE.set_limit(0)
            file = f"JPEG, {layout.width}x{layout.height}"
            side = f"{layout.clip_side}x{layout.clip_side}"
            print(f"{file:34} {side:12} {one:10.3f} {several:10.3f}", flush=True)
        if FLAGS.steps:
            headings = f"{'training on':34} {'clip':12} {'fed':>10} {'alone':>10} {'waits':>8}"
            print(f"\n{headings}", flush=True)
            for layout, clips, images in sizes:
                cells = measure_training(clips, images, layout.make_config(2))
                print(f"{layout.title} {cells}", flush=True)


if __name__ == "__main__":
    app.run(main)
