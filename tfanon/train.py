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
    exit_status.refuse_words(arguments[1:])
    return report(config.from_flags())


def report(settings):
    """Train, judge and export as a Config says; returns the exit status.  The table goes to standard output."""
    logging.set_verbosity(logging.INFO)
    return loop.status("tfanon.train", lambda: _report(settings))


def _report(settings):
    with decode.clear_errors():
        results = experiment.run(settings)
    print(results_table.format_table(results))
    return 0


def run():
    """Console command `tfanon-train`."""
    config.define_flags()
    app.run(main)


if __name__ == "__main__":
    run()
