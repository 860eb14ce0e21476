"""Judge the anonymizers of a run beside the process that trains its f_A; `tfanon.train --processes` starts it:

    python -m tfanon.judge RUN_DIR

It does whichever judge's phase no other process is at, those of f_A once that is trained, and ends with them.
"""

import dataclasses
import os
import pathlib
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before TensorFlow is imported: its banner hides our lines

from tfanon import config, experiment, fitting, phases, processes, replicas  # noqa: E402
from tfanon.data import decode, tables  # noqa: E402


def main(folder):
    """Returns the exit status."""
    processes.end_with_parent()
    found = dataclasses.replace(config.from_flagfile(pathlib.Path(folder) / "run.flags"), workdir=folder)
    try:
        with decode.clear_errors():
            judge(found)
    except (ValueError, FloatingPointError, OSError) as problem:
        print(f"tfanon.judge: {problem}", file=sys.stderr)
        return 1
    except fitting.Stopped as stopped:
        print(f"tfanon.judge: {stopped}", file=sys.stderr)
        return 143
    return 0


def judge(found):
    """The judges of the baselines, then those of f_A."""
    experiment.set_up(found)
    run = phases.Run(found, tables.load(found), replicas.make_strategy(found.strategy))
    experiment.judge_free(run, experiment.baselines(found), but=[phases.WARM] if found.warm_action else [])
    f_A = experiment.make_anonymizer(run)
    while run.phase("anonymize").result() is None:
        time.sleep(1)
    run.phase("anonymize").result(f_A)
    experiment.judge_free(run, {"f_A": f_A})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
