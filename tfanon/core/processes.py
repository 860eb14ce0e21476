"""Cooperating processes of one command: their share of the machine, and how they end together."""

import contextlib
import math
import os
import pathlib
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence

SHUTDOWN_TIMEOUT_SECONDS = 60  # a worker may finish its checkpoint

# What limit_threads has put into the environment of this process.
_OWN_THREAD_LIMITS: dict[str, str] = {}


def count_cores(root: str | os.PathLike[str] = "/") -> int:
    """Count the cores that this process may use, by its affinity and the quotas of its cgroups.

    Args:
        root: Folder that contains ``proc`` and ``sys``.

    Returns:
        At least 1; a quota of one and a half cores counts as 2.
    """
    quotas = [math.ceil(quota) for quota in _read_quotas(pathlib.Path(root))]
    return max(1, min([_count_allowed_cores(), *quotas]))


def _count_allowed_cores() -> int:
    """Return the number of cores on which the scheduler may run this process."""
    if hasattr(os, "process_cpu_count"):  # Python 3.13; it honours PYTHON_CPU_COUNT too
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        with contextlib.suppress(OSError):
            return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _read_quotas(root: pathlib.Path) -> Iterator[float]:
    """Yield the quota in cores of each control group above this process, of versions 1 and 2.

    Only Linux has them.
    """
    mounts = root / "sys/fs/cgroup"
    try:
        entries = (root / "proc/self/cgroup").read_text().splitlines()
    except (OSError, ValueError):
        return
    for entry in entries:
        # "hierarchy:controllers:path"; the padding tolerates a line with fewer colons.
        _, controllers, group = [*entry.split(":", 2), "", ""][:3]
        # Version 1 mounts controllers together ("cpu,cpuacct"), usually with a link for each.
        places = [mounts / controllers, mounts / "cpu"]
        if not controllers:
            # No controllers: version 2, which a hybrid system mounts below "unified".
            places = [mounts, mounts / "unified"]
        elif "cpu" not in controllers.split(","):
            continue
        for place in places:
            for folder in _list_groups(place, group):
                yield from _read_quota(folder)


def _list_groups(mount: pathlib.Path, group: str) -> list[pathlib.Path]:
    """Return the folders of a group and of all groups above it, as far as the mount.

    Inside a container only the mount itself may exist.
    """
    folder = mount / group.lstrip("/")
    parents = [parent for parent in folder.parents if parent.is_relative_to(mount)]
    return [folder, *parents]


def _read_quota(folder: pathlib.Path) -> Iterator[float]:
    """Yield the quota of one group in cores, or nothing if it has none."""
    for names in (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):
        with contextlib.suppress(OSError, ValueError):  # absent, unreadable, or "max": no quota
            content = " ".join((folder / name).read_text() for name in names)
            quota, period = content.split()[:2]
            # Version 1 says -1 for no quota.
            if int(quota) > 0 and int(period) > 0:
                yield int(quota) / int(period)


def limit_threads() -> None:
    """Limit TensorFlow to the cores of a quota; call it before TensorFlow starts.

    TensorFlow respects the affinity by itself, but ignores control groups: with a quota of two
    cores on a machine of 64 it would start 64 threads that slow each other down. Variables that
    are in the environment already are kept.
    """
    cores = count_cores()
    # No quota below the affinity: TensorFlow counts right by itself.
    if cores >= _count_allowed_cores():
        return
    inter_op_threads = max(2, cores)  # tf.data reads on these: see split_resources
    limits = {
        "TF_NUM_INTRAOP_THREADS": str(cores),
        "TF_NUM_INTEROP_THREADS": str(inter_op_threads),
    }
    for name, value in limits.items():
        if name not in os.environ:
            os.environ[name] = _OWN_THREAD_LIMITS[name] = value


def split_resources(count: int) -> dict[str, str]:
    """Return the environment variables that give one of several processes its share of a machine.

    There remain as many threads between operations as there are cores: tf.data reads on them, and
    with one thread a step would wait for the next batch.

    Args:
        count: Number of processes.

    Returns:
        Threads inside operations by the share of cores, and GPU memory as needed; nothing for a
        single process.
    """
    if count <= 1:
        return {}
    threads = max(1, count_cores() // count)
    return {"TF_NUM_INTRAOP_THREADS": str(threads), "TF_FORCE_GPU_ALLOW_GROWTH": "true"}


def make_child_environment(count: int) -> dict[str, str]:
    """Return the environment of one of several child processes.

    Variables of this process are kept, except the limits that limit_threads has set for it alone.

    Args:
        count: Number of processes that share the machine.
    """
    inherited = {}
    for name, value in os.environ.items():
        # A variable that was changed since then is kept.
        if _OWN_THREAD_LIMITS.get(name) != value:
            inherited[name] = value
    # Later ones win: the share of several processes over the limit of one, the user's over both.
    return {**_OWN_THREAD_LIMITS, **split_resources(count), **inherited}


def use_resource_share(count: int) -> None:
    """Limit this process to its share of the machine; call it before TensorFlow starts.

    Variables that are in the environment already are kept.

    Args:
        count: Number of processes that share the machine.
    """
    os.environ.update(make_child_environment(count))


@contextlib.contextmanager
def run_workers(arguments: Sequence[str], count: int) -> Iterator[None]:
    """Run Python processes beside the block, as long as it runs or until they are done.

    When the block ends, or this process in any way, they get a SIGTERM; the block waits for them.
    Each has to call exit_with_parent().

    Args:
        arguments: Arguments of Python.
        count: Number of processes; none below 1.
    """
    workers = []
    for number in range(1, count + 1):
        worker = subprocess.Popen(
            [sys.executable, *arguments],
            # The system closes the pipe however this process ends: the signal to stop.
            stdin=subprocess.PIPE,
            # Ctrl-C reaches this process alone, which then ends the workers in order.
            start_new_session=True,
            # tqdm reads it: every process draws its progress bar on a line of its own.
            env={**os.environ, "TQDM_POSITION": str(number)},
        )
        workers.append(worker)
    try:
        yield
    finally:
        # All pipes first, so that the workers end at the same time.
        for worker in workers:
            if worker.stdin:
                worker.stdin.close()  # see exit_with_parent
        for worker in workers:
            _wait_or_kill(worker)


def _wait_or_kill(worker: subprocess.Popen) -> None:
    try:
        worker.wait(SHUTDOWN_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        worker.kill()  # its last checkpoint is complete
        worker.wait()


def exit_with_parent() -> None:
    """Send this process a SIGTERM when the block of run_workers that started it has ended.

    It is sent, too, if the process that started it has ended.
    """

    def watch() -> None:
        # Nothing is ever written: this returns when the other end is closed.
        os.read(sys.stdin.fileno(), 1)
        os.kill(os.getpid(), signal.SIGTERM)

    # A daemon: it must not keep a worker alive that has finished.
    threading.Thread(target=watch, daemon=True).start()
