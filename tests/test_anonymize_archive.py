"""The command for archives without Beam; with it: tests/inference/test_beam_pipeline.py."""

import os
import sys
import types

import clips
import pytest

from tfanon import anonymize_archive, inference
from tfanon.anonymize_archive import ArchiveOptions
from tfanon.core import config, exit_status


def run(*inputs, **options) -> int:
    """Return the exit status."""
    archive_options = ArchiveOptions(**options)
    return anonymize_archive.run_archive(list(map(str, inputs)), archive_options)


def test_missing_beam_is_reported(monkeypatch, tmp_path):
    monkeypatch.delitem(sys.modules, "tfanon.inference.beam_pipeline", raising=False)
    monkeypatch.delattr(inference, "beam_pipeline", raising=False)
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    clip = clips.write_clip(tmp_path / "a.mp4")
    message = r'An archive needs Apache Beam: pip install "tfanon\[beam\]"'
    with pytest.raises(ValueError, match=message):
        run(clip, output=str(tmp_path / "out"), mode="blur")
    assert not (tmp_path / "out").exists()


@pytest.fixture
def pipeline_calls(monkeypatch):
    """Arguments of each start of a pipeline that does everything, in place of Beam."""
    calls = []

    def run_pipeline(*arguments):
        calls.append(arguments)
        return {}

    beam_pipeline = types.SimpleNamespace(run_pipeline=run_pipeline)
    monkeypatch.setitem(sys.modules, "tfanon.inference.beam_pipeline", beam_pipeline)
    monkeypatch.setattr(inference, "beam_pipeline", beam_pipeline, raising=False)
    return calls


def test_pipeline_gets_absolute_paths(pipeline_calls, tmp_path, monkeypatch):
    clips.write_clip(tmp_path / "a.mp4")
    monkeypatch.chdir(tmp_path)
    assert run("a.mp4", output="out", mode="blacken", beam=("runner=FlinkRunner",)) == 0
    ((jobs, options, retries, beam_options, left_out),) = pipeline_calls
    paths = [(str(job.input_path), str(job.output_path)) for job in jobs]
    assert paths == [(f"{tmp_path}/a.mp4", f"{tmp_path}/out/a.mp4")]
    assert (options.output, retries) == (f"{tmp_path}/out", 2)
    assert beam_options == ["--runner=FlinkRunner"]
    assert left_out == {"the command line": {}}


def test_left_out_entries_are_printed_and_recorded(pipeline_calls, tmp_path, capsys):
    clips.write_clip(tmp_path / "in.mp4")
    (tmp_path / "notes.txt").touch()
    assert run(tmp_path, output=str(tmp_path / "out"), mode="blacken") == 0
    line = f"{tmp_path}: 1 entry is left out: 1 with other endings (.txt)"
    assert line in capsys.readouterr().out
    assert pipeline_calls[0][4][str(tmp_path)] == {"other_endings": {".txt": 1}}


@pytest.mark.parametrize(
    "options, message",
    [
        ({}, "one of the two, not neither"),
        ({"model": "gone.tflite"}, "gone.tflite is not a model: .* nothing at that path"),
        (
            {"mode": "blur", "output": "out.mkv"},
            "The output of an archive is a folder, which 'out.mkv' is not",
        ),
        ({"mode": "blur", "output": "-"}, "is a folder, which '-' is not"),
        ({"mode": "blur", "manifest": "a.mp4"}, "a.mp4 is not a manifest of tfanon.anonymize"),
    ],
)
def test_mistakes_are_refused_before_a_pipeline_starts(
    pipeline_calls, tmp_path, monkeypatch, options, message
):
    clips.write_clip(tmp_path / "a.mp4")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        run("a.mp4", **{"output": "out", **options})
    assert not pipeline_calls and os.listdir() == ["a.mp4"]


def test_folder_may_be_named_like_a_video(pipeline_calls, tmp_path):
    (tmp_path / "out.mp4").mkdir()
    clip = clips.write_clip(tmp_path / "a.mp4")
    assert run(clip, output=str(tmp_path / "out.mp4"), mode="blacken") == 0
    assert pipeline_calls


@pytest.mark.parametrize(
    "error, status, message",
    [
        (KeyboardInterrupt(), 130, "interrupted. Run the same command again to resume."),
        (ValueError("no such job"), 1, "no such job"),
    ],
)
def test_pipeline_that_breaks_is_one_line(
    pipeline_calls, tmp_path, monkeypatch, capsys, error, status, message
):
    def break_pipeline(*_):
        raise error

    options = ArchiveOptions(output=str(tmp_path / "out"), mode="blacken")
    monkeypatch.setattr(inference.beam_pipeline, "run_pipeline", break_pipeline)
    monkeypatch.setattr(config, "from_flags", lambda _: options)
    monkeypatch.setattr(exit_status, "exit_on_sigterm", lambda: None)
    assert anonymize_archive.main(["", clips.write_clip(tmp_path / "a.mp4")]) == status
    assert capsys.readouterr().err == f"tfanon.anonymize_archive: {message}\n"
