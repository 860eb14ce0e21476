"""Algorithm 1 of the paper from line 8 to line 28: short functions that each train one model.

A finished phase leaves `done.json` in its folder and is not run again; an interrupted one resumes
from its newest checkpoint.
"""

import dataclasses
import functools
import pathlib
import zlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import keras
import tensorflow as tf

from tfanon.core import checkpoint, component_spec, files, registry
from tfanon.core.config import Config
from tfanon.data import pipeline
from tfanon.data.splits import DatasetSplits, ExperimentData
from tfanon.metrics import criteria, scores
from tfanon.models import ensemble
from tfanon.pretrained import load_pretrained
from tfanon.summaries import tensorboard
from tfanon.training import loop, losses, phase_cache, trainer
from tfanon.training.phase_plan import PhasePlan

# What a phase stores about its training in addition to the scores that results.json holds.
LEARNING_CURVE_KEYS = ("curve", "budget", "cmap_by_chance")
# With fewer held-out examples no epoch is selected: a network that gets 32 of 32 right may still
# get one in ten wrong.
MIN_HELD_OUT = 100
# Learning rate at the start of the warm-up, as a fraction of the peak: .01 as in the released code.
WARMUP_START_FRACTION = 0.01


@dataclasses.dataclass(frozen=True)
class InputView:
    """How a network sees the examples of a data set, as frames or as clips.

    Attributes:
        make_training_dataset: Called with (examples, config, first step, step after the last).
        make_evaluation_dataset: Called with (examples, config).
        batch_size_flag: Name of the flag that holds the batch size.
    """

    make_training_dataset: Callable[..., tf.data.Dataset]
    make_evaluation_dataset: Callable[..., tf.data.Dataset]
    batch_size_flag: str


FRAME_VIEW = InputView(
    pipeline.make_attribute_dataset, pipeline.make_image_evaluation_dataset, "batch_privacy"
)
CLIP_VIEW = InputView(
    pipeline.make_clip_attribute_dataset,
    pipeline.make_clip_attribute_evaluation_dataset,
    "batch_action",
)


@dataclasses.dataclass(frozen=True)
class TrainingRun:
    """What the phases of one run share."""

    config: Config
    data: ExperimentData
    strategy: tf.distribute.Strategy

    def list_phases(self) -> list[str]:
        """Return the names of the phases in the order in which they run."""
        names = ["initialise"]
        if self.config.epochs_pretrain or self.config.init_action_from_raw:
            names.append(get_pretrain_phase_name(self.config))
        names.append("anonymize")
        for anonymizer in (*self.config.baselines, "f_A"):
            names.append(get_action_phase_name(anonymizer))
            names += [get_privacy_phase_name(task, anonymizer) for task in self.data.privacy_tasks]
        # The pretraining phase may be the evaluation of a baseline, too.
        return list(dict.fromkeys(names))

    def get_phase(self, name: str) -> "Phase":
        """Return the phase of a name that `list_phases` contains."""
        names = self.list_phases()
        return Phase(self.config, name, names.index(name) + 1, len(names))

    def seed_for_phase(self, name: str) -> None:
        """Seed all random generators by the run's seed and a name alone.

        The initial weights that are drawn next depend on nothing that was done before.
        """
        # crc32, unlike hash(), gives the same number for a string in every process.
        keras.utils.set_random_seed(zlib.crc32(f"{self.config.seed} {name}".encode()))


@dataclasses.dataclass(frozen=True)
class Phase:
    """One phase of a run: where its files are and whether it is finished.

    Attributes:
        config: Config of the run.
        name: Such as `initialise`, `anonymize`, `action-f_A`, `privacy-images-blur`.
        number: Position among the phases of the run, from 1.
        count: Number of phases.
    """

    config: Config
    name: str
    number: int
    count: int

    @property
    def folder(self) -> pathlib.Path:
        """Folder of the checkpoints and of the result."""
        return (
            pathlib.Path(self.config.workdir) / "phases" / component_spec.make_file_name(self.name)
        )

    @property
    def log_folder(self) -> pathlib.Path:
        """Folder of the TensorBoard curves."""
        return pathlib.Path(self.config.workdir) / "logs" / component_spec.make_file_name(self.name)

    @property
    def weights_path(self) -> pathlib.Path:
        """Weights of the finished network."""
        return self.folder / "network.weights.h5"

    def acquire_lock(self, wait: bool = True) -> AbstractContextManager[Any]:
        """Lock the phase against other processes, which find it finished when they get the lock.

        Args:
            wait: Whether to wait for another process.

        Returns:
            A context manager that holds the lock.

        Raises:
            BlockingIOError: On entering, if another process holds the lock and `wait` is False.
        """
        return files.lock_file(self.folder / ".lock", wait)

    def is_locked(self) -> bool:
        """Return whether another process is working on the phase."""
        try:
            with self.acquire_lock(wait=False):
                return False
        except BlockingIOError:
            return True

    def make_plan(self, examples: int, batch: int, epochs: int) -> PhasePlan:
        """Return the schedule of the phase.

        Args:
            examples: Size of the training split. An epoch sees each example once, except those of
                a last incomplete batch.
            batch: Examples per step.
            epochs: Number of epochs.
        """
        return PhasePlan(
            title=f"[{self.number}/{self.count}] {self.name}",
            folder=self.folder,
            log_folder=self.log_folder,
            # At least one step, even if the data is smaller than a batch.
            steps_per_epoch=max(1, examples // batch),
            epochs=epochs,
            checkpoint_every=self.config.checkpoint_every,
            log_every=self.config.log_every,
        )

    def load_result(self, network: keras.Model | None = None) -> dict[str, Any] | None:
        """Return the result of the phase; None if it is not finished.

        Args:
            network: Filled with the weights of a finished phase.

        Raises:
            ValueError: The weights file is missing, was altered or is of another network.
        """
        record = phase_cache.read_phase_record(self.config.workdir, self.folder.name)
        if not record:
            return None
        if network is not None:
            checkpoint.load_weights(network, self.weights_path, record["sha256"])
        return record["result"]

    def save_result(self, network: keras.Model | None, result: dict[str, Any]) -> dict[str, Any]:
        """Mark the phase as finished and remove its checkpoints.

        Args:
            network: Network whose weights are kept; None if the phase has none.
            result: Anything that JSON can hold.

        Returns:
            The result.
        """
        # Weights, then done.json, then the checkpoints: a crash in between loses nothing.
        digest = None
        if network is not None:
            digest = checkpoint.save_weights(network, self.weights_path)
        files.write_json_atomically(self.folder / "done.json", {"result": result, "sha256": digest})
        checkpoint.CheckpointManager(self.folder).clear()
        return result


def get_action_phase_name(anonymizer: str) -> str:
    """Return the name of the phase that evaluates the utility of an anonymizer."""
    return f"action-{anonymizer}"


def get_privacy_phase_name(task: str, anonymizer: str) -> str:
    """Return the name of the phase that evaluates an anonymizer's leakage on a privacy task."""
    return f"privacy-{task}-{anonymizer}"


def get_pretrain_phase_name(config: Config) -> str:
    """Return the name of the phase that trains an action network on raw clips for others."""
    if config.epochs_pretrain:
        return f"pretrain-{config.action_evaluator_network}"
    return get_action_phase_name("raw")


def initialize_anonymizer(run: TrainingRun, f_A: keras.Model) -> None:
    """Train f_A to reconstruct its input: Eq. 5, line 9 of Algorithm 1."""
    config = run.config
    phase = run.get_phase("initialise")
    if phase.load_result(f_A) is not None:
        return
    plan = phase.make_plan(
        len(run.data.images.train), config.batch_reconstruct, config.epochs_reconstruct
    )
    with run.strategy.scope():
        model = trainer.SupervisedModel(f_A, losses.reconstruction)
        schedule = make_cosine_schedule(config.lr_reconstruct, plan, config)
        model.compile(make_optimizer(config, schedule), config.jit_compile)

    def make_dataset(first: int, last: int) -> tf.data.Dataset:
        frames = pipeline.make_reconstruction_dataset(
            run.data.clips.train, run.data.images.train, config, first, last
        )
        # In Eq. 5 the input is its own target.
        return frames.map(lambda x: (x, x))

    phase.save_result(f_A, loop.fit(model, make_dataset, plan))


def plan_minimax(run: TrainingRun) -> PhasePlan:
    """Return the schedule of adversarial training."""
    config = run.config
    # A step takes a batch for f_A and the next one for the adversaries (Figure 1).
    batches_per_step = 1 if config.same_batch else 2
    return run.get_phase("anonymize").make_plan(
        len(run.data.clips.train), config.batch_clips * batches_per_step, config.epochs_anonymize
    )


def train_anonymizer(
    run: TrainingRun,
    f_A: keras.Model,
    log_callbacks: Sequence[Callable[[int, trainer.MinimaxModel], None]] = (),
) -> None:
    """Train f_A against f_T and f_B: lines 10 to 20 of Algorithm 1.

    f_T and f_B are discarded afterwards: evaluators and attackers are trained anew.

    Args:
        run: The run; its result is stored in the phase `anonymize`.
        f_A: The initialized anonymizer, trained in place.
        log_callbacks: Called with the step and the model whenever something is logged.
    """
    config = run.config
    phase = run.get_phase("anonymize")
    if phase.load_result(f_A) is not None:
        return
    clips = run.data.clips.train
    plan = plan_minimax(run)
    raw_phase = None
    if config.init_action_from_raw:
        # Before the seed is set: this trains a network, unless that phase is finished already.
        raw_phase = pretrain_action_network(run)
    objective = make_objective(config, run.data)
    run.seed_for_phase("anonymize")
    with run.strategy.scope():
        f_T = load_pretrained.build_pretrained_network(
            "actions", config.action_network, config.action_weights, classes=len(clips.classes)
        )
        if raw_phase:
            raw_phase.load_result(f_T)
        # After the weights were loaded: they are of the network without additional outputs.
        f_T = objective.extend_action_network(f_T)
        f_B = make_privacy_network(config, objective)
        minimax = trainer.MinimaxModel(f_A, f_T, f_B, config, objective)
        optimizer_A = make_optimizer(config, config.lr_anonymizer)
        optimizer_T = make_optimizer(config, config.lr_action)
        optimizer_B = make_optimizer(config, config.lr_privacy)
        minimax.compile(optimizer_A, optimizer_T, optimizer_B, config.jit_compile)

    def make_dataset(first: int, last: int) -> tf.data.Dataset:
        return pipeline.make_anonymization_dataset(
            clips, run.data.images.train, config, first, last, objective.extra_batch_keys
        )

    def log(step: int) -> None:
        for log_callback in log_callbacks:
            log_callback(step, minimax)

    selected = loop.fit(
        minimax,
        make_dataset,
        plan,
        log_callbacks=[log],
        before_step=minimax.restart_privacy_network_when_due,
    )
    # Tells later runs whether the penalty of Eq. 4 was ever active: see phase_cache.
    largest_change = float(minimax.largest_change.numpy())
    phase.save_result(f_A, {**selected, "largest_change": largest_change})


def make_objective(config: Config, data: ExperimentData) -> Any:
    """Build what f_A minimizes: a file of `tfanon/training/objectives`.

    Raises:
        ValueError: The data sets lack labels that the objective needs.
    """
    labelled: DatasetSplits = getattr(data, config.private_labels)
    objective = registry.load_module("objectives", config.objective)
    return objective.build(config, labelled.train.attribute_names)


def make_privacy_network(config: Config, objective: Any) -> keras.Model:
    """Build f_B, or with `--ensemble` several privacy networks as one model."""
    arguments = objective.privacy_head_arguments()
    network = load_pretrained.build_pretrained_network(
        "privacy", config.privacy_network, config.privacy_weights, **arguments
    )
    if not config.ensemble:
        return network
    members = [network]
    for name in config.ensemble:
        members.append(registry.load_module("privacy", name).build(**arguments))
    return ensemble.Ensemble(members)


def make_evaluation_jobs(
    run: TrainingRun, name: str, f_A: Callable[..., tf.Tensor]
) -> dict[str, Callable[[], dict[str, Any]]]:
    """Return the evaluations of an anonymizer, each with the name of its phase.

    Args:
        run: The run.
        name: Name of the anonymizer: a baseline or `f_A`.
        f_A: The anonymizer.
    """
    jobs: dict[str, Callable[[], dict[str, Any]]] = {}
    jobs[get_action_phase_name(name)] = functools.partial(measure_utility, run, name, f_A)
    for task in run.data.privacy_tasks:
        job = functools.partial(measure_leakage, run, name, f_A, task)
        jobs[get_privacy_phase_name(task, name)] = job
    return jobs


def measure_utility(run: TrainingRun, name: str, f_A: Callable[..., tf.Tensor]) -> dict[str, Any]:
    """Train the action evaluator f_T' on anonymized clips and score it: Criterion 1.

    Lines 22 to 24 of Algorithm 1. With `--epochs_pretrain` f_T' starts from a network that was
    trained on raw clips.

    Args:
        run: The run.
        name: Name of the anonymizer, which names the phase.
        f_A: The anonymizer.

    Returns:
        As `criteria.score_action`, and the `selected` epoch.
    """
    phase = run.get_phase(get_action_phase_name(name))
    with phase.acquire_lock():
        # Another process may have finished the phase while this one waited.
        result = phase.load_result()
        if result is not None:
            return result
        start_phase = pretrain_action_network(run) if run.config.epochs_pretrain else None
        return train_action_evaluator(run, phase, f_A, run.config.epochs_action, start_phase)


def pretrain_action_network(run: TrainingRun) -> Phase:
    """Train an action network on raw clips, in place of weights trained on Kinetics.

    Returns:
        The finished phase, from which other networks load their initial weights.
    """
    config = run.config
    phase = run.get_phase(get_pretrain_phase_name(config))
    with phase.acquire_lock():
        if phase.load_result() is None:
            train_action_evaluator(
                run,
                phase,
                registry.load_module("anonymizers", "raw").build(),
                config.epochs_pretrain or config.epochs_action,
                is_evaluator=not config.epochs_pretrain,
            )
    return phase


def train_action_evaluator(
    run: TrainingRun,
    phase: Phase,
    f_A: Callable[..., tf.Tensor],
    epochs: int,
    start_phase: Phase | None = None,
    is_evaluator: bool = True,
) -> dict[str, Any]:
    """Train an action network on anonymized clips, score it on the test split and finish the phase.

    Args:
        run: The run.
        phase: The phase that is finished.
        f_A: The anonymizer.
        epochs: Epochs of training.
        start_phase: Phase whose network provides the initial weights; None: those of
            `--eval_action_weights`, or random ones.
        is_evaluator: Whether the scores are reported. A network that others only start from may
            end its training as soon as it gets every held-out clip right.

    Returns:
        As `criteria.score_action`, and the `selected` epoch.
    """
    config = run.config
    splits = run.data.action_task
    plan = phase.make_plan(len(splits.train), config.batch_action, epochs)
    # The same seed for every anonymizer: all evaluators start from the same weights.
    run.seed_for_phase("action")
    with run.strategy.scope():
        f_T = load_pretrained.build_pretrained_network(
            "actions",
            config.action_evaluator_network,
            config.eval_action_weights,
            classes=len(splits.train.classes),
        )
        if start_phase:
            start_phase.load_result(f_T)
        model = trainer.SupervisedModel(f_T, losses.action_cross_entropy, f_A)
        schedule = make_cosine_schedule(config.lr_eval_action, plan, config)
        model.compile(make_optimizer(config, schedule), config.jit_compile)
    score_epoch = None
    if len(splits.held_out):
        one_clip = dataclasses.replace(config, eval_clips=1)
        held_out = pipeline.make_clip_evaluation_dataset(splits.held_out, one_clip)
        score_epoch = functools.partial(criteria.score_action_top1, model, held_out)
    selected = loop.fit(
        model,
        lambda first, last: pipeline.make_action_dataset(splits.train, config, first, last),
        plan,
        score_epoch=score_epoch,
        select_epoch=len(splits.held_out) >= MIN_HELD_OUT or not is_evaluator,
        perfect_score=float("inf") if is_evaluator else 1.0,
    )
    test = pipeline.make_clip_evaluation_dataset(splits.test, config)
    utility = criteria.score_action(model, test, splits.test)
    return phase.save_result(f_T, {**utility, "selected": selected})


def measure_leakage(
    run: TrainingRun, name: str, f_A: Callable[..., tf.Tensor], task: str
) -> dict[str, Any]:
    """Train the attacker f_B' on anonymized images and score it: Criterion 2.

    Lines 25 to 27 of Algorithm 1.

    Args:
        run: The run.
        name: Name of the anonymizer, which names the phase.
        f_A: The anonymizer.
        task: Name of the privacy task, a key of `run.data.privacy_tasks`.

    Returns:
        As `evaluate_privacy`, without LEARNING_CURVE_KEYS.
    """
    config = run.config

    def build(attributes: int) -> keras.Model:
        return load_pretrained.build_pretrained_network(
            "privacy", config.attacker_network, config.attack_weights, attributes=attributes
        )

    result = evaluate_privacy(run, get_privacy_phase_name(task, name), f_A, task, build)
    return {key: value for key, value in result.items() if key not in LEARNING_CURVE_KEYS}


def evaluate_privacy(
    run: TrainingRun,
    name: str,
    f_A: Callable[..., tf.Tensor],
    task: str,
    build: Callable[[int], keras.Model],
    view: InputView = FRAME_VIEW,
) -> dict[str, Any]:
    """Train an attacker on the output of f_A and score it on a privacy task, once.

    Args:
        run: The run or evaluation.
        name: Name of the phase.
        f_A: Anything that the data passes through first.
        task: Name of the privacy task, a key of `run.data.privacy_tasks`.
        build: Builds a network with a number of outputs.
        view: Whether the network sees frames or clips.

    Returns:
        As `criteria.score_attributes`; the `selected` epoch; and LEARNING_CURVE_KEYS, which phases
        of earlier versions lack.
    """
    phase = run.get_phase(name)
    with phase.acquire_lock():
        result = phase.load_result()
        if result is None:
            result = _train_and_score_attacker(run, phase, f_A, task, build, view)
        return result


def _train_and_score_attacker(
    run: TrainingRun,
    phase: Phase,
    f_A: Callable[..., tf.Tensor],
    task: str,
    build: Callable[[int], keras.Model],
    view: InputView,
) -> dict[str, Any]:
    """Do what `evaluate_privacy` describes, for an unfinished phase."""
    config = run.config
    splits = run.data.privacy_tasks[task]
    names = splits.train.attribute_names
    # The same seed for every anonymizer: all attackers start from the same weights.
    run.seed_for_phase(f"privacy-{task}")
    with run.strategy.scope():
        network = build(len(names))
        model = trainer.SupervisedModel(network, losses.attribute_cross_entropy, f_A)
    training = train_attacker(run, phase, model, splits, get_attack_epochs(config, task), view)
    test = view.make_evaluation_dataset(splits.test, config)
    held_out = view.make_evaluation_dataset(splits.tuning, config)
    # f_A, the most expensive network, runs once on the test split for everything that follows.
    probabilities, truth, rows = criteria.predict_attributes(model, test)
    thresholds = criteria.tune_privacy_thresholds(model, held_out)
    leakage = criteria.score_attributes(probabilities, truth, rows, thresholds, splits.test)
    with tensorboard.create_writer(phase.log_folder).as_default():
        tensorboard.write_pr_curves(training["budget"]["steps"], names, truth, probabilities)
    chance = scores.cmap_chance_interval(probabilities, truth)
    return phase.save_result(network, {**leakage, **training, "cmap_by_chance": chance})


def train_attacker(
    run: TrainingRun,
    phase: Phase,
    model: trainer.SupervisedModel,
    splits: DatasetSplits,
    epochs: int,
    view: InputView = FRAME_VIEW,
    score_epoch: Callable[..., float] = criteria.score_privacy_cmap,
    learning_rate: float | None = None,
) -> dict[str, Any]:
    """Train a model on a data set and leave the best epoch's weights in it.

    The best epoch is selected on the held-out split; with fewer than MIN_HELD_OUT examples the
    last epoch is used.

    Args:
        run: The run or evaluation.
        phase: The phase to which this training belongs.
        model: A model that is not compiled yet.
        splits: The data set.
        epochs: Epochs of training.
        view: Whether the network sees frames or clips.
        score_epoch: Called with the model and the held-out dataset; larger is better.
        learning_rate: Peak learning rate; None: `--lr_attack`.

    Returns:
        The `selected` epoch; `curve`, a list of `[step, held-out score]`; and `budget`: steps,
        epochs and parameters.
    """
    config = run.config
    plan = phase.make_plan(len(splits.train), getattr(config, view.batch_size_flag), epochs)
    with run.strategy.scope():
        schedule = make_cosine_schedule(learning_rate or config.lr_attack, plan, config)
        model.compile(make_optimizer(config, schedule), config.jit_compile)
    score_held_out = None
    if len(splits.held_out):
        held_out = view.make_evaluation_dataset(splits.held_out, config)
        score_held_out = functools.partial(score_epoch, model, held_out)
    curve: list[list[float]] = []
    selected = loop.fit(
        model,
        lambda first, last: view.make_training_dataset(splits.train, config, first, last),
        plan,
        score_epoch=score_held_out,
        curve=curve,
        select_epoch=len(splits.held_out) >= MIN_HELD_OUT,
    )
    budget = {
        "steps": plan.steps,
        "epochs": plan.epochs,
        "parameters": model.network.count_params(),
    }
    return {"selected": selected, "curve": curve, "budget": budget}


def get_attack_epochs(config: Config, task: str) -> int:
    """Return the epochs of attackers on a privacy task."""
    if task == "clips" and config.epochs_clip_privacy:
        return config.epochs_clip_privacy
    return config.epochs_privacy


def make_optimizer(
    config: Config, learning_rate: float | keras.optimizers.schedules.LearningRateSchedule
) -> keras.optimizers.Optimizer:
    """Create Adam, as in the released code of the paper and its predecessors.

    In float16, where small gradients would vanish, it scales the loss.
    """
    adam = keras.optimizers.Adam(learning_rate)
    if config.precision == "mixed_float16":
        # Keras does this only for an optimizer given to its own compile().
        return keras.optimizers.LossScaleOptimizer(adam)
    return adam


def make_cosine_schedule(
    peak: float, plan: PhasePlan, config: Config
) -> keras.optimizers.schedules.CosineDecay:
    """Create a linear warm-up to a peak learning rate and a cosine decay to zero.

    The released code of the paper and its predecessors divides the rate by 5 whenever the loss
    rises, which leaves attackers under-trained; evaluators and attackers here are meant to be
    strong.

    Args:
        peak: Highest learning rate.
        plan: Schedule of the phase. The warm-up takes at most a fifth of its steps.
        config: Its `warmup_epochs` are used.
    """
    warmup_steps = min(config.warmup_epochs * plan.steps_per_epoch, plan.steps // 5)
    return keras.optimizers.schedules.CosineDecay(
        peak * WARMUP_START_FRACTION,
        # CosineDecay rejects 0 steps, which a phase of 0 epochs has.
        max(1, plan.steps - warmup_steps),
        warmup_target=peak,
        warmup_steps=warmup_steps,
    )
