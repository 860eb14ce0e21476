import dataclasses
import pathlib
import re
import subprocess
import sys

import pytest

from tfanon.core import config
from tfanon.core.config import Config

ROOT = pathlib.Path(__file__).parents[2]
FLAGFILES = sorted((ROOT / "configs").glob("*.flags"))


PRINT_CHANGED_FLAGS = """
import sys
from absl import flags
from tfanon.core import config
config.define_flags()
flags.FLAGS(sys.argv)
parsed = config.from_flags()
print({k: v for k, v in vars(parsed).items() if v != getattr(config.Config(), k)})
"""


def parse(*arguments):
    """Parse flags; return what is not the default."""
    (parsed,) = config.parse_flags(arguments, Config)
    default = Config()
    return {k: v for k, v in vars(parsed).items() if v != getattr(default, k)}


def test_flags_become_fields():
    # In a fresh process: this test alone declares absl's own flags, which are global.
    arguments = ["--penalty_bound=0.1", "--frames=8", "--deterministic", "--baselines=raw,blur"]
    command = [sys.executable, "-c", PRINT_CHANGED_FLAGS, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert eval(done.stdout) == {
        "penalty_bound": 0.1,
        "frames": 8,
        "deterministic": True,
        "baselines": ("raw", "blur"),
    }


@pytest.mark.parametrize(
    "argument, words",
    [
        ("--penalty_bound=3", ["penalty_bound", "3", "[0.0, 1.0]"]),
        ("--frames=many", ["frames", "many", "int()"]),
        ("--precision=float8", ["precision", "float8", "mixed_bfloat16"]),
        ("--penalty_bund=0.3", ["penalty_bund", "Did you mean", "penalty_bound"]),
    ],
)
def test_a_wrong_flag_is_named_with_its_accepted_values(argument, words):
    with pytest.raises(ValueError) as error:
        parse(argument)
    assert all(word in str(error.value) for word in words), error.value


def test_the_flagfile_of_a_run_replays_it(tmp_path):
    asked = dataclasses.replace(
        Config(), deterministic=True, private_columns=("age:18:40", "race"), seed=7
    )
    config.write_flagfile(asked, tmp_path / "run.flags")
    assert parse(f"--flagfile={tmp_path / 'run.flags'}") == {
        "deterministic": True,
        "private_columns": ("age:18:40", "race"),
        "seed": 7,
    }


def test_differences_name_flag_and_both_values(tmp_path):
    config.write_flagfile(Config(), tmp_path / "run.flags")
    asked = dataclasses.replace(
        Config(), penalty_bound=0.1, same_batch=True, workdir="elsewhere", log_every=3
    )
    assert config.list_differences(asked, tmp_path / "run.flags") == [
        "--penalty_bound=0.3 there, --penalty_bound=0.1 asked for",
        "--nosame_batch there, --same_batch asked for",
    ]


TEXT = (
    "# a comment\n\n--penalty_bound=0.1\n// another\n  --deterministic  \n"
    "--private_columns=age:18:40,größe"
)
MARK = b"\xef\xbb\xbf"
ENCODED = {
    "plain": TEXT.encode(),
    "byte-order mark": MARK + TEXT.encode(),
    "Windows": MARK + TEXT.replace("\n", "\r\n").encode(),
    "old Mac": TEXT.replace("\n", "\r").encode(),
    "flag in the first line": MARK + TEXT.partition("\n")[2].strip().encode(),
}
WANTED = {"penalty_bound": 0.1, "deterministic": True, "private_columns": ("age:18:40", "größe")}


@pytest.mark.parametrize("name", ENCODED)
def test_a_flagfile_may_come_from_any_editor(tmp_path, name):
    path = tmp_path / "a.flags"
    path.write_bytes(ENCODED[name])
    (found,) = config.parse_flags(["--seed=3", f"--flagfile={path}", "--penalty_bound=.2"], Config)
    assert found == dataclasses.replace(Config(), **{**WANTED, "seed": 3, "penalty_bound": 0.2})
    wanted = dataclasses.replace(Config(), **WANTED)
    assert config.parse_flags(["--flagfile", str(path)], Config) == [wanted]
    assert config.from_flagfile(path) == wanted


def test_a_byte_order_mark_from_the_shell(tmp_path):
    (tmp_path / "a.flags").write_bytes(ENCODED["flag in the first line"])
    text = f"\ufeff--flagfile={tmp_path / 'a.flags'}\r\n--seed=5"
    (tmp_path / "b.flags").write_bytes(text.encode())
    changed = parse(f"--flagfile={tmp_path / 'b.flags'}", "--frames", "8")
    assert changed == {**WANTED, "seed": 5, "frames": 8}


@pytest.mark.parametrize(
    "content, message",
    [
        (
            "--seed=3\n--workdir=größe".encode("latin-1"),
            "^--flagfile={}: line 2 is not UTF-8 text; save the file as UTF-8.$",
        ),
        ("--seed=3".encode("utf-16"), "^--flagfile={}: line 1 is not UTF-8 text"),
        (b"--flagfile={}", "^The flagfile {0} includes itself: {0} includes {0}.$"),
        (None, "^--flagfile={}: No such file or directory.$"),
    ],
)
def test_a_bad_flagfile_is_one_line(tmp_path, content, message):
    path = tmp_path / "a.flags"
    if content is not None:
        path.write_bytes(content.replace(b"{}", str(path).encode()))
    with pytest.raises(ValueError, match=message.format(re.escape(str(path)))):
        config.parse_flags([f"--flagfile={path}"], Config)


def test_words_after_two_dashes_are_not_flagfiles():
    words = ["a", "--seed", "3", "--", "--flagfile=b"]
    assert config.expand_flagfiles(words) == words
    with pytest.raises(ValueError, match="--flagfile needs the name of a file"):
        config.parse_flags(["--flagfile"], Config)


def test_every_command_starts_alike():
    texts = [path.read_text() for path in (ROOT / "tfanon").rglob("*.py")]
    commands = [text for text in texts if "command_line.run_entry_point(" in text]
    assert len(commands) > 7
    assert not any("app.run(main)" in text for text in commands)


@pytest.mark.parametrize("path", FLAGFILES, ids=lambda path: path.stem)
def test_every_flagfile_parses(path, monkeypatch):
    monkeypatch.chdir(ROOT)  # some name others in configs/
    assert parse(f"--flagfile={path}")


@pytest.mark.parametrize("path", FLAGFILES, ids=lambda path: path.stem)
def test_every_flagfile_says_what_it_is(path):
    head = "".join(
        line for line in path.read_text().splitlines(keepends=True) if line.startswith("#")
    )
    assert all(re.search(word, head) for word in ("Expect", "Hardware", "Time")), head


def test_every_field_has_a_help_text():
    assert all(len(field.metadata["help"]) > 10 for field in dataclasses.fields(Config))
