"""Frames per second from file to file, beside each stage alone, and beside another tool.

    python -m benchmarks.anonymize [--frames=300] [--repeats=3] [--deface=PATH] [--preset=veryfast --quality=20]

The file is made here: 640x480, H.264, moving texture with noise. The network is the compact UNet++ at 224x224 as a
TFLite file, float32 and full-integer int8, with first weights: they decide no speed. A stage alone is what the pipeline
does in it: `decode` reads and scales down, `network` runs and checks, `encode` scales up and writes. `share` is the
pipeline's speed over that of its slowest stage. Where the stages together need more processor time per frame than the
cores have, no pipeline comes to 100 %: `busy` is the processor time of the three stages alone, at the pipeline's speed, as a
share of all cores, and cannot pass 100 %. Every number is the median of the repeats, which take turns, because a machine's
speed drifts: compare within one run alone. `KiB` is the size of the result.

--deface: the command `deface` of an environment of its own (pip install deface), run on the same file, as it comes and at
its reduced scale; its time to start is measured on a short file and left out.
"""

import contextlib
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

import tfanon  # noqa: F401  before Keras, whose defaults it sets

# isort: split
import keras
import numpy as np
from absl import app, flags

from tfanon.core import registry
from tfanon.exporting import tflite
from tfanon.inference import video
from tfanon.inference.anonymizer import Anonymizer
from tfanon.media import array_writer, video_reader, video_writer

HEIGHT, WIDTH, SIDE, WARM = 480, 640, 224, 8
FLAGS = flags.FLAGS
flags.DEFINE_string("preset", "", "Of x264, as tfanon.anonymize has it.")
flags.DEFINE_integer("quality", None, "Of x264, as tfanon.anonymize has it.")
flags.DEFINE_integer("frames", 300, "Length of the video.", lower_bound=40)
flags.DEFINE_integer("repeats", 3, "Measurements of each number.", lower_bound=1)
flags.DEFINE_string("deface", "", "Path of the command deface; empty: it is left out.")


def pictures(count):
    """`count` frames of a texture that moves, with a little noise, uint8 [480, 640, 3]."""
    rng = np.random.default_rng(0)
    texture = np.kron(rng.integers(30, 220, (HEIGHT // 8, WIDTH // 8, 3)), np.ones((8, 8, 1)))
    noise = rng.normal(0, 4, (16, HEIGHT, WIDTH, 1))
    for number in range(count):
        yield np.clip(
            np.roll(texture, (number, 2 * number), (0, 1)) + noise[number % 16], 0, 255
        ).astype(np.uint8)


def write_networks(folder, examples):
    """{name: path} of the compact network as the TFLite files that tfanon.export writes."""
    keras.utils.set_random_seed(0)
    f_A = registry.load_module("anonymizers", "unetpp").build(width=0.125)
    paths, representative = {}, np.stack(examples) / np.float32(255)
    for name, quantize in (("float32", "none"), ("int8", "int8")):
        paths[name] = pathlib.Path(folder, f"{name}.tflite")
        paths[name].write_bytes(
            tflite.convert_to_tflite(f_A, (SIDE, SIDE), quantize, representative)
        )
    return paths


def timed(work, frames):
    """(frames per second, seconds of the processor per frame) of work()."""
    begin, used = time.perf_counter(), time.process_time()
    work()
    return frames / (time.perf_counter() - begin), (time.process_time() - used) / frames


def decode(path, anonymizer):
    """Read every frame as the pipeline does; returns them."""
    with video_reader.open_video(path) as opened:
        return list(video.decode_frames(opened, anonymizer)), opened.info


def encoding():
    return video_writer.EncodingOptions(quality=FLAGS.quality, preset=FLAGS.preset)


def encode(target, frames, info):
    with contextlib.closing(video_writer.VideoWriter(target, info, encoding())) as output:
        for frame in frames:
            output.write(frame.pixels, frame.timestamp, frame.duration)
        output.finish()


def whole(path, target, anonymizer):
    with video_reader.open_video(path) as opened:
        video.anonymize_video(opened, target, anonymizer, encoding())


def row(path, folder, anonymizer):
    """Medians of frames per second: decode, network, encode, end to end; of the share of the slowest stage; of `busy`;
    KiB of the result.
    """
    frames, form = decode(path, anonymizer)
    list(video.anonymize_frames(frames[:WARM], anonymizer))
    answers = list(video.anonymize_frames(frames, anonymizer))
    target, rounds = folder / "out.mp4", []
    for _ in range(FLAGS.repeats):
        rates, used = zip(
            timed(lambda: decode(path, anonymizer), len(frames)),
            timed(lambda: list(video.anonymize_frames(frames, anonymizer)), len(frames)),
            timed(lambda: encode(target, answers, form), len(frames)),
            timed(lambda: whole(path, target, anonymizer), len(frames)),
        )
        busy = rates[3] * sum(used[:3]) / len(os.sched_getaffinity(0))
        rounds.append([*rates, rates[3] / min(rates[:3]), busy])
    return [*(statistics.median(column) for column in zip(*rounds)), target.stat().st_size / 1024]


def deface(path, short, folder, *options):
    """Frames per second of the other tool, its start left out."""
    seconds = {}
    for given in (short, path):
        begin = time.perf_counter()
        subprocess.run(
            [FLAGS.deface, str(given), "-o", str(folder / "deface.mp4"), *options],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        seconds[given] = time.perf_counter() - begin
    return (FLAGS.frames - FLAGS.frames // 10) / (seconds[path] - seconds[short])


def main(_):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        path, short = folder / "in.mp4", folder / "short.mp4"
        for given, count in ((path, FLAGS.frames), (short, FLAGS.frames // 10)):
            array_writer.write_video(given, pictures(count), gop=250)
        examples = [picture[:SIDE, :SIDE] for picture in pictures(16)]
        heads = " ".join(f"{head:>8}" for head in ("decode", "network", "encode", "whole"))
        print(f"{'frames per second':28} {heads} {'share':>7} {'busy':>6} {'KiB':>6}", flush=True)
        for name, model in write_networks(folder, examples).items():
            *rates, share, busy, size = row(path, folder, Anonymizer.load(model))
            rates = " ".join(f"{rate:8.1f}" for rate in rates)
            print(
                f"{f'compact UNet++, {name}':28} {rates} {share:7.0%} {busy:6.0%} {size:6.0f}",
                flush=True,
            )
        for options in ((), ("--scale", "320x240")) if FLAGS.deface else ():
            rate = statistics.median(
                deface(path, short, folder, *options) for _ in range(FLAGS.repeats)
            )
            print(f"{' '.join(('deface', *options)):28} {rate:35.1f}", flush=True)


if __name__ == "__main__":
    app.run(main)
