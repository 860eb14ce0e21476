"""Processes beside this one: their share of the machine, and that none outlives the one that started it."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from tfanon import processes

ROOT = pathlib.Path(__file__).parent.parent
# Says that it is there, and works until it is told to end.
CHILD = """
import os, pathlib, sys, time
from tfanon import processes
processes.end_with_parent()
pathlib.Path(sys.argv[1], os.environ["TQDM_POSITION"]).write_text(str(os.getpid()))
time.sleep(60)
"""
PARENT = """
import sys, time
from tfanon import processes
with processes.beside(["-c", {child!r}, sys.argv[1]], 1):
    time.sleep(60)
"""


def appears(path, patience=30):
    """The process id that a child wrote."""
    end = time.monotonic() + patience
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < end, f"{path} did not appear"
        time.sleep(0.02)
    return int(path.read_text())


def ends(number, patience=20):
    """Whether a process that is no child of ours ends."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        try:
            if pathlib.Path(f"/proc/{number}/stat").read_text().split()[2] == "Z":  # ended, and nobody asked how
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False


def test_one_process_has_the_whole_machine_and_two_have_half_of_it(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert processes.shares(1) == {}
    assert processes.shares(2)["TF_NUM_INTRAOP_THREADS"] == "4"
    assert processes.shares(3)["TF_NUM_INTRAOP_THREADS"] == "2"
    assert processes.shares(64)["TF_NUM_INTRAOP_THREADS"] == "1"


def test_what_the_environment_says_stands(monkeypatch):
    monkeypatch.setattr(os, "environ", {"TF_NUM_INTRAOP_THREADS": "3"})
    processes.share(2)
    assert os.environ["TF_NUM_INTRAOP_THREADS"] == "3" and os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"


def test_they_work_beside_the_block_and_end_with_it(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    began = time.monotonic()
    with processes.beside(["-c", CHILD, str(tmp_path)], 2):
        numbers = [appears(tmp_path / place) for place in ("1", "2")]
    assert len({*numbers, os.getpid()}) == 3 and all(map(ends, numbers))
    assert time.monotonic() - began < 40  # each would work for 60 s


def test_a_failure_in_the_block_ends_them_too(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    with pytest.raises(FloatingPointError), processes.beside(["-c", CHILD, str(tmp_path)], 1):
        number = appears(tmp_path / "1")
        raise FloatingPointError("L_A became nan")
    assert ends(number)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=lambda how: how.name)
def test_none_outlives_a_parent_that_is_killed(tmp_path, how):
    parent = subprocess.Popen([sys.executable, "-c", PARENT.format(child=CHILD), str(tmp_path)], cwd=ROOT)
    number = appears(tmp_path / "1")
    parent.send_signal(how)
    assert parent.wait(20) == -how
    assert ends(number)
