"""What an evaluation reuses of the run that it evaluates, and of evaluations of other runs."""

import dataclasses
import types

import pytest

from tfanon.attacks.common import attack_run
from tfanon.core import config, files
from tfanon.core.config import Config
from tfanon.evaluation import phase_reuse
from tfanon.evaluation.options import EvaluateOptions

RESULT = {"action_top1": 0.5, "cmap": 0.5, "curve": [], "budget": {}, "cmap_by_chance": []}
RUN_CONFIG = Config(
    action_network="tiny", privacy_network="tiny", baselines=("raw", "downsample:factor=2")
)
RUN_PHASES = [
    f"{kind}-{name}"
    for kind in ("action", "privacy-images", "privacy-clips")
    for name in ("raw", "downsample:factor=2", "f_A")
]


def write_phases(folder, names, result=RESULT):
    """Write finished phases."""
    for name in names:
        phase = folder / "phases" / name.replace(":", "-")
        files.write_json_atomically(phase / "done.json", {"result": result, "sha256": None})
        (phase / "from").write_text(str(folder))


def list_phases(folder):
    return sorted(path.parent.name for path in folder.glob("phases/*/done.json"))


def make_run_config(folder, **flags):
    return dataclasses.replace(RUN_CONFIG, workdir=str(folder), **flags)


def make_attack_run(folder, **flags):
    """An evaluation with attacks on images and clips."""
    data = types.SimpleNamespace(privacy_tasks={"images": None, "clips": None})
    return attack_run.AttackRun(make_run_config(folder, attack_clips=True, **flags), data, None)


def test_attackers_of_the_run_are_reused(tmp_path):
    write_phases(tmp_path / "run", RUN_PHASES)
    run = make_attack_run(tmp_path / "attacks")
    phase_reuse.reuse_run_phases(run, make_run_config(tmp_path / "run"))
    # Not those of clips: the run had no --attack_clips, so they were trained on other data.
    assert list_phases(tmp_path / "attacks") == [
        "action-tiny-downsample-factor=2",
        "action-tiny-f_A",
        "action-tiny-raw",
        "fresh-tiny-scratch-images-downsample-factor=2",
        "fresh-tiny-scratch-images-f_A",
        "fresh-tiny-scratch-images-raw",
    ]


def test_pretrained_action_network_is_reused(tmp_path):
    write_phases(tmp_path / "run", ["pretrain-tiny"])
    run = make_attack_run(tmp_path / "attacks", epochs_pretrain=2)
    phase_reuse.reuse_run_phases(run, make_run_config(tmp_path / "run", epochs_pretrain=2))
    assert list_phases(tmp_path / "attacks") == ["pretrain-tiny"]


@pytest.mark.parametrize(
    "flags, reused_kinds",
    [
        ({"epochs_privacy": 3}, {"action"}),
        ({"epochs_action": 3}, {"fresh"}),
        ({"attribute_set": "vispr2"}, set()),
    ],
)
def test_other_budget_or_data_is_not_reused(tmp_path, flags, reused_kinds):
    write_phases(tmp_path / "run", RUN_PHASES)
    run = make_attack_run(tmp_path / "attacks", **flags)
    phase_reuse.reuse_run_phases(run, make_run_config(tmp_path / "run"))
    assert {name.split("-")[0] for name in list_phases(tmp_path / "attacks")} == reused_kinds


def test_results_of_an_earlier_version_are_not_reused(tmp_path):
    write_phases(tmp_path / "run", RUN_PHASES, {"cmap": 0.5})
    run = make_attack_run(tmp_path / "attacks")
    phase_reuse.reuse_run_phases(run, make_run_config(tmp_path / "run"))
    assert list_phases(tmp_path / "attacks") == []


def test_attacks_independent_of_f_A_are_reused_from_another_run(tmp_path):
    options = EvaluateOptions(run_dir="run", attack_epochs=2)
    here, there = tmp_path / "here", tmp_path / "there"
    reusable = [
        "flicker-raw",
        "fresh-tiny-scratch-clips-raw",
        "fresh-tiny-scratch-images-noise",
        "multi_frame-tiny-scratch-clips-raw",
        "reconstruction+frozen-1-tiny-scratch-images-downsample-factor=2",
    ]
    others = [
        "flicker-f_A",
        "fresh-tiny-scratch-images-f_A",
        "fresh-tiny-x.weights.h5-images-raw",
        "action-tiny-f_A",
        "fresh-tiny-scratch-images-my-raw",
        "fresh-tiny-scratch-images-pixelate",
    ]
    write_phases(there, [*reusable, *others])
    for folder in (here, there):
        folder.mkdir(exist_ok=True)
        config.write_flagfile(options, folder / "evaluate.flags")
    run = make_attack_run(here, penalty_bound=0.1)
    other = make_attack_run(there, penalty_bound=0.2).config
    other_seed = dataclasses.replace(other, seed=1)
    phase_reuse.reuse_other_evaluations(
        run, run.config, options, {there: other_seed, here: run.config}
    )
    assert list_phases(here) == []
    phase_reuse.reuse_other_evaluations(run, run.config, options, {there: other})
    assert list_phases(here) == sorted(reusable)
    assert (here / "phases" / reusable[0] / "from").read_text() == str(there)


@pytest.mark.parametrize(
    "other_digest, other_output, is_same",
    [
        ("a" * 64, "sigmoid", True),
        ("b" * 64, "sigmoid", False),
        ("a" * 64, "linear", False),
        (None, "sigmoid", False),
    ],
)
def test_attacks_on_the_same_f_A_are_reused(tmp_path, other_digest, other_output, is_same):
    for run_dir, digest in ((tmp_path / "here", "a" * 64), (tmp_path / "there", other_digest)):
        if digest:
            record = run_dir / "phases/anonymize/done.json"
            files.write_json_atomically(record, {"result": {}, "sha256": digest})
    here, there = tmp_path / "here/evaluation/quick", tmp_path / "there/evaluation/quick"
    reusable = ["flicker-f_A", "identity-tiny-scratch-clips-f_A"]
    write_phases(there, [*reusable, "fresh-tiny-scratch-images-f_A+h264"])
    config.write_flagfile(EvaluateOptions(), there / "evaluate.flags")
    run = make_attack_run(here)
    other = make_attack_run(there, anonymizer_output=other_output).config
    phase_reuse.reuse_other_evaluations(run, run.config, EvaluateOptions(), {there: other})
    assert list_phases(here) == (reusable if is_same else [])


def test_attacks_with_another_budget_are_not_reused(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    write_phases(there, ["fresh-tiny-scratch-clips-raw"])
    config.write_flagfile(EvaluateOptions(attack_epochs=3), there / "evaluate.flags")
    run = make_attack_run(here)
    other = make_attack_run(there).config
    options = EvaluateOptions(attack_epochs=2)
    phase_reuse.reuse_other_evaluations(run, run.config, options, {there: other})
    assert list_phases(here) == []


def test_flags_of_an_earlier_version_count_as_equal(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    write_phases(there, ["fresh-tiny-scratch-clips-raw"])
    options = EvaluateOptions(eval_clip_source="hmdb51")
    path = there / "evaluate.flags"
    config.write_flagfile(options, path)
    text = path.read_text()
    for current, former in (
        ("eval_clip_source", "judge_clip_source"),
        ("min_raw_leakage", "raw_gate"),
        ("reuse_from", "share"),
    ):
        assert f"--{current}=" in text
        text = text.replace(f"--{current}=", f"--{former}=")
    path.write_text(text)
    run = make_attack_run(here)
    other = make_attack_run(there).config
    phase_reuse.reuse_other_evaluations(run, run.config, options, {there: other})
    assert list_phases(here) == ["fresh-tiny-scratch-clips-raw"]
