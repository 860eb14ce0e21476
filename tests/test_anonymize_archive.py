"""The command for archives, as far as it goes without Beam; with it: tests/inference/test_archive.py."""

import os
import sys
import types

import clips
import pytest

from tfanon import anonymize_archive, inference
from tfanon.anonymize_archive import ArchiveOptions
from tfanon.core import config, exit_status


def test_without_beam_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.delitem(sys.modules, "tfanon.inference.beam_pipeline", raising=False)
    monkeypatch.delattr(inference, "archive", raising=False)
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    with pytest.raises(
        ValueError, match=r'An archive needs Apache Beam: pip install "tfanon\[beam\]"'
    ):
        anonymize_archive.run_archive(
            [clips.write_clip(tmp_path / "a.mp4")],
            ArchiveOptions(output=str(tmp_path / "out"), mode="blur"),
        )
    assert not (tmp_path / "out").exists()


@pytest.fixture
def started(monkeypatch):
    """What a pipeline that makes everything was given, each time it was started; in place of Beam."""
    calls = []
    archive = types.SimpleNamespace(run=lambda *given: (calls.append(given), {})[1])
    monkeypatch.setitem(sys.modules, "tfanon.inference.beam_pipeline", archive)
    monkeypatch.setattr(inference, "archive", archive, raising=False)
    return calls


def test_a_pipeline_gets_absolute_paths(started, tmp_path, monkeypatch):
    clips.write_clip(tmp_path / "a.mp4")
    monkeypatch.chdir(tmp_path)
    assert (
        anonymize_archive.run_archive(
            ["a.mp4"], ArchiveOptions(output="out", mode="blacken", beam=("runner=FlinkRunner",))
        )
        == 0
    )
    ((todo, settings, retries, options, left_out),) = started
    assert [(str(job.input_path), str(job.output_path)) for job in todo] == [
        (f"{tmp_path}/a.mp4", f"{tmp_path}/out/a.mp4")
    ]
    assert (settings.output, retries, options) == (f"{tmp_path}/out", 2, ["--runner=FlinkRunner"])
    assert left_out == {"the command line": {}}


def test_what_is_left_out_is_told_and_recorded(started, tmp_path, capsys):
    clips.write_clip(tmp_path / "in.mp4")
    (tmp_path / "notes.txt").touch()
    settings = ArchiveOptions(output=str(tmp_path / "out"), mode="blacken")
    assert anonymize_archive.run_archive([str(tmp_path)], settings) == 0
    said = f"{tmp_path}: 1 entry is left out: 1 with other endings (.txt)"
    assert said in capsys.readouterr().out
    assert started[0][4][str(tmp_path)] == {"other_endings": {".txt": 1}}


@pytest.mark.parametrize(
    "settings, message",
    [
        ({}, "one of the two, not neither"),
        ({"model": "gone.tflite"}, "gone.tflite is no model: .* nothing at that path"),
        (
            {"mode": "blur", "output": "out.mkv"},
            "An archive becomes a folder, which 'out.mkv' is not",
        ),
        ({"mode": "blur", "output": "-"}, "becomes a folder, which '-' is not"),
        ({"mode": "blur", "manifest": "a.mp4"}, "a.mp4 is no record of tfanon.anonymize"),
    ],
)
def test_what_is_refused_before_a_pipeline_starts(
    started, tmp_path, monkeypatch, settings, message
):
    clips.write_clip(tmp_path / "a.mp4")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        anonymize_archive.run_archive(["a.mp4"], ArchiveOptions(**{"output": "out", **settings}))
    assert not started and os.listdir() == ["a.mp4"]


def test_a_folder_may_be_called_as_a_video(started, tmp_path):
    (tmp_path / "out.mp4").mkdir()
    settings = ArchiveOptions(output=str(tmp_path / "out.mp4"), mode="blacken")
    assert (
        anonymize_archive.run_archive([clips.write_clip(tmp_path / "a.mp4")], settings) == 0
        and started
    )


@pytest.mark.parametrize(
    "problem, status, said",
    [
        (KeyboardInterrupt(), 130, "interrupted. Run the same command again to resume."),
        (ValueError("no such job"), 1, "no such job"),
    ],
)
def test_a_pipeline_that_breaks_is_one_line(
    started, tmp_path, monkeypatch, capsys, problem, status, said
):
    def broken(*_):
        raise problem

    monkeypatch.setattr(inference.archive, "run", broken)
    monkeypatch.setattr(
        config, "from_flags", lambda _: ArchiveOptions(output=str(tmp_path / "out"), mode="blacken")
    )
    monkeypatch.setattr(exit_status, "exit_on_sigterm", lambda: None)
    assert anonymize_archive.main(["", clips.write_clip(tmp_path / "a.mp4")]) == status
    assert capsys.readouterr().err == f"tfanon.anonymize_archive: {said}\n"
