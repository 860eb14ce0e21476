import concurrent.futures
import json

import pytest

from tfanon import grid
from tfanon.config import Config


def test_points_are_the_product_with_the_last_flag_fastest():
    found = grid.points("s", ("penalty_bound=.05,.1", "seed=0,1"), Config(frames=8))
    assert [point.name for point in found] == ["B0.05-seed0", "B0.05-seed1", "B0.1-seed0", "B0.1-seed1"]
    assert found[1].flags == {"penalty_bound": 0.05, "seed": 1}
    assert found[1].config == Config(frames=8, penalty_bound=0.05, seed=1, workdir="s/B0.05-seed1")
    point, = grid.points("s", ("penalty_weight=1", "action_weights=../a b.weights.h5"), Config())
    assert point.name == "lambda1-action_weights=.._a_b.weights.h5"


@pytest.mark.parametrize("given, message", [
    ((), "--grid=FLAG=VALUE"),
    (("penalty_bund=.1",), "Did you mean"),
    (("penalty_bound=3",), r"\[0.0, 1.0\]"),
    (("penalty_bound",), "is not FLAG=VALUE"),
    (("baselines=raw,blur",), "of a flag with one value"),
    (("workdir=a,b",), "a folder of its own"),
    (("seed=0", "seed=1"), "names a flag twice"),
    (("seed=0,00",), "gives one point twice"),
])
def test_a_grid_that_is_none_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        grid.points("s", given, Config())


def test_two_sweeps_that_begin_at_once_lose_no_point(tmp_path):
    found = grid.points(tmp_path, (f"seed={','.join(map(str, range(40)))}",), Config())
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda point: grid.record(tmp_path, [point]), found))
    points = json.loads((tmp_path / "sweep.json").read_text())["points"]
    assert sorted(point["flags"]["seed"] for point in points) == list(range(40))
