"""Which flags a phase depends on, by declaration and as watched while it runs; what is reused."""

import dataclasses

import finished_runs
import pytest

from tfanon import experiment
from tfanon.core import config, files, registry
from tfanon.core.config import RUNTIME_FLAGS, Config
from tfanon.data import splits
from tfanon.data.sources import synthetic
from tfanon.training import distribution, phase_cache, phases
from tfanon.training.phase_cache import (
    ACTION_EVALUATOR_FLAGS,
    ANONYMIZER_FLAGS,
    ATTACKER_FLAGS,
    CLIP_FLAGS,
    CLIP_PRIVACY_FLAGS,
    INITIALIZATION_FLAGS,
    MINIMAX_FLAGS,
)

TINY_NETWORKS = {
    "anonymizer": "tiny",
    "action_network": "tiny",
    "privacy_network": "tiny",
    "baselines": ("raw",),
}
# Other values of flags that are choices.
OTHER_CHOICES = {
    "anonymizer": "unet",
    "action_network": "c3d",
    "privacy_network": "resnet18",
    "eval_action_network": "i3d",
    "attack_network": "resnet34",
    "penalty_reduction": "batch",
    "budget_batch_norm": "batch",
    "strategy": "mirrored",
    "precision": "mixed_float16",
    "data_format": "tfds",
    "attribute_set": "vispr2",
    "on_bad_video": "raise",
    "anonymizer_output": "linear",
}


def get_other_value(name, value):
    """Another valid value of a flag."""
    if name in OTHER_CHOICES:
        return OTHER_CHOICES[name]
    if isinstance(value, bool):
        return not value
    if isinstance(value, tuple):
        return (*value, "x")
    if isinstance(value, str):
        return "x"
    return value + type(value)(1)


def list_decisive_flags(phase, **flags):
    """The flags whose change makes a phase another one."""
    options = Config(**flags)
    relevant = phase_cache.get_relevant_flags(phase, options)
    decisive = set()
    for field in dataclasses.fields(Config):
        value = get_other_value(field.name, getattr(options, field.name))
        other = dataclasses.replace(options, **{field.name: value})
        if phase_cache.get_relevant_flags(phase, other) != relevant:
            decisive.add(field.name)
    return decisive


def test_flags_on_which_each_phase_depends():
    names = {field.name for field in dataclasses.fields(Config)}
    everything = names - set(RUNTIME_FLAGS) - {"baselines"}
    training = MINIMAX_FLAGS | ANONYMIZER_FLAGS | INITIALIZATION_FLAGS
    evaluation = ACTION_EVALUATOR_FLAGS | ATTACKER_FLAGS | CLIP_PRIVACY_FLAGS
    privacy = ATTACKER_FLAGS | CLIP_PRIVACY_FLAGS
    assert list_decisive_flags("initialise") == everything - MINIMAX_FLAGS - evaluation - CLIP_FLAGS
    assert list_decisive_flags("anonymize") == everything - evaluation
    assert list_decisive_flags("anonymize", init_action_from_raw=True) == everything - privacy
    # The evaluator is f_T's network unless it is named.
    action = everything - training - privacy
    assert list_decisive_flags("action-blur") == action | {"action_network"}
    assert list_decisive_flags("action-blur", eval_action_network="tiny") == action
    images = everything - training - ACTION_EVALUATOR_FLAGS - CLIP_FLAGS - CLIP_PRIVACY_FLAGS
    assert list_decisive_flags("privacy-images-raw") == images | {"privacy_network"}
    assert list_decisive_flags("pretrain-small3d") == list_decisive_flags("action-raw")
    assert list_decisive_flags("action-f_A") == everything - privacy
    assert list_decisive_flags("privacy-clips-f_A") == everything - ACTION_EVALUATOR_FLAGS
    networks = {"action_network", "privacy_network"}
    assert list_decisive_flags("attack") == everything - training | networks
    for phase in (
        "initialise",
        "anonymize",
        "action-raw",
        "privacy-images-raw",
        "action-f_A",
        "privacy-images-f_A",
    ):
        assert {
            "seed",
            "data_dir",
            "clip_source",
            "image_source",
            "validation_split",
            "precision",
        } <= list_decisive_flags(phase)
    with pytest.raises(ValueError, match="There is no phase 'judge'"):
        phase_cache.get_relevant_flags("judge", Config())


class WatchedConfig(Config):
    """A Config that records which of its fields are read; its copies record in the same place."""

    read_fields = set()

    def __getattribute__(self, name):
        if name in Config.__dataclass_fields__:
            WatchedConfig.read_fields.add(name)
        return super().__getattribute__(name)


def test_phases_read_no_other_flags(monkeypatch, tmp_path):
    finished_runs.add_tiny_networks(monkeypatch)
    synthetic.write_dataset(
        tmp_path / "data" / "synthetic",
        synthetic.DatasetSize(
            train_people=2,
            test_people=1,
            train_images=8,
            test_images=4,
            shortest=20,
            longest=24,
            side=32,
        ),
    )
    options = WatchedConfig(
        **TINY_NETWORKS,
        workdir=str(tmp_path / "run"),
        data_dir=str(tmp_path / "data"),
        resolution=32,
        frames=2,
        eval_clips=1,
        epochs_reconstruct=1,
        epochs_action=1,
        epochs_privacy=1,
        batch_privacy=4,
        batch_action=4,
        batch_reconstruct=4,
    )
    copy = dataclasses.replace

    def copy_unrecorded(original, **changes):  # copying a field is not reading it
        before = set(WatchedConfig.read_fields)
        try:
            return copy(original, **changes)
        finally:
            WatchedConfig.read_fields = before

    monkeypatch.setattr(dataclasses, "replace", copy_unrecorded)

    def list_read_flags(work):
        WatchedConfig.read_fields = set()
        data = splits.load_experiment_data(options)
        work(phases.TrainingRun(options, data, distribution.make_strategy("one_device")))
        # The baselines are read only to number the phase.
        return WatchedConfig.read_fields - set(RUNTIME_FLAGS) - {"baselines"}

    def initialize(run):
        phases.initialize_anonymizer(run, experiment.make_anonymizer(run))

    def measure_utility(run):
        phases.measure_utility(run, "raw", raw)

    def measure_leakage(run):
        phases.measure_leakage(run, "raw", raw, "images")

    raw = registry.load_module("anonymizers", "raw").build()
    for phase, work in (
        ("initialise", initialize),
        ("action-raw", measure_utility),
        ("privacy-images-raw", measure_leakage),
    ):
        undeclared = list_read_flags(work) - set(phase_cache.get_relevant_flags(phase, options))
        # Networks of training stand in for evaluators that are not named; --init_action_from_raw
        # and --epochs_pretrain are read to number the phases, --private_labels and
        # CLIP_PRIVACY_FLAGS to load the data of other phases.
        assert undeclared <= {
            "init_action_from_raw",
            "epochs_pretrain",
            "action_network",
            "privacy_network",
            "private_labels",
            *CLIP_PRIVACY_FLAGS,
        }, (phase, undeclared)
        assert (tmp_path / "run" / "phases" / phase / "done.json").exists()


def write_run(folder, *names, **flags):
    """Write a run with finished phases; return its Config."""
    for name in names:
        logs, phase = folder / "logs" / name, folder / "phases" / name
        logs.mkdir(parents=True)
        phase.mkdir(parents=True)
        (logs / "events.1").write_text("curve")
        (phase / "network.weights.h5").write_text(f"{folder.name} {name}")
        (phase / "done.json").write_text('{"result": {}}')
    return Config(workdir=str(folder), **flags)


def test_finished_phases_with_equal_flags_are_reused(tmp_path):
    names = ("action-raw", "anonymize", "initialise", "privacy-images-raw")
    first = write_run(tmp_path / "first", *names, penalty_bound=0.1)
    trial = Config(workdir=str(tmp_path / "trial"), penalty_bound=0.2)
    reused = phase_cache.reuse_phases(trial, [first])
    assert reused == ["action-raw", "initialise", "privacy-images-raw"]
    for name in ("action-raw", "initialise"):
        phase = tmp_path / "trial/phases" / name
        assert (phase / "network.weights.h5").read_text() == f"first {name}"
        assert (tmp_path / "trial/logs" / name / "events.1").read_text() == "curve"
        assert (phase / "done.json").samefile(tmp_path / "first/phases" / name / "done.json")
    assert not (tmp_path / "trial/phases/anonymize").exists()
    assert phase_cache.reuse_phases(trial, [first]) == []


def test_runs_whose_flags_have_former_names_are_reused(tmp_path):
    written = write_run(tmp_path / "first", "action-raw", "anonymize", lr_action=0.5)
    config.write_flagfile(written, tmp_path / "first/run.flags")
    flags = (tmp_path / "first/run.flags").read_text()
    for former, name in config.list_former_names().items():
        flags = flags.replace(f"--{name}=", f"--{former}=").replace(
            f"--no{name}\n", f"--no{former}\n"
        )
    assert "--rate_action=0.5" in flags and "--nowarm_action\n" in flags
    (tmp_path / "first/run.flags").write_text(flags)
    first = config.from_flagfile(tmp_path / "first/run.flags")
    trial = Config(workdir=str(tmp_path / "trial"), lr_action=0.5)
    assert phase_cache.reuse_phases(trial, [first]) == ["action-raw", "anonymize"]


def test_nothing_is_reused_with_other_seed_or_data_or_from_unfinished_phases(tmp_path):
    first = write_run(tmp_path / "first", "initialise", "action-raw")
    for flags in ({"seed": 1}, {"data_dir": "elsewhere"}, {"resolution": 112}):
        trial = Config(workdir=str(tmp_path / "trial"), **flags)
        assert phase_cache.reuse_phases(trial, [first]) == []
    (tmp_path / "first/phases/initialise/done.json").unlink()
    trial = Config(workdir=str(tmp_path / "trial"))
    assert phase_cache.reuse_phases(trial, [first]) == ["action-raw"]


@pytest.mark.parametrize(
    "trained, wanted, is_reused",
    [
        pytest.param(
            {"penalty_bound": 0.3},
            {"penalty_bound": 0.2, "penalty_weight": 5.0},
            True,
            id="no clip was changed so much",
        ),
        pytest.param({"penalty_bound": 0.3}, {"penalty_bound": 0.16}, True, id="just that much"),
        pytest.param({"penalty_bound": 0.3}, {"penalty_bound": 0.1}, False, id="more"),
        pytest.param(
            {"penalty_bound": 0.3},
            {"penalty_bound": 0.1, "penalty_weight": 0.0},
            True,
            id="wanted without penalty",
        ),
        pytest.param(
            {"penalty_bound": 0.1, "penalty_weight": 0.0},
            {"penalty_bound": 0.2},
            True,
            id="trained without penalty",
        ),
        pytest.param(
            {"penalty_bound": 0.1}, {"penalty_bound": 0.2}, False, id="the penalty was active"
        ),
        pytest.param(
            {"penalty_bound": 0.3},
            {"penalty_bound": 0.2, "penalty_reduction": "frame"},
            False,
            id="other norm",
        ),
        pytest.param(
            {"penalty_bound": 0.3, "objective": "new"},
            {"penalty_bound": 0.2, "objective": "new"},
            False,
            id="not Eq. 3",
        ),
    ],
)
def test_training_whose_penalty_was_idle_is_reused(tmp_path, trained, wanted, is_reused):
    first = write_run(tmp_path / "first", "anonymize", "privacy-images-f_A", **trained)
    files.write_json_atomically(
        tmp_path / "first/phases/anonymize/done.json",
        {"result": {"largest_change": 0.16}, "sha256": ""},
    )
    trial = Config(workdir=str(tmp_path / "trial"), **wanted)
    reused = phase_cache.reuse_phases(trial, [first])
    assert reused == (["anonymize", "privacy-images-f_A"] if is_reused else [])


def test_missing_largest_change_of_earlier_versions_is_not_guessed(tmp_path):
    first = write_run(tmp_path / "first", "anonymize", penalty_bound=0.9)
    trial = Config(workdir=str(tmp_path / "trial"), penalty_bound=0.8)
    assert phase_cache.reuse_phases(trial, [first]) == []


def test_lock_files_are_not_linked(tmp_path):
    first = write_run(tmp_path / "first", "action-raw")
    (tmp_path / "first/phases/action-raw/.lock").touch()
    trial = Config(workdir=str(tmp_path / "trial"), processes=2)
    assert phase_cache.reuse_phases(trial, [first]) == ["action-raw"]
    assert not (tmp_path / "trial/phases/action-raw/.lock").exists()


def test_file_system_without_links_gets_copies(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("no links here")

    first = write_run(tmp_path / "first", "initialise")
    monkeypatch.setattr("os.link", refuse)
    trial = Config(workdir=str(tmp_path / "trial"))
    assert phase_cache.reuse_phases(trial, [first]) == ["initialise"]
    original = tmp_path / "first/phases/initialise/network.weights.h5"
    copy = tmp_path / "trial/phases/initialise/network.weights.h5"
    assert copy.read_text() == "first initialise" and not copy.samefile(original)
