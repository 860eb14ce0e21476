"""A grid of runs: what each is made of, what a rerun does, what happens to one that fails."""

import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from helpers import POINT

from tfanon import sweep
from tfanon.core import config, grid, processes
from tfanon.core.config import Config

ROOT = pathlib.Path(__file__).parent.parent
# Leaves what a finished run leaves; fails where the seed is 1 and the file "broken" is there.
FAKE = """
import json, os, pathlib, sys
from tfanon.core import config
given = dict(line.lstrip('-').split('=', 1) for line in sys.argv[1:] if '=' in line)
settings = config.with_flags(config.Config(), given)
folder = pathlib.Path(settings.workdir)
if settings.seed == 1 and (folder.parent / 'broken').exists():
    sys.exit('the disk is full')
for name in ('export/export.json', 'results.json', 'phases/initialise/done.json', 'phases/initialise/' + folder.name):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text('{}')
config.write_flagfile(settings, folder / 'run.flags')
(folder / 'threads').write_text(os.environ.get('TF_NUM_INTRAOP_THREADS', ''))
"""


def settings(folder, *given, **more):
    return sweep.SweepOptions(sweep_dir=str(folder), grid=given, **more)


def points(settings_, base):
    return grid.expand_grids(settings_.sweep_dir, [(settings_.grid, base)])


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"evaluate": ("stict",)}, "No protocols called 'stict'"),
        ({"attackers": ("fresh", "reconstruct:width=0.5")}, "No attackers called 'reconstruct'"),
        (
            {"attackers": ("reconstruction:widht=0.5",)},
            "reconstruction has no setting 'widht'; it has: .*width",
        ),
    ],
)
def test_what_would_fail_after_hours_is_refused_at_once(tmp_path, wrong, message):
    with pytest.raises(ValueError, match=message):
        sweep.run_sweep(settings(tmp_path, "seed=0", **wrong), Config())
    assert not list(tmp_path.iterdir())


def test_the_child_gets_the_flags_that_are_not_the_default():
    (point,) = points(
        settings("s", "penalty_bound=.1"), Config(baselines=("raw",), deterministic=True)
    )
    assert sweep.make_commands(
        point, settings("s", evaluate=("strict",), attackers=("fresh", "knn"), clips=False)
    ) == [
        [
            "tfanon.train",
            "--workdir=s/B0.1",
            "--deterministic",
            "--baselines=raw",
            "--penalty_bound=0.1",
        ],
        [
            "tfanon.evaluate",
            "--run_dir=s/B0.1",
            "--protocol=strict",
            "--attackers=fresh,knn",
            "--noclips",
        ],
    ]


def test_a_point_is_finished_with_its_export_where_it_has_one(tmp_path):
    for settings_ in (Config(), Config(export=False)):
        (point,) = points(settings(tmp_path, "seed=0"), settings_)
        folder = pathlib.Path(point.config.workdir)
        folder.mkdir(exist_ok=True)
        assert not sweep.is_trained(point)
        config.write_flagfile(point.config, folder / "run.flags")
        (folder / "results.json").write_text("{}")
        assert sweep.is_trained(point) is not settings_.export
        (folder / "results.json").unlink()


def test_an_evaluation_looks_at_those_of_the_other_points(tmp_path):
    one, other = points(settings(tmp_path, "penalty_bound=.1,.2"), Config())
    for point in (one, other):
        (tmp_path / point.name / "evaluation/quick").mkdir(parents=True)
        (tmp_path / point.name / "evaluation/quick/results.json").write_text("{}")
    assert sweep.list_evaluated_folders(tmp_path, one) == [other.config.workdir]
    assert sweep.make_commands(
        one, settings(tmp_path, evaluate=("quick",)), sweep.list_evaluated_folders(tmp_path, one)
    )[-1] == [
        "tfanon.evaluate",
        f"--run_dir={one.config.workdir}",
        "--protocol=quick",
        f"--reuse_from={other.config.workdir}",
    ]


@pytest.mark.parametrize(
    "left, passed, again",
    [
        ({}, True, False),
        ({}, False, True),
        ({"attackers": ("fresh", "knn")}, True, True),
        ({"clips": False}, True, True),
        ({"evaluate": ("quick", "known")}, True, True),
    ],
)
def test_an_evaluation_that_came_to_its_end_is_not_repeated(tmp_path, left, passed, again):
    (point,) = points(settings(tmp_path, "penalty_bound=.1"), Config(export=False))
    wanted = settings(tmp_path, evaluate=("quick",), attackers=("fresh",))
    folder = pathlib.Path(point.config.workdir)
    assert len(sweep.make_commands(point, wanted)) == 2
    (folder / "evaluation/quick").mkdir(parents=True)
    config.write_flagfile(point.config, folder / "run.flags")
    (folder / "results.json").write_text("{}")
    (command,) = sweep.make_commands(point, wanted, ["another"])
    (folder / "evaluation/quick/results.json").write_text(
        json.dumps({"command": " ".join(["python", "-m", *command]), "gates": [{"passed": passed}]})
    )
    assert len(sweep.make_commands(point, dataclasses.replace(wanted, **left))) == again
    (folder / "results.json").unlink()
    assert len(sweep.make_commands(point, wanted)) == 2


@pytest.fixture
def fake(monkeypatch):
    monkeypatch.setattr(sweep, "TRIAL_COMMAND", ("-c", FAKE))
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("parallel", [1, 2])
def test_a_failed_point_is_named_and_a_rerun_does_it_alone(fake, tmp_path, capsys, parallel):
    (tmp_path / "broken").touch()
    wanted = settings(tmp_path, "penalty_bound=.1,.2", "seed=0,1", parallel=parallel)
    assert sweep.run_sweep(wanted, Config()) == 1
    said = capsys.readouterr()
    assert "2 of 4 points are done" in said.out
    assert (
        "B0.1-seed1 failed: exit status 1: the disk is full" in said.err
        and "B0.2-seed1 failed" in said.err
    )
    (tmp_path / "broken").unlink()
    assert sweep.run_sweep(wanted, Config()) == 0
    said = capsys.readouterr().out
    assert "[1/4] B0.1-seed0: already trained" in said and "[2/4] B0.1-seed1: begins" in said
    assert "4 of 4 points are done" in said
    names = [point["name"] for point in json.loads((tmp_path / "sweep.json").read_text())["points"]]
    assert names == ["B0.1-seed0", "B0.1-seed1", "B0.2-seed0", "B0.2-seed1"]
    share = str(max(1, processes.count_cores() // 2)) if parallel == 2 else ""  # of the cores
    assert {(tmp_path / name / "threads").read_text() for name in names} == {share}


def test_points_share_and_another_grid_adds_its_own(fake, tmp_path, capsys):
    assert sweep.run_sweep(settings(tmp_path, "penalty_bound=.1,.2"), Config()) == 0
    assert "[2/2] B0.2: begins; shared: initialise" in capsys.readouterr().out
    assert (
        tmp_path / "B0.2/phases/initialise/B0.1"
    ).exists()  # the file that the first point's phase left
    assert sweep.run_sweep(settings(tmp_path, "penalty_bound=.3"), Config()) == 0
    assert "shared: initialise" in capsys.readouterr().out
    found = json.loads((tmp_path / "sweep.json").read_text())
    assert found["schema_version"] == 1
    assert [point["flags"] for point in found["points"]] == [
        {"penalty_bound": 0.1},
        {"penalty_bound": 0.2},
        {"penalty_bound": 0.3},
    ]


@pytest.mark.parametrize("evaluated", [(), ("quick",)])
def test_what_another_point_computes_now_is_waited_for(tmp_path, evaluated):
    wanted = settings(tmp_path, "penalty_bound=.1,.2", "seed=0,1,2", evaluate=evaluated)
    each = dict(
        enumerate(points(wanted, Config()), 1)
    )  # seeds 0, 1, 2 with B = .1; then with B = .2
    runs = sweep.Sweep(tmp_path, list(each.values()), wanted)

    def following(waiting, running):
        return runs._pick_next_trial(
            {number: each[number] for number in waiting}, [each[number] for number in running]
        )

    assert following([1, 2, 3, 4, 5, 6], []) == 1 and following([2, 3, 4, 5, 6], [1]) == 2
    assert following([4, 5, 6], [1, 3]) == 5  # seeds 0 and 2 are being judged for the first time
    assert following([4], [1]) is following([], [1]) is None  # it waits
    folder = tmp_path / each[1].name
    folder.mkdir()
    config.write_flagfile(each[1].config, folder / "run.flags")
    (folder / "results.json").write_text("{}")
    if evaluated:
        assert following([4, 5, 6], [1, 3]) == 5  # trained, but raw video is being attacked
        (folder / "evaluation/quick").mkdir(parents=True)
        (folder / "evaluation/quick/results.json").write_text("{}")
    assert following([4, 5, 6], [3]) == 4


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_children_first(tmp_path, number):
    code = (
        "import signal, sys, time; from tfanon import sweep; sweep.PROCESS = ['-c', "
        "'import time, pathlib, sys; pathlib.Path(sys.argv[1], \"here\").touch(); time.sleep(60)', "
        f"{str(tmp_path)!r}]; sweep.run()"
    )
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
    out, err = process.communicate(timeout=20)  # the child sleeps 60 s
    assert process.returncode == 130 and "goes on from here" in err
    assert "[2/2]" not in out


@pytest.mark.large
def test_two_real_points_share_what_they_can(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(sweep, "TRIAL_COMMAND", ("-c", POINT))
    monkeypatch.chdir(ROOT)
    from tfanon.data.sources import synthetic

    synthetic.write(
        tmp_path / "data" / "synthetic",
        synthetic.Size(
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
    assert sweep.run_sweep(settings(tmp_path / "sweep", "penalty_bound=.01,.9"), base) == 0
    assert "shared: action-raw, initialise, privacy-images-raw" in capsys.readouterr().out
    # Alone, the second point comes to the same numbers.
    assert sweep.run_sweep(settings(tmp_path / "alone", "penalty_bound=.9"), base) == 0
    assert "shared" not in capsys.readouterr().out
    results = [
        json.loads((tmp_path / name / "B0.9/results.json").read_text())
        for name in ("sweep", "alone")
    ]
    assert results[0] == results[1]
    assert config.from_flagfile(tmp_path / "sweep/B0.01/run.flags").penalty_bound == 0.01
    # No clip is changed by .9, so lambda is nothing there: said, and taken over. Trained alone, it is so bit for bit.
    assert (
        "B = 0.9 was never reached: no clip was changed by more than 0." in results[0]["notes"][-1]
    )
    stronger = dataclasses.replace(base, penalty_bound=0.9)
    for name in ("sweep", "again"):
        assert sweep.run_sweep(settings(tmp_path / name, "penalty_weight=5"), stronger) == 0
    assert (
        "privacy-images-raw, action-f_A, anonymize, privacy-images-f_A\n" in capsys.readouterr().out
    )
    files = [
        json.loads((tmp_path / name / "phases/anonymize/done.json").read_text())
        for name in ("alone/B0.9", "sweep/lambda5", "again/lambda5")
    ]
    assert files[0] == files[1] == files[2]
    assert json.loads((tmp_path / "again/lambda5/results.json").read_text()) == results[0]
