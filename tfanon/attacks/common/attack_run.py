"""What attacks share: the evaluation they are part of, their networks, and their result entries."""

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfanon.core import registry
from tfanon.media import limits
from tfanon.metrics import criteria, scores
from tfanon.models import per_frame
from tfanon.pretrained import load_pretrained
from tfanon.training import phases

Anonymizer = Callable[..., tf.Tensor]
"""Frames or clips in [0, 1] to the same shape; called as ``f_A(x, training=False)``."""

Entry = dict[str, Any]
"""One element of a list in results.json."""

SCRATCH = "scratch"
"""Value of `start` for networks that start from random weights."""


@dataclasses.dataclass(frozen=True)
class AttackRun(phases.TrainingRun):
    """An evaluation of one run, as an attack receives it.

    An attack needs little of it:

    * `run.data.privacy_tasks`: name of each privacy task ("images", "clips") to its splits:
      `train` for training, `held_out` for choices (or `tuning`, which is `train` where nothing is
      held out), `test` for the result. Each is a `data.batch.Examples` with `paths` and
      `attributes`, 0 or 1, ``[n, P]``.
    * `run.config`: `run.config.attacker_network` is the network to use where none is named.
    * `run.get_phase(name)`: a step whose result is stored. `load_result()` returns None until
      `save_result(network, result)` was called; an interrupted evaluation continues there.
    * `run.seed_for_phase(name)`: call it before weights are drawn, so that they do not depend on
      what ran before.
    * `run.strategy.scope()`: build networks inside it.

    An attack that trains a classifier calls `phases.evaluate_privacy`, which does all of this:

        for task in run.data.privacy_tasks:
            phase = attack_run.make_phase_name("my_attack", network, start, task, name)
            result = phases.evaluate_privacy(run, phase, f_A, task, build)
            entry = attack_run.make_result_entry("my_attack", network, start, task, name, result)

    `build(attributes)` returns a network with that many logits. One that trains nothing, such as
    `tfanon.attacks.frozen`, uses `get_phase` and `score_classifier`.

    Attributes:
        config: Configuration of the attacks; its `workdir` is the folder of the evaluation.
        data: The data sets.
        strategy: tf.distribute strategy.
        attack_number: Number of the current attack, from 1, for the progress bar.
        attack_count: Number of attacks in this evaluation.
    """

    attack_number: int = 1
    attack_count: int = 1

    def get_phase(self, name: str) -> phases.Phase:
        """Return a phase of the current attack; any name that is unique in the evaluation will do.

        Args:
            name: Name of the phase, usually from `make_phase_name`.

        Returns:
            The phase, stored below the folder of the evaluation.
        """
        return phases.Phase(self.config, name, self.attack_number, self.attack_count)


def make_phase_name(attacker: str, network: str, start: str, task: str, anonymizer: str) -> str:
    """Return the name under which the result of an attack is stored.

    Args:
        attacker: Name of the attack.
        network: Name of its network.
        start: SCRATCH or the path of the weights that it starts from.
        task: Name of the privacy task.
        anonymizer: Name of the anonymizer.

    Returns:
        A name that differs whenever one of the arguments does.
    """
    return f"{attacker}-{network}-{get_start_name(start)}-{task}-{anonymizer}"


def make_result_entry(
    attacker: str, network: str, start: str, task: str, anonymizer: str, result: dict[str, Any]
) -> Entry:
    """Return the result of an attack as results.json stores it.

    Args:
        attacker: Name of the attack.
        network: Name of its network.
        start: SCRATCH or the path of the weights that it starts from.
        task: Name of the privacy task.
        anonymizer: Name of the anonymizer.
        result: Scores, as from `phases.evaluate_privacy`.

    Returns:
        The entry.
    """
    return {
        "anonymizer": anonymizer,
        "attacker": attacker,
        "network": network,
        "start": get_start_name(start),
        # The privacy task; keys of results.json are part of the file format.
        "probe": task,
        **result,
    }


def get_leakage(entry: Entry) -> float | None:
    """Return the leakage above chance of an attack.

    Args:
        entry: As `make_result_entry` returns it.

    Returns:
        cMAP or identification accuracy minus chance level, in [-1, 1]; None for an attack that
        measures neither, such as a reconstruction with its PSNR.
    """
    if "cmap" in entry:
        return entry["cmap_above_floor"]
    if "identity_top1" in entry:
        return scores.leakage_above_chance(entry["identity_top1"], entry["identity_chance"])
    return None


def get_start_name(start: str) -> str:
    """Return `start` as it appears in names and results: SCRATCH or the file's name."""
    return pathlib.Path(start).name


def get_weights_path(start: str) -> str:
    """Return the path of the weights to start from; empty for SCRATCH."""
    return "" if start == SCRATCH else start


def list_video_tasks(run: AttackRun) -> list[str]:
    """Return the privacy tasks whose examples are whole videos."""
    tasks = []
    for task, splits in run.data.privacy_tasks.items():
        # A row with a frame number is one labelled frame of a video, not the video.
        has_frame_rows = splits.test.frame_numbers is not None
        if not has_frame_rows and all(
            limits.is_video_path(str(path)) for path in splits.test.paths
        ):
            tasks.append(task)
    return tasks


def build_raw_anonymizer() -> Anonymizer:
    """Return the anonymizer that changes nothing."""
    return registry.load_module("anonymizers", "raw").build()


def build_privacy_network(network: str, start: str, attributes: int) -> keras.Model:
    """Build an untrained or pretrained privacy network.

    Args:
        network: A module of `tfanon.models.privacy`.
        start: SCRATCH or the path of a `.weights.h5` made by `tfanon-weights`.
        attributes: Number of logits.

    Returns:
        Images ``[N, H, W, 3]`` in [0, 1] to logits ``[N, attributes]``.
    """
    return load_pretrained.build_pretrained_network(
        "privacy", network, get_weights_path(start), attributes=attributes
    )


def compose(f_A: Anonymizer, function: Callable[[tf.Tensor], tf.Tensor]) -> Anonymizer:
    """Return function(f_A(x)), which can be used in place of an f_A."""

    def composed(x: tf.Tensor, training: bool = False) -> tf.Tensor:
        return function(f_A(x, training=False))

    return composed


def build_feature_extractor(network: keras.Model) -> keras.Model:
    """Return a privacy network without its last layer; both share their weights.

    Args:
        network: Images or clips to logits; its last layer is called "logits".

    Returns:
        Images or clips to features ``[N, F]``, float32.
    """
    if isinstance(network, per_frame.OverTime):
        pooled = keras.Input(network.features.output.shape[1:])
        # OverTime needs a head; this one passes the mean features on.
        no_head = keras.Model(pooled, keras.layers.Identity()(pooled), name="nothing")
        return per_frame.OverTime(network.features, no_head, name="trunk")
    return keras.Model(
        network.input, network.get_layer("logits").input, name="trunk", dtype="float32"
    )


def pool_features_over_time(network: keras.Model) -> keras.Model:
    """Make a network of clips from one of images; both share their weights.

    The features of all frames are averaged, and the last layer is applied to the mean.

    Args:
        network: Images ``[N, H, W, 3]`` to logits; its last layer is called "logits".

    Returns:
        Images or clips ``[N, T, H, W, 3]`` to logits.
    """
    if isinstance(network, per_frame.OverTime):
        return network
    features = build_feature_extractor(network)
    logits = network.get_layer("logits")
    pooled = keras.Input(logits.input.shape[1:])
    head = keras.Model(pooled, logits(pooled), name="head")
    return per_frame.OverTime(features, head, name=f"{network.name}_over_time")


def score_classifier(
    run: AttackRun,
    task: str,
    forward: Callable[[tf.Tensor], tf.Tensor],
    view: phases.InputView = phases.FRAME_VIEW,
) -> dict[str, Any]:
    """Score a trained classifier on the test split of a privacy task.

    Args:
        run: The evaluation.
        task: Name of the privacy task.
        forward: Raw inputs to logits ``[N, P]``; it applies f_A itself.
        view: Whether it sees frames or clips.

    Returns:
        As `criteria.score_privacy`; the thresholds of F1 are tuned on the held-out split.
    """
    splits = run.data.privacy_tasks[task]
    predictor = criteria.LogitFunction(tf.function(forward, reduce_retracing=True, autograph=False))
    return criteria.score_privacy(
        predictor,
        view.make_evaluation_dataset(splits.test, run.config),
        view.make_evaluation_dataset(splits.tuning, run.config),
        splits.test,
    )
