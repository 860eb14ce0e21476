"""Examines many media files at once, in child processes with a time limit.

A decoder that crashes or hangs costs one file.
"""

import concurrent.futures
import contextlib
import json
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from tfanon.core import processes
from tfanon.media import limits

PROBE_COMMAND = (sys.executable, "-m", "tfanon.media.probe")


class ProbeProcess:
    """One process that runs ``tfanon.media.probe``; started again after it died."""

    def __init__(self, whole: bool, seconds: float) -> None:
        """Prepare a process, without starting it.

        Args:
            whole: Whether every frame is decoded, and not only counted.
            seconds: Time limit for one file.
        """
        self.seconds = seconds
        self.process: subprocess.Popen[str] | None = None
        self.timed_out = False
        options = json.dumps({"whole": whole, "limits": limits.get_limits()})
        self.command = [*PROBE_COMMAND, options]

    def examine(self, path: str) -> dict[str, Any]:
        """Examine a file.

        Args:
            path: The file.

        Returns:
            The answer of ``probe.examine_file``; or {"error": line} if the process did not answer.
        """
        process = self._start_if_needed()
        assert process.stdin and process.stdout, "both are pipes"
        timer = threading.Timer(self.seconds, self._kill_on_timeout)
        timer.start()
        try:
            process.stdin.write(json.dumps(path) + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        finally:
            timer.cancel()
            timer.join()  # it may be running: timed_out is final only after it
        if self.timed_out or not answer:
            return {"error": f"{path}: {self._describe_failure(process)}"}
        return json.loads(answer)

    def close(self) -> None:
        """End the process."""
        if self.process:
            self.process.kill()
            self.process.communicate()  # leaves no zombie and no open pipe
            self.process = None

    def _start_if_needed(self) -> subprocess.Popen[str]:
        if self.process is None:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                encoding="ascii",  # JSON escapes the rest, whatever the locale is
            )
        return self.process

    def _kill_on_timeout(self) -> None:
        self.timed_out = True
        if self.process:
            self.process.kill()

    def _describe_failure(self, process: subprocess.Popen[str]) -> str:
        """Clean up after a process that did not answer, and return what became of it."""
        timed_out = self.timed_out
        self.timed_out = False
        status = process.wait()
        self.close()
        if timed_out:
            return f"not decoded within {self.seconds:g} seconds (--seconds_per_file)."
        cause = f"exit status {status}"
        if status < 0:  # killed by a signal
            cause = signal.Signals(-status).name
        return f"its decoder died of {cause}."


def examine_files(
    paths: Sequence[str], whole: bool, seconds: float, workers: int = 0
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Examine media files in child processes.

    Args:
        paths: The files.
        whole: Whether every frame is decoded, and not only counted.
        seconds: Time limit for one file, after which it counts as unreadable.
        workers: Files at once; 0: one per core.

    Yields:
        (path, answer of ``probe.examine_file``), in the order in which they finish.
    """
    workers = workers or processes.count_cores()
    with contextlib.ExitStack() as stack:
        idle: queue.SimpleQueue[ProbeProcess] = queue.SimpleQueue()
        for _ in range(min(workers, len(paths))):
            process = contextlib.closing(ProbeProcess(whole, seconds))
            idle.put(stack.enter_context(process))
        pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(workers))
        # A caller that stops early does not wait for the remaining files.
        stack.callback(pool.shutdown, cancel_futures=True)
        jobs = {pool.submit(_examine_with_idle_process, idle, path): path for path in paths}
        for job in concurrent.futures.as_completed(jobs):
            yield jobs[job], job.result()


def _examine_with_idle_process(idle: queue.SimpleQueue[ProbeProcess], path: str) -> dict[str, Any]:
    process = idle.get()
    try:
        return process.examine(path)
    finally:
        idle.put(process)
