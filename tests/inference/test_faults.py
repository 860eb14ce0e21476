"""A fault at any stage costs its own file and leaves nothing of it; the batch can be resumed."""

import errno
import os
import pathlib
import random
from collections.abc import Callable

import av
import clips
import doubles
import numpy as np
import pytest
import scan
from clips import Clip

from tfanon.core import files
from tfanon.inference import jobs, video
from tfanon.inference.anonymizer import Anonymizer
from tfanon.inference.job_runner import JobRunner
from tfanon.inference.manifest import Manifest
from tfanon.inference.options import AnonymizeOptions
from tfanon.media import video_writer
from tfanon.media.limits import MediaError
from tfanon.media.video_reader import VideoReader
from tfanon.media.video_writer import VideoWriter

FRAMES = 24
DISK_FULL = OSError(errno.ENOSPC, "No space left on device")
BAD_DATA = av.error.InvalidDataError(1, "bad")

# Injects a fault after some calls; returns the anonymizer to use.
Fault = Callable[[Anonymizer, pytest.MonkeyPatch | None, int], Anonymizer]


def fail_after(calls, function, fault):
    """Return the function, which after some calls does what fault(*arguments) does instead."""
    count = 0

    def wrapped(*arguments, **options):
        nonlocal count
        count += 1
        return fault(*arguments) if count > calls else function(*arguments, **options)

    return wrapped


def make_raiser(error):
    def fault(*_):
        raise error

    return fault


def inject_nothing(anonymizer, monkeypatch, calls) -> Anonymizer:
    return anonymizer


def in_network(output) -> Fault:
    """Replace the output of the network."""

    def inject(_, monkeypatch, calls):
        return doubles.make_anonymizer(fail_after(calls // 4, np.zeros_like, output))

    return inject


def in_call(owner, name, fault, once=False) -> Fault:
    """Replace a function that is called for each frame, or once per file."""

    def inject(anonymizer, monkeypatch, calls):
        first_call = 0 if once else calls
        monkeypatch.setattr(owner, name, fail_after(first_call, getattr(owner, name), fault))
        return anonymizer

    return inject


FAULTS = {
    "decode": in_call(VideoReader, "_accept", make_raiser(MediaError("in.mkv: damaged"))),
    "decode with libav's error": in_call(VideoReader, "_decode", make_raiser(BAD_DATA)),
    "out of memory": in_call(video, "make_upright", make_raiser(MemoryError())),
    "network raises": in_network(make_raiser(RuntimeError("no such kernel"))),
    "network returns NaN": in_network(lambda frames: np.full(frames.shape, np.nan)),
    "network returns frames": in_network(lambda frames: frames),
    "network returns fewer": in_network(lambda frames: np.zeros_like(frames[:1])),
    "encode": in_call(VideoWriter, "write", make_raiser(BAD_DATA)),
    "disk full": in_call(VideoWriter, "write", make_raiser(DISK_FULL)),
    "a frame is lost": in_call(VideoWriter, "write", lambda *_: None),
    "last bytes": in_call(VideoWriter, "finish", make_raiser(DISK_FULL), once=True),
    "check": in_call(
        video_writer,
        "verify_video_times",
        make_raiser(MediaError("Too few frames were written")),
        once=True,
    ),
    "digest": in_call(video.files, "compute_sha256", make_raiser(DISK_FULL), once=True),
    "manifest": in_call(Manifest, "add_entry", make_raiser(DISK_FULL), once=True),
    "rename": in_call(files.os, "replace", make_raiser(DISK_FULL), once=True),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of two videos."""
    folder = tmp_path_factory.mktemp("faults")
    (folder / "in").mkdir()
    for name in ("a.mkv", "b.mkv"):
        clips.write_clip(folder / "in" / name, Clip(".mkv", frames=FRAMES))
    return folder


def run_batch(
    folder: pathlib.Path,
    output: pathlib.Path,
    inject: Fault = inject_nothing,
    monkeypatch: pytest.MonkeyPatch | None = None,
    calls: int = 0,
    in_second: bool = False,
) -> int:
    """Return the failures of a batch; in_second: the fault comes with the second file."""
    options = AnonymizeOptions(output=str(output))
    plan = jobs.plan_jobs([str(folder / "in")], options.output)

    def run(anonymizer, batch):
        manifest = output / "manifest.json"
        return JobRunner(anonymizer, options, manifest, report_line=lambda _: None).run(batch)

    remaining = plan.jobs
    if in_second:
        assert run(doubles.make_blackening_anonymizer(), plan.jobs[:1]) == 0
        remaining = plan.jobs[1:]
    anonymizer = inject(doubles.make_blackening_anonymizer(), monkeypatch, calls)
    return run(anonymizer, remaining)


def assert_clean(output, complete_files, originals) -> None:
    """Check that an output folder holds complete files alone, and no frame of an original."""
    names = {path.name for path in output.iterdir()}
    assert names - {"manifest.json", ".manifest.json.journal"} == complete_files
    scan.assert_no_raw_frames(output, originals)
    for name in complete_files:
        assert len(clips.read_frames(output / name)) == FRAMES


@pytest.mark.parametrize("stage", FAULTS)
def test_fault_leaves_nothing_and_the_batch_can_be_resumed(folder, tmp_path, stage):
    originals = sorted((folder / "in").iterdir())
    output = tmp_path / "out"
    with pytest.MonkeyPatch.context() as monkeypatch:
        try:
            failures = run_batch(
                folder, output, FAULTS[stage], monkeypatch, calls=9, in_second=True
            )
            assert failures == 1
        except OSError:  # not even the failure could be written
            assert stage in ("rename", "manifest")
        assert_clean(output, {"a.mkv"}, originals)
    assert run_batch(folder, output) == 0
    assert_clean(output, {"a.mkv", "b.mkv"}, originals)


@pytest.mark.large
def test_a_hundred_random_faults(folder, tmp_path):
    generator = random.Random(0)
    originals = sorted((folder / "in").iterdir())
    for number in range(100):
        stage = generator.choice(sorted(FAULTS))
        output = tmp_path / f"out{number}"
        calls, in_second = generator.randrange(FRAMES), generator.random() < 0.5
        with pytest.MonkeyPatch.context() as monkeypatch:
            try:
                assert run_batch(folder, output, FAULTS[stage], monkeypatch, calls, in_second)
            except OSError:
                assert stage in ("rename", "manifest", "digest")
            complete = {name for name in ("a.mkv", "b.mkv") if (output / name).exists()}
            assert_clean(output, complete, originals)
            assert len(complete) < 2, stage
        assert run_batch(folder, output) == 0
        assert_clean(output, {"a.mkv", "b.mkv"}, originals)


def test_output_whose_name_is_taken_by_a_folder_fails_alone(folder, tmp_path):
    (tmp_path / "out/b.mkv").mkdir(parents=True)
    assert run_batch(folder, tmp_path / "out") == 1
    assert len(clips.read_frames(tmp_path / "out/a.mkv")) == FRAMES
    assert not os.listdir(tmp_path / "out/b.mkv")
