"""The command, as a process of its own: exit status, one line per file, and nothing of an original after a kill."""

import dataclasses
import json
import os
import pathlib
import pty
import random
import re
import resource
import signal
import subprocess
import sys
import termios
import time

import clips
import doubles
import numpy as np
import pytest
import scan
import streaming
import tensorflow as tf
from clips import Clip

from tfanon import anonymize
from tfanon.core import files
from tfanon.inference import frame_grabber
from tfanon.inference.options import AnonymizeCommandOptions
from tfanon.media import image_io, limits

COMMAND = [sys.executable, "-m", "tfanon.anonymize"]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Paths of TFLite files: one whose answer is black, one that negates, one that returns what it is given."""
    folder = tmp_path_factory.mktemp("models")
    for name, factor, offset in (("black", 0.0, 0.0), ("negative", -1.0, 1.0), ("same", 1.0, 0.0)):
        module = tf.Module()
        module.call = tf.function(lambda x: factor * x + offset, autograph=False)  # noqa: B023  traced in this round
        concrete = module.call.get_concrete_function(tf.TensorSpec([1, 48, 64, 3], tf.float32))
        (folder / f"{name}.tflite").write_bytes(
            tf.lite.TFLiteConverter.from_concrete_functions([concrete], module).convert()
        )
    return {path.stem: str(path) for path in folder.iterdir()}


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """A folder of three videos in two folders."""
    folder = tmp_path_factory.mktemp("videos")
    (folder / "deep").mkdir()
    for name, frames in (("a.mkv", 60), ("b.mkv", 250), ("deep/c.mkv", 60)):
        clips.write_clip(folder / name, Clip(".mkv", frames=frames))
    return folder


def run(*arguments, **more):
    """The finished process."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text="input" not in more,
        timeout=300,
        **more,
    )


def test_a_folder(videos, models, tmp_path):
    done = run(videos, "-o", tmp_path / "out", f"--model={models['black']}")
    assert (
        done.returncode == 0 and "%|" not in done.stderr
    )  # no progress bars where there is no terminal
    lines = done.stdout.splitlines()
    assert len(lines) == 3 and all(
        "frames" in line and "fps" in line and "SHA-256" in line for line in lines
    )
    assert f"{videos}/deep/c.mkv -> {tmp_path}/out/deep/c.mkv: 60 frames, 2.40 s" in lines[2]
    assert clips.read_frames(tmp_path / "out/deep/c.mkv").max() < 8
    assert (
        json.loads((tmp_path / "out/manifest.json").read_text())["model"]["name"] == "black.tflite"
    )
    again = run(videos, "-o", tmp_path / "out", f"--model={models['black']}")
    assert again.returncode == 0 and again.stdout.count("done before") == 3


def test_a_fault_is_one_line_and_an_exit_status(videos, models, tmp_path):
    done = run(videos / "a.mkv", "-o", tmp_path / "out.mkv", f"--model={models['same']}")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stdout.splitlines() == [
        f"{videos}/a.mkv: FAILED, nothing was written: Frame 0 came back unchanged from the network (100% of its detail)."
    ]
    assert os.listdir(tmp_path) == ["out.mkv.manifest.json"]


def test_limits_on_media_are_flags(videos, tmp_path, monkeypatch, capsys):
    for name in ("MAX_FRAME_PIXELS", "MAX_VIDEO_SECONDS", "MAX_STREAMS"):
        monkeypatch.setattr(limits, name, getattr(limits, name))  # so that they are put back
    command = AnonymizeCommandOptions(
        output=str(tmp_path / "out.mkv"), mode="blacken", max_video_seconds=1
    )
    assert anonymize.anonymize_inputs([str(videos / "a.mkv")], command) == 1
    assert "a.mkv: 2 seconds; the limit is 1" in capsys.readouterr().out
    assert os.listdir(tmp_path) == ["out.mkv.manifest.json"]


QUICK = """
import sys, doubles
from tfanon import anonymize, exits
from tfanon.inference.options import Command
anonymize.load = lambda settings: doubles.make_blackening_anonymizer()
sys.exit(exits.status("x", lambda: anonymize.work(sys.argv[1:-1], Command(output=sys.argv[-1]))))
"""
NAMES = (b"a\xff.mkv", b"b\nc.mkv", "\u00e9\U0001f600.mkv".encode(), b"x" * 251 + b".mkv")


@pytest.fixture(scope="module")
def odd_names(tmp_path_factory):
    """A folder of videos whose names no ASCII terminal can print, and a text file."""
    folder = tmp_path_factory.mktemp("names")
    for name in NAMES:
        clips.write_clip(folder / os.fsdecode(name), Clip(".mkv", frames=2))
    (folder / os.fsdecode(b"\xfe.srt")).touch()
    return folder


def check_odd_names(folder):
    """Assert that an output folder holds a result of each, and a manifest that knows them."""
    assert set(os.listdir(os.fsencode(folder))) == {*NAMES, b"manifest.json"}
    whole = json.loads((folder / "manifest.json").read_text(encoding="ascii"))
    written = [os.fsencode(entry["output"]) for entry in whole["files"].values()]
    assert {os.path.basename(path) for path in written} == set(NAMES)
    assert [entry["other_endings"] for entry in whole["left_out"].values()] == [{".srt": 1}]


def test_a_terminal_of_another_language_whose_reader_leaves(odd_names, tmp_path):
    environment = {
        **os.environ,
        "LC_ALL": "C",
        "PYTHONIOENCODING": "ascii",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    command = [sys.executable, "-c", QUICK, odd_names, tmp_path / "out"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        first = process.stdout.readline()
        process.stdout.close()
        assert process.wait(60) == 0 and not process.stderr.read()
    assert first == f"{odd_names}: 1 entry is left out: 1 with other endings (.srt)\n".encode()
    check_odd_names(tmp_path / "out")


def test_no_standard_streams_at_all(odd_names, tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", QUICK, odd_names, tmp_path / "out"],
        env=environment,
        timeout=60,
        preexec_fn=lambda: os.closerange(0, 3),
    )
    assert done.returncode == 0
    check_odd_names(tmp_path / "out")


@pytest.mark.parametrize(
    "given, settings, message",
    [
        ("a.mkv", {"output": "-"}, "^Standard output is closed; '-' stands for raw frames there.$"),
        ("-", {"output": "-", "raw_size": "4x4"}, "^Standard input is closed"),
        ("-", {"output": "a.mkv", "raw_size": "4x4"}, "^Standard input is closed"),
    ],
)
def test_raw_frames_need_their_stream(videos, monkeypatch, given, settings, message):
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    monkeypatch.chdir(videos)
    monkeypatch.setattr(anonymize, "load", lambda settings: doubles.make_blackening_anonymizer())
    with pytest.raises(ValueError, match=message):
        anonymize.anonymize_inputs(
            [given], AnonymizeCommandOptions(**{"overwrite": True, **settings})
        )


def test_a_folder_that_cannot_be_read_is_named_and_fails(videos, tmp_path, monkeypatch, capsys):
    listed = os.scandir

    def refused(path):
        if os.path.basename(path) == "deep":
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", refused)
    monkeypatch.setattr(anonymize, "load", lambda settings: doubles.make_blackening_anonymizer())
    assert (
        anonymize.anonymize_inputs(
            [str(videos)], AnonymizeCommandOptions(output=str(tmp_path / "out"))
        )
        == 1
    )
    lines = capsys.readouterr().out.splitlines()
    said = f"{videos}: 1 entry is left out: 1 unreadable ({videos}/deep: Permission denied)"
    assert lines[0] == said and len(lines) == 3
    record = json.loads((tmp_path / "out/manifest.json").read_text())
    unreadable = record["left_out"][str(videos)]["unreadable"]
    assert unreadable == {f"{videos}/deep": "Permission denied"}
    assert {entry["status"] for entry in record["files"].values()} == {"done"}


def test_a_file_of_a_long_name_has_its_manifest_beside_it(videos, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(anonymize, "load", lambda settings: doubles.make_blackening_anonymizer())
    target = tmp_path / ("\u00e9" * 125 + "x.mkv")
    for said in ("60 frames", "done before"):
        assert (
            anonymize.anonymize_inputs(
                [str(videos / "a.mkv")], AnonymizeCommandOptions(output=str(target))
            )
            == 0
        )
        assert said in capsys.readouterr().out
    assert len(os.listdir(tmp_path)) == 2 and target.exists()


def test_help_and_mistakes(videos, models, tmp_path):
    told = run("--help").stdout
    assert all(
        name in told
        for name in ("-o,--output:", "--model:", "--audio:", "--max_latency:", "--[no]overwrite:")
    )
    for arguments, message in [
        ([], "Name at least one input."),
        (["gone.mp4", "-o", "x"], "gone.mp4: no such file or folder."),
    ]:
        done = run(*arguments, cwd=tmp_path)
        assert done.returncode == 1 and (done.stdout + done.stderr).strip().splitlines()[
            -1
        ].endswith(message)
        assert "Traceback" not in done.stderr and not os.listdir(tmp_path)


@pytest.mark.parametrize(
    "given, settings, message",
    [
        (["a.mkv"], {"output": "a.mkv"}, "would be replaced by its own result"),
        (["a.mkv"], {}, "Give -o FILE"),
        (["a.mkv", "0"], {"output": "x"}, "'0' must be the only input"),
        (
            ["rtsp://me:secret@a/b", "a.mkv"],
            {"output": "x"},
            "^'rtsp://a/b' must be the only input",
        ),
        (["a.mkv", "b.mkv"], {"output": "-"}, "'a.mkv' must be"),
        (["-"], {"output": "x.mp4"}, "need --raw_size=HxW"),
        (["-"], {"raw_size": "4x4"}, "Where does the result go"),
        (["-"], {"raw_size": "4x4", "output": "a.mkv"}, "a.mkv exists; give --overwrite"),
        (["rtsp://a/b"], {}, "Where do live frames go"),
        (["a.mkv"], {"output": "x", "mode": ""}, "not neither"),
        (
            ["rtsp://me:secret@a/b"],
            {"output": "x.mkv", "audio": "keep"},
            "^--audio=keep .* 'rtsp://a/b' .* --audio=drop.$",
        ),
        (
            ["0"],
            {"output": "x.mkv", "metadata": "keep"},
            "^--metadata=keep .* '0' .* --metadata=drop.$",
        ),
        (
            ["-"],
            {"output": "x.mkv", "raw_size": "4x4", "audio": "keep"},
            "^--audio=keep .* through '-'",
        ),
        (["a.mkv"], {"output": "-", "audio": "keep"}, "^--audio=keep .* through '-'"),
    ],
)
def test_what_is_refused_before_anything_is_read(videos, monkeypatch, given, settings, message):
    monkeypatch.chdir(videos)
    before = sorted(videos.rglob("*"))
    with pytest.raises(ValueError, match=message):
        anonymize.anonymize_inputs(
            given, AnonymizeCommandOptions(**{"mode": "blacken", **settings})
        )
    assert sorted(videos.rglob("*")) == before


def test_raw_frames_through_pipes(models, tmp_path):
    frames = np.stack([clips.make_texture(number, (48, 64)) for number in range(10)])
    through = ["--raw_size=48x64", f"--model={models['negative']}"]
    done = run("-", "-o", "-", *through, input=frames.tobytes())
    assert done.returncode == 0 and np.array_equal(
        np.frombuffer(done.stdout, np.uint8), 255 - frames.ravel()
    )
    done = run("-", "-o", tmp_path / "out.mkv", "--raw_rate=10", *through, input=frames.tobytes())
    assert done.returncode == 0 and b"10 frames" in done.stdout
    about = clips.probe_clip(tmp_path / "out.mkv")
    assert len(about["times"]) == 10 and about["times"][-1] == pytest.approx(0.9)
    assert (
        json.loads((tmp_path / "out.mkv.manifest.json").read_text())["files"]["out.mkv"]["frames"]
        == 10
    )


def test_frames_through_pipes_are_counted_on_a_terminal(videos, models):
    terminal, given = pty.openpty()
    termios.tcsetwinsize(given, (24, 200))
    with open(terminal, "rb", buffering=0) as shown:
        done = subprocess.run(
            [*COMMAND, str(videos / "b.mkv"), "-o", "-", f"--model={models['black']}"],
            stdout=subprocess.DEVNULL,
            stderr=given,
            timeout=60,
        )
        os.close(given)
        assert done.returncode == 0 and re.search(rb"b\.mkv: \d+frame \[", shown.read(65536))


def test_a_video_to_a_pipe_that_closes(videos, models):
    with subprocess.Popen(
        [*COMMAND, str(videos / "b.mkv"), "-o", "-", f"--model={models['black']}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert not any(process.stdout.read(48 * 64 * 3))
        process.stdout.close()
        assert process.wait(60) == 1
        assert process.stderr.read().splitlines()[-1] == b"tfanon.anonymize: [Errno 32] Broken pipe"


def test_a_stream(models, tmp_path):
    with streaming.serve_stream(lambda send, count: streaming.send_motion_jpeg(send, 10**6)) as address:
        address = address.replace("//", "//user:secret@") + "?password=secret"
        done = run(
            address, "-o", tmp_path / "out.mkv", f"--model={models['black']}", "--max_seconds=1"
        )
    assert done.returncode == 0 and "1 connections" in done.stderr and "secret" not in done.stderr
    assert clips.read_frames(tmp_path / "out.mkv").max() < 8
    record = (tmp_path / "out.mkv.manifest.json").read_text()
    assert json.loads(record)["files"]["out.mkv"]["status"] == "done" and "secret" not in record


def test_a_stream_of_a_camera_with_a_certificate_of_its_own(tmp_path):
    certificate = streaming.make_certificate(tmp_path / "camera.pem")
    settings = AnonymizeCommandOptions(
        output=str(tmp_path / "out.mkv"), mode="blacken", max_seconds=1.0
    )
    with streaming.serve_stream(
        lambda send, count: streaming.send_motion_jpeg(send, 10**6), certificate=certificate
    ) as address:
        with pytest.raises(ValueError, match=f"{address}: no encrypted connection"):
            anonymize.anonymize_inputs([address], settings)
        assert (
            anonymize.anonymize_inputs(
                [address], dataclasses.replace(settings, ca_file=str(certificate))
            )
            == 0
        )
    assert clips.read_frames(tmp_path / "out.mkv").max() < 8


def test_a_recording_that_is_named_by_its_time(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    clips.write_clip(tmp_path / "2024-01-01T12:00:00.mp4", Clip(frames=5))
    command = AnonymizeCommandOptions(output="12:00.mp4", mode="blacken")
    assert (
        anonymize.anonymize_inputs(["2024-01-01T12:00:00.mp4"], command) == 0
        and clips.read_frames(tmp_path / "12:00.mp4").max() < 8
    )
    assert sorted(os.listdir()) == [
        "12:00.mp4",
        "12:00.mp4.manifest.json",
        "2024-01-01T12:00:00.mp4",
    ]


def test_a_lost_camera_s_recording_has_a_record(tmp_path, monkeypatch):
    monkeypatch.setattr(frame_grabber, "RECONNECT_PAUSE_SECONDS", 0.05)
    command, seen = (
        AnonymizeCommandOptions(
            output=str(tmp_path / "out.mkv"), reconnect_seconds=0.3, segment_seconds=0.1
        ),
        [],
    )
    journal = tmp_path / ".out.mkv.manifest.json.journal"
    with (
        streaming.serve_stream(
            lambda send, count: streaming.send_motion_jpeg(send, 0 if count else 12)
        ) as address,
        pytest.raises(frame_grabber.ConnectionLostError),
    ):
        anonymize.anonymize_live_source(
            address,
            doubles.make_blackening_anonymizer(),
            command,
            lambda pixels: seen.append(journal.exists()),
        )
    assert (
        not seen[0] and seen[-1]
    )  # a file is noted when it is finished, whatever becomes of the process
    record = json.loads((tmp_path / "out.mkv.manifest.json").read_text())["files"]
    names = sorted(path.name for path in tmp_path.glob("*.mkv"))
    assert list(record) == names and len(names) > 1 and not journal.exists()
    assert all(
        record[name]["output_sha256"] == files.compute_sha256(tmp_path / name) for name in names
    )


@pytest.mark.parametrize("given", ["-", "rtsp://nowhere.example/a"])
def test_another_s_file_in_the_manifest_s_place_is_noticed_before_a_frame_is_read(tmp_path, given):
    (tmp_path / "out.mkv.manifest.json").write_text("mine")
    command = AnonymizeCommandOptions(
        output=str(tmp_path / "out.mkv"), mode="blacken", raw_size="4x4"
    )
    with pytest.raises(
        ValueError, match="is no record of tfanon.anonymize; give another --manifest"
    ):
        anonymize.anonymize_inputs([given], command)
    assert os.listdir(tmp_path) == ["out.mkv.manifest.json"]


def test_a_mode_on_a_picture(tmp_path, capsys):
    image_io.write_image(tmp_path / "in.png", clips.make_texture(0, (40, 60)))
    settings = AnonymizeCommandOptions(
        output=str(tmp_path / "out.png"), mode="blacken", network_size="32x48"
    )
    assert anonymize.anonymize_inputs([str(tmp_path / "in.png")], settings) == 0
    assert (
        not image_io.read_full_image(str(tmp_path / "out.png")).any()
        and "1 frames" in capsys.readouterr().out
    )
    assert (
        anonymize.get_manifest_path(
            [], AnonymizeCommandOptions(output="out", manifest="m.json")
        ).name
        == "m.json"
    )


def test_a_full_disk(videos, models, tmp_path):
    done = run(
        videos,
        "-o",
        tmp_path / "out",
        f"--model={models['negative']}",
        "--quality=1",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000)),
    )
    assert done.returncode == 1 and "b.mkv: FAILED, nothing was written" in done.stdout
    whole_or_absent(tmp_path / "out", videos)
    assert "b.mkv" not in os.listdir(tmp_path / "out")


@pytest.mark.large
def test_a_full_file_system(videos, models, tmp_path):
    (tmp_path / "out").mkdir()
    if (
        os.geteuid()
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=28k", "tmpfs", tmp_path / "out"]
        ).returncode
    ):
        pytest.skip("only the superuser mounts a file system of 28 KB")
    try:
        done = run(videos, "-o", tmp_path / "out", f"--model={models['negative']}", "--quality=1")
        assert done.returncode == 1 and "b.mkv: FAILED, nothing was written" in done.stdout
        whole_or_absent(tmp_path / "out", videos)
    finally:
        subprocess.run(["umount", tmp_path / "out"], check=True)


@pytest.mark.parametrize("number, status", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_leaves_nothing_unfinished(videos, models, tmp_path, number, status):
    with started(videos, models, tmp_path) as process:
        until_it_writes(tmp_path / "out", process)
        process.send_signal(number)
        assert process.wait(60) == status
    assert not list((tmp_path / "out").rglob(".unfinished*"))
    whole_or_absent(tmp_path / "out", videos)


@pytest.mark.parametrize("kills", [2, pytest.param(100, marks=pytest.mark.large)])
def test_a_kill_at_any_time_leaves_no_raw_frame_and_the_batch_can_go_on(
    videos, models, tmp_path, kills
):
    chance, folders, early, counted = random.Random(0), [tmp_path / "0"], 0, 0
    for number in range(
        4 * kills
    ):  # far more than it takes: half of the kills count where the machine is fast
        with started(videos, models, folders[-1]) as process:
            if (
                at_work := number % 10 != 1
            ):  # the others die on the way to their first file, and count apart
                until_it_writes(folders[-1] / "out", process)
            time.sleep(
                chance.uniform(0, 0.5) if number % 2 else 0
            )  # half at once: they land however fast the machine is
            process.kill()
            status = process.wait(60)
        unfinished = (
            len(whole_or_absent(folders[-1], videos)) < 3
        )  # else the work was done before the kill
        assert status == -signal.SIGKILL or status == 0 and not unfinished
        early += not at_work and unfinished
        counted += at_work and unfinished
        if counted == kills:
            break
        if not unfinished:  # a result is killed on the way to it until it is there
            folders.append(tmp_path / str(len(folders)))
    print(
        f"{counted} kills at work and {early} before it, in {number + 1} processes, {len(folders)} results"
    )
    assert counted == kills
    for folder in folders:
        assert run(videos, "-o", folder / "out", f"--model={models['black']}").returncode == 0
        assert len(whole_or_absent(folder, videos)) == 3 and not list(folder.rglob(".unfinished*"))


def started(videos, models, folder):
    """The command at work, its temporary files below `folder` too."""
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    return subprocess.Popen(
        [*COMMAND, str(videos), "-o", str(folder / "out"), f"--model={models['black']}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TMPDIR": str(folder / "tmp")},
    )


def until_it_writes(folder, process):
    """Wait for the first unfinished file of this process: those that were killed before it have left theirs."""
    end = time.monotonic() + 60
    while (
        not list(folder.rglob(f".unfinished-{process.pid}-*"))
        and time.monotonic() < end
        and process.poll() is None
    ):
        time.sleep(0.005)


def whole_or_absent(folder, videos):
    """The outputs below `folder`: each is whole, and no file there holds anything of an original."""
    originals = {path.name: path for path in sorted(videos.rglob("*.mkv"))}
    scan.assert_no_raw_frames(folder, originals.values())
    found = [path for path in pathlib.Path(folder).rglob("*.mkv") if path.name in originals]
    for path in found:
        assert len(clips.read_frames(path)) == len(clips.read_frames(originals[path.name]))
    return found


@pytest.mark.large
def test_memory_does_not_grow_with_the_length_of_the_video(models, tmp_path):
    peaks = {}
    for seconds in (20, 1200):
        given = clips.write_clip(tmp_path / f"{seconds}.mkv", Clip(".mkv", frames=25 * seconds))
        process = subprocess.Popen(
            [
                *COMMAND,
                given,
                "-o",
                str(tmp_path / f"out{seconds}.mkv"),
                f"--model={models['black']}",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
        assert status == 0
        peaks[seconds] = usage.ru_maxrss
    print(f"peak of 20 s: {peaks[20] / 1024:.0f} MiB, of 20 minutes: {peaks[1200] / 1024:.0f} MiB")
    assert peaks[1200] < 1.1 * peaks[20]
