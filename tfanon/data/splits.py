"""The examples of a run: three splits of each data set, the held-out one cut from training."""

import dataclasses
import os

import numpy as np
from absl import logging

from tfanon.core import registry
from tfanon.data import holdout
from tfanon.data.batch import Examples
from tfanon.data.parsing import text_lists


@dataclasses.dataclass(frozen=True)
class Splits:
    """One data set: `train` is trained on, `held_out` selects the epoch, `test` is looked at once."""

    train: Examples
    held_out: Examples
    test: Examples

    @property
    def tuning(self):
        """What thresholds are chosen on: `held_out`, or `train` where nothing is held out."""
        return self.held_out if len(self.held_out) else self.train


@dataclasses.dataclass(frozen=True)
class Tables:
    """What a run sees.

    clips: X_action.  images: X_privacy.  action: the clips of Criterion 1, which may be of another data set than
    X_action.  probes: name -> the data sets whose attributes are attacked, Criterion 2.
    notes: what a reader of the results has to know about them.
    """

    clips: Splits
    images: Splits
    probes: dict
    action: Splits = None
    notes: tuple = ()

    def __post_init__(self):
        if self.action is None:
            object.__setattr__(self, "action", self.clips)


def load(config):
    """The Tables of a Config.  Raises ValueError that names the folder, file, column or split at fault."""
    if config.init_action_from_raw and config.eval_clip_source:
        raise ValueError(
            "--init_action_from_raw starts f_T as the judge of raw clips, so --eval_clip_source must be empty: "
            "f_T learns the actions of --clip_source."
        )
    clips = _splits("clips", config.clip_source, config.clip_folder, config)
    if config.private_labels == "clips":
        clips = dataclasses.replace(clips, train=_with_attributes(clips.train, config))
    images = _splits("images", config.image_source, config.image_folder, config)
    judged = (
        (config.eval_clip_source, "")
        if config.eval_clip_source
        else (config.clip_source, config.clip_folder)
    )
    action = _splits("clips", *judged, config) if config.eval_clip_source else clips
    action = _tested_on("clips", config.test_clip_source, action, config)
    probes = {}
    if images.train.attributes is not None:
        probes["images"] = _tested_on("images", config.test_image_source, images, config)
    if config.clip_private_columns or config.attack_clips:
        probes["clips"] = _splits("private_clips", *judged, config)
    return Tables(clips, images, probes, action, _notes(clips, images, action, probes))


def _splits(kind, source, folder, config):
    loaded = _load(kind, source, folder, config)
    if "train" not in loaded:
        raise ValueError(
            f"The data set {source} is for evaluation only: it has no training split. Give it as "
            "--test_clip_source or --test_image_source."
        )
    train, held_out = holdout.hold_out(loaded["train"], config.validation_split, config.seed)
    return Splits(train, held_out, loaded["test"])


def _with_attributes(clips, config):
    """The clips with the private attributes that their data set has for them, under whatever split it has them."""
    if clips.attributes is not None:
        return clips
    loaded = _load("private_clips", config.clip_source, config.clip_folder, config)
    if loaded["train"].attributes is None:
        return clips
    known = {
        path: row
        for examples in loaded.values()
        for path, row in zip(examples.paths, examples.attributes)
    }
    missing = [path for path in clips.paths if path not in known]
    if missing:
        raise ValueError(
            f"--private_labels=clips: {len(missing)} of the {len(clips)} training clips of "
            f"{config.clip_source} have no private labels; the first: {missing[0]}"
        )
    return dataclasses.replace(
        clips,
        attributes=np.stack([known[path] for path in clips.paths]),
        attribute_names=loaded["train"].attribute_names,
    )


def _tested_on(kind, source, splits, config):
    """The splits with the test split of another data set, whose classes or attributes must be the same."""
    if not source:
        return splits
    test = _load(kind, source, "", config)["test"]
    for name in ("classes",) if kind == "clips" else ("attribute_names",):
        trained, tested = getattr(splits.train, name), getattr(test, name)
        if trained != tested:
            raise ValueError(
                f"--test_{kind[:-1]}_source={source} has other {name.replace('_', ' ')} than what is "
                f"trained on: {', '.join(tested[:8])} .. and {', '.join(trained[:8])} .."
            )
    return dataclasses.replace(splits, test=test)


def _load(kind, source, folder, config):
    """{split: Examples}; an empty split is a ValueError, missing files are counted."""
    module = registry.load_module("sources", source)
    if config.data_format == "tfds":
        from tfanon.data import tfds_store  # TensorFlow, for which reading lists need not wait

        loaded = module.choose(kind, tfds_store.read(source, config), config)
    else:
        loaded = module.load(kind, os.path.join(config.data_dir, folder or source), config)
    for name, examples in loaded.items():
        if not len(examples):
            raise ValueError(f"The data set {source} has no {kind} to {name} on with these flags.")
        text_lists.check_files_exist(examples, config)
    return loaded


def _notes(clips, images, action, probes):
    """A line for each test split of which a part was trained on."""
    trained = {
        *clips.train.paths,
        *clips.held_out.paths,
        *images.train.paths,
        *images.held_out.paths,
    }
    lines = []
    for name, splits in {"action": action, **probes}.items():
        tested = set(splits.test.paths)
        seen = tested & (trained | {*splits.train.paths, *splits.held_out.paths})
        if seen:
            lines.append(
                f"{len(seen)} of the {len(tested)} files that the test of {name} looks at were trained on."
            )
    for line in lines:
        logging.warning(line)
    return tuple(lines)
