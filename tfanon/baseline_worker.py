"""Judge the anonymizers of a run beside the process that trains its f_A; `tfanon.train --processes` starts it:

    python -m tfanon.judge RUN_DIR

It does whichever judge's phase no other process is at, those of f_A once that is trained, and ends with them.
"""

import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before TensorFlow is imported: its banner hides our lines

from tfanon import experiment, fitting, phases, processes, replicas  # noqa: E402
from tfanon.data import decode, tables  # noqa: E402
from tfanon.exporting import finished  # noqa: E402


def main(arguments):
    """Returns the exit status."""
    if len(arguments) != 2:
        print(f"tfanon.judge: give the folder of one run, not {arguments[1:]}.", file=sys.stderr)
        return 1
    processes.end_with_parent()
    return fitting.status("tfanon.judge", lambda: _judge(arguments[1]))


def _judge(folder):
    with decode.clear_errors():
        judge(finished.settings(folder))
    return 0


def judge(config):
    """The judges of the baselines, but for the one that the game waits for, then those of f_A."""
    experiment.set_up(config)
    run = phases.Run(config, tables.load(config), replicas.make_strategy(config.strategy))
    experiment.judge_free(run, experiment.baselines(config), but=[phases.pretrained(config)] if config.warm_action else [])
    f_A = experiment.make_anonymizer(run)
    while run.phase("anonymize").result() is None:
        time.sleep(1)
    run.phase("anonymize").result(f_A)
    experiment.judge_free(run, {"f_A": f_A})


if __name__ == "__main__":
    sys.exit(main(sys.argv))
