"""Processes share a machine, and none outlives the one that started it."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from tfanon.core import processes

ROOT = pathlib.Path(__file__).parents[2]
# Writes its process id, and works until it is asked to end.
CHILD = """
import os, pathlib, sys, time
from tfanon.core import processes
processes.exit_with_parent()
pathlib.Path(sys.argv[1], os.environ["TQDM_POSITION"]).write_text(str(os.getpid()))
time.sleep(60)
"""
PARENT = """
import sys, time
from tfanon.core import processes
with processes.run_workers(["-c", {child!r}, sys.argv[1]], 1):
    time.sleep(60)
"""


def wait_for_process_id(path: pathlib.Path, timeout: float = 30) -> int:
    """The process id that a child writes."""
    end = time.monotonic() + timeout
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < end, f"{path} did not appear"
        time.sleep(0.02)
    return int(path.read_text())


def has_ended(process_id: int, timeout: float = 20) -> bool:
    """Whether a process that is not a child of this one ends in time."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        try:
            state = pathlib.Path(f"/proc/{process_id}/stat").read_text().split()[2]
            if state == "Z":  # a zombie
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False


def test_processes_split_the_cores(monkeypatch):
    monkeypatch.setattr(processes, "count_cores", lambda: 8)
    assert processes.split_resources(1) == {}
    assert processes.split_resources(2)["TF_NUM_INTRAOP_THREADS"] == "4"
    assert processes.split_resources(3)["TF_NUM_INTRAOP_THREADS"] == "2"
    assert processes.split_resources(64)["TF_NUM_INTRAOP_THREADS"] == "1"


def test_variables_in_the_environment_are_kept(monkeypatch):
    monkeypatch.setattr(os, "environ", {"TF_NUM_INTRAOP_THREADS": "3"})
    processes.use_resource_share(2)
    assert os.environ["TF_NUM_INTRAOP_THREADS"] == "3"
    assert os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"


def write_groups(root: pathlib.Path, membership: str, **files: str) -> pathlib.Path:
    """Write files of control groups; membership is the text of /proc/self/cgroup."""
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
        ("0::/\n", {"cpu.max": "200000 100000\n"}, 2),  # inside a container, version 2
        ("0::/\n", {"cpu.max": "max 100000\n"}, 16),
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "1000 100000\n"}, 1),
        # The quota of a group above.
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "300000 100000\n"}, 3),
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
def test_cores_are_limited_by_the_quota(monkeypatch, tmp_path, membership, files, cores):
    monkeypatch.setattr(processes, "_count_allowed_cores", lambda: 16)
    assert processes.count_cores(write_groups(tmp_path, membership, **files)) == cores


def test_cores_without_control_groups(monkeypatch, tmp_path):
    monkeypatch.setattr(processes, "_count_allowed_cores", lambda: 16)
    assert processes.count_cores(tmp_path) == 16
    assert (
        processes.count_cores(write_groups(tmp_path, "0::/\n", **{"cpu.max": "64000000 100000\n"}))
        == 16
    )


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_cores_are_limited_by_the_affinity():
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from tfanon.core import processes; print(processes.count_cores())"
    )
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True) == "1\n"


def test_unknown_number_of_cores_counts_as_one(monkeypatch, tmp_path):
    for name in ("process_cpu_count", "sched_getaffinity"):
        monkeypatch.delattr(os, name, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert processes.count_cores(tmp_path) == 1


def test_tensorflow_is_limited_to_the_quota(monkeypatch):
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


def test_workers_end_with_the_block(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    began = time.monotonic()
    with processes.run_workers(["-c", CHILD, str(tmp_path)], 2):
        process_ids = [wait_for_process_id(tmp_path / place) for place in ("1", "2")]
    assert len({*process_ids, os.getpid()}) == 3 and all(map(has_ended, process_ids))
    assert time.monotonic() - began < 40  # each would work for 60 s


def test_failure_in_the_block_ends_the_workers(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    with pytest.raises(FloatingPointError), processes.run_workers(["-c", CHILD, str(tmp_path)], 1):
        process_id = wait_for_process_id(tmp_path / "1")
        raise FloatingPointError("L_A became nan")
    assert has_ended(process_id)


@pytest.mark.parametrize("signal_", [signal.SIGTERM, signal.SIGKILL], ids=lambda item: item.name)
def test_workers_end_when_their_parent_is_killed(tmp_path, signal_):
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT.format(child=CHILD), str(tmp_path)], cwd=ROOT
    )
    process_id = wait_for_process_id(tmp_path / "1")
    parent.send_signal(signal_)
    assert parent.wait(20) == -signal_
    assert has_ended(process_id)
