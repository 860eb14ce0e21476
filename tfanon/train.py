"""Train an anonymizer, evaluate it beside baselines and export it.

    python -m tfanon.train --flagfile=configs/quickstart.flags
    python -m tfanon.train --flagfile=configs/quickstart.flags --penalty_bound=.1 --workdir=runs/b1

Re-running the same command resumes after any interruption. Flags after the flagfile override it.
The results are in the run's folder (--workdir): results.json and results.txt, pictures, logs for
TensorBoard, and the exported anonymizer. The exit status is 143 after SIGTERM or Ctrl-C.
"""

from collections.abc import Sequence

from absl import logging

from tfanon import experiment
from tfanon.core import command_line, config, exit_status
from tfanon.data import decode
from tfanon.summaries import results_table
from tfanon.training import loop


def main(arguments: Sequence[str]) -> int:
    """Run the command.

    Args:
        arguments: Name of the program and words that are not flags, of which there must be none.

    Returns:
        The exit status.
    """
    exit_status.reject_positional_arguments(arguments[1:])
    return train_and_report(config.from_flags())


def train_and_report(options: config.Config) -> int:
    """Train, evaluate and export an anonymizer; print the table of results.

    Returns:
        The exit status.
    """
    logging.set_verbosity(logging.INFO)
    return loop.run_training_with_exit_status("tfanon.train", lambda: _train_and_print(options))


def _train_and_print(options: config.Config) -> int:
    """Train and print; return the exit status."""
    with decode.unwrap_errors():
        results = experiment.run_experiment(options)
    print(results_table.format_table(results))
    return 0


def run() -> None:
    """Run the console command `tfanon-train`."""
    command_line.run_entry_point(main, [config.Config], __doc__)


if __name__ == "__main__":
    run()
