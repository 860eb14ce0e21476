"""What a file costs where it runs: time per frame and memory, in a process that does nothing else.

    python -m tfanon.exporting.measure PATH HEIGHT WIDTH THREADS REPEATS

prints one line of JSON. Linux tells a process its own peak of memory; elsewhere it is left out.
"""

import json
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import time

WARM_UP = 3  # frames that are not timed


def measure(path, size, threads=1, repeats=30):
    """{"milliseconds": .., "cpu_milliseconds": .., "peak_mib": ..} of one frame after the other, in a fresh process.

    Both times are medians; the second counts what all cores together worked, whoever else used the machine meanwhile.

    path: of any exported file or folder.  size: (H, W) of the frames.
    Raises ValueError where it fails, which ends in the process's last line, or in the signal that ended it.
    """
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tfanon.exporting.measure",
            str(path),
            *map(str, size),
            str(threads),
            str(repeats),
        ],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise ValueError(f"{path} could not be measured: {_why(done)}")
    return json.loads(done.stdout.splitlines()[-1])


def _why(done):
    if done.returncode < 0:  # as where memory runs out: what it said before is no reason
        return (
            f"signal {-done.returncode} ({signal.strsignal(-done.returncode)}) ended its process."
        )
    return (
        done.stderr.strip().splitlines() or [f"its process ended with status {done.returncode}."]
    )[-1]


def costs(path, size, threads=(1, 2), repeats=30):
    """Time on each number of threads, work and memory on the first of them, as export.json has them."""
    found = {count: measure(path, size, count, repeats) for count in threads}
    return {
        "milliseconds": {str(count): cost["milliseconds"] for count, cost in found.items()},
        "cpu_milliseconds": found[threads[0]]["cpu_milliseconds"],
        "peak_mib": found[threads[0]]["peak_mib"],
    }


def size_of(path):
    """Bytes of a file, or of all files of a folder."""
    return sum(part.stat().st_size for part in [path, *path.rglob("*")] if part.is_file())


def _clock(path, height, width, threads, repeats):
    import numpy as np

    network = _load(pathlib.Path(path), threads)
    frame = np.random.default_rng(0).integers(0, 256, (1, height, width, 3), np.uint8)
    times, works = [], []
    for _ in range(WARM_UP + repeats):
        time_before, work_before = time.perf_counter(), time.process_time()
        network(frame)
        times.append(1000 * (time.perf_counter() - time_before))
        works.append(1000 * (time.process_time() - work_before))
    return {
        "milliseconds": statistics.median(times[WARM_UP:]),
        "cpu_milliseconds": statistics.median(works[WARM_UP:]),
        "peak_mib": _peak(),
    }


def _load(path, threads):
    """The network, without TensorFlow in memory where it is not needed."""
    if path.suffix == ".onnx":
        from tfanon.exporting import onnx_file

        return onnx_file.load(path, threads)
    if path.is_dir():
        import tensorflow as tf

        tf.config.threading.set_inter_op_parallelism_threads(1)
    from tfanon.inference import network

    return network.load_network(str(path), threads=threads)


def _peak():
    """MiB that were in memory at most; ru_maxrss would count the parent's."""
    status = pathlib.Path("/proc/self/status")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return round(int(found[1]) / 1024, 1) if found else None


if __name__ == "__main__":
    print(json.dumps(_clock(sys.argv[1], *map(int, sys.argv[2:]))))
