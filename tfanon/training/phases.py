"""Algorithm 1 from line 8 to line 28: short functions, each ending in fit().

A phase that is done leaves `done.json` in its folder and is not run again; one that was stopped goes on.
"""

import dataclasses
import functools
import json
import pathlib
import zlib
from collections.abc import Callable

import keras
import tensorflow as tf

from tfanon.core import checkpoint, component_spec, files, registry
from tfanon.data import pipeline
from tfanon.data import splits as tables
from tfanon.metrics import criteria
from tfanon.metrics import scores as metrics
from tfanon.models import ensemble
from tfanon.pretrained import load_pretrained
from tfanon.summaries import tensorboard
from tfanon.training import loop, losses, trainer

LEARNING_CURVE_KEYS = (
    "curve",
    "budget",
    "cmap_by_chance",
)  # what a phase keeps of its learning beside what results.json holds
MIN_HELD_OUT = 100  # held-out examples. An epoch that has 32 of 32 right may have a tenth wrong: by fewer, none is selected


@dataclasses.dataclass(frozen=True)
class InputView:
    """What of a data set's examples a network sees.

    train(examples, config, first, last), evaluation(examples, config): as in pipeline.  batch: the field of its size.
    """

    train: Callable
    evaluation: Callable
    batch: str


FRAME_VIEW = InputView(pipeline.attributes, pipeline.evaluation_images, "batch_privacy")
CLIP_VIEW = InputView(pipeline.clip_attributes, pipeline.evaluation_clip_attributes, "batch_action")


@dataclasses.dataclass(frozen=True)
class TrainingRun:
    """What the phases of one run share."""

    config: object
    tables: tables.Tables
    strategy: tf.distribute.Strategy

    def names(self):
        """The phases in the order in which they run."""
        after = [
            phase
            for name in (*self.config.baselines, "f_A")
            for phase in make_evaluation_jobs(self, name, None)
        ]
        before = (
            [get_pretrain_phase_name(self.config)]
            if self.config.epochs_pretrain or self.config.init_action_from_raw
            else []
        )
        return list(dict.fromkeys(["initialise", *before, "anonymize", *after]))

    def phase(self, name):
        return Phase(self.config, name, self.names().index(name) + 1, len(self.names()))

    def seed_for_phase(self, name):
        """Make what is drawn next, a network's first weights, a function of (seed, phase) alone."""
        keras.utils.set_random_seed(zlib.crc32(f"{self.config.seed} {name}".encode()))


@dataclasses.dataclass(frozen=True)
class Phase:
    """One phase's place: its folder, its number, and whether it is done."""

    config: object
    name: str
    number: int
    count: int

    @property
    def folder(self):
        return (
            pathlib.Path(self.config.workdir) / "phases" / component_spec.make_file_name(self.name)
        )

    @property
    def logs(self):
        return pathlib.Path(self.config.workdir) / "logs" / component_spec.make_file_name(self.name)

    @property
    def weights(self):
        return self.folder / "network.weights.h5"

    def acquire_lock(self, wait=True):
        """A block that one process at a time is in; who comes later finds the phase done."""
        return files.lock_file(self.folder / ".lock", wait)

    def is_locked(self):
        """Whether another process is in claimed()."""
        try:
            with self.acquire_lock(wait=False):
                return False
        except BlockingIOError:
            return True

    def plan(self, examples, batch, epochs):
        """How fitting.fit goes about this phase; an epoch sees each example once, up to a last partial batch."""
        return loop.PhasePlan(
            f"[{self.number}/{self.count}] {self.name}",
            self.folder,
            self.logs,
            max(1, examples // batch),
            epochs,
            self.config.checkpoint_every,
            self.config.log_every,
        )

    def result(self, network=None):
        """What a finished phase found, its weights loaded into `network`; None where it is not finished."""
        done = self.folder / "done.json"
        if not done.exists():
            return None
        found = json.loads(done.read_text())
        if network is not None:
            checkpoint.load_weights(network, self.weights, found["sha256"])
        return found["result"]

    def finish(self, network, result):
        """Keep the network, where there is one, and the result, drop the checkpoints."""
        digest = checkpoint.save_weights(network, self.weights) if network is not None else None
        checkpoint.write_json(self.folder / "done.json", {"result": result, "sha256": digest})
        checkpoint.CheckpointManager(self.folder).clear()
        return result


def initialize_anonymizer(run, f_A):
    """Algorithm 1, line 9: f_A learns to return what it is given (Eq. 5)."""
    config, phase = run.config, run.phase("initialise")
    if phase.result(f_A) is not None:
        return
    plan = phase.plan(
        len(run.tables.images.train), config.batch_reconstruct, config.epochs_reconstruct
    )
    with run.strategy.scope():
        learner = trainer.SupervisedModel(f_A, losses.reconstruction)
        learner.compile(
            make_optimizer(config, make_cosine_schedule(config.lr_reconstruct, plan, config)),
            config.jit_compile,
        )

    def dataset(first, last):
        frames = pipeline.reconstruction(
            run.tables.clips.train, run.tables.images.train, config, first, last
        )
        return frames.map(lambda x: (x, x))

    phase.finish(f_A, loop.fit(learner, dataset, plan))


def plan_minimax(run):
    """How long the minimax game is played."""
    config = run.config
    batch = config.batch_clips * (1 if config.same_batch else 2)
    return run.phase("anonymize").plan(len(run.tables.clips.train), batch, config.epochs_anonymize)


def train_anonymizer(run, f_A, log_callbacks=()):
    """Algorithm 1, lines 10-20: the minimax game; f_T and f_B are discarded after it."""
    config, phase = run.config, run.phase("anonymize")
    if phase.result(f_A) is not None:
        return
    clips, plan = run.tables.clips.train, plan_minimax(run)
    warm = (
        pretrain_action_network(run) if config.init_action_from_raw else None
    )  # before the seed is set: it may be done already, or not
    objective = make_objective(config, run.tables)
    run.seed_for_phase("anonymize")
    with run.strategy.scope():
        f_T = load_pretrained.build_pretrained_network(
            "actions", config.action_network, config.action_weights, classes=len(clips.classes)
        )
        if warm:
            warm.result(f_T)
        f_T, f_B = objective.action_network(f_T), make_privacy_network(config, objective)
        minimax = trainer.MinimaxModel(f_A, f_T, f_B, config, objective)
        minimax.compile(
            *(
                make_optimizer(config, rate)
                for rate in (config.lr_anonymizer, config.lr_action, config.lr_privacy)
            ),
            config.jit_compile,
        )

    def dataset(first, last):
        return pipeline.anonymization(
            clips, run.tables.images.train, config, first, last, objective.extras
        )

    watching = [lambda step, watch=watch: watch(step, minimax) for watch in log_callbacks]
    found = loop.fit(
        minimax,
        dataset,
        plan,
        log_callbacks=watching,
        before_step=minimax.restart_privacy_network_when_due,
    )
    phase.finish(f_A, {**found, "largest_change": float(minimax.largest_change.numpy())})


def make_objective(config, tables):
    """What f_A minimises.  Raises ValueError where the data sets lack what it learns from."""
    labelled = getattr(tables, config.private_labels).train
    return registry.load_module("objectives", config.objective).build(
        config, labelled.attribute_names
    )


def make_privacy_network(config, objective):
    """f_B, or several as one network."""
    head = objective.head()
    first = load_pretrained.build_pretrained_network(
        "privacy", config.privacy_network, config.privacy_weights, **head
    )
    others = [registry.load_module("privacy", name).build(**head) for name in config.ensemble]
    return ensemble.Ensemble([first, *others]) if others else first


def make_evaluation_jobs(run, name, f_A):
    """phase -> the call that makes it, for each judge of an anonymizer."""
    privacy = {
        f"privacy-{probe}-{name}": functools.partial(measure_leakage, run, name, f_A, probe)
        for probe in run.tables.probes
    }
    return {f"action-{name}": functools.partial(measure_utility, run, name, f_A), **privacy}


def measure_utility(run, name, f_A):
    """Algorithm 1, lines 22-24: f_T' on anonymized clips, fresh or pretrained on raw ones; Criterion 1."""
    phase = run.phase(f"action-{name}")
    with phase.acquire_lock():
        if (found := phase.result()) is not None:
            return found
        start = pretrain_action_network(run) if run.config.epochs_pretrain else None
        return train_action_evaluator(run, phase, f_A, run.config.epochs_action, start)


def get_pretrain_phase_name(config):
    """Name of the phase in which a network learns raw clips, for others to start from."""
    return f"pretrain-{config.action_evaluator_network}" if config.epochs_pretrain else "action-raw"


def pretrain_action_network(run):
    """The phase `pretrained`, done: what stands in for weights that were trained on Kinetics."""
    config, phase = run.config, run.phase(get_pretrain_phase_name(run.config))
    with phase.acquire_lock():
        if phase.result() is None:
            train_action_evaluator(
                run,
                phase,
                registry.load_module("anonymizers", "raw").build(),
                config.epochs_pretrain or config.epochs_action,
                is_evaluator=not config.epochs_pretrain,
            )
    return phase


def train_action_evaluator(run, phase, f_A, epochs, start_phase=None, is_evaluator=True):
    """start: the phase whose network f_T' starts as; None: afresh, or from --eval_action_weights.

    judges: whether it is to measure anything. What others only start from may end as soon as no held-out clip is wrong.
    """
    config, splits = run.config, run.tables.action
    plan = phase.plan(len(splits.train), config.batch_action, epochs)
    run.seed_for_phase("action")  # every anonymizer meets the same fresh judge
    with run.strategy.scope():
        f_T = load_pretrained.build_pretrained_network(
            "actions",
            config.action_evaluator_network,
            config.eval_action_weights,
            classes=len(splits.train.classes),
        )
        if start_phase:
            start_phase.result(f_T)
        learner = trainer.SupervisedModel(f_T, losses.action_cross_entropy, f_A)
        learner.compile(
            make_optimizer(config, make_cosine_schedule(config.lr_eval_action, plan, config)),
            config.jit_compile,
        )
    one_clip = dataclasses.replace(config, eval_clips=1)
    held_out = (
        pipeline.evaluation_clips(splits.held_out, one_clip) if len(splits.held_out) else None
    )
    selected = loop.fit(
        learner,
        lambda first, last: pipeline.actions(splits.train, config, first, last),
        plan,
        score_epoch=held_out and (lambda: criteria.score_action_top1(learner, held_out)),
        select_epoch=len(splits.held_out) >= MIN_HELD_OUT or not is_evaluator,
        perfect_score=float("inf") if is_evaluator else 1.0,
    )
    scores = criteria.score_action(
        learner, pipeline.evaluation_clips(splits.test, config), splits.test
    )
    return phase.finish(f_T, {**scores, "selected": selected})


def measure_leakage(run, name, f_A, probe):
    """Algorithm 1, lines 25-27: a fresh f_B' on the attributes of anonymized images; Criterion 2."""
    config = run.config
    found = evaluate_privacy(
        run,
        f"privacy-{probe}-{name}",
        f_A,
        probe,
        lambda attributes: load_pretrained.build_pretrained_network(
            "privacy",
            config.attacker_network,
            config.attack_weights,
            attributes=attributes,
        ),
    )
    return {key: value for key, value in found.items() if key not in LEARNING_CURVE_KEYS}


def evaluate_privacy(run, name, f_A, probe, build, view=FRAME_VIEW):
    """What a fresh build(P) scores on a probe's attributes behind f_A, and how it came to that.

    name: of the phase.  f_A: what the data passes first, any callable.  views: what of the data.
    Returns evaluation.privacy_scores with "selected" and, of a phase that was finished by this version, LEARNT.
    """
    phase = run.phase(name)
    with phase.acquire_lock():
        found = phase.result()
        return (
            _train_and_score_attacker(run, phase, f_A, probe, build, view)
            if found is None
            else found
        )


def _train_and_score_attacker(run, phase, f_A, probe, build, views):
    config, splits = run.config, run.tables.probes[probe]
    names = splits.train.attribute_names
    run.seed_for_phase(f"privacy-{probe}")  # every anonymizer meets the same fresh judge
    with run.strategy.scope():
        learner = trainer.SupervisedModel(build(len(names)), losses.attribute_cross_entropy, f_A)
    learnt = train_attacker(run, phase, learner, splits, get_attack_epochs(config, probe), views)
    test = views.evaluation(splits.test, config)
    held_out = views.evaluation(splits.tuning, config)
    probabilities, truth, rows = criteria.predict_attributes(
        learner, test
    )  # it passes f_A once for all that follows
    thresholds = criteria.tune_privacy_thresholds(learner, held_out)
    scores = criteria.score_attributes(probabilities, truth, rows, thresholds, splits.test)
    with tensorboard.writer(phase.logs).as_default():
        tensorboard.pr_curves(learnt["budget"]["steps"], names, truth, probabilities)
    chance = metrics.cmap_chance_interval(probabilities, truth)
    return phase.finish(learner.network, {**scores, **learnt, "cmap_by_chance": chance})


def train_attacker(
    run,
    phase,
    learner,
    splits,
    epochs,
    view=FRAME_VIEW,
    score_epoch=criteria.score_privacy_cmap,
    learning_rate=None,
):
    """Train a learner on a data set and leave in it the epoch that is best on the held-out slice; the last, if that is small.

    select(learner, dataset): larger is better.  rate: Adam's; None: as f_B' has.
    Returns {"selected", "curve": [[step, held-out score], ..], "budget"}.
    """
    config, curve = run.config, []
    plan = phase.plan(len(splits.train), getattr(config, view.batch), epochs)
    with run.strategy.scope():
        learner.compile(
            make_optimizer(
                config, make_cosine_schedule(learning_rate or config.lr_attack, plan, config)
            ),
            config.jit_compile,
        )
    held_out = view.evaluation(splits.held_out, config) if len(splits.held_out) else None
    selected = loop.fit(
        learner,
        lambda first, last: view.train(splits.train, config, first, last),
        plan,
        score_epoch=held_out and (lambda: score_epoch(learner, held_out)),
        curve=curve,
        select_epoch=len(splits.held_out) >= MIN_HELD_OUT,
    )
    budget = {
        "steps": plan.steps,
        "epochs": plan.epochs,
        "parameters": learner.network.count_params(),
    }
    return {"selected": selected, "curve": curve, "budget": budget}


def get_attack_epochs(config, probe):
    """Epochs of those who read a probe's attributes."""
    return (config.epochs_clip_privacy if probe == "clips" else 0) or config.epochs_privacy


def make_optimizer(config, rate):
    """Adam, as in all of the lineage's code; wrapped where float16 gradients would vanish."""
    adam = keras.optimizers.Adam(rate)
    return (
        keras.optimizers.LossScaleOptimizer(adam) if config.precision == "mixed_float16" else adam
    )


def make_cosine_schedule(rate, plan, config):
    """A warm-up and a cosine fall to zero.

    The lineage divides the rate by 5 at every upward wiggle of the loss, which leaves its judges under-trained; a judge
    here is meant to be strong.
    """
    warmup = min(config.warmup_epochs * plan.steps_per_epoch, plan.steps // 5)
    return keras.optimizers.schedules.CosineDecay(
        rate * 0.01, max(1, plan.steps - warmup), warmup_target=rate, warmup_steps=warmup
    )
