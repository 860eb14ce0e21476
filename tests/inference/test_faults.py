"""A fault at any stage costs its own file and leaves nothing of it; afterwards the same batch goes on."""

import errno
import os
import random

import av
import clips
import doubles
import numpy as np
import pytest
import scan
from clips import Clip

from tfanon.core import files
from tfanon.inference import job_runner, manifest, video
from tfanon.inference import jobs as inputs
from tfanon.inference.options import AnonymizeOptions
from tfanon.media import video_reader, video_writer

FRAMES = 24
FULL = OSError(errno.ENOSPC, "No space left on device")


def after(calls, function, fault):
    """The function, which from its calls-th call on does what fault(*arguments) does instead."""
    count = [0]

    def wrapped(*arguments, **more):
        count[0] += 1
        return fault(*arguments) if count[0] > calls else function(*arguments, **more)

    return wrapped


def raising(error):
    def fault(*_):
        raise error

    return fault


def spoil_nothing(anonymizer, monkeypatch, calls):
    return anonymizer


def spoil_network(answer):
    def spoil(_, monkeypatch, calls):
        return doubles.anonymizer(after(calls // 4, np.zeros_like, answer))

    return spoil


def spoil_call(owner, name, fault, once=False):
    def spoil(anonymizer, monkeypatch, calls):
        monkeypatch.setattr(owner, name, after(0 if once else calls, getattr(owner, name), fault))
        return anonymizer

    return spoil


STAGES = {  # each spoils what comes after `calls` frames, or what happens once per file
    "decode": spoil_call(
        video_reader.VideoReader, "_accept", raising(video_writer.MediaError("in.mkv: damaged"))
    ),
    "decode with libav's error": spoil_call(
        video_reader.VideoReader, "_decode", raising(av.error.InvalidDataError(1, "bad"))
    ),
    "out of memory": spoil_call(video, "upright", raising(MemoryError())),
    "network raises": spoil_network(raising(RuntimeError("no such kernel"))),
    "network returns NaN": spoil_network(lambda x: np.full(x.shape, np.nan)),
    "network returns frames": spoil_network(lambda x: x),
    "network returns fewer": spoil_network(lambda x: np.zeros_like(x[:1])),
    "encode": spoil_call(video_writer.VideoWriter, "write", raising(av.error.InvalidDataError(1, "bad"))),
    "disk full": spoil_call(video_writer.VideoWriter, "write", raising(FULL)),
    "a frame is lost": spoil_call(video_writer.VideoWriter, "write", lambda *_: None),
    "last bytes": spoil_call(video_writer.VideoWriter, "finish", raising(FULL), once=True),
    "check": spoil_call(
        video_writer,
        "check",
        raising(video_writer.MediaError("Too few frames were written")),
        once=True,
    ),
    "digest": spoil_call(video.files, "sha256", raising(FULL), once=True),
    "record": spoil_call(manifest.Manifest, "note", raising(FULL), once=True),
    "rename": spoil_call(files.os, "replace", raising(FULL), once=True),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of two videos."""
    folder = tmp_path_factory.mktemp("faults")
    (folder / "in").mkdir()
    for name in ("a.mkv", "b.mkv"):
        clips.write(folder / "in" / name, Clip(".mkv", frames=FRAMES))
    return folder


def attempt(folder, output, spoil=spoil_nothing, monkeypatch=None, calls=0, second=False):
    """The failures of a batch. second: the fault comes with the second file."""
    settings = AnonymizeOptions(output=str(output))
    todo = inputs.plan_jobs([str(folder / "in")], settings.output).jobs

    def run(anonymizer, jobs):
        return job_runner.JobRunner(
            anonymizer, settings, output / "manifest.json", report_line=lambda _: None
        ).run(jobs)

    if second:
        assert run(doubles.blackening(), todo[:1]) == 0
    return run(spoil(doubles.blackening(), monkeypatch, calls), todo[1:] if second else todo)


def clean(output, whole, originals):
    """Assert that the output folder holds the whole files and nothing else of them, and no frame of an original."""
    assert {path.name for path in output.iterdir()} - {
        "manifest.json",
        ".manifest.json.journal",
    } == whole
    scan.no_raw_frames(output, originals)
    for name in whole:
        assert len(clips.read(output / name)) == FRAMES


@pytest.mark.parametrize("stage", STAGES)
def test_a_fault_leaves_nothing_and_the_batch_can_go_on(folder, tmp_path, stage):
    originals = sorted((folder / "in").iterdir())
    with pytest.MonkeyPatch.context() as monkeypatch:
        try:
            assert (
                attempt(folder, tmp_path / "out", STAGES[stage], monkeypatch, calls=9, second=True)
                == 1
            )
        except OSError:  # the disk took not even the record of the failure
            assert stage in ("rename", "record")
        clean(tmp_path / "out", {"a.mkv"}, originals)
    assert attempt(folder, tmp_path / "out") == 0
    clean(tmp_path / "out", {"a.mkv", "b.mkv"}, originals)


@pytest.mark.large
def test_a_hundred_faults_at_random(folder, tmp_path):
    chance, originals = random.Random(0), sorted((folder / "in").iterdir())
    for number in range(100):
        stage, output = chance.choice(sorted(STAGES)), tmp_path / f"out{number}"
        with pytest.MonkeyPatch.context() as monkeypatch:
            try:
                assert attempt(
                    folder,
                    output,
                    STAGES[stage],
                    monkeypatch,
                    chance.randrange(FRAMES),
                    chance.random() < 0.5,
                )
            except OSError:
                assert stage in ("rename", "record", "digest")
            whole = {name for name in ("a.mkv", "b.mkv") if (output / name).exists()}
            clean(output, whole, originals)
            assert len(whole) < 2, stage
        assert attempt(folder, output) == 0
        clean(output, {"a.mkv", "b.mkv"}, originals)


def test_a_file_that_may_not_be_written(folder, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/b.mkv").mkdir()  # its name is taken by a folder
    assert attempt(folder, tmp_path / "out") == 1
    assert len(clips.read(tmp_path / "out/a.mkv")) == FRAMES and not os.listdir(
        tmp_path / "out/b.mkv"
    )
