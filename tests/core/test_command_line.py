"""Commands explain themselves: grouped help, version, short usage; former flag names."""

import dataclasses
import importlib
import subprocess
import sys

import pytest

import tfanon
from tfanon.core import command_line, config

COMMANDS = (
    "train",
    "evaluate",
    "sweep",
    "export",
    "anonymize",
    "anonymize_archive",
    "weights",
    "data",
    "report",
)
DESCRIPTION = """Do something to files.

    python -m tfanon.something INPUT
    python -m tfanon.something INPUT --speed=2

More about it.
"""


@dataclasses.dataclass(frozen=True)
class Options(config.Limits):
    """Flags of a made-up command."""

    speed: float = config.flag(1.5, "How fast.", low=0.0, group="Speed")
    fast: bool = config.flag(False, "Hurry.")
    color: str = config.flag("red", "Which color.", choices=("red", "blue"), group="Looks")
    output: str = config.flag("", "Where to.", short="o", alias="target")


def run(command, *arguments):
    words = [sys.executable, "-m", f"tfanon.{command}", *arguments]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_help_groups_flags_by_topic():
    text = command_line.format_help(DESCRIPTION, [Options])
    places = [
        text.index(title)
        for title in ("Do something", "Speed:", "Looks:", "Limits on", "Every command")
    ]
    assert places == sorted(places)
    assert "  --speed=X\n      How fast. Default: 1.5." in text
    assert "  --[no]fast\n      Hurry. Default: off." in text
    assert "  --color={red,blue}\n" in text
    assert "  -o, --output=TEXT\n      Where to.\n" in text
    assert "target" not in text


def test_usage_is_the_summary_and_the_examples():
    lines = command_line.format_usage(DESCRIPTION).split("\n")
    assert lines[0] == "Do something to files."
    assert lines[2:4] == [
        "    python -m tfanon.something INPUT",
        "    python -m tfanon.something INPUT --speed=2",
    ]
    assert "More about it." not in lines and "--help" in lines[-1]


def answer(command, monkeypatch, *arguments):
    """Return the exit status of a command that only talks about itself, in this process."""
    folder = command in ("data", "report")
    module = importlib.import_module(
        f"tfanon.{command}.__main__" if folder else f"tfanon.{command}"
    )
    monkeypatch.setattr(sys, "argv", [command, *arguments])
    with pytest.raises(SystemExit) as ended:
        module.run()
    return ended.value.code


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command, monkeypatch, capsys):
    assert answer(command, monkeypatch, "--help") == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert f"    python -m tfanon.{command} " in shown.out  # an example
    assert max(len(line) for line in shown.out.split("\n")) <= command_line.WIDTH
    assert "absl" not in shown.out


@pytest.mark.parametrize("command", COMMANDS)
def test_without_arguments_a_short_usage(command, monkeypatch, capsys):
    assert answer(command, monkeypatch) == 2
    shown = capsys.readouterr()
    lines = shown.err.strip().split("\n")
    assert shown.out == ""
    assert 4 <= len(lines) <= 20 and lines[-1] == "--help lists all flags by topic."


@pytest.mark.parametrize("command", ["train", "data"])
def test_a_wrong_word_is_one_line(command):
    shown = run(command, "no-such-word")
    assert shown.returncode == 1 and shown.stdout == ""
    (line,) = shown.stderr.strip().split("\n")
    assert line.endswith("--help lists the flags.")


def test_a_process_of_its_own_prints_nothing_else():
    shown = run("train", "--version")
    assert (shown.stdout, shown.stderr) == (f"tfanon {tfanon.__version__}\n", "")


def parse(*words):
    (parsed,) = config.parse_flags(words, config.Config)
    return parsed


def test_former_flag_names_work_with_a_warning(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(config, "_WARNED", set())
    (tmp_path / "old.flags").write_text("--rate_action=.5\n--warm_action\n")
    parsed = parse("--held_out=.2", f"--flagfile={tmp_path / 'old.flags'}", "--held_out=.3")
    assert (parsed.validation_split, parsed.lr_action, parsed.init_action_from_raw) == (
        0.3,
        0.5,
        True,
    )
    assert parse("--nowarm_action").init_action_from_raw is False
    lines = capsys.readouterr().err.strip().split("\n")
    assert lines == [
        "Warning: --held_out is now called --validation_split; the old name will stop working in "
        "the next version.",
        "Warning: --rate_action is now called --lr_action; the old name will stop working in the "
        "next version.",
        "Warning: --warm_action is now called --init_action_from_raw; the old name will stop "
        "working in the next version.",
    ]


def test_a_value_may_follow_a_former_name_as_its_own_word():
    assert parse("--rate_action", ".25").lr_action == 0.25


def test_a_run_of_the_version_before_is_the_same_experiment(tmp_path, capsys):
    path = tmp_path / "run.flags"
    config.write_flagfile(config.Config(validation_split=0.25, init_action_from_raw=True), path)
    old = path.read_text()
    for former, current in config.list_former_names().items():
        old = old.replace(f"--{current}=", f"--{former}=").replace(
            f"--{current}\n", f"--{former}\n"
        )
        old = old.replace(f"--no{current}\n", f"--no{former}\n")
    assert "--held_out=0.25\n" in old and "--warm_action\n" in old
    path.write_text(old)
    read = config.from_flagfile(path)
    assert read == config.Config(validation_split=0.25, init_action_from_raw=True)
    assert config.list_differences(read, path) == []
    changed = dataclasses.replace(read, validation_split=0.5)
    assert config.list_differences(changed, path) == [
        "--validation_split=0.25 there, --validation_split=0.5 asked for"
    ]
    assert capsys.readouterr().err == ""
