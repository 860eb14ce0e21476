"""Measure frames per second from file to file, of each stage alone, and of another tool.

    python -m benchmarks.anonymize [--frames=300] [--repeats=3] [--deface=PATH]

The input is made here: 640x480, H.264, moving texture with noise. The network is the compact UNet++
at 224x224 as a TFLite file, float32 and full-integer int8, with random weights, which do not change
the speed. Stages: `decode` reads and scales down, `network` runs and checks, `encode` scales up and
writes; `whole` is the pipeline of all three. `share` is the speed of the pipeline divided by that
of its slowest stage. It cannot reach 100 % if the stages together need more processor time than the
cores have, so `busy` is given, too: the processor time that the three stages need at the speed of
the pipeline, as a share of all cores. `KiB` is the size of the result. Every number is a median;
the repeats alternate between the stages because the speed of a machine drifts, so compare numbers
of one run only.

--deface names the command `deface` in an environment of its own (pip install deface). It runs on
the same file, at full and at reduced scale; its start-up time is measured with a short file and
subtracted.
"""

import contextlib
import os
import pathlib
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import tfanon  # noqa: F401  before Keras, whose defaults it sets

# isort: split
import av
import keras
import numpy as np
from absl import app, flags

from tfanon.core import registry
from tfanon.exporting import tflite
from tfanon.inference import video
from tfanon.inference.anonymizer import Anonymizer
from tfanon.inference.video import UprightFrame
from tfanon.media import array_writer, video_reader, video_writer

HEIGHT, WIDTH = 480, 640  # of the video
SIDE = 224  # of the network's input
WARM_UP_FRAMES = 8
EXAMPLE_FRAMES = 16  # that calibrate int8
NOISE_FRAMES = 16  # after which the noise repeats
DEFACE_SCALES = ((), ("--scale", "320x240"))
Frames = list[UprightFrame]

FLAGS = flags.FLAGS
flags.DEFINE_string("preset", "", "Preset of x264, as in tfanon.anonymize.")
flags.DEFINE_integer("quality", None, "Quality of x264, as in tfanon.anonymize.")
flags.DEFINE_integer("frames", 300, "Length of the video.", lower_bound=40)
flags.DEFINE_integer("repeats", 3, "Measurements of each number.", lower_bound=1)
flags.DEFINE_string("deface", "", "Path of the command deface; empty: leave it out.")


def make_frames(count: int) -> Iterator[np.ndarray]:
    """Yield frames of a moving texture with a little noise, uint8 `[480, 640, 3]`."""
    rng = np.random.default_rng(0)
    texture = np.kron(rng.integers(30, 220, (HEIGHT // 8, WIDTH // 8, 3)), np.ones((8, 8, 1)))
    noise = rng.normal(0, 4, (NOISE_FRAMES, HEIGHT, WIDTH, 1))
    for number in range(count):
        moved = np.roll(texture, (number, 2 * number), (0, 1))
        yield np.clip(moved + noise[number % NOISE_FRAMES], 0, 255).astype(np.uint8)


def write_networks(folder: pathlib.Path, examples: Sequence[np.ndarray]) -> dict[str, pathlib.Path]:
    """Write the compact network as TFLite files, as tfanon.export does; return paths by name."""
    keras.utils.set_random_seed(0)
    f_A = registry.load_module("anonymizers", "unetpp").build(width=0.125)
    representative = np.stack(examples) / np.float32(255)
    paths = {}
    for name, quantize in (("float32", "none"), ("int8", "int8")):
        content = tflite.convert_to_tflite(f_A, (SIDE, SIDE), quantize, representative)
        paths[name] = folder / f"{name}.tflite"
        paths[name].write_bytes(content)
    return paths


def measure_speed(work: Callable[[], Any], frames: int) -> tuple[float, float]:
    """Return frames per second of a call, and seconds of processor time per frame."""
    start, processor_start = time.perf_counter(), time.process_time()
    work()
    seconds = time.perf_counter() - start
    return frames / seconds, (time.process_time() - processor_start) / frames


def decode(path: pathlib.Path, anonymizer: Anonymizer) -> tuple[Frames, video_reader.VideoInfo]:
    """Read every frame as the pipeline does."""
    with video_reader.open_video(str(path)) as opened:
        return list_frames(video.decode_frames(opened, anonymizer)), opened.info


def list_frames(items: Iterable[UprightFrame | av.Packet]) -> Frames:
    """Return the frames of a stage; the video has no sound."""
    return [item for item in items if isinstance(item, UprightFrame)]


def make_encoding() -> video_writer.EncodingOptions:
    return video_writer.EncodingOptions(quality=FLAGS.quality, preset=FLAGS.preset)


def encode(target: pathlib.Path, frames: Frames, info: video_reader.VideoInfo) -> None:
    with contextlib.closing(video_writer.VideoWriter(target, info, make_encoding())) as writer:
        for frame in frames:
            writer.write(frame.pixels, frame.timestamp, frame.duration)
        writer.finish()


def run_pipeline(path: pathlib.Path, target: pathlib.Path, anonymizer: Anonymizer) -> None:
    with video_reader.open_video(str(path)) as opened:
        video.anonymize_video(opened, target, anonymizer, make_encoding())


def measure_pipeline(
    path: pathlib.Path, folder: pathlib.Path, anonymizer: Anonymizer
) -> tuple[list[float], float, float, float]:
    """Measure one network.

    Returns:
        Medians: frames per second of decode, network, encode and whole; `share`; `busy`; and the
        size of the result in KiB.
    """
    frames, info = decode(path, anonymizer)
    list_frames(video.anonymize_frames(frames[:WARM_UP_FRAMES], anonymizer))
    anonymized = list_frames(video.anonymize_frames(frames, anonymizer))
    target = folder / "out.mp4"
    stages: list[Callable[[], Any]] = [
        lambda: decode(path, anonymizer),
        lambda: list_frames(video.anonymize_frames(frames, anonymizer)),
        lambda: encode(target, anonymized, info),
        lambda: run_pipeline(path, target, anonymizer),
    ]
    repeats = []
    for _ in range(FLAGS.repeats):
        measured = [measure_speed(stage, len(frames)) for stage in stages]
        speeds = [speed for speed, _ in measured]
        processor_seconds = sum(seconds for _, seconds in measured[:-1])
        share = speeds[-1] / min(speeds[:-1])
        busy = speeds[-1] * processor_seconds / len(os.sched_getaffinity(0))
        repeats.append([*speeds, share, busy])
    *speeds, share, busy = (statistics.median(column) for column in zip(*repeats, strict=True))
    return speeds, share, busy, target.stat().st_size / 1024


def measure_deface(
    path: pathlib.Path, short_path: pathlib.Path, folder: pathlib.Path, options: Sequence[str]
) -> float:
    """Return frames per second of deface, without its start-up time."""
    seconds = {}
    for video_path in (short_path, path):
        output = str(folder / "deface.mp4")
        start = time.perf_counter()
        subprocess.run(
            [FLAGS.deface, str(video_path), "-o", output, *options],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        seconds[video_path] = time.perf_counter() - start
    return (FLAGS.frames - FLAGS.frames // 10) / (seconds[path] - seconds[short_path])


def main(_: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        print_table(pathlib.Path(name))


def print_table(folder: pathlib.Path) -> None:
    path, short_path = folder / "in.mp4", folder / "short.mp4"
    array_writer.write_video(path, make_frames(FLAGS.frames), gop=250)
    array_writer.write_video(short_path, make_frames(FLAGS.frames // 10), gop=250)
    examples = [frame[:SIDE, :SIDE] for frame in make_frames(EXAMPLE_FRAMES)]
    headings = " ".join(f"{name:>8}" for name in ("decode", "network", "encode", "whole"))
    print(f"{'frames per second':28} {headings} {'share':>7} {'busy':>6} {'KiB':>6}", flush=True)
    for name, model in write_networks(folder, examples).items():
        anonymizer = Anonymizer.load(str(model))
        speeds, share, busy, size = measure_pipeline(path, folder, anonymizer)
        cells = " ".join(f"{speed:8.1f}" for speed in speeds)
        title = f"compact UNet++, {name}"
        print(f"{title:28} {cells} {share:7.0%} {busy:6.0%} {size:6.0f}", flush=True)
    if FLAGS.deface:
        for options in DEFACE_SCALES:
            speeds = []
            for _ in range(FLAGS.repeats):
                speeds.append(measure_deface(path, short_path, folder, options))
            title = " ".join(("deface", *options))
            print(f"{title:28} {statistics.median(speeds):35.1f}", flush=True)


if __name__ == "__main__":
    app.run(main)
