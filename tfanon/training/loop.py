"""One call trains any model of a run: from its newest checkpoint to its last step, watched, saved and selected.

Everything is counted in steps. An epoch is only the moment at which the held-out slice is looked at.
"""

import contextlib
import dataclasses
import pathlib
import signal
import sys
import time

import keras
import numpy as np
from tqdm import tqdm

from tfanon.core import checkpoint, exit_status
from tfanon.summaries import tensorboard

MAX_SCORES = 20  # at the held-out slice, up to twice as many, where they select no epoch and only draw a curve


class TrainingInterruptedError(Exception):
    """A signal asked the run to end; what was reached is saved."""


def get_training_exit_status(command, work):
    """exits.status of work() that trains: 1 too where a loss is not finite, 143 where a signal stopped it."""
    try:
        return exit_status.run_with_exit_status(command, work)
    except (FloatingPointError, TrainingInterruptedError) as problem:
        print(f"{command}: {problem}", file=sys.stderr)
        return 143 if isinstance(problem, TrainingInterruptedError) else 1


@dataclasses.dataclass(frozen=True)
class PhasePlan:
    """How long a model trains, where its files go, how often they are written.

    title: what the progress bar says.  folder: of the checkpoints.  logs: of the TensorBoard curves.
    """

    title: str
    folder: pathlib.Path
    logs: pathlib.Path
    steps_per_epoch: int
    epochs: int
    checkpoint_every: int
    log_every: int

    @property
    def steps(self):
        return self.steps_per_epoch * self.epochs


def fit(
    model,
    dataset,
    plan,
    score_epoch=None,
    log_callbacks=(),
    before_step=None,
    curve=None,
    perfect_score=np.inf,
    select_epoch=True,
):
    """Train a compiled model and leave the selected weights in it.

    dataset(first, last): the batches of these steps.  score(): larger is better, asked after each epoch of a
    trainer.Learner; its network's weights of the best epoch win; without it the last step's do.  watchers: callables
    of the step, called at every log.  before: called with the number of each step before it.  curve: a list that is
    filled with [step, score] of what was scored.  perfect: the highest score there is: once it is reached no later epoch
    can win, so none is trained.  choose: False: LOOKS scores are noted, up to twice as many, and the last step's weights
    stay, as where no score is finite.
    Returns {"epoch", "score"} of the selected epoch.  Raises FloatingPointError where a loss is not finite, Stopped
    after SIGTERM or SIGINT.
    """
    checkpoints = checkpoint.CheckpointManager(plan.folder)
    step, best = checkpoints.restore(model)
    checkpoints.clear(keep=2)
    if step < plan.steps and not has_perfect_score(best, perfect_score):
        journey = TrainingCallback(
            plan,
            step,
            best,
            checkpoints,
            score_epoch,
            log_callbacks,
            before_step,
            perfect_score,
            select_epoch,
        )
        with record_signals(journey):
            model.fit(
                dataset(step, plan.steps), epochs=1, verbose=0, shuffle=False, callbacks=[journey]
            )
            journey.stop()
        best = journey.best
    if curve is not None:
        curve[:] = best.get("curve", [])
    if "file" in best:
        checkpoint.load_weights(model.network, plan.folder / best["file"], best["sha256"])
    return {"epoch": best.get("epoch", plan.epochs), "score": best.get("score")}


def has_perfect_score(best, perfect):
    """Whether no later epoch can win: the first that reaches the highest score is selected."""
    return "file" in best and best["score"] >= perfect


class TrainingCallback(keras.callbacks.Callback):
    """What happens between two steps, in this order: look for NaN, log, select, save, stop."""

    def __init__(self, plan, step, best, checkpoints, score, watchers, before, perfect, choose):
        super().__init__()
        self.plan, self.step, self.best, self.checkpoints = plan, step, best, checkpoints
        self.score, self.watchers, self.before, self.perfect, self.choose = (
            score,
            watchers,
            before,
            perfect,
            choose,
        )
        self.checked, self.signal = step, None

    def on_train_begin(self, logs=None):
        self.bar = tqdm(
            total=self.plan.steps,
            initial=self.step,
            desc=self.plan.title,
            unit="step",
            disable=not sys.stderr.isatty(),
            dynamic_ncols=True,
        )
        self.curves = tensorboard.writer(self.plan.logs)
        self.began = self.told = time.monotonic()
        self.first = self.step

    def on_train_batch_begin(self, batch, logs=None):
        if self.before:
            self.before(self.step)

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        stopping = (
            self.signal
        )  # looked at once: a signal that comes while this step is logged ends the next one
        epoch_ends = self.step % self.plan.steps_per_epoch == 0
        saves = (
            self.step % self.plan.checkpoint_every == 0
            or self.step == self.plan.steps
            or stopping is not None
        )
        self.bar.update()
        if self.step % self.plan.log_every == 0 or epoch_ends or saves:
            self._log({name: np.asarray(value).item() for name, value in logs.items()})
        if epoch_ends and self.score and self._looks():
            self._select()
        settled = has_perfect_score(self.best, self.perfect)
        if saves or settled:
            self.checkpoints.save(self.model, self.step, self.best)
        if stopping is not None:
            self.stop()
        if settled and self.step < self.plan.steps:
            self.model.stop_training = True
            tqdm.write(
                f"{self.plan.title}: nothing beats {self.perfect:g} on the held-out slice, reached at step "
                f"{self.step} of {self.plan.steps}.",
                file=sys.stderr,
            )

    def stop(self):
        """Raise Stopped where a signal came."""
        if self.signal is not None:
            raise TrainingInterruptedError(
                f"Stopped by {signal.Signals(self.signal).name} at step {self.step} of "
                f"{self.plan.steps} of {self.plan.title}; the same command goes on from there."
            )

    def on_train_end(self, logs=None):
        self.bar.close()
        self.curves.close()

    def _log(self, values):
        for name, value in values.items():
            if not np.isfinite(value):
                raise FloatingPointError(
                    f"{name} became {value} between steps {self.checked} and {self.step} of {self.plan.title}."
                )
        self.checked = self.step
        self.bar.set_postfix(
            {name: f"{value:.3g}" for name, value in values.items()}, refresh=False
        )
        self._tell(values)
        with self.curves.as_default():
            tensorboard.scalars(self.step, values)
            for watch in self.watchers:
                watch(self.step)
        self.model.reset_metrics()

    def _tell(self, values):
        """Where no bar can be drawn, a line every half a minute."""
        now = time.monotonic()
        if self.bar.disable and (now - self.told > 30 or self.step == self.plan.steps):
            self.told = now
            left = (now - self.began) / (self.step - self.first) * (self.plan.steps - self.step)
            shown = "  ".join(f"{name} {value:.3g}" for name, value in values.items())
            print(
                f"{self.plan.title}: step {self.step} of {self.plan.steps}, {left:.0f} s left  {shown}",
                file=sys.stderr,
                flush=True,
            )

    def _looks(self):
        """Whether this epoch is scored: each where one is to be chosen, else some, the last one always."""
        left = (self.plan.steps - self.step) // self.plan.steps_per_epoch
        return self.choose or left % max(1, self.plan.epochs // MAX_SCORES) == 0

    def _select(self):
        score = float(self.score())
        with self.curves.as_default():
            tensorboard.scalars(self.step, {"held_out": score})
        curve = [*self.best.get("curve", []), [self.step, score]]
        epoch = self.step // self.plan.steps_per_epoch
        if not (
            self.choose and np.isfinite(score)
        ):  # as cMAP is not where nobody held out has an attribute
            self.best = self.best if "file" in self.best else {"epoch": epoch, "score": score}
        elif "file" not in self.best or score > self.best["score"]:
            name = f"best-epoch-{epoch:05d}.weights.h5"
            digest = checkpoint.save_weights(self.model.network, self.plan.folder / name)
            self.best = {"epoch": epoch, "score": score, "file": name, "sha256": digest}
        self.best["curve"] = (
            curve  # a checkpoint holds it, so that a run that was stopped shows all of it
        )


@contextlib.contextmanager
def record_signals(journey):
    """SIGTERM and SIGINT are remembered until the step in hand is done; then the journey saves and stops."""

    def note(number, frame):
        journey.signal = number

    before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
