"""Train any model of a run, from its newest checkpoint to its last step, with one call.

Everything is counted in steps. An epoch only decides when the held-out split is scored.
"""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfanon.core import checkpoint, exit_status
from tfanon.training.callbacks import (
    TrainingCallback,
    TrainingInterruptedError,
    has_perfect_score,
    record_signals,
)
from tfanon.training.phase_plan import PhasePlan
from tfanon.training.trainer import PrebuiltModel


def run_training_with_exit_status(command: str, work: Callable[[], int]) -> int:
    """Run a command that trains and return its exit status.

    Args:
        command: Name at the head of error lines, such as `tfanon.train`.
        work: Does the work and returns the exit status.

    Returns:
        As `exit_status.run_with_exit_status`; also 1 if a loss is not finite and 143 after a
        signal.
    """
    try:
        return exit_status.run_with_exit_status(command, work)
    except FloatingPointError as error:
        print(f"{command}: {error}", file=sys.stderr)
        return 1
    except TrainingInterruptedError as error:
        print(f"{command}: {error}", file=sys.stderr)
        return exit_status.TERMINATED


def fit(
    model: PrebuiltModel,
    make_dataset: Callable[[int, int], tf.data.Dataset],
    plan: PhasePlan,
    score_epoch: Callable[[], float] | None = None,
    log_callbacks: Sequence[Callable[[int], None]] = (),
    before_step: Callable[[int], None] | None = None,
    curve: list[list[float]] | None = None,
    perfect_score: float = np.inf,
    select_epoch: bool = True,
) -> dict[str, Any]:
    """Train a compiled model and leave the selected weights in it.

    Args:
        model: A compiled model; with `score_epoch` a `trainer.SupervisedModel`, whose network is
            left with the weights of the best epoch.
        make_dataset: Called with the first step and the one after the last; returns the batches of
            these steps.
        plan: Schedule and folders of the phase.
        score_epoch: Called after each epoch, larger is better; None: the weights of the last step
            are used.
        log_callbacks: Called with the step whenever something is logged.
        before_step: Called with the number of each step before it is taken.
        curve: Filled with `[step, score]` of each scored epoch.
        perfect_score: The highest possible score: no epoch is trained after it is reached, since
            none could be selected.
        select_epoch: False: score some epochs (see `callbacks.MAX_SCORES`) for the curve alone and
            use the weights of the last step, as if no score were finite.

    Returns:
        `epoch` and `score` of the selected epoch; the score is None if nothing was scored.

    Raises:
        FloatingPointError: A loss is not finite.
        TrainingInterruptedError: SIGTERM or SIGINT arrived; the last step was saved.
    """
    checkpoints = checkpoint.CheckpointManager(plan.folder)
    step, best = checkpoints.restore(model)
    # Two: if the newest is damaged, the next start falls back to the one before it.
    checkpoints.clear(keep=2)
    if step < plan.steps and not has_perfect_score(best, perfect_score):
        callback = TrainingCallback(
            plan=plan,
            step=step,
            best=best,
            checkpoints=checkpoints,
            score_epoch=score_epoch,
            log_callbacks=log_callbacks,
            before_step=before_step,
            perfect_score=perfect_score,
            select_epoch=select_epoch,
        )
        with record_signals(callback):
            # One epoch of Keras: its own epochs would end at each restart.
            model.fit(
                make_dataset(step, plan.steps),
                epochs=1,
                verbose=0,
                shuffle=False,
                callbacks=[callback],
            )
            # A signal during the last step has not stopped anything yet.
            callback.raise_if_interrupted()
        best = callback.best
    if curve is not None:
        curve[:] = best.get("curve", [])
    # Without a selected epoch the model holds the weights of the last step already.
    if "file" in best:
        checkpoint.load_weights(model.network, plan.folder / best["file"], best["sha256"])
    return {"epoch": best.get("epoch", plan.epochs), "score": best.get("score")}
