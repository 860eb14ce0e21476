"""What happens between two training steps: checks, logs, epoch selection, checkpoints, signals."""

import contextlib
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any

import keras
import numpy as np
from tqdm import tqdm

from tfanon.core import checkpoint
from tfanon.summaries import tensorboard
from tfanon.training.phase_plan import PhasePlan

# Without a terminal for a progress bar, a line is printed this often.
PROGRESS_INTERVAL_SECONDS = 30
# Scores of a phase that only draws a curve and selects no epoch: at least this many (or all epochs,
# if there are fewer) and less than twice as many.
MAX_SCORES = 20


class TrainingInterruptedError(Exception):
    """Training was stopped by a signal, after its state had been saved."""


def has_perfect_score(best: dict[str, Any], perfect_score: float) -> bool:
    """Return whether no later epoch can be selected, since the first perfect one wins."""
    return "file" in best and best["score"] >= perfect_score


class TrainingCallback(keras.callbacks.Callback):
    """Checks for NaN, logs, selects an epoch, saves and stops, in this order, after a step.

    Attributes:
        step: Number of steps taken so far, those of earlier starts included.
        best: The selected epoch as checkpoints store it: `epoch`, `score`, `curve` (a list of
            `[step, score]`) and, once an epoch was selected by its score, `file` and `sha256` of
            its weights.
        received_signal: Number of a signal that asks the run to end.

    Args:
        plan: Schedule and folders of the phase.
        step: Number of steps taken by earlier starts.
        best: What the checkpoint of that step stored; empty at the beginning.
        checkpoints: Where checkpoints are written.
        score_epoch: Scores the model on the held-out split, larger is better; None: the last
            epoch is used.
        log_callbacks: Called with the step whenever something is logged.
        before_step: Called with the number of a step before it is taken.
        perfect_score: The highest possible score; training ends when it is reached.
        select_epoch: Whether the best score selects the epoch; otherwise scores draw a curve only.
    """

    def __init__(
        self,
        plan: PhasePlan,
        step: int,
        best: dict[str, Any],
        checkpoints: checkpoint.CheckpointManager,
        score_epoch: Callable[[], float] | None,
        log_callbacks: Sequence[Callable[[int], None]],
        before_step: Callable[[int], None] | None,
        perfect_score: float,
        select_epoch: bool,
    ) -> None:
        super().__init__()
        self.plan = plan
        self.step = step
        self.best = best
        self.checkpoints = checkpoints
        self.score_epoch = score_epoch
        self.log_callbacks = log_callbacks
        self.before_step = before_step
        self.perfect_score = perfect_score
        self.select_epoch = select_epoch
        self.received_signal: int | None = None
        self._last_checked_step = step

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Open the progress bar and the TensorBoard curves."""
        self._bar = tqdm(
            total=self.plan.steps,
            initial=self.step,
            desc=self.plan.title,
            unit="step",
            disable=not sys.stderr.isatty(),
            dynamic_ncols=True,
        )
        self._summary_writer = tensorboard.create_writer(self.plan.log_folder)
        self._start_time = self._last_print_time = time.monotonic()
        self._first_step = self.step

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Announce the step that follows."""
        if self.before_step:
            self.before_step(self.step)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Log, score and save as far as they are due after this step.

        Raises:
            FloatingPointError: A logged value is not finite.
            TrainingInterruptedError: A signal arrived; the state of this step was saved.
        """
        self.step += 1
        # Read once: a signal that arrives while this step is logged stops the next one, so that
        # every stop has a checkpoint of its own step.
        is_interrupted = self.received_signal is not None
        ends_epoch = self.step % self.plan.steps_per_epoch == 0
        is_checkpoint_due = self.step % self.plan.checkpoint_every == 0
        must_save = is_checkpoint_due or self.step == self.plan.steps or is_interrupted
        self._bar.update()
        # Before each checkpoint values are checked too: no checkpoint holds NaN.
        if self.step % self.plan.log_every == 0 or ends_epoch or must_save:
            self._log({name: np.asarray(value).item() for name, value in (logs or {}).items()})
        if ends_epoch and self.score_epoch and self._is_score_due():
            self._score(self.score_epoch)
        is_perfect = has_perfect_score(self.best, self.perfect_score)
        # After scoring: a checkpoint names the weights file of the best epoch so far.
        if must_save or is_perfect:
            self.checkpoints.save(self.model, self.step, self.best)
        if is_interrupted:
            self.raise_if_interrupted()
        if is_perfect and self.step < self.plan.steps:
            self.model.stop_training = True
            # Unlike print, it leaves an open progress bar intact.
            tqdm.write(
                f"{self.plan.title}: ended early at step {self.step} of {self.plan.steps}; the "
                f"score on the held-out split is {self.perfect_score:g}, the highest possible.",
                file=sys.stderr,
            )

    def raise_if_interrupted(self) -> None:
        """Raise TrainingInterruptedError if a signal has arrived."""
        if self.received_signal is not None:
            name = signal.Signals(self.received_signal).name
            raise TrainingInterruptedError(
                f"Stopped by {name} at step {self.step} of {self.plan.steps} of "
                f"{self.plan.title}; re-run the same command to resume."
            )

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Close the progress bar and the TensorBoard curves."""
        self._bar.close()
        self._summary_writer.close()

    def _log(self, values: dict[str, float]) -> None:
        """Check the means since the last log, show them and write them to TensorBoard."""
        for name, value in values.items():
            if not np.isfinite(value):
                raise FloatingPointError(
                    f"{name} became {value} between steps {self._last_checked_step} and "
                    f"{self.step} of {self.plan.title}. Try a lower learning rate (--lr_...) or "
                    "--precision=float32."
                )
        self._last_checked_step = self.step
        shown = {name: f"{value:.3g}" for name, value in values.items()}
        self._bar.set_postfix(shown, refresh=False)
        self._print_progress(shown)
        with self._summary_writer.as_default():
            tensorboard.write_scalars(self.step, values)
            for log_callback in self.log_callbacks:
                log_callback(self.step)
        # The next values are means over the steps after this log.
        self.model.reset_metrics()

    def _print_progress(self, shown: dict[str, str]) -> None:
        """Print a line now and then if there is no terminal for a progress bar."""
        now = time.monotonic()
        is_due = now - self._last_print_time > PROGRESS_INTERVAL_SECONDS
        if not self._bar.disable or not (is_due or self.step == self.plan.steps):
            return
        self._last_print_time = now
        # The speed of this start alone: checkpoints do not store the time of earlier ones.
        seconds_per_step = (now - self._start_time) / (self.step - self._first_step)
        seconds_left = seconds_per_step * (self.plan.steps - self.step)
        values = "  ".join(f"{name} {value}" for name, value in shown.items())
        print(
            f"{self.plan.title}: step {self.step} of {self.plan.steps}, "
            f"{seconds_left:.0f} s left  {values}",
            file=sys.stderr,
            flush=True,
        )

    def _is_score_due(self) -> bool:
        """Return whether to score this epoch: each if one is selected, else some and the last."""
        # Counted from the end, so that the last epoch is always scored.
        epochs_left = (self.plan.steps - self.step) // self.plan.steps_per_epoch
        interval = max(1, self.plan.epochs // MAX_SCORES)
        return self.select_epoch or epochs_left % interval == 0

    def _score(self, score_epoch: Callable[[], float]) -> None:
        """Score this epoch and keep its weights if it is the best so far."""
        score = float(score_epoch())
        with self._summary_writer.as_default():
            tensorboard.write_scalars(self.step, {"held_out": score})
        curve = [*self.best.get("curve", []), [self.step, score]]
        epoch = self.step // self.plan.steps_per_epoch
        has_selection = "file" in self.best
        # cMAP is NaN if no held-out example has any attribute.
        can_be_selected = self.select_epoch and np.isfinite(score)
        # Of equal scores the first wins, which lets training end at a perfect one.
        if can_be_selected and (not has_selection or score > self.best["score"]):
            name = f"best-epoch-{epoch:05d}.weights.h5"
            digest = checkpoint.save_weights(self.model.network, self.plan.folder / name)
            self.best = {"epoch": epoch, "score": score, "file": name, "sha256": digest}
        # As long as no score can select an epoch, the result is the last one.
        elif not can_be_selected and not has_selection:
            self.best = {"epoch": epoch, "score": score}
        # Stored in checkpoints, so that the curve of a resumed run is complete.
        self.best["curve"] = curve


@contextlib.contextmanager
def record_signals(callback: TrainingCallback) -> Iterator[None]:
    """Let SIGTERM and SIGINT end the step in progress before training stops.

    Args:
        callback: Its `received_signal` is set; it then saves and stops.
    """

    def record(number: int, frame: FrameType | None) -> None:
        # Only recorded: an exception raised here could interrupt an update of the weights.
        callback.received_signal = number

    previous = {number: signal.signal(number, record) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
