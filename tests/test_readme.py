"""The README and the Makefile name only what exists, and `make evaluate` runs the grids it says."""

import dataclasses
import pathlib
import re
import subprocess

import pytest

from tfanon import sweep
from tfanon.core import config, grid, registry
from tfanon.evaluation.options import EvaluateOptions
from tfanon.exporting.options import ExportOptions
from tfanon.inference.options import AnonymizeCommandOptions
from tfanon.training import losses, trainer

ROOT = pathlib.Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize(
    "target, command",
    [("quickstart", "-m tfanon.train --flagfile=configs/quickstart.flags"), ("test", "-m pytest")],
)
def test_make_targets_run_the_documented_commands(target, command):
    assert f"make {target}" in README
    assert command in list_make_commands(target)


def test_named_flagfiles_exist():
    paths = set(re.findall(r"--flagfile=(\S+)", README))
    assert paths and all((ROOT / path).exists() for path in paths)


def test_named_flags_and_functions_exist():
    flags = {"help", "helpfull", "flagfile"}
    for options in (config.Config, AnonymizeCommandOptions, ExportOptions, EvaluateOptions):
        flags.update(field.name for field in dataclasses.fields(options))
    for name in re.findall(r"`--(\w+)[`=]", README):
        assert name in flags, name
    for name in re.findall(r"`losses\.(\w+)`", README):
        assert hasattr(losses, name)
    assert hasattr(trainer.MinimaxModel, "train_step")


def test_make_evaluate_and_ablations_plan_complete_grids():
    synthetic = plan_sweeps("evaluate_synthetic")
    ablations = plan_sweeps("evaluate_synthetic", "ablations")
    real = plan_sweeps("evaluate_real", "DATA=data")
    folds = {name for name in real if name.startswith("split_column")}
    # B x lambda, lambda 0 and four more objectives, three seeds each; then lambda 30, f_B's other
    # statistics and two variants of VITA.
    assert [len(synthetic), len(ablations), len(real)] == [3 * 15, 3 * 19, 3 * 15 + 9]
    assert len(folds) == 9
    for trials in (synthetic, ablations, real):
        configs = [trial.config for trial in trials.values()]
        experiments = {repr(dataclasses.replace(one, workdir="")) for one in configs}
        assert len(experiments) == len(trials)
        assert {name.rpartition("-seed")[2] for name in trials} - folds == {"0", "1", "2"}
        assert {one.objective for one in configs} == set(registry.list_names("objectives"))


def list_make_commands(*arguments: str) -> str:
    """Return the commands that `make` would run."""
    command = ["make", "-n", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def plan_sweeps(*arguments: str) -> dict[str, grid.Trial]:
    """Return the trials, by name, of the sweeps that `make` would run."""
    commands = list_make_commands(*arguments).replace("\\\n", " ")
    trials = []
    for line in re.findall(r"-m tfanon\.sweep ([^;|&\n]*)", commands):
        trials += plan_sweep(line.split())
    by_name = {trial.name: trial for trial in trials}
    assert len(by_name) == len(trials)
    return by_name


def plan_sweep(words: list[str]) -> list[grid.Trial]:
    options, base = config.parse_flags(words, sweep.SweepOptions, config.Config)
    return grid.expand_grids(options.sweep_dir, sweep.load_grids(options, base))
