"""The command as a process: exit status, one line per file, and no raw frame after a kill."""

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
FOREVER = 10**6  # frames


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Paths of TFLite files that return black, the negative, and what they are given."""
    folder = tmp_path_factory.mktemp("models")
    spec = tf.TensorSpec([1, 48, 64, 3], tf.float32)
    for name, factor, offset in (("black", 0.0, 0.0), ("negative", -1.0, 1.0), ("same", 1.0, 0.0)):
        module = tf.Module()
        # Traced in this round of the loop.
        module.call = tf.function(lambda x: factor * x + offset, autograph=False)  # noqa: B023
        concrete = module.call.get_concrete_function(spec)
        converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)
        (folder / f"{name}.tflite").write_bytes(converter.convert())
    return {path.stem: str(path) for path in folder.iterdir()}


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """A folder of three videos in two folders."""
    folder = tmp_path_factory.mktemp("videos")
    (folder / "deep").mkdir()
    for name, frames in (("a.mkv", 60), ("b.mkv", 250), ("deep/c.mkv", 60)):
        clips.write_clip(folder / name, Clip(".mkv", frames=frames))
    return folder


@pytest.fixture
def blackening_model(monkeypatch):
    """Every model that the command loads in this process blackens."""
    monkeypatch.setattr(
        anonymize, "load_anonymizer", lambda options: doubles.make_blackening_anonymizer()
    )


def run(*arguments, **options) -> subprocess.CompletedProcess:
    """Run the command in a process of its own."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text="input" not in options,
        timeout=300,
        **options,
    )


def anonymize_inputs(*inputs, **options) -> int:
    """Run the command in this process; return the exit status."""
    return anonymize.anonymize_inputs(list(map(str, inputs)), AnonymizeCommandOptions(**options))


def test_folder_is_anonymized_once(videos, models, tmp_path):
    process = run(videos, "-o", tmp_path / "out", f"--model={models['black']}")
    assert process.returncode == 0
    assert "%|" not in process.stderr  # no progress bars where there is no terminal
    lines = process.stdout.splitlines()
    assert len(lines) == 3
    for line in lines:
        assert "frames" in line and "fps" in line and "SHA-256" in line
    assert f"{videos}/deep/c.mkv -> {tmp_path}/out/deep/c.mkv: 60 frames, 2.40 s" in lines[2]
    assert clips.read_frames(tmp_path / "out/deep/c.mkv").max() < 8
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["model"]["name"] == "black.tflite"
    again = run(videos, "-o", tmp_path / "out", f"--model={models['black']}")
    assert again.returncode == 0 and again.stdout.count("done before") == 3


def test_failure_is_one_line_and_an_exit_status(videos, models, tmp_path):
    process = run(videos / "a.mkv", "-o", tmp_path / "out.mkv", f"--model={models['same']}")
    assert process.returncode == 1 and "Traceback" not in process.stderr
    assert process.stdout.splitlines() == [
        f"{videos}/a.mkv: FAILED, nothing was written: Frame 0 came back unchanged from the "
        "network (100% of its detail)."
    ]
    assert os.listdir(tmp_path) == ["out.mkv.manifest.json"]


def test_limits_on_media_are_flags(videos, tmp_path, monkeypatch, capsys):
    for name in ("MAX_FRAME_PIXELS", "MAX_VIDEO_SECONDS", "MAX_STREAMS"):
        monkeypatch.setattr(limits, name, getattr(limits, name))  # to be restored
    output = str(tmp_path / "out.mkv")
    path = videos / "a.mkv"
    assert anonymize_inputs(path, output=output, mode="blacken", max_video_seconds=1) == 1
    assert "a.mkv: 2 seconds; the limit is 1" in capsys.readouterr().out
    assert os.listdir(tmp_path) == ["out.mkv.manifest.json"]


# The command in a process of its own, with a model that needs no TensorFlow.
COMMAND_WITHOUT_MODEL = """
import sys, doubles
from tfanon import anonymize
from tfanon.core import exit_status
from tfanon.inference.options import AnonymizeCommandOptions
anonymize.load_anonymizer = lambda options: doubles.make_blackening_anonymizer()
options = AnonymizeCommandOptions(output=sys.argv[-1])
sys.exit(exit_status.run_with_exit_status(
    "x", lambda: anonymize.anonymize_inputs(sys.argv[1:-1], options)))
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


def assert_odd_names_are_done(folder) -> None:
    """Check that an output folder has a result of each, and a manifest with all of them."""
    assert set(os.listdir(os.fsencode(folder))) == {*NAMES, b"manifest.json"}
    manifest = json.loads((folder / "manifest.json").read_text(encoding="ascii"))
    outputs = [os.fsencode(entry["output"]) for entry in manifest["files"].values()]
    assert {os.path.basename(path) for path in outputs} == set(NAMES)
    left_out = manifest["left_out"].values()
    assert [entry["other_endings"] for entry in left_out] == [{".srt": 1}]


def test_ascii_terminal_whose_reader_leaves(odd_names, tmp_path):
    environment = {
        **os.environ,
        "LC_ALL": "C",
        "PYTHONIOENCODING": "ascii",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    command = [sys.executable, "-c", COMMAND_WITHOUT_MODEL, odd_names, tmp_path / "out"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        first_line = process.stdout.readline()
        process.stdout.close()
        assert process.wait(60) == 0 and not process.stderr.read()
    expected = f"{odd_names}: 1 entry is left out: 1 with other endings (.srt)\n"
    assert first_line == expected.encode()
    assert_odd_names_are_done(tmp_path / "out")


def test_no_standard_streams_at_all(odd_names, tmp_path):
    process = subprocess.run(
        [sys.executable, "-c", COMMAND_WITHOUT_MODEL, odd_names, tmp_path / "out"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        timeout=60,
        preexec_fn=lambda: os.closerange(0, 3),
    )
    assert process.returncode == 0
    assert_odd_names_are_done(tmp_path / "out")


@pytest.mark.parametrize(
    "source, options, message",
    [
        ("a.mkv", {"output": "-"}, "^Standard output is closed; '-' stands for raw frames there.$"),
        ("-", {"output": "-", "raw_size": "4x4"}, "^Standard input is closed"),
        ("-", {"output": "a.mkv", "raw_size": "4x4"}, "^Standard input is closed"),
    ],
)
def test_raw_frames_need_their_stream(
    videos, blackening_model, monkeypatch, source, options, message
):
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    monkeypatch.chdir(videos)
    with pytest.raises(ValueError, match=message):
        anonymize_inputs(source, overwrite=True, **options)


def test_unreadable_folder_is_named_and_fails(
    videos, blackening_model, tmp_path, monkeypatch, capsys
):
    scandir = os.scandir

    def scan_unlocked(path):
        if os.path.basename(path) == "deep":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scan_unlocked)
    assert anonymize_inputs(videos, output=str(tmp_path / "out")) == 1
    lines = capsys.readouterr().out.splitlines()
    reason = f"1 unreadable ({videos}/deep: Permission denied)"
    assert lines[0] == f"{videos}: 1 entry is left out: {reason}" and len(lines) == 3
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    unreadable = manifest["left_out"][str(videos)]["unreadable"]
    assert unreadable == {f"{videos}/deep": "Permission denied"}
    assert {entry["status"] for entry in manifest["files"].values()} == {"done"}


def test_file_of_a_long_name_has_its_manifest_beside_it(videos, blackening_model, tmp_path, capsys):
    target = tmp_path / ("\u00e9" * 125 + "x.mkv")
    for expected in ("60 frames", "done before"):
        assert anonymize_inputs(videos / "a.mkv", output=str(target)) == 0
        assert expected in capsys.readouterr().out
    assert len(os.listdir(tmp_path)) == 2 and target.exists()


def test_help_and_mistakes(tmp_path):
    help_text = run("--help").stdout
    for name in ("-o, --output=", "--model=", "--audio=", "--max_latency=", "--[no]overwrite"):
        assert name in help_text
    for arguments, message in [
        (["--mode=blur"], "Name at least one input. --help lists the flags."),
        (["gone.mp4", "-o", "x"], "gone.mp4: no such file or folder."),
    ]:
        process = run(*arguments, cwd=tmp_path)
        assert process.returncode == 1
        assert (process.stdout + process.stderr).strip().splitlines()[-1].endswith(message)
        assert "Traceback" not in process.stderr and not os.listdir(tmp_path)


@pytest.mark.parametrize(
    "inputs, options, message",
    [
        (["a.mkv"], {"output": "a.mkv"}, "would be replaced by its own result"),
        (["a.mkv"], {}, "No output: give -o FILE"),
        (["a.mkv", "0"], {"output": "x"}, "'0' must be the only input"),
        (
            ["rtsp://me:secret@a/b", "a.mkv"],
            {"output": "x"},
            "^'rtsp://a/b' must be the only input",
        ),
        (["a.mkv", "b.mkv"], {"output": "-"}, "'a.mkv' must be"),
        (["-"], {"output": "x.mp4"}, "need --raw_size=HxW"),
        (["-"], {"raw_size": "4x4"}, "No output: give -o FILE"),
        (["-"], {"raw_size": "4x4", "output": "a.mkv"}, "a.mkv exists; give --overwrite"),
        (["rtsp://a/b"], {}, "No output for live frames"),
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
            "^--audio=keep .* '-' carries frames alone",
        ),
        (
            ["a.mkv"],
            {"output": "-", "audio": "keep"},
            "^--audio=keep .* '-' carries frames alone",
        ),
    ],
)
def test_mistakes_are_refused_before_anything_is_read(
    videos, monkeypatch, inputs, options, message
):
    monkeypatch.chdir(videos)
    before = sorted(videos.rglob("*"))
    with pytest.raises(ValueError, match=message):
        anonymize_inputs(*inputs, **{"mode": "blacken", **options})
    assert sorted(videos.rglob("*")) == before


def test_raw_frames_through_pipes(models, tmp_path):
    frames = np.stack([clips.make_texture(number, (48, 64)) for number in range(10)])
    flags = ["--raw_size=48x64", f"--model={models['negative']}"]
    process = run("-", "-o", "-", *flags, input=frames.tobytes())
    assert process.returncode == 0
    assert np.array_equal(np.frombuffer(process.stdout, np.uint8), 255 - frames.ravel())
    target = tmp_path / "out.mkv"
    process = run("-", "-o", target, "--raw_rate=10", *flags, input=frames.tobytes())
    assert process.returncode == 0 and b"10 frames" in process.stdout
    times = clips.probe_clip(target)["times"]
    assert len(times) == 10 and times[-1] == pytest.approx(0.9)
    manifest = json.loads((tmp_path / "out.mkv.manifest.json").read_text())
    assert manifest["files"]["out.mkv"]["frames"] == 10


def test_frames_through_pipes_are_counted_on_a_terminal(videos, models):
    terminal, standard_error = pty.openpty()
    termios.tcsetwinsize(standard_error, (24, 200))
    with open(terminal, "rb", buffering=0) as screen:
        process = subprocess.run(
            [*COMMAND, str(videos / "b.mkv"), "-o", "-", f"--model={models['black']}"],
            stdout=subprocess.DEVNULL,
            stderr=standard_error,
            timeout=60,
        )
        os.close(standard_error)
        assert process.returncode == 0
        assert re.search(rb"b\.mkv: \d+frame \[", screen.read(65536))


def test_video_to_a_pipe_that_closes(videos, models):
    with subprocess.Popen(
        [*COMMAND, str(videos / "b.mkv"), "-o", "-", f"--model={models['black']}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert not any(process.stdout.read(48 * 64 * 3))
        process.stdout.close()
        assert process.wait(60) == 1
        assert process.stderr.read().splitlines()[-1] == b"tfanon.anonymize: [Errno 32] Broken pipe"


def test_stream_is_recorded_without_its_password(models, tmp_path):
    target = tmp_path / "out.mkv"
    with streaming.serve_stream(
        lambda send, count: streaming.send_motion_jpeg(send, FOREVER)
    ) as address:
        address = address.replace("//", "//user:secret@") + "?password=secret"
        process = run(address, "-o", target, f"--model={models['black']}", "--max_seconds=1")
    assert process.returncode == 0
    assert "1 connections" in process.stderr and "secret" not in process.stderr
    assert clips.read_frames(target).max() < 8
    text = (tmp_path / "out.mkv.manifest.json").read_text()
    assert json.loads(text)["files"]["out.mkv"]["status"] == "done" and "secret" not in text


def test_stream_of_a_camera_with_its_own_certificate(tmp_path):
    certificate = streaming.make_certificate(tmp_path / "camera.pem")
    output = str(tmp_path / "out.mkv")
    options = AnonymizeCommandOptions(output=output, mode="blacken", max_seconds=1.0)
    with streaming.serve_stream(
        lambda send, count: streaming.send_motion_jpeg(send, FOREVER), certificate=certificate
    ) as address:
        with pytest.raises(ValueError, match=f"{address}: no encrypted connection"):
            anonymize.anonymize_inputs([address], options)
        trusting = dataclasses.replace(options, ca_file=str(certificate))
        assert anonymize.anonymize_inputs([address], trusting) == 0
    assert clips.read_frames(output).max() < 8


def test_file_that_is_named_by_its_time(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = "2024-01-01T12:00:00.mp4"
    clips.write_clip(tmp_path / name, Clip(frames=5))
    assert anonymize_inputs(name, output="12:00.mp4", mode="blacken") == 0
    assert clips.read_frames(tmp_path / "12:00.mp4").max() < 8
    assert sorted(os.listdir()) == ["12:00.mp4", "12:00.mp4.manifest.json", name]


def test_recording_of_a_lost_camera_has_a_manifest(tmp_path, monkeypatch):
    monkeypatch.setattr(frame_grabber, "RECONNECT_PAUSE_SECONDS", 0.05)
    options = AnonymizeCommandOptions(
        output=str(tmp_path / "out.mkv"), reconnect_seconds=0.3, segment_seconds=0.1
    )
    journal = tmp_path / ".out.mkv.manifest.json.journal"
    journal_exists = []
    with (
        streaming.serve_stream(
            lambda send, count: streaming.send_motion_jpeg(send, 0 if count else 12)
        ) as address,
        pytest.raises(frame_grabber.ConnectionLostError),
    ):
        anonymize.anonymize_live_source(
            address,
            doubles.make_blackening_anonymizer(),
            options,
            lambda pixels: journal_exists.append(journal.exists()),
        )
    # A file gets its entry when it is finished, whatever becomes of the process.
    assert not journal_exists[0] and journal_exists[-1]
    entries = json.loads((tmp_path / "out.mkv.manifest.json").read_text())["files"]
    names = sorted(path.name for path in tmp_path.glob("*.mkv"))
    assert list(entries) == names and len(names) > 1 and not journal.exists()
    for name in names:
        assert entries[name]["output_sha256"] == files.compute_sha256(tmp_path / name)


@pytest.mark.parametrize("source", ["-", "rtsp://nowhere.example/a"])
def test_other_file_in_place_of_the_manifest_is_noticed_before_a_frame_is_read(tmp_path, source):
    (tmp_path / "out.mkv.manifest.json").write_text("mine")
    output = str(tmp_path / "out.mkv")
    with pytest.raises(ValueError, match="is not a manifest of tfanon.anonymize"):
        anonymize_inputs(source, output=output, mode="blacken", raw_size="4x4")
    assert os.listdir(tmp_path) == ["out.mkv.manifest.json"]


def test_mode_on_an_image(tmp_path, capsys):
    source, target = tmp_path / "in.png", str(tmp_path / "out.png")
    image_io.write_image(source, clips.make_texture(0, (40, 60)))
    assert anonymize_inputs(source, output=target, mode="blacken", network_size="32x48") == 0
    assert not image_io.read_full_image(target).any()
    assert "1 frames" in capsys.readouterr().out
    options = AnonymizeCommandOptions(output="out", manifest="m.json")
    assert anonymize.get_manifest_path([], options).name == "m.json"


def test_full_disk(videos, models, tmp_path):
    output = tmp_path / "out"
    process = run(
        videos,
        "-o",
        output,
        f"--model={models['negative']}",
        "--quality=1",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000)),
    )
    assert process.returncode == 1 and "b.mkv: FAILED, nothing was written" in process.stdout
    list_complete_outputs(output, videos)
    assert "b.mkv" not in os.listdir(output)


@pytest.mark.large
def test_full_file_system(videos, models, tmp_path):
    output = tmp_path / "out"
    output.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=28k", "tmpfs", output]
    if os.geteuid() or subprocess.run(mount).returncode:
        pytest.skip("only the superuser mounts a file system of 28 KB")
    try:
        process = run(videos, "-o", output, f"--model={models['negative']}", "--quality=1")
        assert process.returncode == 1 and "b.mkv: FAILED, nothing was written" in process.stdout
        list_complete_outputs(output, videos)
    finally:
        subprocess.run(["umount", output], check=True)


@pytest.mark.parametrize("number, status", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signal_leaves_no_unfinished_file(videos, models, tmp_path, number, status):
    with start_command(videos, models, tmp_path) as process:
        wait_until_it_writes(tmp_path / "out", process)
        process.send_signal(number)
        assert process.wait(60) == status
    assert not list((tmp_path / "out").rglob(".unfinished*"))
    list_complete_outputs(tmp_path / "out", videos)


@pytest.mark.parametrize("kills", [2, pytest.param(100, marks=pytest.mark.large)])
def test_kill_at_any_time_leaves_no_raw_frame_and_the_batch_can_be_resumed(
    videos, models, tmp_path, kills
):
    generator = random.Random(0)
    folders = [tmp_path / "0"]
    early_kills = counted_kills = 0
    # Far more than it takes: half of the kills count where the machine is fast.
    for number in range(4 * kills):
        with start_command(videos, models, folders[-1]) as process:
            # The others die on the way to their first file, and count apart.
            at_work = number % 10 != 1
            if at_work:
                wait_until_it_writes(folders[-1] / "out", process)
            # Half at once: they land however fast the machine is.
            time.sleep(generator.uniform(0, 0.5) if number % 2 else 0)
            process.kill()
            status = process.wait(60)
        # Otherwise the work was done before the kill.
        unfinished = len(list_complete_outputs(folders[-1], videos)) < 3
        assert status == -signal.SIGKILL or (status == 0 and not unfinished)
        early_kills += not at_work and unfinished
        counted_kills += at_work and unfinished
        if counted_kills == kills:
            break
        if not unfinished:  # a result is interrupted again and again until it is complete
            folders.append(tmp_path / str(len(folders)))
    print(
        f"{counted_kills} kills at work and {early_kills} before it, in {number + 1} processes, "
        f"{len(folders)} results"
    )
    assert counted_kills == kills
    for folder in folders:
        process = run(videos, "-o", folder / "out", f"--model={models['black']}")
        assert process.returncode == 0
        assert len(list_complete_outputs(folder, videos)) == 3
        assert not list(folder.rglob(".unfinished*"))


def start_command(videos, models, folder) -> subprocess.Popen:
    """Start the command, with its temporary files below `folder` too."""
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    return subprocess.Popen(
        [*COMMAND, str(videos), "-o", str(folder / "out"), f"--model={models['black']}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TMPDIR": str(folder / "tmp")},
    )


def wait_until_it_writes(folder, process) -> None:
    """Wait for the first unfinished file of this process; earlier ones may have left theirs."""
    deadline = time.monotonic() + 60
    pattern = f".unfinished-{process.pid}-*"
    while time.monotonic() < deadline and process.poll() is None:
        if list(folder.rglob(pattern)):
            return
        time.sleep(0.005)


def list_complete_outputs(folder, videos) -> list[pathlib.Path]:
    """Return the outputs in a folder; check that they are complete and no raw frame is there."""
    originals = {path.name: path for path in sorted(videos.rglob("*.mkv"))}
    scan.assert_no_raw_frames(folder, originals.values())
    outputs = [path for path in pathlib.Path(folder).rglob("*.mkv") if path.name in originals]
    for path in outputs:
        assert len(clips.read_frames(path)) == len(clips.read_frames(originals[path.name]))
    return outputs


@pytest.mark.large
def test_memory_does_not_grow_with_the_length_of_the_video(models, tmp_path):
    peaks = {}
    for seconds in (20, 1200):
        clip = Clip(".mkv", frames=25 * seconds)
        source = clips.write_clip(tmp_path / f"{seconds}.mkv", clip)
        target = str(tmp_path / f"out{seconds}.mkv")
        process = subprocess.Popen(
            [*COMMAND, source, "-o", target, f"--model={models['black']}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
        assert status == 0
        peaks[seconds] = usage.ru_maxrss
    print(f"peak of 20 s: {peaks[20] / 1024:.0f} MiB, of 20 minutes: {peaks[1200] / 1024:.0f} MiB")
    assert peaks[1200] < 1.1 * peaks[20]
