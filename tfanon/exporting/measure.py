"""Time per frame and memory of an exported file, measured in a process that does nothing else.

    python -m tfanon.exporting.measure PATH HEIGHT WIDTH THREADS REPEATS

prints one line of JSON. The peak memory is null on systems other than Linux.
"""

import json
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

WARM_UP_FRAMES = 3  # not timed


def measure_cost(
    path: str | os.PathLike, size: tuple[int, int], threads: int = 1, repeats: int = 30
) -> dict[str, Any]:
    """Measure time and memory of an exported file in a fresh process, one frame after the other.

    Args:
        path: Any exported file or folder.
        size: (H, W) of the frames in pixels.
        threads: Number of threads.
        repeats: Number of frames that are timed.

    Returns:
        `milliseconds` per frame; `cpu_milliseconds`, the processor time of all cores together,
        which other processes hardly change (both medians); and `peak_mib`.

    Raises:
        ValueError: The process failed; the message ends in its last line or the signal that ended
            it.
    """
    numbers = [*size, threads, repeats]
    # A fresh process: memory of other files and of Keras would count in its peak.
    command = [sys.executable, "-m", "tfanon.exporting.measure", str(path), *map(str, numbers)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(f"{path} could not be measured: {_describe_failure(done)}")
    # The last line: libraries may print others.
    return json.loads(done.stdout.splitlines()[-1])


def _describe_failure(done: subprocess.CompletedProcess) -> str:
    """Return why a process failed in one sentence."""
    # Ended by a signal, such as by the system when memory runs out: its output gives no reason.
    if done.returncode < 0:
        name = signal.strsignal(-done.returncode)
        return f"signal {-done.returncode} ({name}) ended its process."
    lines = done.stderr.strip().splitlines()
    return lines[-1] if lines else f"its process ended with status {done.returncode}."


def measure_costs(
    path: str | os.PathLike,
    size: tuple[int, int],
    threads: Sequence[int] = (1, 2),
    repeats: int = 30,
) -> dict[str, Any]:
    """Measure time per number of threads; processor time and memory with the first of them.

    Returns:
        The part of export.json about the cost of a file.
    """
    costs = {count: measure_cost(path, size, count, repeats) for count in threads}
    first = costs[threads[0]]
    return {
        "milliseconds": {str(count): cost["milliseconds"] for count, cost in costs.items()},
        "cpu_milliseconds": first["cpu_milliseconds"],
        "peak_mib": first["peak_mib"],
    }


def count_bytes(path: pathlib.Path) -> int:
    """Return the size of a file, or of all files in a folder, in bytes."""
    return sum(part.stat().st_size for part in [path, *path.rglob("*")] if part.is_file())


def _time_frames(path: str, height: int, width: int, threads: int, repeats: int) -> dict[str, Any]:
    """Anonymize frames of noise and return the medians; runs in the fresh process."""
    import numpy as np

    network = _load_network(pathlib.Path(path), threads)
    # Noise: time does not depend on the content of a frame.
    frame = np.random.default_rng(0).integers(0, 256, (1, height, width, 3), np.uint8)
    times, processor_times = [], []
    for _ in range(WARM_UP_FRAMES + repeats):
        start, processor_start = time.perf_counter(), time.process_time()
        network(frame)
        times.append(1000 * (time.perf_counter() - start))
        processor_times.append(1000 * (time.process_time() - processor_start))
    return {
        # Medians, since another process may delay single frames.
        "milliseconds": statistics.median(times[WARM_UP_FRAMES:]),
        "cpu_milliseconds": statistics.median(processor_times[WARM_UP_FRAMES:]),
        "peak_mib": _read_peak_mib(),
    }


def _load_network(path: pathlib.Path, threads: int) -> Any:
    """Load a file without TensorFlow in memory where its runtime does not need it."""
    if path.is_dir():
        import tensorflow as tf

        tf.config.threading.set_inter_op_parallelism_threads(1)
    from tfanon.inference import loaders

    return loaders.load_network(str(path), threads=threads, accept_onnx=True)


def _read_peak_mib() -> float | None:
    """Return the peak memory of this process in MiB; ru_maxrss would count the parent's."""
    status = pathlib.Path("/proc/self/status")
    if not status.exists():
        return None
    # VmHWM: "high water mark" of resident memory.
    match = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
    return round(int(match[1]) / 1024, 1) if match else None


if __name__ == "__main__":
    measured = _time_frames(sys.argv[1], *map(int, sys.argv[2:]))
    print(json.dumps(measured))
