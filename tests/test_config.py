import dataclasses
import pathlib
import re
import subprocess
import sys

import pytest

from tfanon import config
from tfanon.config import Config

ROOT = pathlib.Path(__file__).parent.parent
FLAGFILES = sorted((ROOT / "configs").glob("*.flags"))


def parse(*arguments):
    """A fresh process, since absl's flags are global: prints the fields that differ from the defaults."""
    code = ("import sys; from absl import flags; from tfanon import config; config.define_flags(); "
            "flags.FLAGS(sys.argv); c = config.from_flags(); "
            "print({k: v for k, v in vars(c).items() if v != getattr(config.Config(), k)})")
    return subprocess.run([sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True)


def test_flags_fill_the_fields():
    done = parse("--penalty_bound=0.1", "--frames=8", "--deterministic", "--baselines=raw,blur")
    assert done.returncode == 0, done.stderr
    assert eval(done.stdout) == {"penalty_bound": 0.1, "frames": 8, "deterministic": True, "baselines": ("raw", "blur")}


@pytest.mark.parametrize("argument, words", [
    ("--penalty_bound=3", ["penalty_bound", "3", "[0.0, 1.0]"]),
    ("--frames=many", ["frames", "many", "int()"]),
    ("--precision=float8", ["precision", "float8", "mixed_bfloat16"]),
    ("--penalty_bund=0.3", ["penalty_bund", "Did you mean", "penalty_bound"]),
])
def test_a_wrong_flag_is_named_with_what_would_do(argument, words):
    done = parse(argument)
    assert done.returncode != 0
    assert all(word in done.stderr for word in words), done.stderr


def test_a_run_s_flagfile_replays_it(tmp_path):
    asked = dataclasses.replace(Config(), deterministic=True, private_columns=("age:18:40", "race"), seed=7)
    config.write_flagfile(asked, tmp_path / "run.flags")
    done = parse(f"--flagfile={tmp_path / 'run.flags'}")
    assert eval(done.stdout) == {"deterministic": True, "private_columns": ("age:18:40", "race"), "seed": 7}


def test_differences_name_flag_and_both_values(tmp_path):
    config.write_flagfile(Config(), tmp_path / "run.flags")
    asked = dataclasses.replace(Config(), penalty_bound=0.1, same_batch=True, workdir="elsewhere", log_every=3)
    assert config.differences(asked, tmp_path / "run.flags") == [
        "--penalty_bound=0.3 there, --penalty_bound=0.1 asked for", "--nosame_batch there, --same_batch asked for"]


@pytest.mark.parametrize("path", FLAGFILES, ids=lambda path: path.stem)
def test_every_flagfile_parses(path):
    done = parse(f"--flagfile={path}")
    assert done.returncode == 0, done.stderr
    assert eval(done.stdout)


@pytest.mark.parametrize("path", FLAGFILES, ids=lambda path: path.stem)
def test_every_flagfile_says_what_it_is(path):
    head = "".join(line for line in path.read_text().splitlines(keepends=True) if line.startswith("#"))
    assert all(re.search(word, head) for word in ("Expect", "Hardware", "Time")), head


def test_every_field_says_what_it_is():
    assert all(len(field.metadata["help"]) > 10 for field in dataclasses.fields(Config))
