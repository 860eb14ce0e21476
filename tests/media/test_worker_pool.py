"""Files examined in child processes: a decoder that dies or hangs costs its own file alone."""

import hashlib
import sys

import numpy as np
import pytest

from tfanon.media import array_writer, limits, worker_pool

# A child that dies of a signal, exits, or hangs if the file's name says so.
BROKEN_PROBE = """
import os, signal, time
from tfanon.media import probe
examine_file = probe.examine_file
def misbehave(path, whole):
    if "crash" in path: os.kill(os.getpid(), signal.SIGSEGV)
    if "killed" in path: os.kill(os.getpid(), signal.SIGKILL)
    if "exits" in path: os._exit(3)
    if "hangs" in path: time.sleep(100)
    return examine_file(path, whole)
probe.examine_file = misbehave
probe.run_worker()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("worker_pool")
    names = ("a", "crash", "b", "hangs", "c", "killed", "exits", "d")
    for number, name in enumerate(names):
        frame = np.full((16, 32, 3), 9 * number, np.uint8)
        array_writer.write_video(folder / f"{name}.mp4", [frame] * (3 + number))
    array_writer.write_jpeg(folder / "e#&(;.jpg", np.zeros((8, 24, 3), np.uint8))
    (folder / "f.avi").write_bytes(b"broken")
    return folder


def examine(folder, names, whole=True, **options):
    """The answers for some files, in the order of their names."""
    paths = [str(folder / name) for name in names]
    answers = dict(worker_pool.examine_files(paths, whole, **options))
    return [answers[path] for path in paths]


def test_answers_describe_the_files(folder):
    names = ["b.mp4", "e#&(;.jpg", "f.avi"]
    video, image, broken = examine(folder, names, seconds=60, workers=1)
    digest = hashlib.sha256((folder / "b.mp4").read_bytes()).hexdigest()
    assert video == {"frames": 5, "height": 16, "width": 32, "sha256": digest}
    assert (image["frames"], image["height"], image["width"]) == (1, 8, 24)
    assert broken == {
        "error": f"{folder / 'f.avi'}: the content is not in a supported video or image format."
    }


def test_crash_or_hang_costs_one_file(folder, monkeypatch):
    monkeypatch.setattr(worker_pool, "PROBE_COMMAND", (sys.executable, "-c", BROKEN_PROBE))
    names = [f"{name}.mp4" for name in ("a", "crash", "b", "hangs", "c", "killed", "exits", "d")]
    answers = examine(folder, names, seconds=3, workers=2)
    assert [answer.get("frames") for answer in answers] == [3, None, 5, None, 7, None, None, 10]
    lines = [answer["error"] for answer in answers if "error" in answer]
    assert [line.partition(".mp4: ")[2] for line in lines] == [
        "its decoder died of SIGSEGV.",
        "not decoded within 3 seconds (--seconds_per_file).",
        "its decoder died of SIGKILL.",
        "its decoder died of exit status 3.",
    ]


def test_frames_can_be_counted_without_decoding(folder):
    answers = examine(folder, ["b.mp4"], whole=False, seconds=60)
    assert answers == [{"frames": 5, "height": 16, "width": 32}]


def test_limits_hold_in_the_child_processes(folder, monkeypatch):
    monkeypatch.setattr(limits, "MAX_FRAME_PIXELS", 511)
    (answer,) = examine(folder, ["b.mp4"], seconds=60)
    assert answer["error"].endswith(
        "frames of 32x16 pixels; the limit is 511 pixels (--max_frame_pixels)."
    )
