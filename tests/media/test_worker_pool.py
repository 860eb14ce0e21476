"""Files examined in child processes: a decoder that dies or does not end costs its own file alone."""

import hashlib
import sys

import numpy as np
import pytest

from tfanon.media import array_writer, limits, worker_pool

# A child that dies of a signal, ends, or hangs where the file's name says so.
BROKEN = """
import os, signal, time
from tfanon.media import probe
real = probe.examine
def examine(path, whole):
    if "crash" in path: os.kill(os.getpid(), signal.SIGSEGV)
    if "killed" in path: os.kill(os.getpid(), signal.SIGKILL)
    if "exits" in path: os._exit(3)
    if "hangs" in path: time.sleep(100)
    return real(path, whole)
probe.examine = examine
probe.main()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("children")
    for number, name in enumerate(("a", "crash", "b", "hangs", "c", "killed", "exits", "d")):
        array_writer.write_video(
            folder / f"{name}.mp4", [np.full((16, 32, 3), 9 * number, np.uint8)] * (3 + number)
        )
    array_writer.write_jpeg(folder / "e#&(;.jpg", np.zeros((8, 24, 3), np.uint8))
    (folder / "f.avi").write_bytes(b"broken")
    return folder


def ask(folder, names, whole=True, **more):
    paths = [str(folder / name) for name in names]
    answers = dict(worker_pool.examine_files(paths, whole, **more))
    return [answers[path] for path in paths]


def test_what_is_told_of_a_file(folder):
    video, image, broken = ask(folder, ["b.mp4", "e#&(;.jpg", "f.avi"], seconds=60, workers=1)
    digest = hashlib.sha256((folder / "b.mp4").read_bytes()).hexdigest()
    assert video == {"frames": 5, "height": 16, "width": 32, "sha256": digest}
    assert (image["frames"], image["height"], image["width"]) == (1, 8, 24)
    assert broken == {
        "error": f"{folder / 'f.avi'}: no video or image that is read here, by its content."
    }


def test_a_crash_or_a_hang_costs_one_file(folder, monkeypatch):
    monkeypatch.setattr(worker_pool, "PROBE_COMMAND", (sys.executable, "-c", BROKEN))
    names = [f"{name}.mp4" for name in ("a", "crash", "b", "hangs", "c", "killed", "exits", "d")]
    answers = ask(folder, names, seconds=3, workers=2)
    assert [answer.get("frames") for answer in answers] == [3, None, 5, None, 7, None, None, 10]
    errors = [answer["error"].partition(".mp4: ")[2] for answer in answers if "error" in answer]
    assert errors == [
        "its decoder died of SIGSEGV.",
        "not decoded within 3 seconds (--seconds_per_file).",
        "its decoder died of SIGKILL.",
        "its decoder died of exit status 3.",
    ]


def test_without_decoding(folder):
    assert ask(folder, ["b.mp4"], whole=False, seconds=60) == [
        {"frames": 5, "height": 16, "width": 32}
    ]


def test_the_limits_hold_in_the_children(folder, monkeypatch):
    monkeypatch.setattr(limits, "MAX_FRAME_PIXELS", 511)
    (answer,) = ask(folder, ["b.mp4"], seconds=60)
    assert answer["error"].endswith(
        "frames of 32x16 pixels; the limit is 511 pixels (--max_frame_pixels)."
    )
