"""A grid of runs, each in a process of its own, each phase that two of them share computed once:

    python -m tfanon.sweep --flagfile=configs/quickstart.flags --sweep_dir=runs/sweep \\
        --grid=penalty_bound=.05,.1,.2 --grid=penalty_weight=1,5 --grid=seed=0,1,2

Every other flag of tfanon.train goes to all points. The same command goes on where it was stopped; another grid adds
its points to the folder. A point that fails is named at the end and the others go on; the exit status is then 1.

--grids=FILE is a sweep of several grids, a line each: flags of its own beside those above, and what varies in it.

    --objective=vita --ensemble=small_resnet --grid=objective=vita
    --grid=penalty_bound=.05,.1,.2 --grid=penalty_weight=1,5      # in all lines, --grid=seed=0,1,2 of the command varies last
"""

import concurrent.futures
import dataclasses
import json
import os
import pathlib
import shlex
import signal
import subprocess
import sys
import threading
import time

from absl import app

from tfanon.core import component_spec, config, exit_status, grid, processes, registry
from tfanon.core.config import flag
from tfanon.training import phase_cache

REUSE_FLAG = "--reuse_from="  # of tfanon.evaluate
TRIAL_COMMAND = ("-m", "tfanon.run_trial")  # runs the commands of a point


@dataclasses.dataclass(frozen=True)
class SweepOptions:
    """Which points, where, and how many at once."""

    sweep_dir: str = flag("", "Folder of the sweep: a run's folder per point, and sweep.json.")
    grid: tuple = flag(
        (),
        "FLAG=VALUE,VALUE,..; once per flag that varies, the last one fastest: put the seed there, "
        "so that later points find what they share.",
        repeated=True,
    )
    grids: str = flag(
        "", "File of several grids, one per line: flags of its points, and --grid of what varies."
    )
    parallel: int = flag(
        1,
        "Points that train at once, each on its share of the cores. A point that would compute what "
        "another is computing waits for it.",
        low=1,
        high=64,
    )
    evaluate: tuple = flag(
        (), "Protocols of tfanon.evaluate, run on each point when it is trained."
    )
    attackers: tuple = flag((), "--attackers of tfanon.evaluate; empty: the protocol's.")
    clips: bool = flag(
        True, "As --clips of tfanon.evaluate: attack the clips' own private attributes too."
    )


def main(arguments):
    exit_status.reject_positional_arguments(arguments[1:])
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    return exit_status.run_with_exit_status(
        "tfanon.sweep", lambda: run_sweep(config.from_flags(SweepOptions), config.from_flags())
    )


def run_sweep(settings, base):
    """Run every point; returns the exit status."""
    for kind, given in {"protocols": settings.evaluate, "attackers": settings.attackers}.items():
        for text in given:  # before the first point is trained, not after
            registry.check_name(kind, text.partition(":")[0])
            if (
                kind == "attackers" and ":" in text
            ):  # only its file knows its settings; with it TensorFlow is loaded
                component_spec.parse_spec(kind, text, "attack")
    found = grid.expand_grids(settings.sweep_dir, load_grids(settings, base))
    folder = pathlib.Path(settings.sweep_dir)
    grid.record_trials(folder, found)
    failed = Sweep(folder, found, settings).run()
    print(
        f"{len(found) - len(failed)} of {len(found)} points are done: "
        f"python -m tfanon.report {folder} --output={folder / 'report'}"
    )
    for name, reason in failed.items():
        print(
            f"tfanon.sweep: {name} failed: {reason} ({folder / name / 'sweep.log'})",
            file=sys.stderr,
        )
    return 1 if failed else 0


def load_grids(settings, base):
    """What grid.points takes: the grid of the command line, or those of the file that it names."""
    return (
        grid.read_grid_file(settings.grids, base, settings.grid)
        if settings.grids
        else [(settings.grid, base)]
    )


class Sweep:
    """The points in their order, some at once; when it is stopped, it stops its children and waits for them."""

    def __init__(self, folder, found, settings):
        self.folder, self.points, self.settings = folder, found, settings
        self.children, self.stopping, self.lock = {}, False, threading.Lock()

    def run(self):
        """{name: reason} of the points that failed."""
        waiting, running, reasons = dict(enumerate(self.points, 1)), {}, {}
        with concurrent.futures.ThreadPoolExecutor(self.settings.parallel) as pool:
            try:
                while waiting or running:
                    while waiting and len(running) < self.settings.parallel:
                        if (number := self._pick_next_trial(waiting, running.values())) is None:
                            break
                        point = waiting.pop(number)
                        running[pool.submit(self._one, number, point)] = point
                    ended, _ = concurrent.futures.wait(
                        running, return_when=concurrent.futures.FIRST_COMPLETED
                    )
                    reasons |= {running.pop(future).name: future.result() for future in ended}
            except KeyboardInterrupt:
                self._stop()
                pool.shutdown(cancel_futures=True)
                raise
        return {point.name: reasons[point.name] for point in self.points if reasons[point.name]}

    def _pick_next_trial(self, waiting, running):
        """Number of the first point that would compute nothing that another is computing now, or None.

        waiting: {number: point}.  running: points.
        """
        known = [
            _get_shared_attack_flags(other)
            for other in load_trained_configs(self.folder)
            if self._is_complete(other)
        ]
        pioneers = [
            judged
            for judged in (_get_shared_attack_flags(point.config) for point in running)
            if judged not in known
        ]
        return next(
            (
                number
                for number, point in waiting.items()
                if _get_shared_attack_flags(point.config) not in pioneers
            ),
            None,
        )

    def _is_complete(self, other):
        folder = pathlib.Path(other.workdir)
        last = [_get_results_path(folder, protocol) for protocol in self.settings.evaluate]
        return all(path.exists() for path in (folder / "results.json", *last))

    def _one(self, number, point):
        """Train and evaluate one point; returns why it failed, or ''."""
        began, said = time.monotonic(), f"[{number}/{len(self.points)}] {point.name}"
        shared = (
            []
            if is_trained(point)
            else phase_cache.reuse_phases(point.config, load_trained_configs(self.folder))
        )
        print(
            f"{said}: {'already trained' if is_trained(point) else 'begins'}"
            f"{'; shared: ' + ', '.join(shared) if shared else ''}",
            flush=True,
        )
        left = make_commands(point, self.settings, list_evaluated_folders(self.folder, point))
        reason = self._run_child(point, left) if left else ""
        ended = "done" if not reason else "stopped" if self.stopping else "failed"
        print(f"{said}: {ended} after {time.monotonic() - began:.0f} s", flush=True)
        return reason

    def _run_child(self, point, left):
        """One process for what is left; what it says goes to the point's log.  Its last line where it fails, or ''."""
        log = pathlib.Path(point.config.workdir) / "sweep.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "a") as file, self.lock:
            if self.stopping:
                return "stopped"
            words = [*TRIAL_COMMAND, *join_commands(left)]
            file.write(f"$ {shlex.join(['python', *words])}\n")
            file.flush()
            child = subprocess.Popen(
                [sys.executable, *words],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches it through us
                env=processes.make_child_environment(self.settings.parallel),
            )
            self.children[point.name] = child
        status = child.wait()
        said = log.read_text(errors="replace").strip().splitlines()[-1]
        return "" if status == 0 else f"exit status {status}: {said}"

    def _stop(self):
        with self.lock:
            self.stopping = True
            for child in self.children.values():
                if child.poll() is None:
                    child.send_signal(signal.SIGTERM)


def _get_shared_attack_flags(config_):
    """What is the same for all points with these judges, data and seed: the judgement of raw video and the baselines."""
    return {**phase_cache.get_relevant_flags("attack", config_), "baselines": config_.baselines}


def load_trained_configs(folder):
    """The Configs of the runs that a sweep's folder holds, of this grid or of an earlier one."""
    return [
        dataclasses.replace(config.from_flagfile(path), workdir=str(path.parent))
        for path in sorted(folder.glob("*/run.flags"))
    ]


def is_trained(point):
    """Whether the point's run has come to its end with the flags it has now."""
    folder = pathlib.Path(point.config.workdir)
    exported = not point.config.export or (folder / "export" / "export.json").exists()
    return (
        (folder / "results.json").exists()
        and exported
        and not config.list_differences(point.config, folder / "run.flags")
    )


def list_evaluated_folders(folder, point):
    """Folders of the other points that were evaluated: what they share is not attacked again."""
    others = sorted({str(path.parents[2]) for path in folder.glob("*/evaluation/*/results.json")})
    return [other for other in others if other != point.config.workdir]


def make_commands(point, settings, others=()):
    """The words of each command that is left to run for a point.  others: folders of points that were attacked."""
    train = (
        [] if is_trained(point) else [["tfanon.train", *config.list_changed_flags(point.config)]]
    )
    evaluate = {
        protocol: _make_evaluate_command(point, protocol, settings)
        for protocol in settings.evaluate
    }
    return train + [
        [*command, *([f"{REUSE_FLAG}{','.join(others)}"] if others else [])]
        for protocol, command in evaluate.items()
        if train or not is_evaluated(point, protocol, command)
    ]


def join_commands(commands_):
    """The words of all commands as tfanon.run_trial takes them."""
    return [
        word
        for number, command in enumerate(commands_)
        for word in (["--"] if number else []) + command
    ]


def _make_evaluate_command(point, protocol, settings):
    """The words, but for what others share."""
    more = [f"--attackers={','.join(settings.attackers)}"] if settings.attackers else []
    more += [] if settings.clips else ["--noclips"]
    return ["tfanon.evaluate", f"--run_dir={point.config.workdir}", f"--protocol={protocol}", *more]


def is_evaluated(point, protocol, command):
    """Whether this very command has come to its end with all gates passed; whatever else would add to it."""
    path = _get_results_path(pathlib.Path(point.config.workdir), protocol)
    found = json.loads(path.read_text()) if path.exists() else {}
    ran = [word for word in found.get("command", "").split(" ") if not word.startswith(REUSE_FLAG)]
    return ran == ["python", "-m", *command] and all(gate["passed"] for gate in found["gates"])


def _get_results_path(folder, protocol):
    """Where a run's evaluation under a protocol leaves what it found."""
    return folder / "evaluation" / protocol / "results.json"


def run():
    """Console command `tfanon-sweep`."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # of the children
    config.define_flags()
    config.define_flags(SweepOptions)
    app.run(main)


if __name__ == "__main__":
    run()
