import dataclasses
import pathlib
import re
import subprocess

import pytest

from tfanon import sweep
from tfanon.core import config, grid, registry
from tfanon.evaluation import options as evaluating
from tfanon.exporting import options as exporting
from tfanon.inference import options as anonymizing
from tfanon.training import losses, trainer

ROOT = pathlib.Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize(
    "target, command",
    [("quickstart", "-m tfanon.train --flagfile=configs/quickstart.flags"), ("test", "-m pytest")],
)
def test_make_targets_do_what_they_say(target, command):
    plan = subprocess.run(
        ["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert f"make {target}" in README and command in plan


def test_flagfiles_it_names_exist():
    named = set(re.findall(r"--flagfile=(\S+)", README))
    assert named and all((ROOT / path).exists() for path in named)


def test_flags_and_functions_it_names_exist():
    fields = {
        name
        for settings in (
            config.Config,
            anonymizing.AnonymizeCommandOptions,
            exporting.ExportOptions,
            evaluating.EvaluateOptions,
        )
        for name in settings.__dataclass_fields__
    }
    for name in re.findall(r"`--(\w+)[`=]", README):
        assert name in fields or name in ("help", "helpfull", "flagfile"), name
    for name in re.findall(r"`losses\.(\w+)`", README):
        assert hasattr(losses, name)
    assert hasattr(trainer.MinimaxModel, "train_step")


def test_the_grids_of_make_are_whole():
    # B x lambda, lambda 0 and four more objectives, three seeds each; then lambda 30, f_B's other statistics and two
    # variants of VITA.
    grids = {
        names: planned_by(*names)
        for names in (
            ("evaluate_synthetic",),
            ("evaluate_synthetic", "ablations"),
            ("evaluate_real", "DATA=data"),
        )
    }
    folds = {
        name for name in grids["evaluate_real", "DATA=data"] if name.startswith("split_column")
    }
    assert [len(points) for points in grids.values()] == [3 * 15, 3 * 19, 3 * 15 + 9] and len(
        folds
    ) == 9
    for points in grids.values():
        assert len(
            {repr(dataclasses.replace(point.config, workdir="")) for point in points.values()}
        ) == len(points)
        assert {name.rpartition("-seed")[2] for name in points} - folds == {"0", "1", "2"}
        assert {point.config.objective for point in points.values()} == set(
            registry.list_names("objectives")
        )


def planned_by(*names):
    """{name: point} of the sweeps that `make` would run."""
    plan = subprocess.run(
        ["make", "-n", *names], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    lines = re.findall(r"-m tfanon\.sweep ([^;|&\n]*)", plan.replace("\\\n", " "))
    points = [point for line in lines for point in planned(line.split())]
    assert len({point.name for point in points}) == len(points)
    return {point.name: point for point in points}


def planned(arguments):
    """A sweep's points."""
    settings, base = config.parse_flags(arguments, sweep.SweepOptions, config.Config)
    return grid.expand_grids(settings.sweep_dir, sweep.load_grids(settings, base))
