"""Imports run one way, and flags end at the entry points."""

import pathlib
import re

import pytest

PACKAGE = pathlib.Path(__file__).parent.parent / "tfanon"
ORDER = ["keras_setup", "exits", "config", "registry", "specs", "files", "processes", "sharing", "media", "metrics",
         "frontier", "data", "models", "replicas", "losses", "objectives", "trainer", "checkpoint", "converting", "evaluation", "anonymizing",
         "report", "fitting", "phases", "attackers", "protocols", "exporting", "experiment", "judge", "train",
         "weights", "anonymize", "anonymize_archive", "export", "evaluate", "point", "grid", "sweep", "__main__"]
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")


def layer(path):
    """The name in ORDER; the entry point of a folder stands above all."""
    return "__main__" if path.name == "__main__.py" else path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path):
    text = path.read_text()
    used = set(re.findall(r"^\s*from tfanon\.(\w+)", text, re.M)) | {
        name.split(" as ")[0].strip() for line in re.findall(r"^\s*from tfanon import (.+)$", text, re.M)
        for name in line.split("#")[0].split(",")}
    assert layer(path) in ORDER
    later = {name for name in used if ORDER.index(name) > ORDER.index(layer(path))}
    assert not later, f"{path.name} imports {later}, which come after it"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_flags_end_at_the_entry_points(path):
    if "absl import" in path.read_text() and layer(path) not in ("config",):
        assert "flags" not in re.findall(r"from absl import (.+)", path.read_text())[0]
