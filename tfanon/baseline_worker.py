"""Judge the anonymizers of a run beside the process that trains its f_A; `tfanon.train --processes` starts it:

    python -m tfanon.baseline_worker RUN_DIR

It does whichever judge's phase no other process is at, those of f_A once that is trained, and ends with them.
"""

import sys
import time

from tfanon import experiment
from tfanon.core import processes
from tfanon.data import decode, splits
from tfanon.training import (
    distribution,
    loop,
    phases,
    run_folder,
)


def main(arguments):
    """Returns the exit status."""
    if len(arguments) != 2:
        print(
            f"tfanon.baseline_worker: give the folder of one run, not {arguments[1:]}.",
            file=sys.stderr,
        )
        return 1
    processes.exit_with_parent()
    return loop.run_training_with_exit_status(
        "tfanon.baseline_worker", lambda: _run_in_folder(arguments[1])
    )


def _run_in_folder(folder):
    with decode.clear_errors():
        run_worker(run_folder.load_run_config(folder))
    return 0


def run_worker(config):
    """The judges of the baselines, but for the one that the game waits for, then those of f_A."""
    experiment.configure_runtime(config)
    run = phases.TrainingRun(
        config, splits.load(config), distribution.make_strategy(config.strategy)
    )
    experiment.evaluate_unlocked_phases(
        run,
        experiment.build_baselines(config),
        excluded=[phases.get_pretrain_phase_name(config)] if config.init_action_from_raw else [],
    )
    f_A = experiment.make_anonymizer(run)
    while run.get_phase("anonymize").load_result() is None:
        time.sleep(1)
    run.get_phase("anonymize").load_result(f_A)
    experiment.evaluate_unlocked_phases(run, {"f_A": f_A})


if __name__ == "__main__":
    sys.exit(main(sys.argv))
