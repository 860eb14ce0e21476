"""The same 16 frames out of the same files, by tfanon, decord and OpenCV, and out of stored JPEG frames.

    pip install tfanon[peers,tfds]
    python -m benchmarks.peers [--seconds=5]

320x240 files of moving texture with noise, 120 frames; a clip is 16 frames at stride 4 from a random start, scaled to
112x112; one decoder thread per file. Clips per second with one and with two workers; clips per second of computing
with one, which another program on the machine disturbs less; how many frames are the right ones: those that they
resemble most, of all that decoding from the first frame gives. The rows `folder` and `jpeg` read whole frames as
training does inside tf.data, from the files and from a data set built of them.
"""

import concurrent.futures
import itertools
import os
import pathlib
import tempfile
import time

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

HEIGHT, WIDTH, SIDE, CLIP, STRIDE, FILES = 240, 320, 112, 16, 4, 16
VIDEOS = [
    (".avi", "mpeg4", 16),
    (".mp4", "libx264", 16),
    (".mp4", "libx264", 250),
]  # ending, codec, key frame 1:n
WHOLE = tf.constant([[1.0, 0.0, 0.0]])


def of_tfanon(path, numbers):
    return frame_reader.read_frames(path, lambda _: numbers, SIDE, SIDE)


def of_decord(path, numbers):
    return (
        decord.VideoReader(path, width=SIDE, height=SIDE, num_threads=1)
        .get_batch(numbers)
        .asnumpy()
    )


def of_opencv(path, numbers):
    video, found = cv2.VideoCapture(path, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1]), []
    video.set(cv2.CAP_PROP_POS_FRAMES, int(numbers[0]))
    for number in range(numbers[0], numbers[-1] + 1):
        video.grab()
        if number in numbers:
            frame = cv2.resize(video.retrieve()[1], (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
            found.append(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
    return np.stack(found)


def jobs(paths):
    """Endless (path, frame numbers), the same for every reader."""
    rng = np.random.default_rng(0)
    for path in itertools.cycle(paths):
        yield path, sampling.choose_frame_indices(input_pipeline.FRAMES, CLIP, STRIDE, rng.random())


def exact(read, paths):
    """Share of right frames."""
    right = []
    for path, numbers in itertools.islice(jobs(paths), FILES):
        whole = frame_reader.read_frames(path, range, SIDE, SIDE).astype(np.float32)
        found = [
            np.argmin(np.abs(whole - frame).mean(axis=(1, 2, 3))) for frame in read(path, numbers)
        ]
        right += (found == numbers).tolist()
    return np.mean(right)


def rates(take):
    """(clips per second, clips per second of computing) of a function that takes eight clips."""
    for _ in range(FILES // 8):  # the lists of time stamps are read then
        take()
    begin, computing = time.perf_counter(), time.process_time()
    for count in itertools.count(8, 8):
        take()
        if (took := time.perf_counter() - begin) > input_pipeline.FLAGS.seconds:
            return count / took, count / (time.process_time() - computing)


def of_threads(read, paths, workers):
    """rates() of a plain function in a pool of threads."""
    todo = jobs(paths)
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        return rates(lambda: list(pool.map(lambda job: read(*job), itertools.islice(todo, 8))))


def of_tf_data(config, workers):
    """rates() of the reading of data/pipeline.py, without augmentation."""
    splits = (
        ucf101.choose("clips", tfds_store.read_catalog("ucf101", config), config)
        if config.data_format == "tfds"
        else (ucf101.load("clips", os.path.join(config.data_dir, "ucf101"), config))
    )
    files = pipeline._make_reader(splits["train"], config, CLIP, STRIDE)
    moments = tf.data.Dataset.random(seed=0).map(
        lambda bits: tf.cast(bits % 1000, tf.float32) / 1000.0
    )
    clips = iter(
        tf.data.Dataset.zip(tf.data.Dataset.range(len(files)).repeat(), moments).map(
            lambda row, moment: files.read(row, moment, WHOLE)[0], num_parallel_calls=workers
        )
    )
    return rates(lambda: [next(clips) for _ in range(8)])


def write_tree(folder, ending, codec, gop):
    """UCF101 in miniature: FILES videos of one class to train on, one to test."""
    names = [f"YoYo/v_YoYo_g{number:02d}_c01{ending}" for number in range(FILES + 1)]
    for number, name in enumerate(names):
        path = pathlib.Path(folder, "ucf101/UCF-101", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        array_writer.write_video(
            path, input_pipeline.frames(number, HEIGHT, WIDTH), codec=codec, gop=gop
        )
    lists = pathlib.Path(folder, "ucf101/ucfTrainTestlist")
    lists.mkdir()
    (lists / "classInd.txt").write_text("1 YoYo\n")
    for split in "123":
        (lists / f"trainlist0{split}.txt").write_text("".join(f"{name} 1\n" for name in names[1:]))
        (lists / f"testlist0{split}.txt").write_text(f"{names[0]}\n")
    return [str(pathlib.Path(folder, "ucf101/UCF-101", name)) for name in names[1:]]


def main(_):
    print(
        f"{'320x240 files':32}{'reader':>10}{'1 worker':>12}{'2 workers':>12}{'computing':>12}{'right frames':>14}"
    )
    for ending, codec, gop in VIDEOS:
        with tempfile.TemporaryDirectory() as folder:
            paths, title = (
                write_tree(folder, ending, codec, gop),
                f"{codec} {ending}, key frame 1:{gop}",
            )
            for name, read in (("tfanon", of_tfanon), ("decord", of_decord), ("opencv", of_opencv)):
                print_row(
                    title,
                    name,
                    [of_threads(read, paths, workers) for workers in (1, 2)],
                    exact(read, paths),
                )
            config = Config(data_dir=folder, clip_source="ucf101", resolution=SIDE)
            stored = Config(**vars(config) | {"data_format": "tfds", "tfds_config": f"jpeg{SIDE}"})
            tfds_store.build_dataset("ucf101", stored)
            for name, chosen in (("folder", config), ("jpeg", stored)):
                print_row(title, name, [of_tf_data(chosen, workers) for workers in (1, 2)])


def print_row(title, name, measured, right=None):
    (one, computing), (two, _) = measured
    share = "" if right is None else f"{right:14.1%}"
    print(f"{title:32}{name:>10}{one:12.1f}{two:12.1f}{computing:12.1f}{share}", flush=True)


if __name__ == "__main__":
    app.run(main)
