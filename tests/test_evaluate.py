"""tfanon.evaluate from options to results, and its error messages."""

import dataclasses
import json
import pathlib

import pytest

from tfanon import evaluate
from tfanon.attacks.common import attack_plan, attack_run
from tfanon.core import config, registry
from tfanon.data.batch import Examples
from tfanon.data.splits import DatasetSplits, ExperimentData
from tfanon.evaluation.options import EvaluateOptions

ONE_EPOCH = dict(attack_epochs=1, attack_clip_epochs=1, action_epochs=1, eval_clips=1)


def test_table_1_of_a_run(workdir, capsys):
    options = EvaluateOptions(
        run_dir=str(workdir), protocol="known", clips=False, min_raw_leakage=1.0, **ONE_EPOCH
    )
    # No attacker reaches a cMAP of 1 within one step.
    assert evaluate.evaluate_and_print(options) == 1
    output = capsys.readouterr().out
    folder = workdir / "evaluation/known"
    results = json.loads((folder / "results.json").read_text())
    assert (results["schema_version"], results["protocol"], results["seed"]) == (1, "known", 0)
    (attack,) = results["attacks"]
    keys = ("anonymizer", "attacker", "network", "start", "probe")
    assert [attack[key] for key in keys] == ["f_A", "fresh", "tiny", "scratch", "images"]
    assert attack["cmap_above_floor"] == pytest.approx(attack["cmap"] - attack["cmap_chance"])
    # 8 images, one of them held out: 7 are less than a batch of 32, so one step; each of 1 epoch.
    assert attack["budget"]["steps"] == attack["budget"]["epochs"] == 1
    assert attack["budget"]["parameters"] > 100
    assert attack["curve"] == [[1, attack["selected"]["score"]]]
    assert attack["selected"]["epoch"] == 1
    (action,) = results["actions"]
    assert action["network"] == "tiny" and 0 <= action["action_top1"] <= 1
    assert action["parameters"] > 100
    controls = [control["gate"] for control in results["gates"]]
    assert controls == ["raw is read", "noise leaks nothing"]
    assert (
        "DO NOT TRUST THIS REPORT. Failed controls: positive control (raw video): fresh, images"
        in output
    )
    assert output.strip() == (folder / "results.txt").read_text().strip()

    times = {path: path.stat().st_mtime_ns for path in folder.glob("phases/*/done.json")}
    again = evaluate.evaluate_run(options)
    assert (again["attacks"], again["flicker"]) == (results["attacks"], results["flicker"])
    assert len(times) == 5  # raw, noise, f_A, its flicker and the action
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())

    assert evaluate.evaluate_and_print(dataclasses.replace(options, attack_epochs=2)) == 1
    assert (
        "holds attacks with other flags: --attack_epochs=1 there, --attack_epochs=2 asked for"
        in capsys.readouterr().err
    )


@pytest.mark.large
def test_every_attack_on_every_kind_of_anonymizer(workdir, tmp_path):
    tflite = tmp_path / "mine.tflite"
    export_tflite(workdir, tflite)
    options = EvaluateOptions(
        run_dir=str(workdir),
        protocol="strict",
        networks=("tiny", "small3d"),
        anonymizers=("f_A", "f_A+h264", str(tflite)),
        **ONE_EPOCH,
    )
    results = evaluate.evaluate_run(options)
    attackers = {entry["attacker"] for entry in results["attacks"]}
    assert attackers == {*registry.list_names("attackers"), "reconstruction+frozen"} - {"identity"}
    anonymizers = {entry["anonymizer"] for entry in results["attacks"]}
    assert anonymizers == {"f_A", "f_A+h264", "mine.tflite"}
    for attacker in attackers:
        tasks = {entry["probe"] for entry in results["attacks"] if entry["attacker"] == attacker}
        is_clip_attack = attacker in ("multi_frame", "whole_video")
        assert tasks == ({"clips"} if is_clip_attack else {"images", "clips"}), attacker
    flicker = {entry["anonymizer"]: entry["flicker"] for entry in results["flicker"]}
    assert flicker["mine.tflite"] == pytest.approx(flicker["f_A"], abs=2e-3)
    assert (
        "identity was skipped: it needs a private column 'identity' with at least three people."
        in results["notes"]
    )


def export_tflite(workdir, path):
    from tfanon.exporting import exporter
    from tfanon.training import run_folder

    run = run_folder.load_run(workdir)
    exporter.export_anonymizer(
        run_folder.load_anonymizer(run),
        path.parent / "export",
        run_folder.sample_frames(run, "test", 4, (32, 32)),
        ("tflite",),
        ("none",),
    )
    (path.parent / "export" / "anonymizer.tflite").rename(path)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"run_dir": ""}, "Give --run_dir, the --workdir of a run of tfanon-train."),
        ({"run_dir": "nowhere"}, "There is no run in nowhere: nowhere/run.flags is missing"),
        (
            {"run_dir": "nowhere", "protocol": "stict"},
            "No protocols called 'stict'. tfanon/attacks/protocols/ has: action_networks, ",
        ),
        ({"attackers": ("freshh",)}, "No attackers called 'freshh'. tfanon/attacks/ has: fresh, "),
        (
            {"attackers": ("knn:k=3",)},
            "'knn:k=3': knn has no option 'k'; it has: network, start",
        ),
        (
            {"anonymizers": ("bluur",)},
            "--anonymizers: there is no file bluur, and: No anonymizers called",
        ),
        (
            {"anonymizers": ("raw", "raw")},
            "--anonymizers: two anonymizers would be called raw in the results.",
        ),
    ],
)
def test_mistake_is_reported_in_one_line(workdir, options, message, capsys):
    options = EvaluateOptions(**{"run_dir": str(workdir), **options})
    assert evaluate.evaluate_and_print(options) == 1
    errors = capsys.readouterr().err
    assert message in errors and len(errors.splitlines()) == 1


def test_another_file_of_the_same_name_is_refused(workdir, capsys):
    folder = workdir / "evaluation/quick"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "files.json").write_text(json.dumps({"raw": "0" * 64}))
    options = EvaluateOptions(run_dir=str(workdir), anonymizers=("raw",))
    assert evaluate.evaluate_and_print(options) == 1
    errors = capsys.readouterr().err
    assert "raw is not the file of that name that earlier attacks in" in errors


def test_another_start_of_the_same_name_is_refused(workdir, tmp_path, capsys):
    """The result of one start must not be stored as the other's."""
    start = tmp_path / "tiny.weights.h5"
    start.write_text("x")
    from_file = ("fresh", {"network": "tiny", "start": str(start)})
    from_scratch = ("fresh", {"network": "tiny", "start": "scratch"})
    plan = attack_plan.AttackPlan((from_file, from_scratch))
    # printf x | sha256sum
    digest = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    assert evaluate.hash_start_files(plan) == {"tiny.weights.h5": digest}
    folder = workdir / "evaluation/attackers"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "files.json").write_text(json.dumps({"tiny.weights.h5": "0" * 64}))
    options = EvaluateOptions(
        run_dir=str(workdir), protocol="attackers", networks=("tiny",), weights_dir=str(tmp_path)
    )
    assert evaluate.evaluate_and_print(options) == 1
    errors = capsys.readouterr().err
    assert "tiny.weights.h5 is not the file of that name that earlier attacks in" in errors


def make_splits(rows):
    examples = Examples(tuple(map(str, range(rows))))
    return DatasetSplits(examples, examples.take([]), examples)


def test_attacks_on_clips_take_at_least_as_many_steps_as_on_images():
    run_config = config.Config(workdir="run", epochs_privacy=4, batch_privacy=16, batch_action=8)
    tasks = {"images": make_splits(160), "clips": make_splits(40)}
    data = ExperimentData(make_splits(40), make_splits(160), tasks, make_splits(40))
    run = attack_run.AttackRun(run_config, data, None)
    run = evaluate._set_clip_epochs(run, EvaluateOptions())
    # 4 x 160 / 16 = 40 steps; of 40 clips, 16 to a batch of frames, that is 16 epochs.
    assert run.config.epochs_clip_privacy == 16
    run = evaluate._set_clip_epochs(run, EvaluateOptions(attack_clip_epochs=3))
    assert run.config.epochs_clip_privacy == 3


def test_config_of_the_attacks():
    run_config = config.Config(
        workdir="run",
        epochs_privacy=7,
        epochs_action=5,
        eval_clips=3,
        clip_private_columns=("who",),
    )
    folder = pathlib.Path("run/evaluation/quick")
    attacks = evaluate.make_attack_config(run_config, EvaluateOptions(), folder)
    assert attacks.workdir == "run/evaluation/quick"
    assert attacks.attack_clips and attacks.epochs_privacy == 7
    # ucf101 has no private attributes of its clips.
    options = EvaluateOptions(
        eval_clip_source="ucf101",
        attribute_set="vispr2",
        attack_epochs=2,
        action_epochs=4,
        eval_clips=1,
        clips=False,
    )
    attacks = evaluate.make_attack_config(run_config, options, pathlib.Path("x"))
    assert (attacks.attack_clips, attacks.clip_private_columns) == (False, ())
    assert (attacks.eval_clip_source, attacks.attribute_set) == ("ucf101", "vispr2")
    assert (attacks.epochs_privacy, attacks.epochs_action, attacks.eval_clips) == (2, 4, 1)
