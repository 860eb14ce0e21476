"""Average the same experiment over seeds or folds: mean and standard deviation, as in the README.

    python -m tools.seeds runs/seed0 runs/seed1 runs/seed2
    python -m tools.seeds runs/folds/split_column=*

Prints a Markdown table. Folds are runs that each leave out other people
(--split_column=COLUMN=VALUE). They differ in their data, so `python -m tfanon.report` shows them
apart instead of averaging them.
"""

import json
import pathlib
import sys
from collections.abc import Sequence

from tfanon.core import command_line, config
from tfanon.summaries import results_table


def main(arguments: Sequence[str]) -> int:
    """Print the table of the run folders on the command line; return the exit status."""
    try:
        print(format_average([pathlib.Path(folder) for folder in arguments[1:]]))
    except (OSError, ValueError) as error:
        print(f"tools.seeds: {error}", file=sys.stderr)
        return 1
    return 0


def format_average(folders: Sequence[pathlib.Path]) -> str:
    """Format mean and deviation of the results of several runs in Markdown.

    Args:
        folders: Folders of at least two finished runs.

    Raises:
        OSError: A folder holds no results.
        ValueError: Two runs have the same seed and the same fold, or the runs do not have the same
            anonymizers.
    """
    runs = [json.loads((folder / "results.json").read_text()) for folder in folders]
    seeds = [run["seed"] for run in runs]
    folds = [_read_fold(folder) for folder in folders]
    if len(set(zip(seeds, folds, strict=True))) < len(runs):
        raise ValueError(
            f"These runs share seeds ({', '.join(map(str, seeds))}): a spread would be too small."
        )
    return results_table.format_markdown(results_table.average_runs(runs))


def _read_fold(folder: pathlib.Path) -> str:
    """Return the --split_column of a run; empty if its flags are missing."""
    flagfile = folder / "run.flags"
    if not flagfile.is_file():
        return ""
    return config.from_flagfile(flagfile).split_column


if __name__ == "__main__":
    command_line.run_entry_point(main, [], __doc__)
