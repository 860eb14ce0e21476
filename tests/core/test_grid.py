import concurrent.futures
import json

import pytest

from tfanon.core import grid
from tfanon.core.config import Config


def test_points_are_the_product_with_the_last_flag_fastest():
    found = grid.expand_grids("s", [(("penalty_bound=.05,.1", "seed=0,1"), Config(frames=8))])
    assert [point.name for point in found] == [
        "B0.05-seed0",
        "B0.05-seed1",
        "B0.1-seed0",
        "B0.1-seed1",
    ]
    assert found[1].flags == {"penalty_bound": 0.05, "seed": 1}
    assert found[1].config == Config(frames=8, penalty_bound=0.05, seed=1, workdir="s/B0.05-seed1")
    (point,) = grid.expand_grids(
        "s", [(("penalty_weight=1", "action_weights=../a b.weights.h5"), Config())]
    )
    assert point.name == "lambda1-action_weights=.._a_b.weights.h5"


@pytest.mark.parametrize(
    "given, message",
    [
        ((), "--grid=FLAG=VALUE"),
        (("penalty_bund=.1",), "Did you mean"),
        (("penalty_bound=3",), r"\[0.0, 1.0\]"),
        (("penalty_bound",), "is not FLAG=VALUE"),
        (("baselines=raw,blur",), "of a flag with one value"),
        (("workdir=a,b",), "a folder of its own"),
        (("seed=0", "seed=1"), "names a flag twice"),
        (("seed=0,00",), "gives a point twice: seed0"),
    ],
)
def test_a_grid_that_is_none_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        grid.expand_grids("s", [(given, Config())])


GRIDS = """
# Two objectives.
--objective=vita --ensemble=tiny \\
    --grid=objective=vita

--grid=penalty_bound=.1,.2 --frames=4  # ours
"""


def test_a_file_holds_a_grid_per_line(tmp_path):
    path = tmp_path / "all.grids"
    path.write_text(GRIDS)
    found = grid.expand_grids(
        "s", grid.read_grid_file(path, Config(frames=8, stride=2), ("seed=0,1",))
    )
    assert [point.name for point in found] == [
        "objective=vita-seed0",
        "objective=vita-seed1",
        "B0.1-seed0",
        "B0.1-seed1",
        "B0.2-seed0",
        "B0.2-seed1",
    ]
    assert found[1].config == Config(
        frames=8,
        stride=2,
        objective="vita",
        ensemble=("tiny",),
        seed=1,
        workdir="s/objective=vita-seed1",
    )
    assert found[4].config == Config(frames=4, stride=2, penalty_bound=0.2, workdir="s/B0.2-seed0")
    as_windows_saves_it = "\ufeff" + GRIDS.lstrip().replace("\n", "\r\n")
    path.write_bytes(as_windows_saves_it.encode())
    assert len(grid.expand_grids("s", grid.read_grid_file(path, Config(), ("seed=0,1",)))) == 6
    path.write_text("# nothing\n")
    with pytest.raises(ValueError, match="--grid=FLAG=VALUE"):
        grid.expand_grids("s", grid.read_grid_file(path, Config(), ("seed=0",)))
    path.write_text(2 * "--grid=penalty_bound=.1\n")
    with pytest.raises(ValueError, match="gives a point twice: B0.1"):
        grid.expand_grids("s", grid.read_grid_file(path, Config(), ()))


@pytest.mark.parametrize(
    "line, message",
    [
        ("--grid=seed=0 --sead=1", "Unknown command line flag 'sead'"),
        ("grid=seed=0", "'grid=seed=0' is no flag"),
        ("--grid='seed=0", "No closing quotation"),
    ],
)
def test_a_line_that_is_none_is_named(tmp_path, line, message):
    path = tmp_path / "all.grids"
    path.write_text(f"--grid=penalty_bound=.1\n{line}\n")
    with pytest.raises(ValueError, match=f"all.grids: .{line}.: .*{message}"):
        grid.read_grid_file(path, Config(), ())


def test_two_sweeps_that_begin_at_once_lose_no_point(tmp_path):
    found = grid.expand_grids(tmp_path, [((f"seed={','.join(map(str, range(40)))}",), Config())])
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda point: grid.record_trials(tmp_path, [point]), found))
    points = json.loads((tmp_path / "sweep.json").read_text())["points"]
    assert sorted(point["flags"]["seed"] for point in points) == list(range(40))
