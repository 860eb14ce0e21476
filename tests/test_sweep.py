"""A grid of runs: the commands of each trial, what a rerun does, what happens if one fails."""

import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from helpers import RUN_TRIAL_CODE

from tfanon import sweep
from tfanon.core import config, grid, processes
from tfanon.core.config import Config
from tfanon.data.sources import synthetic

ROOT = pathlib.Path(__file__).parent.parent
# Leaves the files of a finished run; fails if the seed is 1 and the file "broken" exists.
FAKE_TRIAL_CODE = """
import json, os, pathlib, sys
from tfanon.core import config
flags = dict(line.lstrip('-').split('=', 1) for line in sys.argv[1:] if '=' in line)
options = config.with_flags(config.Config(), flags)
folder = pathlib.Path(options.workdir)
if options.seed == 1 and (folder.parent / 'broken').exists():
    sys.exit('the disk is full')
phase = 'phases/initialise/'
for name in ('export/export.json', 'results.json', phase + 'done.json', phase + folder.name):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text('{}')
config.write_flagfile(options, folder / 'run.flags')
(folder / 'threads').write_text(os.environ.get('TF_NUM_INTRAOP_THREADS', ''))
"""
# Leaves the file "here" in a folder and sleeps for a minute.
SLEEPING_TRIAL_CODE = """
import pathlib, sys, time
pathlib.Path(sys.argv[1], "here").touch()
time.sleep(60)
"""
SLEEPING_SWEEP_CODE = """
from tfanon import sweep
sweep.TRIAL_COMMAND = ["-c", {trial!r}, {folder!r}]
sweep.run()
"""


def make_options(folder, *axes, **fields):
    return sweep.SweepOptions(sweep_dir=str(folder), grid=axes, **fields)


def expand(options, base):
    return grid.expand_grids(options.sweep_dir, [(options.grid, base)])


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"evaluate": ("stict",)}, "No protocols called 'stict'"),
        ({"attackers": ("fresh", "reconstruct:width=0.5")}, "No attackers called 'reconstruct'"),
        (
            {"attackers": ("reconstruction:widht=0.5",)},
            "reconstruction has no option 'widht'; it has: .*width",
        ),
    ],
)
def test_wrong_evaluation_is_refused_before_training(tmp_path, wrong, message):
    with pytest.raises(ValueError, match=message):
        sweep.run_sweep(make_options(tmp_path, "seed=0", **wrong), Config())
    assert not list(tmp_path.iterdir())


def test_child_gets_flags_that_are_not_default():
    base = Config(baselines=("raw",), deterministic=True)
    (trial,) = expand(make_options("s", "penalty_bound=.1"), base)
    options = make_options("s", evaluate=("strict",), attackers=("fresh", "knn"), clips=False)
    train, evaluate = sweep.make_commands(trial, options)
    assert train == [
        "tfanon.train",
        "--workdir=s/B0.1",
        "--deterministic",
        "--baselines=raw",
        "--penalty_bound=0.1",
    ]
    assert evaluate == [
        "tfanon.evaluate",
        "--run_dir=s/B0.1",
        "--protocol=strict",
        "--attackers=fresh,knn",
        "--noclips",
    ]


def test_trial_is_trained_once_it_is_exported(tmp_path):
    for base in (Config(), Config(export=False)):
        (trial,) = expand(make_options(tmp_path, "seed=0"), base)
        folder = pathlib.Path(trial.config.workdir)
        folder.mkdir(exist_ok=True)
        assert not sweep.is_trained(trial)
        config.write_flagfile(trial.config, folder / "run.flags")
        (folder / "results.json").write_text("{}")
        assert sweep.is_trained(trial) is not base.export
        (folder / "results.json").unlink()


def test_evaluation_reuses_other_trials(tmp_path):
    trials = expand(make_options(tmp_path, "penalty_bound=.1,.2"), Config())
    for trial in trials:
        (tmp_path / trial.name / "evaluation/quick").mkdir(parents=True)
        (tmp_path / trial.name / "evaluation/quick/results.json").write_text("{}")
    first, second = trials
    folders = sweep.list_evaluated_folders(tmp_path, first)
    assert folders == [second.config.workdir]
    commands = sweep.make_commands(first, make_options(tmp_path, evaluate=("quick",)), folders)
    assert commands[-1] == [
        "tfanon.evaluate",
        f"--run_dir={first.config.workdir}",
        "--protocol=quick",
        f"--reuse_from={second.config.workdir}",
    ]


@pytest.mark.parametrize("reuse_flag", ["--reuse_from", "--share"])  # now, and the version before
@pytest.mark.parametrize(
    "changes, passed, is_repeated",
    [
        ({}, True, False),
        ({}, False, True),
        ({"attackers": ("fresh", "knn")}, True, True),
        ({"clips": False}, True, True),
        ({"evaluate": ("quick", "known")}, True, True),
    ],
)
def test_finished_evaluation_is_not_repeated(tmp_path, reuse_flag, changes, passed, is_repeated):
    (trial,) = expand(make_options(tmp_path, "penalty_bound=.1"), Config(export=False))
    options = make_options(tmp_path, evaluate=("quick",), attackers=("fresh",))
    folder = pathlib.Path(trial.config.workdir)
    assert len(sweep.make_commands(trial, options)) == 2
    (folder / "evaluation/quick").mkdir(parents=True)
    config.write_flagfile(trial.config, folder / "run.flags")
    (folder / "results.json").write_text("{}")
    (command,) = sweep.make_commands(trial, options, ["another"])
    words = " ".join(["python", "-m", *command]).replace("--reuse_from", reuse_flag)
    results = {"command": words, "gates": [{"passed": passed}]}
    (folder / "evaluation/quick/results.json").write_text(json.dumps(results))
    changed = dataclasses.replace(options, **changes)
    assert len(sweep.make_commands(trial, changed)) == is_repeated
    (folder / "results.json").unlink()
    assert len(sweep.make_commands(trial, options)) == 2


@pytest.fixture
def fake_trials(monkeypatch):
    monkeypatch.setattr(sweep, "TRIAL_COMMAND", ("-c", FAKE_TRIAL_CODE))
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("parallel", [1, 2])
def test_failed_trials_are_named_and_repeated_alone(fake_trials, tmp_path, capsys, parallel):
    (tmp_path / "broken").touch()
    options = make_options(tmp_path, "penalty_bound=.1,.2", "seed=0,1", parallel=parallel)
    assert sweep.run_sweep(options, Config()) == 1
    printed = capsys.readouterr()
    assert "2 of 4 trials are done" in printed.out
    assert "B0.1-seed1 failed: exit status 1: the disk is full" in printed.err
    assert "B0.2-seed1 failed" in printed.err
    (tmp_path / "broken").unlink()
    assert sweep.run_sweep(options, Config()) == 0
    out = capsys.readouterr().out
    assert "[1/4] B0.1-seed0: already trained" in out and "[2/4] B0.1-seed1: starts" in out
    assert "4 of 4 trials are done" in out
    record = json.loads((tmp_path / "sweep.json").read_text())
    names = [trial["name"] for trial in record["points"]]
    assert names == ["B0.1-seed0", "B0.1-seed1", "B0.2-seed0", "B0.2-seed1"]
    threads = str(max(1, processes.count_cores() // 2)) if parallel == 2 else ""
    assert {(tmp_path / name / "threads").read_text() for name in names} == {threads}


def test_phases_are_reused_and_other_grids_add_trials(fake_trials, tmp_path, capsys):
    assert sweep.run_sweep(make_options(tmp_path, "penalty_bound=.1,.2"), Config()) == 0
    assert "[2/2] B0.2: starts; reused: initialise" in capsys.readouterr().out
    # The file that the phase of the first trial left.
    assert (tmp_path / "B0.2/phases/initialise/B0.1").exists()
    assert sweep.run_sweep(make_options(tmp_path, "penalty_bound=.3"), Config()) == 0
    assert "reused: initialise" in capsys.readouterr().out
    record = json.loads((tmp_path / "sweep.json").read_text())
    assert record["schema_version"] == 1
    assert [trial["flags"] for trial in record["points"]] == [
        {"penalty_bound": 0.1},
        {"penalty_bound": 0.2},
        {"penalty_bound": 0.3},
    ]


@pytest.mark.parametrize("protocols", [(), ("quick",)])
def test_trial_waits_for_what_another_computes(tmp_path, protocols):
    options = make_options(tmp_path, "penalty_bound=.1,.2", "seed=0,1,2", evaluate=protocols)
    # Trials 1 to 3: seeds 0, 1, 2 with B = .1; 4 to 6: with B = .2.
    trials = dict(enumerate(expand(options, Config()), 1))
    tested = sweep.Sweep(tmp_path, list(trials.values()), options)

    def pick(waiting, running):
        waiting_trials = {number: trials[number] for number in waiting}
        return tested._pick_next_trial(waiting_trials, [trials[number] for number in running])

    assert pick([1, 2, 3, 4, 5, 6], []) == 1 and pick([2, 3, 4, 5, 6], [1]) == 2
    # Baselines are being evaluated for the first time with seeds 0 and 2.
    assert pick([4, 5, 6], [1, 3]) == 5
    assert pick([4], [1]) is pick([], [1]) is None
    folder = tmp_path / trials[1].name
    folder.mkdir()
    config.write_flagfile(trials[1].config, folder / "run.flags")
    (folder / "results.json").write_text("{}")
    if protocols:
        assert pick([4, 5, 6], [1, 3]) == 5  # trained, but raw video is still being attacked
        (folder / "evaluation/quick").mkdir(parents=True)
        (folder / "evaluation/quick/results.json").write_text("{}")
    assert pick([4, 5, 6], [3]) == 4


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_stops_the_children_first(tmp_path, number):
    code = SLEEPING_SWEEP_CODE.format(trial=SLEEPING_TRIAL_CODE, folder=str(tmp_path))
    process = subprocess.Popen(
        [sys.executable, "-c", code, f"--sweep_dir={tmp_path}", "--grid=seed=0,1"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )
    while not (tmp_path / "here").exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=20)  # the child would sleep 60 s
    assert process.returncode == 130 and "again to resume" in err
    assert "[2/2]" not in out


@pytest.mark.large
def test_real_trials_reuse_phases(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(sweep, "TRIAL_COMMAND", ("-c", RUN_TRIAL_CODE))
    monkeypatch.chdir(ROOT)
    synthetic.write_dataset(
        tmp_path / "data" / "synthetic",
        synthetic.DatasetSize(
            train_people=2,
            test_people=1,
            train_images=16,
            test_images=8,
            shortest=20,
            longest=24,
            side=48,
        ),
    )
    base = Config(
        data_dir=str(tmp_path / "data"),
        anonymizer="tiny",
        action_network="tiny",
        privacy_network="tiny",
        deterministic=True,
        baselines=("raw",),
        resolution=32,
        frames=4,
        eval_clips=1,
        init_action_from_raw=True,
        epochs_reconstruct=1,
        epochs_anonymize=1,
        epochs_action=1,
        epochs_privacy=1,
        batch_clips=2,
        batch_pairs=2,
        batch_action=4,
        batch_privacy=4,
        batch_reconstruct=4,
    )
    assert sweep.run_sweep(make_options(tmp_path / "sweep", "penalty_bound=.01,.9"), base) == 0
    assert "reused: action-raw, initialise, privacy-images-raw" in capsys.readouterr().out
    # Alone, the second trial gets the same numbers.
    assert sweep.run_sweep(make_options(tmp_path / "alone", "penalty_bound=.9"), base) == 0
    assert "reused" not in capsys.readouterr().out
    shared, alone = (
        json.loads((tmp_path / name / "B0.9/results.json").read_text())
        for name in ("sweep", "alone")
    )
    assert shared == alone
    assert config.from_flagfile(tmp_path / "sweep/B0.01/run.flags").penalty_bound == 0.01
    # No clip is changed by .9, so lambda has no effect: this is noted, and training is reused.
    # Trained alone, f_A is the same bit for bit.
    assert "B = 0.9 was never reached: no clip was changed by more than 0." in shared["notes"][-1]
    stronger = dataclasses.replace(base, penalty_bound=0.9)
    for name in ("sweep", "again"):
        assert sweep.run_sweep(make_options(tmp_path / name, "penalty_weight=5"), stronger) == 0
    out = capsys.readouterr().out
    assert "privacy-images-raw, action-f_A, anonymize, privacy-images-f_A\n" in out
    records = [
        json.loads((tmp_path / name / "phases/anonymize/done.json").read_text())
        for name in ("alone/B0.9", "sweep/lambda5", "again/lambda5")
    ]
    assert records[0] == records[1] == records[2]
    assert json.loads((tmp_path / "again/lambda5/results.json").read_text()) == shared
