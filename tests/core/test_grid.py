"""Grids are expanded to trials, read from files, and recorded."""

import concurrent.futures
import json

import pytest

from tfanon.core import config, grid
from tfanon.core.config import Config


def test_last_flag_varies_fastest():
    trials = grid.expand_grids("s", [(("penalty_bound=.05,.1", "seed=0,1"), Config(frames=8))])
    assert [trial.name for trial in trials] == [
        "B0.05-seed0",
        "B0.05-seed1",
        "B0.1-seed0",
        "B0.1-seed1",
    ]
    assert trials[1].flags == {"penalty_bound": 0.05, "seed": 1}
    assert trials[1].config == Config(frames=8, penalty_bound=0.05, seed=1, workdir="s/B0.05-seed1")
    (trial,) = grid.expand_grids(
        "s", [(("penalty_weight=1", "action_weights=../a b.weights.h5"), Config())]
    )
    assert trial.name == "lambda1-action_weights=.._a_b.weights.h5"


@pytest.mark.parametrize(
    "axes, message",
    [
        ((), "--grid=FLAG=VALUE"),
        (("penalty_bund=.1",), "Did you mean"),
        (("penalty_bound=3",), r"\[0.0, 1.0\]"),
        (("penalty_bound",), "is not FLAG=VALUE"),
        (("baselines=raw,blur",), "of a flag with one value"),
        (("workdir=a,b",), "has its own folder"),
        (("seed=0", "seed=1"), "names a flag twice"),
        (("seed=0,00",), "gives a trial twice: seed0"),
    ],
)
def test_invalid_grids_are_refused(axes, message):
    with pytest.raises(ValueError, match=message):
        grid.expand_grids("s", [(axes, Config())])


GRIDS = """
# Two objectives.
--objective=vita --ensemble=tiny \\
    --grid=objective=vita

--grid=penalty_bound=.1,.2 --frames=4  # penalty
"""


def test_file_contains_a_grid_per_line(tmp_path):
    path = tmp_path / "all.grids"
    path.write_text(GRIDS)
    trials = grid.expand_grids(
        "s", grid.read_grid_file(path, Config(frames=8, stride=2), ("seed=0,1",))
    )
    assert [trial.name for trial in trials] == [
        "objective=vita-seed0",
        "objective=vita-seed1",
        "B0.1-seed0",
        "B0.1-seed1",
        "B0.2-seed0",
        "B0.2-seed1",
    ]
    assert trials[1].config == Config(
        frames=8,
        stride=2,
        objective="vita",
        ensemble=("tiny",),
        seed=1,
        workdir="s/objective=vita-seed1",
    )
    assert trials[4].config == Config(frames=4, stride=2, penalty_bound=0.2, workdir="s/B0.2-seed0")
    windows_text = "\ufeff" + GRIDS.lstrip().replace("\n", "\r\n")
    path.write_bytes(windows_text.encode())
    assert len(grid.expand_grids("s", grid.read_grid_file(path, Config(), ("seed=0,1",)))) == 6
    path.write_text("# nothing\n")
    with pytest.raises(ValueError, match="--grid=FLAG=VALUE"):
        grid.expand_grids("s", grid.read_grid_file(path, Config(), ("seed=0",)))
    path.write_text(2 * "--grid=penalty_bound=.1\n")
    with pytest.raises(ValueError, match="gives a trial twice: B0.1"):
        grid.expand_grids("s", grid.read_grid_file(path, Config(), ()))


@pytest.mark.parametrize(
    "line, message",
    [
        ("--grid=seed=0 --sead=1", "Unknown command line flag 'sead'"),
        ("grid=seed=0", "'grid=seed=0' is not a flag"),
        ("--grid='seed=0", "No closing quotation"),
    ],
)
def test_errors_in_a_file_name_the_line(tmp_path, line, message):
    path = tmp_path / "all.grids"
    path.write_text(f"--grid=penalty_bound=.1\n{line}\n")
    with pytest.raises(ValueError, match=f"all.grids: .{line}.: .*{message}"):
        grid.read_grid_file(path, Config(), ())


def test_concurrent_sweeps_record_all_trials(tmp_path):
    trials = grid.expand_grids(tmp_path, [((f"seed={','.join(map(str, range(40)))}",), Config())])
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda trial: grid.record_trials(tmp_path, [trial]), trials))
    points = json.loads((tmp_path / "sweep.json").read_text())["points"]
    assert sorted(trial["flags"]["seed"] for trial in points) == list(range(40))


def test_former_flag_names_still_vary():
    former, current = next(iter(config.list_former_names().items()))
    value = str(getattr(Config(), current))
    (trial,) = grid.expand_grids("s", [((f"{former}={value}",), Config())])
    assert trial.flags == {current: getattr(Config(), current)}
    assert trial.name.startswith(former)  # the folder that an earlier version used
    with pytest.raises(ValueError, match="names a flag twice"):
        grid.expand_grids("s", [((f"{former}={value}", f"{current}={value}"), Config())])
