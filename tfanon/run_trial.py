"""Run several tfanon commands in one process, one after another, until one fails.

`tfanon-sweep` trains and evaluates each trial with it:

    python -m tfanon.run_trial tfanon.train --workdir=RUN -- tfanon.evaluate --run_dir=RUN

TensorFlow is loaded once.
"""

import gc
import sys
from collections.abc import Callable, Sequence
from typing import Any

import keras
from absl import app

from tfanon import evaluate, train
from tfanon.core import config
from tfanon.evaluation.options import EvaluateOptions


def _train(options: config.Config, words: Sequence[str]) -> int:
    """Run tfanon.train; return its exit status."""
    return train.train_and_report(options)


def _evaluate(options: EvaluateOptions, words: Sequence[str]) -> int:
    """Run tfanon.evaluate; return its exit status."""
    return evaluate.evaluate_and_print(options, words)


# Each command with its options and the function that runs it.
COMMANDS: dict[str, tuple[type, Callable[[Any, Sequence[str]], int]]] = {
    "tfanon.train": (config.Config, _train),
    "tfanon.evaluate": (EvaluateOptions, _evaluate),
}


def main(words: Sequence[str]) -> int:
    """Run commands until one fails.

    Args:
        words: Commands, with `--` between two of them.

    Returns:
        The exit status of the first command that fails, or 0.

    Raises:
        app.UsageError: A command does not exist, in which case nothing has run, or a flag is wrong.
    """
    commands = split_commands(words)
    for words_of_command in commands:
        if not words_of_command or words_of_command[0] not in COMMANDS:
            raise app.UsageError(
                f"There is no command '{' '.join(words_of_command)}'; choose from: "
                f"{', '.join(COMMANDS)}."
            )
    for command, *flag_words in commands:
        keras.utils.clear_session()  # each builds its networks as it would in its own process
        status = _run_command(command, flag_words)
        if status:
            return status
    return 0


def _run_command(command: str, words: Sequence[str]) -> int:
    """Parse the flags of one command and run it; return its exit status."""
    options_type, run_with_options = COMMANDS[command]
    try:
        (options,) = config.parse_flags(words, options_type)
    except ValueError as error:
        raise app.UsageError(f"{command}: {error}") from None
    return run_with_options(options, words)


def split_commands(words: Sequence[str]) -> list[list[str]]:
    """Split a list of words at each `--`."""
    commands: list[list[str]] = [[]]
    for word in words:
        if word == "--":
            commands.append([])
        else:
            commands[-1].append(word)
    return commands


def run() -> None:
    """Run the commands that `sys.argv` holds."""
    gc.freeze()  # imported modules stay: no collection has to walk through them
    # Only the name: absl must not parse the flags, which belong to the commands.
    app.run(_main, argv=sys.argv[:1])


def _main(_: Sequence[str]) -> int:
    try:
        return main(sys.argv[1:])
    finally:
        # Without this the end of the process walks through every graph, which takes two seconds.
        gc.freeze()


if __name__ == "__main__":
    run()
