"""Train an anonymizer, judge it, export it:

    python -m tfanon.train --flagfile=configs/quickstart.flags

The same command goes on where it was stopped. Flags after the flagfile override it; `--helpfull` explains them all.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before TensorFlow is imported: its banner hides our lines

from absl import app, logging  # noqa: E402

from tfanon import config, exits, experiment, fitting  # noqa: E402
from tfanon.data import decode  # noqa: E402
from tfanon.report import table  # noqa: E402


def main(arguments):
    exits.refuse_words(arguments[1:])
    return report(config.from_flags())


def report(settings):
    """Train, judge and export as a Config says; returns the exit status.  The table goes to standard output."""
    logging.set_verbosity(logging.INFO)
    return fitting.status("tfanon.train", lambda: _report(settings))


def _report(settings):
    with decode.clear_errors():
        results = experiment.run(settings)
    print(table.format_table(results))
    return 0


def run():
    """Console command `tfanon-train`."""
    config.define_flags()
    app.run(main)


if __name__ == "__main__":
    run()
