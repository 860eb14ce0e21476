"""One table for the same experiment under several seeds, mean and deviation, as the README shows it:

    python -m tools.seeds runs/seed0 runs/seed1 runs/seed2
"""

import json
import pathlib
import sys

from absl import app

from tfanon.report import table


def main(arguments):
    try:
        runs = [json.loads((pathlib.Path(folder) / "results.json").read_text()) for folder in arguments[1:]]
        seeds = [run["seed"] for run in runs]
        if len(set(seeds)) < len(seeds):
            raise ValueError(f"These runs share seeds ({', '.join(map(str, seeds))}): a spread would be too small.")
        print(table.format_markdown(table.spread(runs)))
    except (OSError, ValueError) as problem:
        print(f"tools.seeds: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    app.run(main)
