"""tfanon.evaluate from settings to results, and what it says where it cannot."""

import dataclasses
import json
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent / "exporting"))

from runs import workdir  # noqa: E402, F401  a fixture

from tfanon import evaluate  # noqa: E402
from tfanon.attacks.common import (
    attack_plan,  # noqa: E402
    attack_run,  # noqa: E402
)
from tfanon.core import config, registry  # noqa: E402
from tfanon.data import splits as tables  # noqa: E402
from tfanon.data.batch import Examples  # noqa: E402
from tfanon.evaluation.options import EvaluateOptions  # noqa: E402

BRIEF = dict(attack_epochs=1, attack_clip_epochs=1, action_epochs=1, eval_clips=1)


def test_table_1_of_a_run(workdir, capsys):
    settings = EvaluateOptions(
        run_dir=str(workdir), protocol="known", clips=False, min_raw_leakage=1.0, **BRIEF
    )
    assert evaluate.evaluate_and_print(settings) == 1  # nobody reaches a cMAP of 1 within one step
    said = capsys.readouterr()
    results = json.loads((workdir / "evaluation/known/results.json").read_text())
    assert (results["schema_version"], results["protocol"], results["seed"]) == (1, "known", 0)
    (attack,) = results["attacks"]
    assert {attack[key] for key in ("anonymizer", "attacker", "network", "start", "probe")} == {
        "f_A",
        "fresh",
        "tiny",
        "scratch",
        "images",
    }
    assert attack["cmap_above_floor"] == pytest.approx(attack["cmap"] - attack["cmap_chance"])
    # 8 images, one of them held out: 7 are less than a batch of 32, so one step; each of 1 epoch.
    assert (
        attack["budget"]["steps"] == attack["budget"]["epochs"] == 1
        and attack["budget"]["parameters"] > 100
    )
    assert (
        attack["curve"] == [[1, attack["selected"]["score"]]] and attack["selected"]["epoch"] == 1
    )
    (action,) = results["actions"]
    assert (
        action["network"] == "tiny"
        and 0 <= action["action_top1"] <= 1
        and action["parameters"] > 100
    )
    assert [gate["gate"] for gate in results["gates"]] == ["raw is read", "noise leaks nothing"]
    assert (
        "THIS REPORT IS NOT TO BE TRUSTED: these gates failed: raw is read (fresh, images)"
        in said.out
    )
    assert said.out.strip() == (workdir / "evaluation/known/results.txt").read_text().strip()

    before = {
        path: path.stat().st_mtime_ns
        for path in workdir.glob("evaluation/known/phases/*/done.json")
    }
    again = evaluate.evaluate_run(settings)
    assert (again["attacks"], again["flicker"]) == (results["attacks"], results["flicker"])
    assert len(before) == 5  # raw, noise, f_A, its flicker and the action
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())

    assert evaluate.evaluate_and_print(dataclasses.replace(settings, attack_epochs=2)) == 1
    assert (
        "holds attacks with other flags: --attack_epochs=1 there, --attack_epochs=2 asked for"
        in capsys.readouterr().err
    )


@pytest.mark.large
def test_every_attack_on_everything(workdir, tmp_path):
    tflite = tmp_path / "mine.tflite"
    _export(workdir, tflite)
    results = evaluate.evaluate_run(
        EvaluateOptions(
            run_dir=str(workdir),
            protocol="strict",
            networks=("tiny", "small3d"),
            anonymizers=("f_A", "f_A+h264", str(tflite)),
            **BRIEF,
        )
    )
    attackers = {entry["attacker"] for entry in results["attacks"]}
    assert attackers == {*registry.list_names("attackers"), "reconstruction+frozen"} - {"identity"}
    assert {entry["anonymizer"] for entry in results["attacks"]} == {
        "f_A",
        "f_A+h264",
        "mine.tflite",
    }
    probes = {entry["attacker"]: set() for entry in results["attacks"]}
    for entry in results["attacks"]:
        probes[entry["attacker"]].add(entry["probe"])
    assert all(
        found == ({"clips"} if name in ("multi_frame", "whole_video") else {"images", "clips"})
        for name, found in probes.items()
    )
    flicker = {entry["anonymizer"]: entry["flicker"] for entry in results["flicker"]}
    assert flicker["mine.tflite"] == pytest.approx(flicker["f_A"], abs=2e-3)
    assert (
        "identity attacked nothing: it needs a private column 'identity' of three people or more."
        in results["notes"]
    )


def _export(workdir, path):
    from tfanon.exporting import exporter
    from tfanon.training import run_folder

    run = run_folder.load_run(workdir)
    exporter.export(
        run_folder.load_anonymizer(run),
        path.parent / "export",
        run_folder.sample_frames(run, "test", 4, (32, 32)),
        ("tflite",),
        ("none",),
    )
    (path.parent / "export" / "anonymizer.tflite").rename(path)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({}, "Which run? Give --run_dir"),
        ({"run_dir": "nowhere"}, "There is no run in nowhere: nowhere/run.flags is missing"),
        (
            {"run_dir": "nowhere", "protocol": "stict"},
            "No protocols called 'stict'. tfanon/attacks/protocols/ has: action_networks, ",
        ),
        (
            {"run_dir": None, "attackers": ("freshh",)},
            "No attackers called 'freshh'. tfanon/attacks/ has: fresh, ",
        ),
        (
            {"run_dir": None, "attackers": ("knn:k=3",)},
            "'knn:k=3': knn has no setting 'k'; it has: network, start",
        ),
        (
            {"run_dir": None, "anonymizers": ("bluur",)},
            "--anonymizers: there is no file bluur, and: No anonymizers called",
        ),
        (
            {"run_dir": None, "anonymizers": ("raw", "raw")},
            "--anonymizers: two would be called raw",
        ),
    ],
)
def test_one_clear_line(workdir, settings, message, capsys):
    settings = (
        {**settings, "run_dir": str(workdir)} if settings.get("run_dir", "") is None else settings
    )
    assert evaluate.evaluate_and_print(EvaluateOptions(**settings)) == 1
    said = capsys.readouterr().err
    assert message in said and len(said.splitlines()) == 1


def test_another_file_under_the_same_name(workdir, capsys):
    (workdir / "evaluation/quick").mkdir(parents=True, exist_ok=True)
    (workdir / "evaluation/quick/files.json").write_text(json.dumps({"raw": "0" * 64}))
    assert (
        evaluate.evaluate_and_print(EvaluateOptions(run_dir=str(workdir), anonymizers=("raw",)))
        == 1
    )
    assert (
        "raw is another file than the one of that name in the attacks in" in capsys.readouterr().err
    )


def test_another_file_to_start_from(workdir, tmp_path, capsys):
    """Of the two starts of one network neither result may pass for the other's."""
    start = tmp_path / "tiny.weights.h5"
    start.write_text("x")
    plan = attack_plan.AttackPlan(
        (
            ("fresh", {"network": "tiny", "start": str(start)}),
            ("fresh", {"network": "tiny", "start": "scratch"}),
        )
    )
    # printf x | sha256sum
    assert evaluate.hash_start_files(plan) == {
        "tiny.weights.h5": "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    }
    (workdir / "evaluation/attackers").mkdir(parents=True, exist_ok=True)
    (workdir / "evaluation/attackers/files.json").write_text(
        json.dumps({"tiny.weights.h5": "0" * 64})
    )
    assert (
        evaluate.evaluate_and_print(
            EvaluateOptions(
                run_dir=str(workdir),
                protocol="attackers",
                networks=("tiny",),
                weights_dir=str(tmp_path),
            )
        )
        == 1
    )
    assert "tiny.weights.h5 is another file than the one of that name" in capsys.readouterr().err


def test_attackers_of_clips_take_no_fewer_steps_than_those_of_images():
    def splits(rows):
        examples = Examples(tuple(map(str, range(rows))))
        return tables.Splits(examples, examples.take([]), examples)

    found = config.Config(workdir="run", epochs_privacy=4, batch_privacy=16, batch_action=8)
    probes = {"images": splits(160), "clips": splits(40)}
    run = evaluate._set_clip_epochs(
        attack_run.AttackRun(found, tables.Tables(splits(40), splits(160), probes), None),
        EvaluateOptions(),
    )
    # 4 x 160 / 16 = 40 steps; of 40 clips, 16 to a batch of frames, that is 16 epochs.
    assert run.config.epochs_clip_privacy == 16
    assert (
        evaluate._set_clip_epochs(
            run, EvaluateOptions(attack_clip_epochs=3)
        ).config.epochs_clip_privacy
        == 3
    )


def test_the_config_of_the_attackers(workdir):
    found = config.Config(
        workdir="run",
        epochs_privacy=7,
        epochs_action=5,
        eval_clips=3,
        clip_private_columns=("who",),
    )
    asked = evaluate.make_attack_config(
        found, EvaluateOptions(), pathlib.Path("run/evaluation/quick")
    )
    assert (asked.workdir, asked.attack_clips, asked.epochs_privacy) == (
        "run/evaluation/quick",
        True,
        7,
    )
    # ucf101 says nothing private of its clips.
    asked = evaluate.make_attack_config(
        found,
        EvaluateOptions(
            eval_clip_source="ucf101",
            attribute_set="vispr2",
            attack_epochs=2,
            action_epochs=4,
            eval_clips=1,
            clips=False,
        ),
        pathlib.Path("x"),
    )
    assert (asked.attack_clips, asked.clip_private_columns, asked.eval_clip_source) == (
        False,
        (),
        "ucf101",
    )
    assert (asked.attribute_set, asked.epochs_privacy, asked.epochs_action, asked.eval_clips) == (
        "vispr2",
        2,
        4,
        1,
    )
