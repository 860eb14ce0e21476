import pathlib
import re
import subprocess

import pytest

from tfanon import config, losses, trainer
from tfanon.anonymizing import settings as anonymizing
from tfanon.exporting import settings as exporting
from tfanon.protocols import _settings as evaluating

ROOT = pathlib.Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("target, command", [
    ("quickstart", "-m tfanon.train --flagfile=configs/quickstart.flags"), ("test", "-m pytest")])
def test_make_targets_do_what_they_say(target, command):
    plan = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert f"make {target}" in README and command in plan


def test_flagfiles_it_names_exist():
    named = set(re.findall(r"--flagfile=(\S+)", README))
    assert named and all((ROOT / path).exists() for path in named)


def test_flags_and_functions_it_names_exist():
    fields = {name for settings in (config.Config, anonymizing.Command, exporting.Settings, evaluating.Settings)
              for name in settings.__dataclass_fields__}
    for name in re.findall(r"`--(\w+)[`=]", README):
        assert name in fields or name in ("help", "helpfull", "flagfile"), name
    for name in re.findall(r"`losses\.(\w+)`", README):
        assert hasattr(losses, name)
    assert hasattr(trainer.Minimax, "train_step")
