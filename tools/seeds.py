"""One table for the same experiment under several seeds or on several folds, mean and deviation, as the README shows it:

    python -m tools.seeds runs/seed0 runs/seed1 runs/seed2

Folds are runs of which each leaves out other people: --split_column=COLUMN=VALUE.
"""

import json
import pathlib
import sys

from absl import app

from tfanon.core import config
from tfanon.summaries import results_table


def main(arguments):
    try:
        folders = [pathlib.Path(folder) for folder in arguments[1:]]
        runs = [json.loads((folder / "results.json").read_text()) for folder in folders]
        seeds = [run["seed"] for run in runs]
        if len(set(zip(seeds, map(_fold, folders)))) < len(runs):
            raise ValueError(
                f"These runs share seeds ({', '.join(map(str, seeds))}): a spread would be too small."
            )
        print(results_table.format_markdown(results_table.average_runs(runs)))
    except (OSError, ValueError) as problem:
        print(f"tools.seeds: {problem}", file=sys.stderr)
        return 1
    return 0


def _fold(folder):
    """What a run was tested on."""
    flags = folder / "run.flags"
    return config.from_flagfile(flags).split_column if flags.is_file() else ""


if __name__ == "__main__":
    app.run(main)
