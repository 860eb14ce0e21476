r"""Train a grid of runs, each in its own process; what several runs share is computed once.

    python -m tfanon.sweep --flagfile=configs/quickstart.flags --sweep_dir=runs/sweep \
        --grid=penalty_bound=.05,.1,.2 --grid=penalty_weight=1,5 --grid=seed=0,1,2

All other flags of tfanon.train apply to every trial. Re-running the same command resumes after any
interruption; another grid adds its trials to the folder. If a trial fails, the others continue; it
is named at the end, and the exit status is 1.

--grids=FILE sweeps over several grids, one per line: flags of that grid, and --grid for each flag
that varies. A --grid on the command line is added to the end of every line. For example:

  --objective=vita --ensemble=small_resnet --grid=objective=vita
  --grid=penalty_bound=.05,.1,.2 --grid=penalty_weight=1,5
"""

import concurrent.futures
import dataclasses
import json
import pathlib
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tfanon.core import command_line, component_spec, config, exit_status, grid, processes, registry
from tfanon.core.config import flag
from tfanon.training import phase_cache

REUSE_FLAG = "--reuse_from="  # of tfanon.evaluate
FORMER_REUSE_FLAG = "--share="  # in the results of evaluations by the version before
TRIAL_COMMAND = ("-m", "tfanon.run_trial")  # runs the commands of a trial


@dataclasses.dataclass(frozen=True)
class SweepOptions:
    """Which trials to run, where, and how many at once."""

    sweep_dir: str = flag(
        "", "Folder of the sweep: sweep.json and the folder of each trial's run.", group="Sweep"
    )
    grid: tuple[str, ...] = flag(
        (),
        "FLAG=VALUE,VALUE,...; once for each flag that varies, the last one fastest. Put the seed "
        "last, so that later trials find results that they can reuse.",
        repeated=True,
    )
    grids: str = flag(
        "", "File of several grids, one per line: flags of its trials, and --grid for what varies."
    )
    parallel: int = flag(
        1,
        "Trials that train at once; they divide the cores among them. A trial that would compute "
        "what another one is computing waits for it.",
        low=1,
        high=64,
    )
    evaluate: tuple[str, ...] = flag(
        (), "Protocols of tfanon.evaluate to run on each trained trial."
    )
    attackers: tuple[str, ...] = flag(
        (), "--attackers of tfanon.evaluate; empty: those of the protocol."
    )
    clips: bool = flag(
        True, "--clips of tfanon.evaluate: also attack the private attributes of the clips."
    )


def main(arguments: Sequence[str]) -> int:
    """Run the command.

    Args:
        arguments: Name of the program and words that are not flags, of which there must be none.

    Returns:
        The exit status.
    """
    exit_status.reject_positional_arguments(arguments[1:])
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    return exit_status.run_with_exit_status(
        "tfanon.sweep", lambda: run_sweep(config.from_flags(SweepOptions), config.from_flags())
    )


def run_sweep(options: SweepOptions, base: config.Config) -> int:
    """Run every trial and print which ones failed.

    Args:
        options: The grid and how to run it.
        base: Values of the flags that do not vary.

    Returns:
        The exit status.

    Raises:
        ValueError: A flag, protocol or attacker is wrong.
    """
    _check_evaluation(options)
    trials = grid.expand_grids(options.sweep_dir, load_grids(options, base))
    folder = pathlib.Path(options.sweep_dir)
    grid.record_trials(folder, trials)
    failures = Sweep(folder, trials, options).run()
    print(
        f"{len(trials) - len(failures)} of {len(trials)} trials are done. For a report run: "
        f"tfanon-report {folder} --output={folder / 'report'}"
    )
    for name, reason in failures.items():
        log = folder / name / "sweep.log"
        print(f"tfanon.sweep: {name} failed: {reason} ({log})", file=sys.stderr)
    return 1 if failures else 0


def _check_evaluation(options: SweepOptions) -> None:
    """Check protocols and attackers before the first trial is trained, not after it."""
    for protocol in options.evaluate:
        registry.check_name("protocols", protocol)
    for attacker in options.attackers:
        name, colon, _ = attacker.partition(":")
        registry.check_name("attackers", name)
        if colon:
            # Only the attacker's module knows its settings, and importing it loads TensorFlow.
            component_spec.parse_spec("attackers", attacker, "attack")


def load_grids(
    options: SweepOptions, base: config.Config
) -> list[tuple[tuple[str, ...], config.Config]]:
    """Return the grid of the command line, or those of the file that `--grids` names.

    Returns:
        Pairs for `grid.expand_grids`: what varies, and the values of all other flags.

    Raises:
        ValueError: A line of the file is wrong.
        OSError: The file cannot be read.
    """
    if options.grids:
        return grid.read_grid_file(options.grids, base, options.grid)
    return [(options.grid, base)]


class Sweep:
    """Runs trials in their order, some at once; when stopped, it stops their processes.

    Args:
        folder: Folder of the sweep.
        trials: All trials of the grid.
        options: How many run at once and how they are evaluated.
    """

    def __init__(
        self, folder: pathlib.Path, trials: Sequence[grid.Trial], options: SweepOptions
    ) -> None:
        self.folder = folder
        self.trials = trials
        self.options = options
        self._children: dict[str, subprocess.Popen] = {}
        self._is_stopping = False
        # No child is started once the others have been stopped.
        self._start_lock = threading.Lock()

    def run(self) -> dict[str, str]:
        """Run all trials.

        Returns:
            Why trials failed, by name.

        Raises:
            KeyboardInterrupt: After the processes of all trials were asked to stop.
        """
        waiting = dict(enumerate(self.trials, 1))
        running: dict[concurrent.futures.Future, grid.Trial] = {}
        reasons: dict[str, str] = {}
        with concurrent.futures.ThreadPoolExecutor(self.options.parallel) as pool:
            try:
                while waiting or running:
                    while waiting and len(running) < self.options.parallel:
                        # Never None while nothing runs: the wait below has something to wait for.
                        number = self._pick_next_trial(waiting, running.values())
                        if number is None:
                            break
                        trial = waiting.pop(number)
                        running[pool.submit(self._run_trial, number, trial)] = trial
                    ended, _ = concurrent.futures.wait(
                        running, return_when=concurrent.futures.FIRST_COMPLETED
                    )
                    for future in ended:
                        reasons[running.pop(future).name] = future.result()
            except KeyboardInterrupt:
                self._stop_children()
                # Waits for the children, which save their state first.
                pool.shutdown(cancel_futures=True)
                raise
        # In the order of the trials, whichever ended first.
        return {trial.name: reasons[trial.name] for trial in self.trials if reasons[trial.name]}

    def _pick_next_trial(
        self, waiting: Mapping[int, grid.Trial], running: Iterable[grid.Trial]
    ) -> int | None:
        """Return the number of the first trial that computes nothing another one is computing.

        None: all have to wait.
        """
        computed = []
        for run_config in load_trained_configs(self.folder):
            if self._is_complete(run_config):
                computed.append(_get_shared_attack_flags(run_config))
        being_computed = []
        for trial in running:
            shared_flags = _get_shared_attack_flags(trial.config)
            if shared_flags not in computed:
                being_computed.append(shared_flags)
        for number, trial in waiting.items():
            if _get_shared_attack_flags(trial.config) not in being_computed:
                return number
        return None

    def _is_complete(self, run_config: config.Config) -> bool:
        """Return whether a run has been trained and evaluated under all protocols."""
        folder = pathlib.Path(run_config.workdir)
        paths = [folder / "results.json"]
        paths += [_get_results_path(folder, protocol) for protocol in self.options.evaluate]
        return all(path.exists() for path in paths)

    def _run_trial(self, number: int, trial: grid.Trial) -> str:
        """Train and evaluate a trial; return why it failed, or an empty text."""
        start_time = time.monotonic()
        title = f"[{number}/{len(self.trials)}] {trial.name}"
        if is_trained(trial):
            print(f"{title}: already trained", flush=True)
        else:
            reused = phase_cache.reuse_phases(trial.config, load_trained_configs(self.folder))
            details = f"; reused: {', '.join(reused)}" if reused else ""
            print(f"{title}: starts{details}", flush=True)
        commands = make_commands(trial, self.options, list_evaluated_folders(self.folder, trial))
        reason = self._run_child(trial, commands) if commands else ""
        outcome = "done"
        if reason:
            outcome = "stopped" if self._is_stopping else "failed"
        print(f"{title}: {outcome} after {time.monotonic() - start_time:.0f} s", flush=True)
        return reason

    def _run_child(self, trial: grid.Trial, commands: Sequence[Sequence[str]]) -> str:
        """Run commands of a trial in a process of their own, with their output in the trial's log.

        Returns:
            The exit status and the last line of the log if a command failed, else an empty text.
        """
        log = pathlib.Path(trial.config.workdir) / "sweep.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "a") as file, self._start_lock:
            if self._is_stopping:
                return "stopped"
            words = [*TRIAL_COMMAND, *join_commands(commands)]
            file.write(f"$ {shlex.join(['python', *words])}\n")
            file.flush()
            child = subprocess.Popen(
                [sys.executable, *words],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches it only through `_stop_children`
                env=processes.make_child_environment(self.options.parallel),
            )
            self._children[trial.name] = child
        status = child.wait()
        if status == 0:
            return ""
        # The log is never empty: it begins with the command.
        last_line = log.read_text(errors="replace").strip().splitlines()[-1]
        return f"exit status {status}: {last_line}"

    def _stop_children(self) -> None:
        """Ask the processes of all running trials to save and stop."""
        with self._start_lock:
            self._is_stopping = True
            for child in self._children.values():
                if child.poll() is None:
                    child.send_signal(signal.SIGTERM)


def _get_shared_attack_flags(run_config: config.Config) -> dict[str, Any]:
    """Return the flags on which the evaluation of raw video and of the baselines depends.

    Trials that agree on them share these evaluations.
    """
    flags = phase_cache.get_relevant_flags("attack", run_config)
    return {**flags, "baselines": run_config.baselines}


def load_trained_configs(folder: pathlib.Path) -> list[config.Config]:
    """Read the Configs of all runs in a sweep's folder, those of earlier grids included."""
    configs = []
    for path in sorted(folder.glob("*/run.flags")):
        run_config = config.from_flagfile(path)
        configs.append(dataclasses.replace(run_config, workdir=str(path.parent)))
    return configs


def is_trained(trial: grid.Trial) -> bool:
    """Return whether the run of a trial is finished, exported and was made with the same flags."""
    folder = pathlib.Path(trial.config.workdir)
    if not (folder / "results.json").exists():
        return False
    if trial.config.export and not (folder / "export" / "export.json").exists():
        return False
    return not config.list_differences(trial.config, folder / "run.flags")


def list_evaluated_folders(folder: pathlib.Path, trial: grid.Trial) -> list[str]:
    """Return the folders of other evaluated trials, whose attacks this trial may reuse."""
    results = folder.glob("*/evaluation/*/results.json")
    folders = {str(path.parents[2]) for path in results}
    return sorted(folders - {trial.config.workdir})


def make_commands(
    trial: grid.Trial, options: SweepOptions, evaluated_folders: Sequence[str] = ()
) -> list[list[str]]:
    """Return the commands that are left to run for a trial.

    Args:
        trial: The trial.
        options: How it is evaluated.
        evaluated_folders: Folders of evaluated trials, for `--reuse_from` of tfanon.evaluate.

    Returns:
        The words of each command.
    """
    commands = []
    must_train = not is_trained(trial)
    if must_train:
        commands.append(["tfanon.train", *config.list_changed_flags(trial.config)])
    for protocol in options.evaluate:
        command = _make_evaluate_command(trial, protocol, options)
        if not must_train and is_evaluated(trial, protocol, command):
            continue
        if evaluated_folders:
            command = [*command, f"{REUSE_FLAG}{','.join(evaluated_folders)}"]
        commands.append(command)
    return commands


def join_commands(commands: Iterable[Sequence[str]]) -> list[str]:
    """Join commands into the words that `tfanon.run_trial` takes, with `--` between two."""
    words: list[str] = []
    for command in commands:
        if words:
            words.append("--")
        words += command
    return words


def _make_evaluate_command(trial: grid.Trial, protocol: str, options: SweepOptions) -> list[str]:
    """Return the words of an evaluation, without `--reuse_from`."""
    command = ["tfanon.evaluate", f"--run_dir={trial.config.workdir}", f"--protocol={protocol}"]
    if options.attackers:
        command.append(f"--attackers={','.join(options.attackers)}")
    if not options.clips:
        command.append("--noclips")
    return command


def is_evaluated(trial: grid.Trial, protocol: str, command: Sequence[str]) -> bool:
    """Return whether a trial has been evaluated by a command, with all controls passed.

    Another command could add to its results, and a failed control may pass with more data.

    Args:
        trial: The trial.
        protocol: Name of the protocol.
        command: Words of the evaluation, without `--reuse_from`.
    """
    path = _get_results_path(pathlib.Path(trial.config.workdir), protocol)
    if not path.exists():
        return False
    results = json.loads(path.read_text())
    # --reuse_from differs with the trials evaluated so far and changes no result.
    recorded_words = []
    for word in results.get("command", "").split(" "):
        if not word.startswith((REUSE_FLAG, FORMER_REUSE_FLAG)):
            recorded_words.append(word)
    if recorded_words != ["python", "-m", *command]:
        return False
    return all(control["passed"] for control in results["gates"])


def _get_results_path(folder: pathlib.Path, protocol: str) -> pathlib.Path:
    """Return where the evaluation of a run under a protocol stores its results."""
    return folder / "evaluation" / protocol / "results.json"


def run() -> None:
    """Run the console command `tfanon-sweep`."""
    command_line.run_entry_point(main, [SweepOptions, config.Config], __doc__)


if __name__ == "__main__":
    run()
