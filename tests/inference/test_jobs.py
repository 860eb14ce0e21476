"""The plan of a command is made, or refused, before anything is read."""

import os
import pathlib
import tempfile

import pytest

from tfanon.inference import jobs
from tfanon.media import image_io, limits, video_writer


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working directory, with files in folders."""
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


def plan_paths(inputs, output) -> dict[str, str]:
    """Return the path of each result by the path of its input."""
    plan = jobs.plan_jobs(inputs, output)
    return {str(job.input_path): str(job.output_path) for job in plan.jobs}


def test_folder_is_mirrored(folder):
    assert plan_paths(["in"], "out") == {
        "in/a.mp4": "out/a.mp4",
        "in/deep/c.JPG": "out/deep/c.JPG",
        "in/deep/er/b.avi": "out/deep/er/b.avi",
        "in/old.mpg": "out/old.mpg.mp4",
    }


def test_pattern_keeps_the_folders_below_its_fixed_part(folder):
    assert plan_paths(["in/**/*.[aJ]*"], "out") == {
        "in/deep/c.JPG": "out/deep/c.JPG",
        "in/deep/er/b.avi": "out/deep/er/b.avi",
    }
    assert plan_paths(["in/*.mp4"], "out") == {"in/a.mp4": "out/a.mp4"}


def test_one_file_goes_to_a_file_or_into_a_folder(folder):
    assert plan_paths(["in/a.mp4"], "x.mkv") == {"in/a.mp4": "x.mkv"}
    assert plan_paths(["in/a.mp4"], "x") == {"in/a.mp4": "x/a.mp4"}
    os.mkdir("x.mp4")
    assert plan_paths(["in/a.mp4"], "x.mp4") == {"in/a.mp4": "x.mp4/a.mp4"}


@pytest.mark.parametrize("source", ["in", "in/**/*"])
def test_results_inside_the_input_folder_are_not_read_again(folder, source):
    (folder / "in/out").mkdir()
    (folder / "in/out/a.mp4").write_text("a result")
    assert "in/out/a.mp4" not in plan_paths([source], "in/out")


@pytest.mark.parametrize(
    "inputs, output, message",
    [
        (["in/a.mp4"], "", "give -o FILE"),
        (["nowhere"], "out", "nowhere: no such file or folder"),
        (["in/a.mp4"], "in/a.mp4", "would be replaced by its own result"),
        (["in"], "in", "would be replaced by its own"),
        (["in/notes.txt"], "out", "is not the extension of a supported"),
        (["in/notes.txt", "in/.hidden/no"], "out", "no such file or folder"),
        (["in/notes.txt", "in/notes.txt"], "out", r"\(left out: 2 with other endings \(.txt\)\);"),
        (["/dev/null"], "out", "'' is not the extension of a supported"),
        (["in/*.mp4", "in/*.xyz"], "out", r"in/\*.xyz: no videos or images found; "),
        (["in/*.xyz"], "out", "no videos or images found; "),
        (["in/a.mp4"], "x.png", "one is a video, the other an image"),
    ],
)
def test_impossible_plans_are_refused(folder, inputs, output, message):
    with pytest.raises(ValueError, match=message):
        jobs.plan_jobs(inputs, output)


def test_input_is_not_replaced_through_links(folder):
    os.symlink("a.mp4", "in/link.mp4")
    with pytest.raises(ValueError, match="would be replaced"):
        jobs.plan_jobs(["in/a.mp4"], "in/link.mp4")
    os.symlink("in", "same")
    with pytest.raises(ValueError, match="would be replaced"):
        jobs.plan_jobs(["in"], "same")


def test_result_of_one_input_may_not_replace_another(folder):
    pathlib.Path("other/deep/er").mkdir(parents=True)
    pathlib.Path("other/deep/er/b.avi").write_text("")
    with pytest.raises(
        ValueError,
        match="in/deep/er/b.avi is an input, and another input's result would replace it",
    ):
        jobs.plan_jobs(["other/deep", "in/deep/er"], "in/deep")


def write_files(*names) -> None:
    """Write files at relative paths."""
    for name in names:
        pathlib.Path(name).parent.mkdir(parents=True, exist_ok=True)
        pathlib.Path(name).write_text(name)


def plan_names(inputs, output="out") -> list[str]:
    """Return the results' paths below the output folder."""
    return [job.name for job in jobs.plan_jobs(inputs, output).jobs]


def test_every_readable_ending_becomes_a_writable_one(folder):
    endings = limits.VIDEO_ENDINGS + limits.IMAGE_ENDINGS
    write_files(*(f"all/x{ending}" for ending in endings))
    write_files(*(f"all/Y{ending.upper()}" for ending in endings))
    plan = jobs.plan_jobs(["all"], "out")
    names = {job.input_path.name: job.name for job in plan.jobs}
    assert len(names) == len(set(names.values())) == 2 * len(endings)
    for input_name, name in names.items():
        ending = pathlib.Path(name).suffix.lower()
        assert limits.is_video_path(input_name) == limits.is_video_path(name)
        assert ending in video_writer.CONTAINER_FORMATS or ending in image_io.WRITE_FORMATS
        assert name in (input_name, f"{input_name}.mp4", f"{input_name}.jpg")
    assert names["x.mpg"] == "x.mpg.mp4" and names["x.mp4"] == "x.mp4"


def test_name_of_a_result_does_not_depend_on_other_files(folder):
    write_files("one/x.mpg")
    alone = plan_names(["one"])
    write_files("one/x.mp4", "one/x.mpeg", "one/X.mpg")
    assert alone == ["x.mpg.mp4"] == plan_names(["one/x.mpg"])
    assert plan_names(["one"]) == ["X.mpg.mp4", "x.mp4", "x.mpeg.mp4", "x.mpg.mp4"]


@pytest.mark.parametrize(
    "inputs, names",
    [
        (["in/a.mp4", "other/a.mp4"], ["in/a.mp4", "other/a.mp4"]),
        (["in/a.mp4", "./in/a.mp4", "in/../in/a.mp4"], ["a.mp4"]),
        (["other", "in/*.mp4", "in/old.mpg"], ["other/a.mp4", "in/a.mp4", "in/old.mpg.mp4"]),
        (["in/deep", "in/deep/er"], ["c.JPG", "er/b.avi", "b.avi"]),
        (["in/a.mp4", "day/1/a.mp4", "day/2/a.mp4"], ["in/a.mp4", "day/1/a.mp4", "day/2/a.mp4"]),
    ],
)
def test_folders_make_equal_names_unique(folder, inputs, names):
    write_files("day/1/a.mp4", "day/2/a.mp4")
    assert plan_names(inputs) == names


def test_names_that_folders_do_not_make_unique_get_a_stable_mark(folder):
    write_files("one/x.mpg", "one/x.mpg.mp4", "one/y.mp4")
    names = plan_names(["one"])
    assert names[2] == "y.mp4" and len(set(names)) == 3
    assert all(name.startswith("x.mpg~") and name.endswith(".mp4") for name in names[:2])
    assert names[:2] == plan_names(["one/x.*"])


@pytest.mark.parametrize("case_insensitive", [True, False])
def test_names_that_are_equal_on_the_output_disk_get_a_mark(folder, monkeypatch, case_insensitive):
    write_files("one/A.MP4", "one/a.mp4", "one/\u00e9.mkv", "one/e\u0301.mkv", "one/b.mp4")
    monkeypatch.setattr(jobs, "_is_case_insensitive", lambda folder: case_insensitive)
    names = plan_names(["one"])
    folded = {name.casefold().replace("e\u0301", "\u00e9") for name in names}
    assert len(folded) == (5 if case_insensitive else 3)
    assert "b.mp4" in names and ("a.mp4" in names) != case_insensitive


def test_case_insensitive_disk_is_detected(folder, monkeypatch):
    assert jobs._is_case_insensitive(folder / "not/yet") == os.path.exists(folder / "IN")
    assert sorted(os.listdir(folder)) == ["in", "other"]
    monkeypatch.setattr(os.path, "exists", lambda path: True)
    assert jobs._is_case_insensitive(folder)
    monkeypatch.undo()
    monkeypatch.setattr(tempfile, "NamedTemporaryFile", lambda **_: open(folder / "no/such/folder"))
    assert jobs._is_case_insensitive(folder)  # it cannot be tried


def test_long_names_are_shortened_to_what_a_disk_holds(folder):
    write_files(
        "one/" + "x" * 251 + ".mpg", "one/" + "x" * 252 + ".ts", "one/" + "x" * 251 + ".mp4"
    )
    names = plan_names(["one"])
    assert len(set(names)) == 3 and max(map(len, names)) == 255
    assert all(name.endswith(".mp4") for name in names)


def test_left_out_entries_are_counted_for_each_input(folder):
    plan = jobs.plan_jobs(["in", "in/*", "in/notes.txt", "in/a.mp4"], "out")
    assert plan.describe_left_out() == [
        "in: 3 entries are left out: 1 with other endings (.txt), 2 hidden",
        "in/*: 4 entries are left out: 1 with other endings (.txt), 2 hidden, 1 folder",
        "the command line: 1 entry is left out: 1 with other endings (.txt)",
    ]
    assert plan.get_left_out_entries()["in"] == {"other_endings": {".txt": 1}, "hidden": 2}
    assert not plan.has_unreadable_folder
    assert jobs.plan_jobs(["in/a.mp4"], "out").get_left_out_entries() == {"the command line": {}}
    assert jobs.plan_jobs(["in/a.mp4"], "out.mp4").get_left_out_entries() == {}


def test_folder_without_media_does_not_stop_others(folder):
    os.mkdir("empty")
    assert plan_names(["empty", "in/a.mp4"]) == ["a.mp4"]
    with pytest.raises(ValueError, match="^empty: no videos or images found; their names end in"):
        jobs.plan_jobs(["empty"], "out")


def test_pipes_are_refused_or_left_out(folder):
    os.mkfifo("in/pipe.mp4")
    for output in ("out", "out.mp4"):
        with pytest.raises(ValueError, match="^in/pipe.mp4 is a pipe, a socket or a device"):
            jobs.plan_jobs(["in/pipe.mp4"], output)
    plan = jobs.plan_jobs(["in/pipe.mp4", "in/a.mp4"], "out")
    assert [job.name for job in plan.jobs] == ["a.mp4"]
    line = "the command line: 1 entry is left out: 1 pipe, socket or device"
    assert plan.describe_left_out() == [line]
