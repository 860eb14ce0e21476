"""Processes beside this one: their share of the machine, and that none outlives the one that started it."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from tfanon.core import processes

ROOT = pathlib.Path(__file__).parents[2]
# Says that it is there, and works until it is told to end.
CHILD = """
import os, pathlib, sys, time
from tfanon.core import processes
processes.end_with_parent()
pathlib.Path(sys.argv[1], os.environ["TQDM_POSITION"]).write_text(str(os.getpid()))
time.sleep(60)
"""
PARENT = """
import sys, time
from tfanon.core import processes
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
            if (
                pathlib.Path(f"/proc/{number}/stat").read_text().split()[2] == "Z"
            ):  # ended, and nobody asked how
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False


def test_one_process_has_the_whole_machine_and_two_have_half_of_it(monkeypatch):
    monkeypatch.setattr(processes, "count_cores", lambda: 8)
    assert processes.split_resources(1) == {}
    assert processes.split_resources(2)["TF_NUM_INTRAOP_THREADS"] == "4"
    assert processes.split_resources(3)["TF_NUM_INTRAOP_THREADS"] == "2"
    assert processes.split_resources(64)["TF_NUM_INTRAOP_THREADS"] == "1"


def test_what_the_environment_says_stands(monkeypatch):
    monkeypatch.setattr(os, "environ", {"TF_NUM_INTRAOP_THREADS": "3"})
    processes.use_resource_share(2)
    assert (
        os.environ["TF_NUM_INTRAOP_THREADS"] == "3"
        and os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
    )


def groups(root, membership, **files):
    """A folder with the files of control groups.  membership: text of /proc/self/cgroup."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(membership)
    for name, text in files.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    "membership, files, cores",
    [
        ("0::/\n", {"cpu.max": "200000 100000\n"}, 2),  # a container's own view, version 2
        ("0::/\n", {"cpu.max": "max 100000\n"}, 16),
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "1000 100000\n"}, 1),
        (
            "0::/a/b\n",
            {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "300000 100000\n"},
            3,
        ),  # of a group above
        ("0::/a/b\n", {"a/b/cpu.max": "400000 100000\n", "a/cpu.max": "800000 100000\n"}, 4),
        (
            "3:memory:/m\n2:cpu,cpuacct:/docker/1\n",
            {
                "cpu,cpuacct/docker/1/cpu.cfs_quota_us": "500000\n",
                "cpu,cpuacct/docker/1/cpu.cfs_period_us": "100000\n",
            },
            5,
        ),
        (
            "2:cpu,cpuacct:/docker/1\n",
            {  # the host's path, and the container's own group at the mount
                "cpu/cpu.cfs_quota_us": "250000\n",
                "cpu/cpu.cfs_period_us": "100000\n",
            },
            3,
        ),
        ("1:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 16),
        ("5:cpuset:/x\n1:name=systemd:/\n0::/\n", {"cpuset/x/cpu.cfs_quota_us": "100000\n"}, 16),
        ("junk\n::\n\n", {"cpu.max": "junk"}, 16),
        ("0::/../../x\n", {"cpu.max": ""}, 16),
        ("0::/\n", {"cpu.max": "0 0\n"}, 16),
    ],
)
def test_cores_are_those_of_the_quota(monkeypatch, tmp_path, membership, files, cores):
    monkeypatch.setattr(processes, "_count_allowed_cores", lambda: 16)
    assert processes.count_cores(groups(tmp_path, membership, **files)) == cores


def test_cores_without_control_groups(monkeypatch, tmp_path):
    monkeypatch.setattr(processes, "_count_allowed_cores", lambda: 16)
    assert processes.count_cores(tmp_path) == 16
    assert (
        processes.count_cores(groups(tmp_path, "0::/\n", **{"cpu.max": "64000000 100000\n"})) == 16
    )


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_cores_are_those_of_the_affinity(tmp_path):
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from tfanon.core import processes; print(processes.count_cores())"
    )
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True) == "1\n"


def test_a_machine_that_does_not_say_has_one_core(monkeypatch, tmp_path):
    for name in ("process_cpu_count", "sched_getaffinity"):
        monkeypatch.delattr(os, name, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert processes.count_cores(tmp_path) == 1


def test_tensorflow_is_kept_to_the_quota(monkeypatch):
    monkeypatch.setattr(os, "environ", {"TF_NUM_INTEROP_THREADS": "7"})
    monkeypatch.setattr(processes, "_OWN_THREAD_LIMITS", {})
    monkeypatch.setattr(processes, "_count_allowed_cores", lambda: 16)
    monkeypatch.setattr(processes, "count_cores", lambda: 16)
    processes.limit_threads()
    assert os.environ == {"TF_NUM_INTEROP_THREADS": "7"}  # TensorFlow sees the affinity itself
    monkeypatch.setattr(processes, "count_cores", lambda: 4)
    processes.limit_threads()
    assert os.environ == {"TF_NUM_INTEROP_THREADS": "7", "TF_NUM_INTRAOP_THREADS": "4"}
    assert processes.make_child_environment(1) == os.environ
    assert processes.make_child_environment(2)["TF_NUM_INTRAOP_THREADS"] == "2"
    processes.use_resource_share(4)
    assert os.environ["TF_NUM_INTRAOP_THREADS"] == "1"


def test_they_work_beside_the_block_and_end_with_it(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    began = time.monotonic()
    with processes.run_workers(["-c", CHILD, str(tmp_path)], 2):
        numbers = [appears(tmp_path / place) for place in ("1", "2")]
    assert len({*numbers, os.getpid()}) == 3 and all(map(ends, numbers))
    assert time.monotonic() - began < 40  # each would work for 60 s


def test_a_failure_in_the_block_ends_them_too(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    with pytest.raises(FloatingPointError), processes.run_workers(["-c", CHILD, str(tmp_path)], 1):
        number = appears(tmp_path / "1")
        raise FloatingPointError("L_A became nan")
    assert ends(number)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=lambda how: how.name)
def test_none_outlives_a_parent_that_is_killed(tmp_path, how):
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT.format(child=CHILD), str(tmp_path)], cwd=ROOT
    )
    number = appears(tmp_path / "1")
    parent.send_signal(how)
    assert parent.wait(20) == -how
    assert ends(number)
