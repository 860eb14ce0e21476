"""Train an anonymizer, judge it, export it:

    python -m tfanon.train --flagfile=configs/quickstart.flags

The same command goes on where it was stopped. Flags after the flagfile override it; `--helpfull` explains them all.
"""

from absl import app, logging

from tfanon import experiment
from tfanon.core import config, exit_status
from tfanon.data import decode
from tfanon.summaries import results_table
from tfanon.training import loop


def main(arguments):
    exit_status.reject_positional_arguments(arguments[1:])
    return train_and_report(config.from_flags())


def train_and_report(settings):
    """Train, judge and export as a Config says; returns the exit status.  The table goes to standard output."""
    logging.set_verbosity(logging.INFO)
    return loop.run_training_with_exit_status("tfanon.train", lambda: _train_and_print(settings))


def _train_and_print(settings):
    with decode.clear_errors():
        results = experiment.run_experiment(settings)
    print(results_table.format_table(results))
    return 0


def run():
    """Console command `tfanon-train`."""
    config.define_flags()
    app.run(main)


if __name__ == "__main__":
    run()
