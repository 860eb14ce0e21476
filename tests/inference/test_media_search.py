"""Media in folders and patterns, and what is left out: links, pipes, hidden and locked names."""

import glob
import os
import pathlib
import socket

import pytest

from tfanon.inference import media_search
from tfanon.inference.media_search import LeftOut

FILES = (
    "in/a.mp4",
    "in/b.MKV",
    "in/notes.txt",
    "in/x.srt",
    "in/y.SRT",
    "in/README",
    "in/.e.mp4",
    "in/.hidden/d.mp4",
    "in/one/a.mp4",
    "in/one/two/b.avi",
    "in/one/two/c.png",
    "in/one/clips/d.webm",
    "in/out/a.mp4",
    "far/f.mp4",
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working directory, with files in folders."""
    monkeypatch.chdir(tmp_path)
    for name in FILES:
        path = pathlib.Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def find(pattern, output="in/out") -> tuple[list[str], LeftOut]:
    """Return the paths that a pattern finds, and what is left out."""
    left_out = LeftOut(pattern)
    base, parts = media_search.split_pattern(pattern)
    paths = media_search.find_media(base, parts, pathlib.Path(output), left_out)
    return [str(path) for path in paths], left_out


def test_folder_is_searched_before_its_subfolders(folder):
    paths, left_out = find("in/**/*")
    assert paths == [
        "in/a.mp4",
        "in/b.MKV",
        "in/one/a.mp4",
        "in/one/clips/d.webm",
        "in/one/two/b.avi",
        "in/one/two/c.png",
    ]
    assert left_out.make_manifest_entry() == {
        "other_endings": {"": 1, ".srt": 2, ".txt": 1},
        "hidden": 2,
        "output_folder": 1,
    }
    assert left_out.format_line() == (
        "in/**/*: 7 entries are left out: 4 with other endings "
        "(none, .srt, .txt), 2 hidden, 1 output folder"
    )


@pytest.mark.parametrize(
    "pattern",
    [
        "in/*.mp4",
        "in/*",
        "in/one/*/*.[aw]*",
        "in/**",
        "in/**/**/*",
        "in/**/two/*",
        "in/o*/**/*",
        "in/**/one/**/?.*",
        "*/*.mp4",
        "in/.*",
        "in/.h*/*",
        "in/**/.*",
        "in/*/clips/d.webm",
        "**/[!b].mp4",
        "in/one/../*.mp4",
    ],
)
def test_pattern_finds_what_glob_finds(folder, pattern):
    matched = [path for path in glob.glob(pattern, recursive=True) if os.path.isfile(path)]
    expected = [path for path in matched if media_search.is_media(path) and "in/out/" not in path]
    paths, _ = find(pattern)
    assert set(map(os.path.normpath, paths)) == set(map(os.path.normpath, expected))
    assert len(paths) == len(set(paths))


def test_folders_that_a_pattern_matches_are_counted(folder):
    assert find("in/*", "elsewhere")[1].kinds["folders"] == 2
    assert not find("in/**", "elsewhere")[1].kinds["folders"]


def test_linked_folders_are_not_followed_and_linked_files_are(folder):
    os.symlink("..", "in/one/loop")
    os.symlink("../far", "in/far.mp4")
    os.symlink("../far/f.mp4", "in/file.mp4")
    before = [path for path in find("in/**/*")[0] if path != "in/file.mp4"]
    assert len(before) == 6
    for pattern, count in (("in/**/*", 2), ("in/*", 1), ("in/*/f.mp4", 1)):
        paths, left_out = find(pattern)
        assert left_out.kinds["linked_folders"] == count
        assert not [path for path in paths if "loop" in path or "far" in path]
    assert find("i*/far.mp4/f.mp4")[0] == ["in/far.mp4/f.mp4"]  # one that is named is followed


def test_unreadable_files_are_found_or_counted(folder):
    os.symlink("nowhere", "in/gone.mp4")
    os.symlink("self.mp4", "in/self.mp4")
    os.symlink("nowhere", "in/gone.txt")
    paths, left_out = find("in/*")
    assert {"in/gone.mp4", "in/self.mp4"} < set(paths)  # they fail when they are read
    assert left_out.endings[".txt"] == 2


def test_pipes_and_sockets_are_not_opened(folder):
    os.mkfifo("in/pipe.mp4")
    os.mkfifo("in/pipe.txt")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("in/socket.mkv")
        paths, left_out = find("in/*")
    assert paths == ["in/a.mp4", "in/b.MKV"] and left_out.kinds["special_files"] == 3
    assert "3 pipes, sockets or devices" in left_out.format_line()


def test_unreadable_folder_is_named(folder, monkeypatch):
    scandir = os.scandir

    # Not by permissions: the superuser, as whom tests may run, can read any folder.
    def scan_unlocked(path):
        if str(path) == "in/one":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scan_unlocked)
    paths, left_out = find("in/**/*.mp4")
    assert paths == ["in/a.mp4"]
    assert left_out.make_manifest_entry()["unreadable"] == {"in/one": "Permission denied"}
    assert left_out.format_line().endswith("1 unreadable (in/one: Permission denied)")


def test_line_breaks_in_names_do_not_break_the_line(folder):
    for number in range(9):
        pathlib.Path(f"in/x.{number}\n").touch()
    line = find("in/*")[1].format_line()
    assert len(line.splitlines()) == 1 and r"(none, .0\n, .1\n, .2\n, .3\n, ...)" in line


def test_names_of_any_bytes_are_found(folder):
    name = os.fsencode(folder) + b"/in/a\xff\n.mp4"
    open(name, "wb").close()
    paths = [os.fsencode(path) for path in find("in/*")[0]]
    assert name in [os.path.join(os.fsencode(folder), path) for path in paths]
