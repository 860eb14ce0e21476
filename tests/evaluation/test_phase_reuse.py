"""What an evaluation takes over from the run that it attacks, and from attacks on other runs."""

import dataclasses
import pathlib
import types

import pytest

from tfanon.attacks.common import attack_run
from tfanon.core import checkpoint, config
from tfanon.core.config import Config
from tfanon.evaluation import options, phase_reuse

FOUND = {"action_top1": 0.5, "cmap": 0.5, "curve": [], "budget": {}, "cmap_by_chance": []}
OWN = Config(
    action_network="tiny", privacy_network="tiny", baselines=("raw", "downsample:factor=2")
)
NAMES = [
    f"{judge}-{name}"
    for judge in ("action", "privacy-images", "privacy-clips")
    for name in ("raw", "downsample:factor=2", "f_A")
]


def leave(folder, names, found=FOUND):
    """Finished phases."""
    for name in names:
        phase = folder / "phases" / name.replace(":", "-")
        checkpoint.write_json(phase / "done.json", {"result": found, "sha256": None})
        (phase / "from").write_text(str(folder))


def taken(folder):
    return sorted(path.parent.name for path in folder.glob("phases/*/done.json"))


def attackers(folder, **more):
    """The Run of attackers on images and clips."""
    asked = dataclasses.replace(OWN, workdir=str(folder), attack_clips=True, **more)
    return attack_run.AttackRun(
        asked, types.SimpleNamespace(probes={"images": None, "clips": None}), None
    )


def test_the_run_s_judges_are_its_fresh_attackers(tmp_path):
    own = dataclasses.replace(OWN, workdir=str(tmp_path / "run"))
    leave(tmp_path / "run", NAMES)
    phase_reuse.reuse_run_phases(attackers(tmp_path / "attacks"), own)
    # Of clips, the run had no --attack_clips: those judges saw other data.
    assert taken(tmp_path / "attacks") == [
        "action-tiny-downsample-factor=2",
        "action-tiny-f_A",
        "action-tiny-raw",
        "fresh-tiny-scratch-images-downsample-factor=2",
        "fresh-tiny-scratch-images-f_A",
        "fresh-tiny-scratch-images-raw",
    ]


def test_what_judges_start_from_is_taken_over(tmp_path):
    own = dataclasses.replace(OWN, workdir=str(tmp_path / "run"), epochs_pretrain=2)
    leave(tmp_path / "run", ["pretrain-tiny"])
    phase_reuse.reuse_run_phases(attackers(tmp_path / "attacks", epochs_pretrain=2), own)
    assert taken(tmp_path / "attacks") == ["pretrain-tiny"]


@pytest.mark.parametrize(
    "more, kept",
    [
        ({"epochs_privacy": 3}, "action"),
        ({"epochs_action": 3}, "fresh"),
        ({"attribute_set": "vispr2"}, None),
    ],
)
def test_judges_with_another_budget_or_other_data_are_not(tmp_path, more, kept):
    own = dataclasses.replace(OWN, workdir=str(tmp_path / "run"))
    leave(tmp_path / "run", NAMES)
    phase_reuse.reuse_run_phases(attackers(tmp_path / "attacks", **more), own)
    assert {name.split("-")[0] for name in taken(tmp_path / "attacks")} == (
        {kept} if kept else set()
    )


def test_judges_of_an_earlier_version_are_not(tmp_path):
    own = dataclasses.replace(OWN, workdir=str(tmp_path / "run"))
    leave(tmp_path / "run", NAMES, {"cmap": 0.5})
    phase_reuse.reuse_run_phases(attackers(tmp_path / "attacks"), own)
    assert taken(tmp_path / "attacks") == []


def test_what_no_f_A_changes_is_taken_from_another_run(tmp_path):
    settings = options.EvaluateOptions(run_dir="run", attack_epochs=2)
    here, there = tmp_path / "here", tmp_path / "there"
    common = [
        "flicker-raw",
        "fresh-tiny-scratch-clips-raw",
        "fresh-tiny-scratch-images-noise",
        "multi_frame-tiny-scratch-clips-raw",
        "reconstruction+frozen-1-tiny-scratch-images-downsample-factor=2",
    ]
    leave(
        there,
        [
            *common,
            "flicker-f_A",
            "fresh-tiny-scratch-images-f_A",
            "fresh-tiny-x.weights.h5-images-raw",
            "action-tiny-f_A",
            "fresh-tiny-scratch-images-my-raw",
            "fresh-tiny-scratch-images-pixelate",
        ],
    )
    for folder in (here, there):
        folder.mkdir(exist_ok=True)
        config.write_flagfile(settings, folder / "evaluate.flags")
    run = attackers(here, penalty_bound=0.1)
    other = attackers(there, penalty_bound=0.2).config
    phase_reuse.reuse_other_evaluations(
        run, run.config, settings, {there: dataclasses.replace(other, seed=1), here: run.config}
    )
    assert taken(here) == []
    phase_reuse.reuse_other_evaluations(run, run.config, settings, {there: other})
    assert taken(here) == sorted(common)
    assert (here / "phases" / common[0] / "from").read_text() == str(there)


@pytest.mark.parametrize(
    "theirs, output, alike",
    [
        ("a" * 64, "sigmoid", True),
        ("b" * 64, "sigmoid", False),
        ("a" * 64, "linear", False),
        (None, "sigmoid", False),
    ],
)
def test_attacks_on_the_same_f_A_are_taken_too(tmp_path, theirs, output, alike):
    here, there = tmp_path / "here", tmp_path / "there"
    for run_dir, digest in ((here, "a" * 64), (there, theirs)):
        if digest:
            checkpoint.write_json(
                run_dir / "phases/anonymize/done.json", {"result": {}, "sha256": digest}
            )
    here, there = here / "evaluation/quick", there / "evaluation/quick"
    leave(
        there,
        ["identity-tiny-scratch-clips-f_A", "flicker-f_A", "fresh-tiny-scratch-images-f_A+h264"],
    )
    config.write_flagfile(options.EvaluateOptions(), there / "evaluate.flags")
    run, other = attackers(here), attackers(there, anonymizer_output=output).config
    phase_reuse.reuse_other_evaluations(run, run.config, options.EvaluateOptions(), {there: other})
    assert taken(here) == (["flicker-f_A", "identity-tiny-scratch-clips-f_A"] if alike else [])


def test_attacks_with_another_budget_are_passed_over(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    leave(there, ["fresh-tiny-scratch-clips-raw"])
    config.write_flagfile(
        options.EvaluateOptions(attack_epochs=3), pathlib.Path(there) / "evaluate.flags"
    )
    run = attackers(here)
    phase_reuse.reuse_other_evaluations(
        run, run.config, options.EvaluateOptions(attack_epochs=2), {there: attackers(there).config}
    )
    assert taken(here) == []
