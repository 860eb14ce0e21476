"""Commands of tfanon one after another in one process, until one fails; tfanon.sweep trains and evaluates a point so:

    python -m tfanon.run_trial tfanon.train --workdir=RUN -- tfanon.evaluate --run_dir=RUN --protocol=quick

TensorFlow is loaded once.
"""

import gc
import sys

import keras
from absl import app

from tfanon import evaluate, train
from tfanon.core import config
from tfanon.evaluation import options

COMMANDS = {
    "tfanon.train": (config.Config, lambda settings, words: train.train_and_report(settings)),
    "tfanon.evaluate": (
        options.EvaluateOptions,
        lambda settings, words: evaluate.evaluate_and_print(settings, words),
    ),
}


def main(words):
    """words: commands with -- between two.  Returns the exit status of the first that fails, or 0."""
    commands = split_commands(words)
    if unknown := [
        " ".join(command) for command in commands if not command or command[0] not in COMMANDS
    ]:
        raise app.UsageError(f"'{unknown[0]}' is no command; there are: {', '.join(COMMANDS)}.")
    for command, *given in commands:
        keras.utils.clear_session()  # each builds its networks as it would alone
        if status := _run_command(command, given):
            return status
    return 0


def _run_command(command, words):
    kind, report = COMMANDS[command]
    try:
        (settings,) = config.parse_flags(words, kind)
    except ValueError as error:
        raise app.UsageError(f"{command}: {error}") from None
    return report(settings, words)


def split_commands(words):
    """The lists of words between the words --."""
    if "--" not in words:
        return [words]
    place = words.index("--")
    return [words[:place], *split_commands(words[place + 1 :])]


def run():
    gc.freeze()  # what the imports made stays: no collection has to walk through it
    app.run(_main, argv=sys.argv[:1])


def _main(_):
    try:
        return main(sys.argv[1:])
    finally:
        gc.freeze()  # nor does the end of the process through every graph: two seconds


if __name__ == "__main__":
    run()
