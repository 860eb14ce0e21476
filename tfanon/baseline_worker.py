"""Evaluate the anonymizers of a run beside the process that trains its f_A.

`tfanon-train --processes` starts it:

    python -m tfanon.baseline_worker RUN_DIR

It runs the evaluations that no other process is working on, those of f_A after its training, and
ends when none is left.
"""

import sys
import time
from collections.abc import Sequence

from tfanon import experiment
from tfanon.core import processes
from tfanon.core.config import Config
from tfanon.data import decode, splits
from tfanon.training import distribution, loop, phases, run_folder

POLL_INTERVAL_SECONDS = 1  # between two looks whether f_A is trained


def main(arguments: Sequence[str]) -> int:
    """Run the worker.

    Args:
        arguments: Name of the program and folder of the run.

    Returns:
        The exit status.
    """
    if len(arguments) != 2:
        print(
            "tfanon.baseline_worker: expected one argument, the folder of a run; got "
            f"{len(arguments) - 1}.",
            file=sys.stderr,
        )
        return 1
    processes.exit_with_parent()
    return loop.run_training_with_exit_status(
        "tfanon.baseline_worker", lambda: _run_in_folder(arguments[1])
    )


def _run_in_folder(folder: str) -> int:
    """Run the worker on the run in a folder; return the exit status."""
    with decode.unwrap_errors():
        evaluate_beside_training(run_folder.load_run_config(folder))
    return 0


def evaluate_beside_training(config: Config) -> None:
    """Evaluate the baselines, wait until f_A is trained, then evaluate f_A.

    With `--init_action_from_raw` the main process needs the action evaluator of raw clips at once,
    so that phase is left to it.
    """
    experiment.configure_runtime(config)
    data = splits.load_experiment_data(config)
    run = phases.TrainingRun(config, data, distribution.make_strategy(config.strategy))
    excluded = [phases.get_pretrain_phase_name(config)] if config.init_action_from_raw else []
    experiment.evaluate_unlocked_phases(run, experiment.build_baselines(config), excluded)
    f_A = experiment.make_anonymizer(run)
    training_phase = run.get_phase("anonymize")
    while training_phase.load_result() is None:
        time.sleep(POLL_INTERVAL_SECONDS)
    training_phase.load_result(f_A)
    experiment.evaluate_unlocked_phases(run, {"f_A": f_A})


if __name__ == "__main__":
    sys.exit(main(sys.argv))
