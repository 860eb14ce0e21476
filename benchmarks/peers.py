"""Compare readers of clips: tfanon, decord, OpenCV, and frames that are stored as JPEG.

    pip install tfanon[peers,tfds]
    python -m benchmarks.peers [--seconds=5]

320x240 files of moving texture with noise, 120 frames. A clip is 16 frames at stride 4 from a
random start, scaled to 112x112; one decoder thread per file. The table has clips per second with
one and with two workers; clips per second of processor time with one, which other programs on the
machine disturb less; and the share of right frames: those that resemble, of all frames decoded from
the start of the file, the requested one most. The rows `folder` and `jpeg` read whole frames inside
tf.data as training does, from the files and from a data set that is built of them.
"""

import concurrent.futures
import dataclasses
import itertools
import os
import pathlib
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cv2
import decord
import numpy as np
import tensorflow as tf
from absl import app

from benchmarks import input_pipeline
from tfanon.core.config import Config
from tfanon.data import pipeline, sampling, tfds_store
from tfanon.data.sources import ucf101
from tfanon.media import array_writer, frame_reader

HEIGHT, WIDTH, SIDE = 240, 320, 112  # of the files, and of the clips
CLIP_FRAMES, STRIDE = 16, 4
FILES = 16
CLIPS_PER_CALL = 8
VIDEOS = [  # ending, codec, frames between key frames
    (".avi", "mpeg4", 16),
    (".mp4", "libx264", 16),
    (".mp4", "libx264", 250),
]
WHOLE_FRAME = tf.constant([[1.0, 0.0, 0.0]])

# From a path and frame numbers to frames, uint8 [n, SIDE, SIDE, 3].
Reader = Callable[[str, np.ndarray], np.ndarray]
# Clips per second, and clips per second of processor time.
Rates = tuple[float, float]


def read_with_tfanon(path: str, numbers: np.ndarray) -> np.ndarray:
    return frame_reader.read_frames(path, lambda _: numbers, SIDE, SIDE)


def read_with_decord(path: str, numbers: np.ndarray) -> np.ndarray:
    video = decord.VideoReader(path, width=SIDE, height=SIDE, num_threads=1)
    return video.get_batch(numbers).asnumpy()


def read_with_opencv(path: str, numbers: np.ndarray) -> np.ndarray:
    video = cv2.VideoCapture(path, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    video.set(cv2.CAP_PROP_POS_FRAMES, int(numbers[0]))
    frames = []
    for number in range(numbers[0], numbers[-1] + 1):
        video.grab()
        if number in numbers:
            frame = cv2.resize(video.retrieve()[1], (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
            frames.append(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
    return np.stack(frames)


READERS: dict[str, Reader] = {
    "tfanon": read_with_tfanon,
    "decord": read_with_decord,
    "opencv": read_with_opencv,
}


def choose_clips(paths: Sequence[str]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield paths and frame numbers without end, the same for every reader."""
    rng = np.random.default_rng(0)
    for path in itertools.cycle(paths):
        moment = rng.random()
        yield (
            path,
            sampling.choose_frame_indices(input_pipeline.FRAMES, CLIP_FRAMES, STRIDE, moment),
        )


def measure_right_frames(read: Reader, paths: Sequence[str]) -> float:
    """Return the share of right frames."""
    right: list[bool] = []
    for path, numbers in itertools.islice(choose_clips(paths), FILES):
        all_frames = frame_reader.read_frames(path, range, SIDE, SIDE).astype(np.float32)
        for number, frame in zip(numbers, read(path, numbers), strict=True):
            distances = np.abs(all_frames - frame).mean(axis=(1, 2, 3))
            right.append(int(np.argmin(distances)) == number)
    return float(np.mean(right))


def measure_rates(read_clips: Callable[[], Any]) -> Rates:
    """Measure a function that reads CLIPS_PER_CALL clips."""
    # Every file once: the first time, its list of time stamps is read.
    for _ in range(FILES // CLIPS_PER_CALL):
        read_clips()
    start, processor_start = time.perf_counter(), time.process_time()
    count, seconds = 0, 0.0
    while seconds <= input_pipeline.FLAGS.seconds:
        read_clips()
        count += CLIPS_PER_CALL
        seconds = time.perf_counter() - start
    return count / seconds, count / (time.process_time() - processor_start)


def measure_reader(read: Reader, paths: Sequence[str], workers: int) -> Rates:
    """Measure a reader in a pool of threads."""
    clips = choose_clips(paths)
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:

        def read_clips() -> list[np.ndarray]:
            batch = itertools.islice(clips, CLIPS_PER_CALL)
            return list(pool.map(lambda clip: read(*clip), batch))

        return measure_rates(read_clips)


def measure_tf_data(config: Config, workers: int) -> Rates:
    """Measure the reading of data/pipeline.py, without augmentation."""
    if config.data_format == "tfds":
        splits = ucf101.choose("clips", tfds_store.read_catalog("ucf101", config), config)
    else:
        splits = ucf101.load("clips", os.path.join(config.data_dir, "ucf101"), config)
    reader = pipeline._make_reader(splits["train"], config, CLIP_FRAMES, STRIDE)
    rows = tf.data.Dataset.range(len(reader)).repeat()
    moments = tf.data.Dataset.random(seed=0).map(
        lambda bits: tf.cast(bits % 1000, tf.float32) / 1000.0
    )
    dataset = tf.data.Dataset.zip(rows, moments).map(
        lambda row, moment: reader.read(row, moment, WHOLE_FRAME)[0], num_parallel_calls=workers
    )
    clips = iter(dataset)
    return measure_rates(lambda: [next(clips) for _ in range(CLIPS_PER_CALL)])


def write_ucf101(folder: str, ending: str, codec: str, gop: int) -> list[str]:
    """Write UCF101 in miniature: one class, FILES videos to train on and one to test.

    Returns:
        Paths of the training videos.
    """
    root = pathlib.Path(folder, "ucf101")
    names = [f"YoYo/v_YoYo_g{number:02d}_c01{ending}" for number in range(FILES + 1)]
    for number, name in enumerate(names):
        path = root / "UCF-101" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        frames = input_pipeline.make_frames(number, HEIGHT, WIDTH)
        array_writer.write_video(path, frames, codec=codec, gop=gop)
    lists = root / "ucfTrainTestlist"
    lists.mkdir()
    (lists / "classInd.txt").write_text("1 YoYo\n")
    train_lines = "".join(f"{name} 1\n" for name in names[1:])
    for split in "123":
        (lists / f"trainlist0{split}.txt").write_text(train_lines)
        (lists / f"testlist0{split}.txt").write_text(f"{names[0]}\n")
    return [str(root / "UCF-101" / name) for name in names[1:]]


def main(_: Sequence[str]) -> None:
    print(
        f"{'320x240 files':32}{'reader':>10}{'1 worker':>12}{'2 workers':>12}{'computing':>12}"
        f"{'right frames':>14}"
    )
    for ending, codec, gop in VIDEOS:
        title = f"{codec} {ending}, key frame 1:{gop}"
        with tempfile.TemporaryDirectory() as folder:
            paths = write_ucf101(folder, ending, codec, gop)
            for name, read in READERS.items():
                rates = [measure_reader(read, paths, workers) for workers in (1, 2)]
                print_row(title, name, rates, measure_right_frames(read, paths))
            config = Config(data_dir=folder, clip_source="ucf101", resolution=SIDE)
            stored = dataclasses.replace(config, data_format="tfds", tfds_config=f"jpeg{SIDE}")
            tfds_store.build_dataset("ucf101", stored)
            for name, row_config in (("folder", config), ("jpeg", stored)):
                rates = [measure_tf_data(row_config, workers) for workers in (1, 2)]
                print_row(title, name, rates)


def print_row(
    title: str, name: str, rates: Sequence[Rates], right_frames: float | None = None
) -> None:
    """Print one row.

    Args:
        title: The files.
        name: The reader.
        rates: With one and with two workers.
        right_frames: Share of right frames; None: not measured.
    """
    (one, computing), (two, _) = rates
    share = "" if right_frames is None else f"{right_frames:14.1%}"
    print(f"{title:32}{name:>10}{one:12.1f}{two:12.1f}{computing:12.1f}{share}", flush=True)


if __name__ == "__main__":
    app.run(main)
