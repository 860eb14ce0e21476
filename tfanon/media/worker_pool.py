"""Many media files examined at once, each by a child process with a time limit: a crash or a hang costs one file."""

import concurrent.futures
import contextlib
import json
import queue
import signal
import subprocess
import sys
import threading

from tfanon.core import processes
from tfanon.media import limits

PROBE_COMMAND = (sys.executable, "-m", "tfanon.media.probe")


def examine_files(paths, whole, seconds, workers=0):
    """Yields (path, what probe.examine says of it), in the order in which they are done.

    seconds: after which a file counts as unreadable.  workers: files at once; 0: one per core.
    """
    workers = workers or processes.count_cores()
    with contextlib.ExitStack() as stack:
        idle = queue.SimpleQueue()
        for _ in range(min(workers, len(paths))):
            idle.put(stack.enter_context(contextlib.closing(ProbeProcess(whole, seconds))))
        pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(workers))
        stack.callback(
            pool.shutdown, cancel_futures=True
        )  # whoever stops asking need not wait for the rest
        asked = {pool.submit(_examine_with_idle_process, idle, path): path for path in paths}
        for done in concurrent.futures.as_completed(asked):
            yield asked[done], done.result()


def _examine_with_idle_process(idle, path):
    child = idle.get()
    try:
        return child.examine(path)
    finally:
        idle.put(child)


class ProbeProcess:
    """One process of media/probe.py, started when it is asked, and again after it died."""

    def __init__(self, whole, seconds):
        self.seconds, self.process, self.timed_out = seconds, None, False
        self.command = [*PROBE_COMMAND, json.dumps({"whole": whole, "limits": limits.get_limits()})]

    def examine(self, path):
        """The child's answer, or {"error": line} that says what became of the child."""
        process = self._running()
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
            timer.join()
        if self.timed_out or not answer:
            answer = json.dumps({"error": f"{path}: {self._describe_failure()}"})
        return json.loads(answer)

    def close(self):
        """End the process."""
        if self.process:
            self.process.kill()
            self.process.communicate()
            self.process = None

    def _running(self):
        if self.process is None:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                encoding="ascii",
            )
        return self.process

    def _kill_on_timeout(self):
        self.timed_out = True
        self.process.kill()

    def _describe_failure(self):
        late, self.timed_out = self.timed_out, False
        status = self.process.wait()
        self.close()
        if late:
            return f"not decoded within {self.seconds:g} seconds (--seconds_per_file)."
        return f"its decoder died of {signal.Signals(-status).name if status < 0 else f'exit status {status}'}."
