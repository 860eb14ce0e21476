"""The manifest of a batch survives a kill at any line, and knows what is done."""

import json
import os
import threading

import pytest

from tfanon.core import files
from tfanon.inference.manifest import Manifest, get_file_manifest_path

RUN_INFO = {
    "model": {"name": "blur", "sha256": "ab"},
    "settings": {"quality": 20},
    "versions": {"av": "18"},
}


@pytest.fixture
def finished_file(tmp_path):
    """Paths of the manifest, input and output, with one entry that is in the journal alone."""
    input_path, output_path = tmp_path / "in.mp4", tmp_path / "out.mp4"
    input_path.write_bytes(b"in")
    output_path.write_bytes(b"out")
    Manifest(tmp_path / "manifest.json", RUN_INFO).add_entry(
        "a",
        status="done",
        input_sha256=files.compute_sha256(input_path),
        output_sha256=files.compute_sha256(output_path),
    )
    return tmp_path / "manifest.json", input_path, output_path


def test_killed_run_is_resumed(finished_file):
    path, input_path, output_path = finished_file
    with open(path.with_name(".manifest.json.journal"), "a") as journal:
        journal.write('\n["b", {"status": "do')  # killed in the middle of a line
    manifest = Manifest(path, RUN_INFO)
    assert manifest.is_finished("a", input_path, output_path) and list(manifest.files) == ["a"]
    manifest.add_entry("c", status="failed", error="x")
    assert list(Manifest(path, RUN_INFO).files) == ["a", "c"]
    path.with_name(".unfinished-999999999-manifest.json").write_text("killed while it was written")
    manifest.write()
    assert sorted(file.name for file in path.parent.iterdir()) == [
        "in.mp4",
        "manifest.json",
        "out.mp4",
    ]
    content = json.loads(path.read_text())
    assert (
        content["schema_version"] == 1
        and content["model"] == RUN_INFO["model"]
        and list(content["files"]) == ["a", "c"]
    )


@pytest.mark.parametrize(
    "change", ["input", "output", "gone", "settings", "model", "name", "nothing"]
)
def test_file_is_finished_only_while_nothing_changes(finished_file, change):
    path, input_path, output_path = finished_file
    run_info = json.loads(json.dumps(RUN_INFO))
    if change == "input":
        input_path.write_bytes(b"other")
    elif change == "output":
        output_path.write_bytes(b"other")
    elif change == "gone":
        output_path.unlink()
    elif change == "settings":
        run_info["settings"]["quality"] = 30
    elif change == "model":
        run_info["model"]["sha256"] = "cd"
    name = "b" if change == "name" else "a"
    assert Manifest(path, run_info).is_finished(name, input_path, output_path) == (
        change == "nothing"
    )


def test_recording_of_a_pipe_is_no_result_of_a_file(finished_file):
    path, input_path, output_path = finished_file
    Manifest(path, RUN_INFO).add_entry(
        "a", status="done", input="-", output_sha256=files.compute_sha256(output_path)
    )
    assert not Manifest(path, RUN_INFO).is_finished("a", input_path, output_path)


def test_file_stays_finished_with_another_package_version(finished_file):
    path, input_path, output_path = finished_file
    assert Manifest(path, RUN_INFO | {"versions": {"av": "19"}}).is_finished(
        "a", input_path, output_path
    )


def test_two_commands_keep_the_entries_of_each_other(tmp_path):
    path = tmp_path / "manifest.json"
    one, other = Manifest(path, RUN_INFO), Manifest(path, RUN_INFO)
    one.add_entry("a", status="done")
    other.add_entry("b", status="done")
    one.write()
    other.add_entry("c", status="failed", error="x")
    other.write()
    assert list(json.loads(path.read_text())["files"]) == ["a", "b", "c"]
    assert [file.name for file in tmp_path.iterdir()] == ["manifest.json"]


def test_no_entry_is_lost_while_others_write(tmp_path):
    path = tmp_path / "manifest.json"

    def work(name):
        manifest = Manifest(path, RUN_INFO)
        for number in range(20):
            manifest.add_entry(f"{name}{number:02d}", status="done")
            if number % 3 == 2:
                manifest.write()

    workers = [threading.Thread(target=work, args=(name,)) for name in "abc"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(Manifest(path, RUN_INFO).files) == [
        f"{name}{number:02d}" for name in "abc" for number in range(20)
    ]


def test_last_entry_of_a_name_counts_whoever_writes_last(tmp_path):
    path = tmp_path / "manifest.json"
    one, other = Manifest(path, RUN_INFO), Manifest(path, RUN_INFO)
    one.add_entry("a", status="failed", error="x")
    other.add_entry("a", status="done")
    other.write()
    one.write()
    assert json.loads(path.read_text())["files"]["a"]["status"] == "done"


def test_entry_that_could_not_be_written_is_written_later(tmp_path, monkeypatch):
    manifest = Manifest(tmp_path / "manifest.json", RUN_INFO)

    def raise_disk_full(_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr(files, "lock_file", raise_disk_full)
        manifest.add_entry("a", status="failed", error="x")
    manifest.add_entry("b", status="done")
    assert list(Manifest(tmp_path / "manifest.json", RUN_INFO).files) == ["a", "b"]


@pytest.mark.parametrize("text", ["no json", "[]", '{"other": 1}', '{"files": 3}'])
def test_other_file_of_that_name_is_left_alone(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ValueError, match="is not a manifest of tfanon.anonymize"):
        Manifest(tmp_path / "manifest.json", RUN_INFO)
    assert (tmp_path / "manifest.json").read_text() == text


NAMES = [
    b"a\xff\xfe.mp4",
    b"a\nb.mp4",
    b"a\"'$`\\.mp4",
    "\u00e9\U0001f600.mp4".encode(),
    b"\xf0\x9f.mp4",
    b"\xed\xa0\xbd\xed\xb8\x80.mp4",
]


@pytest.mark.parametrize("merged", [False, True])
def test_names_of_any_bytes_are_kept(tmp_path, merged):
    path, names = tmp_path / "manifest.json", [os.fsdecode(name) for name in NAMES]
    manifest = Manifest(path, RUN_INFO, {os.fsdecode(b"in\xff"): {"hidden": 1}})
    for name in names:
        manifest.add_entry(name, status="done", input=f"in/{name}")
    if merged:
        manifest.write()
        assert path.read_bytes().isascii()
        left_out = json.loads(path.read_text(encoding="ascii"))["left_out"]
        assert [os.fsencode(source) for source in left_out] == [b"in\xff"]
    entries = Manifest(path, RUN_INFO).files
    assert sorted(os.fsencode(name) for name in entries) == sorted(NAMES)
    assert all(entry["input"] == f"in/{name}" for name, entry in entries.items())


def test_left_out_entries_are_those_of_the_last_command(tmp_path):
    path = tmp_path / "manifest.json"
    Manifest(path, RUN_INFO, {"in": {"hidden": 2}, "other": {"other_endings": {".txt": 1}}}).write()
    Manifest(path, RUN_INFO, {"in": {}, "more/*": {"folders": 1}, "empty": {}}).write()
    Manifest(path, RUN_INFO).write()
    content = json.loads(path.read_text())
    assert content["left_out"] == {
        "other": {"other_endings": {".txt": 1}},
        "more/*": {"folders": 1},
    }
    assert content["schema_version"] == 1 and content["files"] == {}


def test_manifest_of_an_earlier_version_is_read(finished_file):
    path, input_path, output_path = finished_file
    Manifest(path, RUN_INFO).write()
    content = json.loads(path.read_text())
    del content["left_out"]
    path.write_text(json.dumps(content))
    assert Manifest(path, RUN_INFO, {"in": {"hidden": 1}}).is_finished("a", input_path, output_path)


@pytest.mark.parametrize("length", [9, 242, 255])
def test_file_names_of_any_length_have_a_manifest(tmp_path, length):
    path = get_file_manifest_path(tmp_path / ("x" * (length - 4) + ".mp4"))
    manifest = Manifest(path, RUN_INFO)
    manifest.add_entry("a", status="done")
    assert list(Manifest(path, RUN_INFO).files) == ["a"]
    manifest.write()
    assert os.listdir(tmp_path) == [path.name] and path.name.endswith(".mp4.manifest.json")
