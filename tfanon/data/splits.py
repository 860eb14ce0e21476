"""The examples of an experiment: three splits of each data set, one held out from training."""

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from absl import logging

from tfanon.core import registry
from tfanon.core.config import Config
from tfanon.data import holdout
from tfanon.data.batch import Examples
from tfanon.data.parsing import text_lists


@dataclasses.dataclass(frozen=True)
class DatasetSplits:
    """The splits of one data set.

    Attributes:
        train: Trained on.
        held_out: Selects the epoch; cut from the official training split, may be empty.
        test: Scored once, at the end.
    """

    train: Examples
    held_out: Examples
    test: Examples

    @property
    def tuning(self) -> Examples:
        """The split that thresholds are chosen on: `held_out`, or `train` if that is empty."""
        return self.held_out if len(self.held_out) else self.train


@dataclasses.dataclass(frozen=True)
class ExperimentData:
    """The data sets of an experiment.

    Attributes:
        clips: X_action, the labelled clips that f_A is trained on.
        images: X_privacy, the images with private attributes that f_A is trained on.
        privacy_tasks: {name: data set whose private attributes are attacked}, Criterion 2.
        action_task: The clips of Criterion 1: X_action, or another data set.
        notes: What a reader of the results has to know about the data, a line each.
    """

    clips: DatasetSplits
    images: DatasetSplits
    privacy_tasks: Mapping[str, DatasetSplits]
    action_task: DatasetSplits
    notes: tuple[str, ...] = ()


def load_experiment_data(config: Config) -> ExperimentData:
    """Load the data sets of an experiment.

    Args:
        config: Its settings.

    Raises:
        ValueError: The settings contradict each other, or a folder, file, column or split is
            missing or wrong; the message names it.
    """
    if config.init_action_from_raw and config.eval_clip_source:
        raise ValueError(
            "--init_action_from_raw starts f_T from the action evaluator of raw clips, so "
            "--eval_clip_source must be empty: f_T learns the actions of --clip_source."
        )
    clips = _load_splits("clips", config.clip_source, config.clip_folder, config)
    if config.private_labels == "clips":
        clips = dataclasses.replace(clips, train=_add_clip_attributes(clips.train, config))
    images = _load_splits("images", config.image_source, config.image_folder, config)
    if config.eval_clip_source:
        eval_source, eval_folder = config.eval_clip_source, ""
        action_task = _load_splits("clips", eval_source, eval_folder, config)
    else:
        eval_source, eval_folder = config.clip_source, config.clip_folder
        action_task = clips
    action_task = _replace_test_split("clips", config.test_clip_source, action_task, config)
    privacy_tasks: dict[str, DatasetSplits] = {}
    if images.train.attributes is not None:
        privacy_tasks["images"] = _replace_test_split(
            "images", config.test_image_source, images, config
        )
    if config.clip_private_columns or config.attack_clips:
        privacy_tasks["clips"] = _load_splits("private_clips", eval_source, eval_folder, config)
    notes = _note_leaks(clips, images, action_task, privacy_tasks)
    return ExperimentData(clips, images, privacy_tasks, action_task, notes)


def _load_splits(kind: str, source: str, folder: str, config: Config) -> DatasetSplits:
    examples = _load_examples(kind, source, folder, config)
    if "train" not in examples:
        raise ValueError(
            f"The data set {source} is for evaluation only: it has no training split. Give it as "
            "--test_clip_source or --test_image_source."
        )
    train, held_out = holdout.hold_out_examples(
        examples["train"], config.validation_split, config.seed
    )
    return DatasetSplits(train, held_out, examples["test"])


def _add_clip_attributes(clips: Examples, config: Config) -> Examples:
    """Add the private attributes of the clips' data set, from any of its splits."""
    if clips.attributes is not None:
        return clips
    private_clips = _load_examples("private_clips", config.clip_source, config.clip_folder, config)
    if private_clips["train"].attributes is None:
        return clips
    attributes_by_path: dict[Any, np.ndarray] = {}
    for examples in private_clips.values():
        assert examples.attributes is not None
        attributes_by_path.update(zip(examples.paths, examples.attributes, strict=True))
    missing = [path for path in clips.paths if path not in attributes_by_path]
    if missing:
        raise ValueError(
            f"--private_labels=clips: {len(missing)} of the {len(clips)} training clips of "
            f"{config.clip_source} have no private labels; the first: {missing[0]}"
        )
    return dataclasses.replace(
        clips,
        attributes=np.stack([attributes_by_path[path] for path in clips.paths]),
        attribute_names=private_clips["train"].attribute_names,
    )


def _replace_test_split(
    kind: str, source: str, splits: DatasetSplits, config: Config
) -> DatasetSplits:
    """Use the test split of another data set, whose classes or attributes must be the same."""
    if not source:
        return splits
    test = _load_examples(kind, source, "", config)["test"]
    field = "classes" if kind == "clips" else "attribute_names"
    trained_names, test_names = getattr(splits.train, field), getattr(test, field)
    # The order counts too: scores compare class and attribute numbers, not names.
    if trained_names != test_names:
        # Flags have the kind in the singular: --test_clip_source.
        raise ValueError(
            f"--test_{kind[:-1]}_source={source} has other {field.replace('_', ' ')} than the "
            f"training data: {', '.join(test_names[:8])} .. instead of "
            f"{', '.join(trained_names[:8])} .."
        )
    return dataclasses.replace(splits, test=test)


def _load_examples(kind: str, source: str, folder: str, config: Config) -> dict[str, Examples]:
    """Return {split: Examples}; missing files are counted.

    Raises:
        ValueError: A split is empty, or too many files are missing.
    """
    module: Any = registry.load_module("sources", source)
    examples: dict[str, Examples]
    if config.data_format == "tfds":
        from tfanon.data import tfds_store  # imports TensorFlow, which reading lists does not need

        examples = module.choose(kind, tfds_store.read_catalog(source, config), config)
    else:
        examples = module.load(kind, os.path.join(config.data_dir, folder or source), config)
    for split, rows in examples.items():
        if not len(rows):
            raise ValueError(f"The data set {source} has no {kind} to {split} on with these flags.")
        text_lists.check_files_exist(rows, config)
    return examples


def _note_leaks(
    clips: DatasetSplits,
    images: DatasetSplits,
    action_task: DatasetSplits,
    privacy_tasks: Mapping[str, DatasetSplits],
) -> tuple[str, ...]:
    """Return, and log, a line for each test split that was partly trained on."""
    # Held-out files count as trained on, since they select the epoch.
    trained_paths = {
        *clips.train.paths,
        *clips.held_out.paths,
        *images.train.paths,
        *images.held_out.paths,
    }
    lines: list[str] = []
    for name, splits in {"action": action_task, **privacy_tasks}.items():
        test_paths = set(splits.test.paths)
        # An evaluator or attacker is trained on its own data set besides.
        seen_paths = test_paths & {
            *trained_paths,
            *splits.train.paths,
            *splits.held_out.paths,
        }
        if seen_paths:
            lines.append(
                f"{len(seen_paths)} of the {len(test_paths)} test files of {name} were trained on."
            )
    for line in lines:
        logging.warning(line)
    return tuple(lines)
