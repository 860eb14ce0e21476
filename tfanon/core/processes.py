"""Processes of ours that work at one time: each on its share of the machine, none left when the first one ends."""

import contextlib
import math
import os
import pathlib
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

SHUTDOWN_TIMEOUT_SECONDS = 60  # seconds that a process has to save what it is at

_OWN_THREAD_LIMITS: dict[
    str, str
] = {}  # what limit_threads has put into the environment of this process


def count_cores(root: str | os.PathLike = "/") -> int:
    """Cores that this process may keep busy: those of its affinity, within its groups' quotas.

    Never fails, and is at least 1. A quota of one and a half cores counts as 2.

    Args:
        root: Folder in which `proc` and `sys` lie.
    """
    quotas = [math.ceil(quota) for quota in _read_quotas(pathlib.Path(root))]
    return max(1, min([_count_allowed_cores(), *quotas]))


def _count_allowed_cores() -> int:
    """Cores on which the scheduler may put this process."""
    if hasattr(os, "process_cpu_count"):  # Python 3.13; it honours PYTHON_CPU_COUNT too
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        with contextlib.suppress(OSError):
            return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _read_quotas(root: pathlib.Path) -> Iterator[float]:
    """Cores' worth of time that each control group above this process allows, versions 1 and 2.

    Linux alone has them.
    """
    mounts = root / "sys/fs/cgroup"
    try:
        entries = (root / "proc/self/cgroup").read_text().splitlines()
    except (OSError, ValueError):
        return
    for entry in entries:
        _, controllers, group = (entry.split(":", 2) + ["", ""])[:3]
        places = [mounts / controllers, mounts / "cpu"]
        if not controllers:
            places = [mounts, mounts / "unified"]
        elif "cpu" not in controllers.split(","):
            continue
        for place in places:
            for folder in _list_groups(place, group):
                yield from _read_quota(folder)


def _list_groups(mount: pathlib.Path, group: str) -> list[pathlib.Path]:
    """The folders of a group and of all groups above it.

    Inside a container only the mount itself may be there.
    """
    folder = mount / group.lstrip("/")
    above = [parent for parent in folder.parents if parent.is_relative_to(mount)]
    return [folder, *above]


def _read_quota(folder: pathlib.Path) -> Iterator[float]:
    """The cores' worth of one group's quota, or nothing where it has none."""
    for names in (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):
        with contextlib.suppress(OSError, ValueError):  # absent, unreadable, or "max": no quota
            quota, period = " ".join((folder / name).read_text() for name in names).split()[:2]
            if int(quota) > 0 and int(period) > 0:
                yield int(quota) / int(period)


def limit_threads() -> None:
    """Keep TensorFlow to the cores of a quota: before it is at work.

    It honours the affinity by itself, and knows nothing of control groups: with two cores' worth of
    time on a machine of 64 it would start 64 threads that hinder each other. What the environment
    says already stands.
    """
    cores = count_cores()
    if cores >= _count_allowed_cores():
        return
    between = max(2, cores)  # tf.data reads on these: see shares
    wanted = {"TF_NUM_INTRAOP_THREADS": str(cores), "TF_NUM_INTEROP_THREADS": str(between)}
    for name, value in wanted.items():
        if name not in os.environ:
            os.environ[name] = _OWN_THREAD_LIMITS[name] = value


def split_resources(count):
    """What the environment of one of `count` processes adds: its share of the cores, GPU memory as needed.

    The threads between operations stay as many as there are cores: tf.data reads on them, and with one a step waits for
    the next batch.
    """
    threads = str(max(1, count_cores() // count))
    return (
        {"TF_NUM_INTRAOP_THREADS": threads, "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
        if count > 1
        else {}
    )


def make_child_environment(count: int) -> dict[str, str]:
    """The environment of one of `count` processes.

    What the environment of this one says stands, but for what limit_threads has said for one process
    alone.
    """
    given = {
        name: value for name, value in os.environ.items() if _OWN_THREAD_LIMITS.get(name) != value
    }
    return {**_OWN_THREAD_LIMITS, **split_resources(count), **given}


def use_resource_share(count):
    """Take one of `count` shares of the machine: before TensorFlow is at work, which looks at its environment then.

    What the environment says already stands.
    """
    os.environ.update(make_child_environment(count))


@contextlib.contextmanager
def run_workers(command, count):
    """`count` processes of Python with these arguments, as long as the block runs or until they have done their work;
    below 1, none.

    When the block ends, and when this process ends in whatever way, they get a SIGTERM; the block waits for them.
    Each has to call end_with_parent().
    """
    children = [
        subprocess.Popen(
            [sys.executable, *command],
            stdin=subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, "TQDM_POSITION": str(place)},
        )
        for place in range(1, count + 1)
    ]
    try:
        yield
    finally:
        for child in children:
            child.stdin.close()
        for child in children:
            _wait_or_kill(child)


def _wait_or_kill(child):
    try:
        child.wait(SHUTDOWN_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()  # its last checkpoint is whole
        child.wait()


def exit_with_parent():
    """Send this process a SIGTERM when the one that started it by beside() has left its block or is no more."""

    def watch():
        os.read(
            sys.stdin.fileno(), 1
        )  # nothing is ever written: it returns when the other end is closed
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
