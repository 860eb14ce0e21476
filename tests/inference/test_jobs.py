"""What is read and where it goes is decided, or refused, before anything happens."""

import os
import pathlib
import tempfile

import pytest

from tfanon.inference import jobs
from tfanon.media import image_io, limits, video_writer


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in (
        "in/a.mp4",
        "in/deep/er/b.avi",
        "in/deep/c.JPG",
        "in/.hidden/d.mp4",
        "in/.e.mp4",
        "in/notes.txt",
        "in/old.mpg",
        "other/a.mp4",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pairs(given, output):
    return {str(job.given): str(job.target) for job in jobs.plan_jobs(given, output).jobs}


def test_a_folder_is_mirrored(folder):
    assert pairs(["in"], "out") == {
        "in/a.mp4": "out/a.mp4",
        "in/deep/c.JPG": "out/deep/c.JPG",
        "in/deep/er/b.avi": "out/deep/er/b.avi",
        "in/old.mpg": "out/old.mpg.mp4",
    }


def test_a_pattern_keeps_the_folders_below_its_fixed_part(folder):
    assert pairs(["in/**/*.[aJ]*"], "out") == {
        "in/deep/c.JPG": "out/deep/c.JPG",
        "in/deep/er/b.avi": "out/deep/er/b.avi",
    }
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


@pytest.mark.parametrize(
    "given, output, message",
    [
        (["in/a.mp4"], "", "Give -o FILE"),
        (["nowhere"], "out", "nowhere: no such file or folder"),
        (["in/a.mp4"], "in/a.mp4", "would be replaced by its own result"),
        (["in"], "in", "would be replaced by its own"),
        (["in/notes.txt"], "out", "no video or image"),
        (["in/notes.txt", "in/.hidden/no"], "out", "no such file or folder"),
        (["in/notes.txt", "in/notes.txt"], "out", r"\(left out: 2 with other endings \(.txt\)\);"),
        (["/dev/null"], "out", "by its ending ''"),
        (["in/*.mp4", "in/*.xyz"], "out", r"in/\*.xyz: no video and no image in"),
        (["in/*.xyz"], "out", "no video and no image in it"),
        (["in/a.mp4"], "x.png", "one is a video, the other an image"),
    ],
)
def test_what_is_refused(folder, given, output, message):
    with pytest.raises(ValueError, match=message):
        jobs.plan_jobs(given, output)


def test_the_input_is_safe_behind_links(folder):
    os.symlink("a.mp4", "in/link.mp4")
    with pytest.raises(ValueError, match="would be replaced"):
        jobs.plan_jobs(["in/a.mp4"], "in/link.mp4")
    os.symlink("in", "same")
    with pytest.raises(ValueError, match="would be replaced"):
        jobs.plan_jobs(["in"], "same")


def test_one_inputs_result_is_not_another_input(folder):
    pathlib.Path("other/deep/er").mkdir(parents=True)
    pathlib.Path("other/deep/er/b.avi").write_text("")
    with pytest.raises(
        ValueError,
        match="in/deep/er/b.avi is an input, and another input's result would replace it",
    ):
        jobs.plan_jobs(["other/deep", "in/deep/er"], "in/deep")


def write(*names):
    """Write files that lie where their names say."""
    for name in names:
        pathlib.Path(name).parent.mkdir(parents=True, exist_ok=True)
        pathlib.Path(name).write_text(name)


def targets(given, output="out"):
    """The results' paths below the output folder."""
    return [job.name for job in jobs.plan_jobs(given, output).jobs]


def test_every_ending_that_is_read_becomes_one_that_is_written(folder):
    endings = limits.VIDEO_ENDINGS + limits.IMAGE_ENDINGS
    write(*(f"all/x{ending}" for ending in endings))
    write(*(f"all/Y{ending.upper()}" for ending in endings))
    found = {str(job.given.name): job.name for job in jobs.plan_jobs(["all"], "out").jobs}
    assert len(found) == len(set(found.values())) == 2 * len(endings)
    for given, name in found.items():
        ending = pathlib.Path(name).suffix.lower()
        assert limits.is_video_path(given) == limits.is_video_path(name)
        assert ending in video_writer.CONTAINER_FORMATS or ending in image_io.WRITE_FORMATS
        assert name in (given, f"{given}.mp4", f"{given}.jpg")
    assert found["x.mpg"] == "x.mpg.mp4" and found["x.mp4"] == "x.mp4"


def test_a_result_has_one_name_whatever_lies_beside_its_file(folder):
    write("one/x.mpg")
    alone = targets(["one"])
    write("one/x.mp4", "one/x.mpeg", "one/X.mpg")
    assert alone == ["x.mpg.mp4"] == targets(["one/x.mpg"])
    assert targets(["one"]) == ["X.mpg.mp4", "x.mp4", "x.mpeg.mp4", "x.mpg.mp4"]


@pytest.mark.parametrize(
    "given, names",
    [
        (["in/a.mp4", "other/a.mp4"], ["in/a.mp4", "other/a.mp4"]),
        (["in/a.mp4", "./in/a.mp4", "in/../in/a.mp4"], ["a.mp4"]),
        (["other", "in/*.mp4", "in/old.mpg"], ["other/a.mp4", "in/a.mp4", "in/old.mpg.mp4"]),
        (["in/deep", "in/deep/er"], ["c.JPG", "er/b.avi", "b.avi"]),
        (["in/a.mp4", "day/1/a.mp4", "day/2/a.mp4"], ["in/a.mp4", "day/1/a.mp4", "day/2/a.mp4"]),
    ],
)
def test_files_of_one_name_are_told_apart_by_their_folders(folder, given, names):
    write("day/1/a.mp4", "day/2/a.mp4")
    assert targets(given) == names


def test_what_no_folder_tells_apart_gets_a_mark_that_stays(folder):
    write("one/x.mpg", "one/x.mpg.mp4", "one/y.mp4")
    found = targets(["one"])
    assert found[2] == "y.mp4" and len(set(found)) == 3
    assert all(name.startswith("x.mpg~") and name.endswith(".mp4") for name in found[:2])
    assert found[:2] == targets(["one/x.*"])


@pytest.mark.parametrize("folds", [True, False])
def test_names_that_the_output_disk_takes_for_one_are_told_apart(folder, monkeypatch, folds):
    write("one/A.MP4", "one/a.mp4", "one/\u00e9.mkv", "one/e\u0301.mkv", "one/b.mp4")
    monkeypatch.setattr(jobs, "_is_case_insensitive", lambda folder: folds)
    found = targets(["one"])
    folded = {name.casefold().replace("e\u0301", "\u00e9") for name in found}
    assert len(folded) == (5 if folds else 3)
    assert "b.mp4" in found and ("a.mp4" in found) != folds


def test_a_disk_is_asked_whether_it_folds_case(folder, monkeypatch):
    assert jobs._is_case_insensitive(folder / "not/yet") == os.path.exists(folder / "IN")
    assert sorted(os.listdir(folder)) == ["in", "other"]
    monkeypatch.setattr(os.path, "exists", lambda path: True)
    assert jobs._is_case_insensitive(folder)
    monkeypatch.undo()
    monkeypatch.setattr(tempfile, "NamedTemporaryFile", lambda **_: open(folder / "no/such/folder"))
    assert jobs._is_case_insensitive(folder)  # it cannot be tried


def test_long_names_stay_below_what_a_disk_holds(folder):
    write("one/" + "x" * 251 + ".mpg", "one/" + "x" * 252 + ".ts", "one/" + "x" * 251 + ".mp4")
    found = targets(["one"])
    assert len(set(found)) == 3 and max(map(len, found)) == 255
    assert all(name.endswith(".mp4") for name in found)


def test_what_is_left_out_is_counted_for_each_input(folder):
    plan = jobs.plan_jobs(["in", "in/*", "in/notes.txt", "in/a.mp4"], "out")
    assert plan.lines() == [
        "in: 3 entries are left out: 1 with other endings (.txt), 2 hidden",
        "in/*: 4 entries are left out: 1 with other endings (.txt), 2 hidden, 1 folder",
        "the command line: 1 entry is left out: 1 with other endings (.txt)",
    ]
    assert plan.get_left_out_entries()["in"] == {"other_endings": {".txt": 1}, "hidden": 2}
    assert not plan.unreadable
    assert jobs.plan_jobs(["in/a.mp4"], "out").get_left_out_entries() == {"the command line": {}}
    assert jobs.plan_jobs(["in/a.mp4"], "out.mp4").get_left_out_entries() == {}


def test_a_folder_without_media_stops_no_other(folder):
    os.mkdir("empty")
    assert targets(["empty", "in/a.mp4"]) == ["a.mp4"]
    with pytest.raises(ValueError, match="^empty: no video and no image in it; their names end in"):
        jobs.plan_jobs(["empty"], "out")


def test_pipes_are_no_files(folder):
    os.mkfifo("in/pipe.mp4")
    for output in ("out", "out.mp4"):
        with pytest.raises(ValueError, match="^in/pipe.mp4 is a pipe, a socket or a device"):
            jobs.plan_jobs(["in/pipe.mp4"], output)
    plan = jobs.plan_jobs(["in/pipe.mp4", "in/a.mp4"], "out")
    assert [job.name for job in plan.jobs] == ["a.mp4"]
    assert plan.lines() == ["the command line: 1 entry is left out: 1 pipe, socket or device"]
