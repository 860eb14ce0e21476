"""What is read and where it goes is decided, or refused, before anything happens."""

import os
import pathlib

import pytest

from tfanon.anonymizing import inputs


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in ("in/a.mp4", "in/deep/er/b.avi", "in/deep/c.JPG", "in/.hidden/d.mp4", "in/.e.mp4", "in/notes.txt",
                 "in/old.mpg", "other/a.mp4"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pairs(given, output):
    return {str(job.given): str(job.target) for job in inputs.jobs(given, output)}


def test_a_folder_is_mirrored(folder):
    assert pairs(["in"], "out") == {
        "in/a.mp4": "out/a.mp4", "in/deep/c.JPG": "out/deep/c.JPG", "in/deep/er/b.avi": "out/deep/er/b.avi",
        "in/old.mpg": "out/old.mp4"}


def test_a_pattern_keeps_the_folders_below_its_fixed_part(folder):
    assert pairs(["in/**/*.[aJ]*"], "out") == {"in/deep/c.JPG": "out/deep/c.JPG", "in/deep/er/b.avi": "out/deep/er/b.avi"}
    assert pairs(["in/*.mp4"], "out") == {"in/a.mp4": "out/a.mp4"}


def test_one_file_goes_to_a_file_or_into_a_folder(folder):
    assert pairs(["in/a.mp4"], "x.mkv") == {"in/a.mp4": "x.mkv"}
    assert pairs(["in/a.mp4"], "x") == {"in/a.mp4": "x/a.mp4"}
    os.mkdir("x.mp4")
    assert pairs(["in/a.mp4"], "x.mp4") == {"in/a.mp4": "x.mp4/a.mp4"}


@pytest.mark.parametrize("given", ["in", "in/**/*"])
def test_results_inside_the_input_folder_are_not_read_again(folder, given):
    (folder / "in/out").mkdir()
    (folder / "in/out/a.mp4").write_text("a result")
    assert "in/out/a.mp4" not in pairs([given], "in/out")


@pytest.mark.parametrize("given, output, message", [
    (["in/a.mp4"], "", "Give -o FILE"), (["nowhere"], "out", "nowhere: no such file or folder"),
    (["in/a.mp4"], "in/a.mp4", "would be replaced by its own result"), (["in"], "in", "would be replaced by its own"),
    (["in/a.mp4", "other/a.mp4"], "out", "would both become out/a.mp4"), (["in/notes.txt"], "out", "no video or image"),
    (["in/*.xyz"], "out", "no video and no image in it"), (["in/a.mp4"], "x.png", "one is a video, the other an image")])
def test_what_is_refused(folder, given, output, message):
    with pytest.raises(ValueError, match=message):
        inputs.jobs(given, output)


def test_the_input_is_safe_behind_links(folder):
    os.symlink("a.mp4", "in/link.mp4")
    with pytest.raises(ValueError, match="would be replaced"):
        inputs.jobs(["in/a.mp4"], "in/link.mp4")
    os.symlink("in", "same")
    with pytest.raises(ValueError, match="would be replaced"):
        inputs.jobs(["in"], "same")


def test_one_inputs_result_is_not_another_input(folder):
    pathlib.Path("other/deep/er").mkdir(parents=True)
    pathlib.Path("other/deep/er/b.avi").write_text("")
    with pytest.raises(ValueError, match="in/deep/er/b.avi is an input, and another input's result would replace it"):
        inputs.jobs(["other/deep", "in/deep/er"], "in/deep")
